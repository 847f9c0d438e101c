//! The world in which a guest is checked: it grants all, or nothing, and keeps a record.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use interlink_host::{
    Ambience, Company, Durable, Grants, HttpRequest, HttpResponse, Kind, Outbound, OutboundError, Problem, Record,
    RecordFault, Recorded,
};
use interlink_model::manifest::Manifest;
use parking_lot::Mutex;
use serde_json::json;

/// The time at which all of it happens.
pub(super) const NOON: i64 = 1_767_268_800_000_000;

/// How the world is disposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    /// Everything that the manifest asks for is granted and answers.
    Granting,
    /// Nothing is granted.
    Refusing,
    /// Everything is granted, and nobody answers.
    Silent,
}

/// A world.
pub(super) struct World {
    mood: Mood,
    looks: AtomicI64,
    recorded: Mutex<Vec<Recorded>>,
}

impl World {
    /// What makes a call durable there, fed with a record.
    pub fn durable(mood: Mood, manifest: &Manifest, fed: Vec<Recorded>) -> (Arc<Self>, Durable) {
        let world = Arc::new(Self { mood, looks: AtomicI64::new(0), recorded: Mutex::default() });
        let (ambience, outbound, company) = (Arc::clone(&world), Arc::clone(&world), Arc::clone(&world));
        let record = Arc::clone(&world);
        let (id, company) = ("call-1".to_owned(), Some(company as Arc<dyn Company>));
        let grants = grants(mood, manifest);
        (world, Durable { id, grants, ambience, outbound, company, record, recorded: fed })
    }

    /// What was answered.
    pub fn recorded(&self) -> Vec<Recorded> {
        self.recorded.lock().clone()
    }
}

/// What is granted: what the manifest asks for, or nothing.
pub(super) fn grants(mood: Mood, manifest: &Manifest) -> Grants {
    match mood {
        Mood::Refusing => Grants::default(),
        _ => Grants::default().with(&manifest.grants),
    }
}

impl Ambience for World {
    fn now(&self) -> i64 {
        NOON + self.looks.fetch_add(1, Ordering::Relaxed) * 1_000_000
    }

    fn random(&self, bytes: &mut [u8]) {
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = (at as u8).wrapping_mul(37).wrapping_add(11);
        }
    }

    fn secret(&self, _: &str) -> Option<String> {
        (self.mood == Mood::Granting).then(|| "a secret".into())
    }
}

impl Outbound for World {
    fn send(&self, _: &HttpRequest) -> Result<HttpResponse, OutboundError> {
        if self.mood == Mood::Silent {
            return Err(OutboundError::Timeout);
        }
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Ok(HttpResponse { status: 200, headers, body: b"{}".to_vec() })
    }
}

impl Company for World {
    fn people(&self) -> String {
        json!([{"id": "ana", "roles": ["contributor"]}]).to_string()
    }

    fn act(&self, _: &Grants, _: u32, _: &str, _: &str, _: &str) -> Result<String, Problem> {
        match self.mood {
            Mood::Granting => Ok("null".into()),
            Mood::Refusing => Err(Problem::not_granted("to run actions of other assets")),
            Mood::Silent => {
                let (code, detail) = ("failed".into(), "it does not answer".into());
                Err(Problem { code, detail, pointer: None, data: None })
            }
        }
    }
}

impl Record for World {
    fn started(&self) -> Result<(), RecordFault> {
        Ok(())
    }

    fn answered(&self, _: u32, kind: Kind, request: &[u8], answer: &[u8]) -> Result<(), RecordFault> {
        self.recorded.lock().push(Recorded { kind, request: request.to_vec(), answer: answer.to_vec() });
        Ok(())
    }
}
