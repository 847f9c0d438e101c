//! What a test is given: a host with small limits, and a poll to show that it still serves.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use interlink_host::{
    Call, CallContext, Called, Done, Entry, Failure, Fault, Host, HostConfig, Interlinker, Limits, Problem,
    PublishError,
};
use interlink_model::keyvalues::KeyValues;
use serde_json::{Value, json};

use super::guest::Guest;

/// Longer than any call of these tests takes, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(60);

/// Limits that a test reaches soon.
pub fn small() -> Limits {
    Limits {
        fuel: 20_000_000,
        memory_bytes: 8 << 20,
        table_elements: 1_000,
        transfer_bytes: 256 << 10,
        host_bytes: 1 << 20,
        host_calls: 1_000,
        deadline_ms: 10_000,
        ..Limits::default()
    }
}

/// A host with a poll.
pub struct Given {
    pub host: Host,
    pub poll: Arc<Interlinker>,
}

/// The host that tests share where they need no limits of their own: a fault of one is seen by the others, too.
pub fn shared() -> &'static Given {
    static SHARED: LazyLock<Given> = LazyLock::new(|| given(small()));
    &SHARED
}

/// A host of a test's own.
pub fn given(limits: Limits) -> Given {
    // Native code is kept between hosts and runs: compiling the poll takes longer than all that is tested with it.
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("native");
    let host = host(limits, Some(cache), [7; 32]);
    let poll = host.load(&dist("poll")).expect("the poll is sound");
    Given { host, poll }
}

pub fn host(limits: Limits, cache: Option<PathBuf>, secret: [u8; 32]) -> Host {
    Host::new(HostConfig { threads: 2, cache, secret, limits }).expect("a host can be made")
}

/// A component of `interlinkers/dist`.
pub fn dist(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../interlinkers/dist/{name}.wasm"));
    std::fs::read(path).expect("the component is built")
}

pub fn instantiate(input: Value) -> Entry {
    Entry::Instantiate { input }
}

pub fn action(name: &str, input: Value) -> Entry {
    Entry::Action { name: name.into(), input }
}

pub fn view() -> Entry {
    Entry::View { query: json!({}) }
}

/// Sends a call and waits for nothing.
pub fn send(host: &Host, guest: &Arc<Interlinker>, person: &str, entry: Entry, state: &KeyValues) -> Receiver<Called> {
    let context = CallContext {
        person: Some(person.into()),
        roles: vec!["contributor".into()],
        process: "process-1".into(),
        task: "task-1".into(),
        asset: "asset-1".into(),
        language: "en".into(),
        at: "2026-01-01T09:00:00Z".into(),
        by: None,
    };
    let (tell, told) = channel();
    let tell = Box::new(move |called| {
        // Whoever does not wait for the answer has gone.
        let _ = tell.send(called);
    });
    host.call(guest, Call { entry, state: state.clone(), context, given: Default::default() }, tell);
    told
}

pub fn told(answer: &Receiver<Called>) -> Called {
    answer.recv_timeout(PATIENCE).expect("every call is answered")
}

pub fn call(host: &Host, guest: &Arc<Interlinker>, person: &str, entry: Entry, state: &KeyValues) -> Called {
    told(&send(host, guest, person, entry, state))
}

/// What was done.
pub fn done(called: Called) -> Done {
    called.result.expect("the call is done")
}

/// Why a guest refused.
pub fn refused(called: Called) -> Problem {
    match called.result {
        Err(Failure::Refused(problem)) => problem,
        other => panic!("the guest was to refuse: {other:?}"),
    }
}

/// How a call failed.
pub fn fault(called: Called) -> Fault {
    match called.result {
        Err(Failure::Failed(fault)) => fault,
        other => panic!("the call was to fail: {other:?}"),
    }
}

impl Given {
    pub fn load(&self, guest: &Guest) -> Arc<Interlinker> {
        self.host.load(&guest.bytes()).expect("the guest is sound")
    }

    /// Why a component is not taken; the host serves on.
    pub fn unpublished(&self, bytes: &[u8]) -> PublishError {
        let error = self.host.load(bytes).expect_err("it is not taken");
        let inspected = self.host.inspect(bytes).expect_err("it is not taken");
        assert_eq!(error, inspected);
        self.serves();
        error
    }

    /// Calls a guest's entry on some state; the host serves on.
    pub fn enter(&self, guest: &Guest, entry: Entry, state: &KeyValues) -> Called {
        let called = call(&self.host, &self.load(guest), "ana", entry, state);
        self.serves();
        called
    }

    /// Runs a guest's action on empty state; the host serves on.
    pub fn act(&self, guest: &Guest) -> Called {
        self.enter(guest, action("go", json!({})), &KeyValues::default())
    }

    /// A poll is opened, voted in and looked at, as if nothing had been.
    pub fn serves(&self) {
        let Self { host, poll } = self;
        let open = json!({"question": "Which park?", "options": ["A", "B"], "quorum": 1});
        let opened = done(call(host, poll, "ana", instantiate(open), &KeyValues::default()));
        let voted = done(call(host, poll, "ana", action("vote", json!({"option": "B"})), &opened.state));
        assert!(voted.outcome.is_some());
        let seen = done(call(host, poll, "ana", view(), &voted.state));
        assert_eq!(seen.output["votes"], json!({"A": 0, "B": 1}));
    }
}
