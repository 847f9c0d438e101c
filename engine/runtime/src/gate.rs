//! Idempotency: the same key gives the first answer, before and after a restart.
//!
//! A key's scope is actor, method and path. A gate before everything else holds the scopes that are under way (a second
//! request waits) and looks up those that are remembered. What is remembered travels in the append of what it answers,
//! as a record in a stream of its own, so that it is there exactly when its effect is.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use interlink_journal::{Body, NewRecord, Position, Record, RecordKind, Stream};
use interlink_model::facts::AnswerScope;
use interlink_model::id::{Micros, StreamKind};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::core::{Core, settled};
use crate::draft::stream;
use crate::error::{Outcome, Trouble};
use crate::keys::{mac, mac_id};
use crate::people::{Caller, CallerKind};
use crate::state::{State, Value, key, table};
use crate::usage::{bytes_of, position_of};

/// How long an answer is remembered: a week, so that a client that was off over a weekend is served.
pub const REMEMBERED_US: i64 = 7 * 24 * 3_600 * 1_000_000;
/// The largest answer that is remembered: it fits into a record with its seal.
pub const ANSWER_BYTES_MAX: usize = 768 << 10;
const SHARDS: usize = 64;

/// An answer to a command.
#[derive(Default, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// HTTP's word for what came of it.
    pub status: u16,
    /// Type of the body.
    pub content_type: String,
    /// The body.
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
    /// Where the thing is that was made.
    pub location: Option<String>,
    /// Its version.
    pub etag: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Remembered {
    body_mac: serde_bytes::ByteBuf,
    status: u16,
    at: Micros,
    sealed: serde_bytes::ByteBuf,
}

/// A request that is to have its effect once.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// `POST`.
    pub method: &'a str,
    /// The full path.
    pub path: &'a str,
    /// The caller's key.
    pub key: &'a str,
    /// The raw body.
    pub body: &'a [u8],
}

/// What the gate says to a request.
pub enum Entry {
    /// It is new: whoever holds the permit answers it.
    New(Permit),
    /// It was answered.
    Answered(Answer),
    /// The key was used with another body.
    OtherBody,
}

/// The right to answer a request; others with the same key wait until it is dropped.
#[derive(Clone, Default)]
pub struct Permit(Option<Arc<Held>>);

struct Held {
    gate: Arc<Gate>,
    stream: Stream,
    version: u64,
    body_mac: [u8; 32],
    caller: Caller,
    used: AtomicBool,
}

impl Drop for Held {
    fn drop(&mut self) {
        let waiting = self.gate.shard(&self.stream.id).lock().remove(&self.stream.id);
        if let Some(waiting) = waiting {
            waiting.notify_waiters();
        }
    }
}

type Shard = Mutex<HashMap<[u8; 16], Arc<Notify>>>;

/// The gate.
pub(crate) struct Gate {
    shards: Vec<Shard>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl Gate {
    fn shard(&self, id: &[u8; 16]) -> &Shard {
        &self.shards[usize::from(id[0]) % SHARDS]
    }

    /// Lets a request in, once nobody else with its scope is under way.
    pub async fn enter(self: &Arc<Self>, core: &Core, caller: &Caller, request: Request<'_>) -> Outcome<Entry> {
        let secret = &core.keys.secrets().answers;
        let person = caller.person.bytes();
        let scope =
            [&person[..], request.method.as_bytes(), b"\0", request.path.as_bytes(), b"\0", request.key.as_bytes()];
        let id = mac_id(secret, &scope);
        let body_mac = mac(secret, &[request.body]);
        let stream = stream(StreamKind::Answer, id);
        loop {
            let waiting = {
                let mut under_way = self.shard(&id).lock();
                match under_way.get(&id) {
                    Some(waiting) => Arc::clone(waiting).notified_owned(),
                    None => {
                        under_way.insert(id, Arc::new(Notify::new()));
                        break;
                    }
                }
            };
            waiting.await;
        }
        let next = core.next_version(&stream);
        let version = next.as_ref().copied().unwrap_or_default();
        let held = Held {
            gate: Arc::clone(self),
            stream,
            version,
            body_mac,
            caller: caller.clone(),
            used: AtomicBool::new(false),
        };
        // From here on whoever waits is let in when this ends, however it does.
        let permit = Permit(Some(Arc::new(held)));
        if next? == 0 {
            return Ok(Entry::New(permit));
        }
        let Some(remembered) = look_up(core, &stream)? else { return Ok(Entry::New(permit)) };
        if remembered.is_over(core.now()) {
            return Ok(Entry::New(permit));
        }
        if remembered.body_mac.as_slice() != body_mac {
            return Ok(Entry::OtherBody);
        }
        let plain = caller.key.open(&[b"answer", &id], &remembered.sealed);
        match plain.and_then(|plain| rmp_serde::from_slice(&plain).ok()) {
            Some(answer) => Ok(Entry::Answered(answer)),
            None => Err(Trouble::Damaged { what: "remembered answer", id: request.key.into() }),
        }
    }
}

/// The remembered answer of a scope, from the state or, where it is not there, from the journal.
fn look_up(core: &Core, stream: &Stream) -> Outcome<Option<Remembered>> {
    let row = core.state.get(&key(table::ANSWER, &[&stream.id])).map(|found| bytes_of(&found).to_vec());
    let body = match row {
        Some(body) => Some(body),
        None => {
            let head = core.head(stream)?.map_or(0, |head| head.version);
            let records = core.journal.read_stream(stream, head, Position::MAX);
            let records = records.map_err(|error| Trouble::of_read(error, "remembered answer", stream))?;
            records.into_iter().next_back().map(|record| record.body)
        }
    };
    Ok(body.and_then(|body| rmp_serde::from_slice(&body).ok()))
}

impl Remembered {
    fn is_over(&self, now: Micros) -> bool {
        now.0 - self.at.0 > REMEMBERED_US
    }
}

/// Takes answers that are remembered no more out of the state, among at most `limit` behind a row; says which row was looked
/// at last, nothing at the end. The journal keeps them: a row that is taken out while its key is used anew is found there.
pub(crate) fn forget_answers(state: &State, now: Micros, after: Option<&[u8]>, limit: usize) -> Option<Vec<u8>> {
    let rows = state.scan(&[table::ANSWER], after, limit);
    let last = rows.last().map(|(row_key, _)| row_key.clone());
    for (row_key, found) in rows {
        let is_over = |row: &[u8]| rmp_serde::from_slice::<Remembered>(row).is_ok_and(|row| row.is_over(now));
        if is_over(&bytes_of(&found)) {
            state.put(position_of(&found), [(row_key, Value::Gone)]);
        }
    }
    last
}

/// Puts an answer that was read from the journal into the state, while it is remembered.
pub(crate) fn put_answer_again(core: &Core, record: &Record) {
    let is_over = rmp_serde::from_slice::<Remembered>(&record.body).is_ok_and(|answer| answer.is_over(core.now()));
    if !is_over {
        put_answer(&core.state, record.position, &record.stream, record.body.clone());
    }
}

/// Puts an answer that is durable into the state.
pub(crate) fn put_answer(state: &State, position: Position, stream: &Stream, body: Vec<u8>) {
    state.put(position, [(key(table::ANSWER, &[&stream.id]), Value::bytes(body))]);
}

impl Gate {
    /// Holds the key of a call that a crash interrupted, until it has ended: whoever repeats the request waits for it.
    pub fn hold(self: &Arc<Self>, scope: &AnswerScope, caller: Caller) -> Option<Permit> {
        let id: [u8; 16] = scope.stream.as_slice().try_into().ok()?;
        let body_mac = scope.body_mac.as_slice().try_into().ok()?;
        self.shard(&id).lock().insert(id, Arc::new(Notify::new()));
        let (stream, version) = (stream(StreamKind::Answer, id), scope.version);
        let held = Held { gate: Arc::clone(self), stream, version, body_mac, caller, used: AtomicBool::new(false) };
        Some(Permit(Some(Arc::new(held))))
    }
}

impl Permit {
    /// Where the answer is remembered: written with a call that may outlive this server.
    pub(crate) fn scope(&self) -> Option<AnswerScope> {
        let held = self.0.as_ref()?;
        Some(AnswerScope {
            stream: held.stream.id.to_vec(),
            version: held.version,
            body_mac: held.body_mac.to_vec(),
            person: held.caller.person,
            operator: held.caller.operator,
            key: held.caller.key.number,
        })
    }

    /// As what whoever asked did so; nothing for a request without a key.
    pub(crate) fn kind(&self) -> Option<CallerKind> {
        self.0.as_ref().map(|held| held.caller.kind)
    }

    /// Whether the request came with a key, and its answer has not been written.
    pub fn is_open(&self) -> bool {
        self.0.as_ref().is_some_and(|held| !held.used.load(Ordering::Acquire))
    }

    /// The record that remembers an answer; nothing for a request without a key. The answer is sealed under the key of
    /// who asked.
    pub(crate) fn record(&self, core: &Core, answer: &Answer) -> Option<NewRecord> {
        let held = self.0.as_ref()?;
        if answer.body.len() > ANSWER_BYTES_MAX || held.used.swap(true, Ordering::AcqRel) {
            return None;
        }
        let plain = rmp_serde::to_vec(answer).expect("an answer encodes");
        let sealed = held.caller.key.seal(&*core.ambient, &[b"answer", &held.stream.id], &plain);
        let remembered = Remembered {
            body_mac: serde_bytes::ByteBuf::from(held.body_mac),
            status: answer.status,
            at: core.now(),
            sealed: serde_bytes::ByteBuf::from(sealed),
        };
        Some(NewRecord {
            stream: held.stream,
            version: held.version,
            process: [0; 16],
            kind: RecordKind::Answer,
            key: held.caller.key.number,
            body: Body::new(rmp_serde::to_vec_named(&remembered).expect("an answer encodes")),
        })
    }

    /// Remembers an answer that changed nothing: a refusal.
    pub(crate) async fn remember(self, core: &Core, answer: &Answer) -> Outcome<()> {
        let Some(record) = self.record(core, answer) else { return Ok(()) };
        let fate = core.commit(&[], Some(record), move |_| drop(self));
        settled(fate).await?;
        Ok(())
    }
}
