//! The world outside an asset, as tests have it: it answers, keeps the record, and notes what it was asked in which
//! order.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use interlink_host::{
    Ambience, Call, CallContext, Called, Done, Durable, Entry, Grants, Host, HttpGrant, HttpRequest, HttpResponse,
    Interlinker, Kind, Outbound, OutboundError, Record, RecordFault, Recorded,
};
use interlink_model::keyvalues::KeyValues;
use parking_lot::Mutex;
use serde_json::json;

use super::given::{Given, action, told};
use super::guest::Guest;

/// The time of the first look at the clock; each look is a second later.
pub const NOON: i64 = 1_767_268_800_000_000;

/// What answers a request.
type Answering = Box<dyn Fn(&HttpRequest) -> Result<HttpResponse, OutboundError> + Send + Sync>;

pub struct Town {
    inner: Mutex<Inner>,
    answering: Answering,
    /// The answer that cannot be recorded.
    full_at: Option<u32>,
    /// Whether the start cannot be recorded.
    full: bool,
}

#[derive(Default)]
struct Inner {
    looks: i64,
    notes: Vec<String>,
    sent: Vec<HttpRequest>,
    recorded: Vec<Recorded>,
}

impl Town {
    /// Where every request is answered with its body and `200`.
    pub fn new() -> Self {
        Self::answering(|request| Ok(response(200, &request.body)))
    }

    pub fn answering(
        answering: impl Fn(&HttpRequest) -> Result<HttpResponse, OutboundError> + Send + Sync + 'static,
    ) -> Self {
        Self { inner: Mutex::default(), answering: Box::new(answering), full_at: None, full: false }
    }

    /// Where each answer takes so long.
    pub fn slow(ms: u64) -> Self {
        Self::answering(move |request| {
            std::thread::sleep(Duration::from_millis(ms));
            Ok(response(200, &request.body))
        })
    }

    /// Whose disk is full when the answer of this number comes.
    pub fn full_at(self, number: u32) -> Self {
        Self { full_at: Some(number), ..self }
    }

    /// Whose disk is full from the start.
    pub fn full(self) -> Self {
        Self { full: true, ..self }
    }

    /// What happened, in order.
    pub fn notes(&self) -> Vec<String> {
        self.inner.lock().notes.clone()
    }

    /// Requests that were sent.
    pub fn sent(&self) -> Vec<HttpRequest> {
        self.inner.lock().sent.clone()
    }

    /// The record.
    pub fn recorded(&self) -> Vec<Recorded> {
        self.inner.lock().recorded.clone()
    }

    fn note(&self, note: impl Into<String>) {
        self.inner.lock().notes.push(note.into());
    }
}

impl Ambience for Town {
    fn now(&self) -> i64 {
        self.note("clock");
        let mut inner = self.inner.lock();
        inner.looks += 1;
        NOON + (inner.looks - 1) * 1_000_000
    }

    fn random(&self, bytes: &mut [u8]) {
        self.note("random");
        bytes.fill(4);
    }

    fn secret(&self, name: &str) -> Option<String> {
        self.note(format!("secret {name}"));
        (name != "unset").then(|| format!("the {name} secret"))
    }
}

impl Outbound for Town {
    fn send(&self, request: &HttpRequest) -> Result<HttpResponse, OutboundError> {
        self.note(format!("{} {}", request.method, request.url));
        self.inner.lock().sent.push(request.clone());
        (self.answering)(request)
    }
}

impl Record for Town {
    fn started(&self) -> Result<(), RecordFault> {
        if self.full {
            return Err(RecordFault { reason: "the disk is full".into() });
        }
        self.note("started");
        Ok(())
    }

    fn answered(&self, number: u32, kind: Kind, request: &[u8], answer: &[u8]) -> Result<(), RecordFault> {
        if self.full_at == Some(number) {
            return Err(RecordFault { reason: "the disk is full".into() });
        }
        self.note(format!("recorded {number}"));
        let (request, answer) = (request.to_vec(), answer.to_vec());
        self.inner.lock().recorded.push(Recorded { kind, request, answer });
        Ok(())
    }
}

pub fn response(status: u16, body: &[u8]) -> HttpResponse {
    HttpResponse { status, headers: vec![("Content-Type".into(), "text/plain".into())], body: body.to_vec() }
}

/// A request in JSON.
pub fn request(method: &str, url: &str) -> String {
    json!({ "method": method, "url": url }).to_string()
}

/// What tests grant: `GET` and `POST` to one origin, and the secrets `mail` and `unset`.
pub fn grants() -> Grants {
    let origin = "https://example.org".parse().expect("an origin");
    let methods = vec!["GET".into(), "POST".into()];
    Grants {
        http: vec![HttpGrant { methods, origin }],
        secrets: vec!["mail".into(), "unset".into()],
        ..Grants::default()
    }
}

/// A call of `call-7` into a town.
pub fn durable(town: &Arc<Town>, recorded: Vec<Recorded>) -> Durable {
    let (ambience, outbound, record) = (Arc::clone(town), Arc::clone(town), Arc::clone(town));
    Durable { id: "call-7".into(), grants: grants(), ambience, outbound, company: None, record, recorded }
}

/// Makes a call with an outside.
pub fn call_in(host: &Host, guest: &Arc<Interlinker>, entry: Entry, state: &KeyValues, durable: Durable) -> Called {
    let (tell, answer) = channel();
    let call = Call { entry, state: state.clone(), context: CallContext::default(), given: Default::default() };
    let tell = Box::new(move |called| tell.send(called).expect("the test waits"));
    host.call_durably(guest, call, durable, tell);
    told(&answer)
}

impl Given {
    /// Runs an entry with an outside; the host serves on.
    pub fn enter_durably(&self, guest: &Guest, entry: Entry, durable: Durable) -> Called {
        let called = call_in(&self.host, &self.load(guest), entry, &KeyValues::default(), durable);
        self.serves();
        called
    }

    /// Runs the action in a town, fed with this.
    pub fn act_in(&self, town: &Arc<Town>, guest: &Guest, recorded: Vec<Recorded>) -> Called {
        self.enter_durably(guest, action("go", json!({})), durable(town, recorded))
    }
}

/// What a guest kept, as text, by key.
pub fn kept(done: &Done) -> BTreeMap<String, String> {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    done.state.iter().map(|(key, value)| (key.to_string(), text(value))).collect()
}
