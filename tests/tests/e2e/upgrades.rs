//! Data directories that earlier servers wrote: today's opens them, shows what was there, and goes on.

use std::path::Path;

use serde_json::{Value, json};

use crate::client::Ask;
use crate::files::below;
use crate::given::{complete, text, vote};
use crate::server::Server;

/// Digest of the poll that every earlier directory was written with.
const POLL: &str = "8fccdd92b86a9b1b8deff4ef9bd4260e346bbb44500fc02b91d3564e9a168d38";

/// A server on a copy of a directory that an earlier one wrote.
fn upgraded(fixture: &str) -> Server {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(fixture).join("data");
    let data = tempfile::tempdir().expect("a directory");
    for file in below(&from) {
        let target = data.path().join(file.strip_prefix(&from).expect("below it"));
        std::fs::create_dir_all(target.parent().expect("a directory")).expect("made");
        std::fs::copy(&file, target).expect("copied");
    }
    let poll = Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/host/tests/fixtures/world-0.1.0/poll.wasm");
    std::fs::create_dir_all(data.path().join("components")).expect("made");
    std::fs::copy(poll, data.path().join(format!("components/{POLL}.wasm"))).expect("copied");
    Server::start_on(data)
}

#[test]
fn a_directory_of_the_first_release_opens_shows_what_was_there_and_goes_on() {
    let mut server = upgraded("format-1");
    let (ana, boris) = (server.with_role("ana", "operator"), server.member("boris"));
    let processes = ana.all("/v1/processes", 10);
    let named: Vec<_> = processes.iter().map(|process| (text(&process["name"]), text(&process["status"]))).collect();
    assert_eq!(named, [("Tools for Delicias", "running"), ("Given up", "created")]);
    assert_eq!(processes[0]["zone"], "UTC", "it was made before there were zones");
    let process = format!("/v1/processes/{}", text(&processes[0]["id"]));
    let assets = ana.get(&format!("{process}/assets")).is(200);
    let poll = format!("/v1/assets/{}", text(&assets["items"][0]["id"]));
    let votes = |client: &crate::client::Client| client.get(&format!("{poll}/view")).is(200)["votes"].clone();
    assert_eq!(votes(&ana), json!({"Monday": 1, "Thursday": 1}));
    let path = format!("{poll}/actions/vote");
    let again = boris.ask(&Ask::post(&path, &json!({"option": "Thursday"})).key("vote-1"));
    assert_eq!(
        (again.status, again.header("idempotent-replayed")),
        (200, "true"),
        "an answer is remembered for a week"
    );
    let events = ana.all(&format!("{process}/events"), 100);
    assert!(events.iter().any(|event| event["kind"] == "TaskClaimed" && event["data"]["comment"] == "as agreed"));

    vote(&server.member("carla"), &poll, "Monday").is(200);
    assert_eq!(votes(&ana), json!({"Monday": 2, "Thursday": 1}));
    for task in ["set-rules", "collect-tools", "open-day"] {
        complete(&ana, &process, task);
    }
    assert_eq!(ana.get(&process).is(200)["status"], "completed");
    server.crash();
    assert_eq!(ana.get(&process).is(200)["status"], "completed");
    let uses: Vec<Value> = ana.all("/v1/usage", 100);
    assert!(uses.iter().filter(|entry| entry["kind"] == "action").count() == 3, "{uses:?}");
    server.audit();
}
