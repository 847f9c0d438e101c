//! Durable host calls: what a call asks of the world outside its asset, and where the answers are kept.
//!
//! An answer that could be another next time (the clock, randomness, HTTP, a secret) is recorded before the guest
//! sees it. A call that is run again is fed what was recorded, in order, and asks nobody until the record ends; from
//! there it goes on as the first run would have. A guest that asks for something else than it did is stopped there.
//! Fuel and deadlines are no part of the comparison: they may differ between two versions of the host.
//!
//! Every answer of `http.send` and `secrets.get` is recorded, "not granted" as well: grants may change between a run
//! and the next. What is decided by the request alone (one that cannot be read, or crosses a limit) is not.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::call::Problem;
use crate::grants::Grants;
use crate::outbound::Outbound;

/// What a guest can ask the world outside its asset for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The time.
    Clock,
    /// Random bytes.
    Random,
    /// An HTTP exchange.
    Http,
    /// A secret.
    Secret,
    /// Who takes part in the process.
    People,
    /// An action of another asset.
    Asset,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clock => "the clock",
            Self::Random => "randomness",
            Self::Http => "HTTP",
            Self::Secret => "a secret",
            Self::People => "the people of the process",
            Self::Asset => "another asset",
        })
    }
}

/// A host call that was answered. It may hold secrets, in headers and answers: it is sealed wherever it is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// What was asked for.
    pub kind: Kind,
    /// The request as canonical JSON. Of an HTTP request's body it has the size and the SHA-256.
    pub request: Vec<u8>,
    /// The answer: JSON, for randomness the bytes, for HTTP a line of JSON and the response's body.
    pub answer: Vec<u8>,
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (request, answer) = (self.request.len(), self.answer.len());
        write!(f, "Recorded({:?}, request of {request} bytes, answer of {answer} bytes)", self.kind)
    }
}

/// Why an answer was not recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct RecordFault {
    /// What went wrong.
    pub reason: String,
}

/// Keeps what a call was answered. Called on the guest's thread, which waits.
pub trait Record: Send + Sync {
    /// The call is about to ask for something for the first time, with nothing recorded before. Returns when this is
    /// durable. A run after one that ended here says so again.
    ///
    /// # Errors
    ///
    /// When it cannot be kept: the call ends, and nothing was asked.
    fn started(&self) -> Result<(), RecordFault>;

    /// The host call of this number, counted from 1 in the order of the call, was answered. Returns when that is
    /// durable; only then does the guest see the answer.
    ///
    /// # Errors
    ///
    /// When it cannot be kept: the call ends, and the guest has not seen the answer.
    fn answered(&self, number: u32, kind: Kind, request: &[u8], answer: &[u8]) -> Result<(), RecordFault>;
}

/// What answers the clock, randomness and secrets.
pub trait Ambience: Send + Sync {
    /// The time, in microseconds since 1970-01-01T00:00:00Z.
    fn now(&self) -> i64;
    /// Fills a buffer with random bytes that nobody can guess.
    fn random(&self, bytes: &mut [u8]);
    /// A secret that was granted, where it is set.
    fn secret(&self, name: &str) -> Option<String>;
}

/// The company of an asset: its process's people, and the other assets there. Called on the guest's thread, which waits.
pub trait Company: Send + Sync {
    /// Who takes part in the process: a JSON list of `{id, roles}`.
    fn people(&self) -> String;
    /// Runs an action of another asset, for whoever makes the call: once, however often it is asked for under one number.
    ///
    /// # Errors
    ///
    /// Why it was not done.
    fn act(&self, grants: &Grants, number: u32, asset: &str, action: &str, input: &str) -> Result<String, Problem>;
}

/// What makes a call durable.
#[derive(Clone)]
pub struct Durable {
    /// Names the call for good, in every run: a request of it carries `Idempotency-Key: {id}-{number}`. Letters, digits
    /// and `-`, as it stands in a header.
    pub id: String,
    /// What it may ask for.
    pub grants: Grants,
    /// What answers the clock, randomness and secrets.
    pub ambience: Arc<dyn Ambience>,
    /// What sends requests.
    pub outbound: Arc<dyn Outbound>,
    /// Who answers for people and other assets; nobody for a call that runs alone.
    pub company: Option<Arc<dyn Company>>,
    /// Where answers are kept.
    pub record: Arc<dyn Record>,
    /// What was answered in an earlier run of this call, in order.
    pub recorded: Vec<Recorded>,
}

impl fmt::Debug for Durable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, grants, recorded, .. } = self;
        let mut debug = f.debug_struct("Durable");
        debug.field("id", id).field("grants", grants).field("recorded", recorded).finish_non_exhaustive()
    }
}
