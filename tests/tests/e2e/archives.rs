//! Archived processes: out of the way, to be looked at as ever, and brought back as they were.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::client::{Ask, Client};
use crate::given::{complete, drive, library, poll, running, seen, text, vote};
use crate::server::{Server, printed};

/// Path of a process that was completed, and of a poll on it that has a vote of Ana's.
fn completed(server: &Server, name: &str) -> (String, String) {
    let operator = server.operator();
    let process = running(operator, name);
    let poll = poll(operator, &process, "find-room", 3);
    vote(&server.member("ana"), &poll, "Monday").is(200);
    drive(operator, &process, 9);
    (process, poll)
}

/// A process and its tree, without what archiving it changes: its status, and which version this is.
#[track_caller]
fn shown(client: &Client, process: &str) -> Value {
    let mut whole = client.get(process).is(200);
    whole.as_object_mut().expect("a process").remove("status");
    let mut shown = json!([whole, client.get(&format!("{process}/tree")).is(200)["phases"]]);
    without_versions(&mut shown);
    shown
}

fn without_versions(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(without_versions),
        Value::Object(fields) => {
            fields.retain(|name, _| name != "version" && name != "updated_at");
            fields.values_mut().for_each(without_versions);
        }
        _ => {}
    }
}

fn status(client: &Client, process: &str) -> Value {
    client.get(process).is(200)["status"].clone()
}

fn with_status(client: &Client, status: &str) -> Vec<Value> {
    let listed = client.all(&format!("/v1/processes?status={status}"), 10);
    listed.into_iter().map(|process| process["name"].clone()).collect()
}

#[test]
fn what_was_archived_is_shown_as_it_was_and_comes_back() {
    let mut server = library();
    let operator = server.operator().clone();
    let (process, poll) = completed(&server, "Put away");
    running(&operator, "At hand");
    let before = shown(&operator, &process);
    let archived = operator.post(&format!("{process}/archive"), &json!({"reason": "it is over"})).is(200);
    assert_eq!(archived["status"], "archived");
    assert_eq!(shown(&operator, &process), before);
    assert_eq!(with_status(&operator, "archived"), ["Put away"]);
    assert_eq!(with_status(&operator, "completed"), [] as [&str; 0]);
    assert_eq!(with_status(&operator, "running"), ["At hand"]);
    let guide = operator.get(&format!("{process}/guide")).is(200);
    assert!(text(&guide["note"]).contains("archived"), "{guide}");
    assert_eq!(guide["next"], json!([]));
    let assets = operator.get(&format!("{process}/assets")).is(200);
    assert_eq!(assets["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(operator.get(&format!("{poll}/view")).is(200)["votes"], json!({"Monday": 1, "Thursday": 0}));
    let events = operator.all(&format!("{process}/events"), 1_000);
    let last = events.last().expect("a history");
    assert_eq!((&last["kind"], &last["data"]["reason"]), (&json!("ProcessArchived"), &json!("it is over")));
    let adoption = operator.get("/v1/adoption").is(200);
    assert_eq!(adoption["processes"]["archived"], 1);
    assert_eq!(adoption["tasks"]["done"], 5, "what was done in it counts");

    let back = operator.tell(&format!("{process}/unarchive")).is(200);
    assert_eq!(back["status"], "completed");
    assert_eq!(shown(&operator, &process), before);
    assert_eq!(with_status(&operator, "archived"), [] as [&str; 0]);
    vote(&server.member("boris"), &poll, "Monday").is(200);
    operator.tell(&format!("{process}/tasks/look-back/reopen")).is(200);
    complete(&operator, &process, "look-back");
    server.audit();
}

#[test]
fn an_archived_process_takes_nothing_but_that_it_is_brought_back() {
    let mut server = library();
    let operator = server.operator().clone();
    let process = running(&operator, "To be put away");
    operator.tell(&format!("{process}/archive")).refused(409, "process-not-ended");
    operator.tell(&format!("{process}/unarchive")).refused(409, "process-not-archived");
    operator.tell("/v1/processes/nowhere/archive").refused(404, "not-found");
    let poll = poll(&operator, &process, "find-room", 3);
    operator.tell(&format!("{process}/cancel")).is(200);
    let stale = operator.ask(&Ask::new("POST", &format!("{process}/archive")).header("if-match", "\"1\""));
    assert_eq!(stale.status, 412);
    let archive = || operator.ask(&Ask::new("POST", &format!("{process}/archive")).key("away"));
    let (first, again) = (archive(), archive());
    assert_eq!((first.status, again.status), (200, 200));
    assert_eq!((&first.body, again.header("idempotent-replayed")), (&again.body, "true"));
    let position = server.position();
    for path in ["/archive", "/start", "/cancel", "/suspend", "/tasks/find-room/claim", "/items/find-room/skip"] {
        let problem = operator.tell(&format!("{process}{path}")).refused(409, "process-archived");
        assert!(text(&problem["detail"]).contains("bring it back"), "{problem}");
    }
    let body = json!({"interlinker": "poll", "input": {"question": "?", "options": ["a", "b"], "quorum": 1}});
    operator.post(&format!("{process}/tasks/find-room/assets"), &body).refused(409, "process-archived");
    vote(&operator, &poll, "Monday").refused(409, "process-archived");
    operator.ask(&Ask::new("DELETE", &poll)).refused(409, "process-archived");
    assert_eq!(server.position(), position, "a refusal wrote something");
    operator.tell(&format!("{process}/unarchive")).is(200);
    assert_eq!(status(&operator, &process), "cancelled");
    server.audit();
}

#[test]
fn an_archive_outlives_a_kill_and_a_state_that_is_made_again() {
    let mut server = library();
    let operator = server.operator().clone();
    let (away, poll) = completed(&server, "Put away");
    let (back, its_poll) = completed(&server, "Put away and brought back");
    for process in [&away, &back] {
        operator.tell(&format!("{process}/archive")).is(200);
    }
    operator.tell(&format!("{back}/unarchive")).is(200);
    vote(&server.member("boris"), &its_poll, "Thursday").is(200);
    let all = || [seen(&operator, &away), seen(&operator, &back), operator.get(&format!("{its_poll}/view")).is(200)];
    let before = all();
    server.crash();
    assert_eq!(all(), before);
    assert_eq!(with_status(&operator, "archived"), ["Put away"]);
    server.audit();
    let output = server.on_data(&["state", "rebuild"]);
    assert!(output.status.success(), "{}", printed(&output));
    server.audit();
    server.launch();
    assert_eq!(all(), before);
    assert_eq!(operator.get("/v1/adoption").is(200)["processes"]["archived"], 1);
    operator.tell(&format!("{away}/unarchive")).is(200);
    vote(&server.member("boris"), &poll, "Thursday").is(200);
    server.crash();
    assert_eq!(status(&operator, &away), "completed");
    let votes = operator.get(&format!("{poll}/view")).is(200)["votes"].clone();
    assert_eq!(votes, json!({"Monday": 1, "Thursday": 1}));
    server.audit();
}

#[test]
fn old_history_on_another_disk_is_read_audited_and_backed_up_as_before() {
    let mut server = library();
    let operator = server.operator().clone();
    let mut shown_before = Vec::new();
    for life in 0..4 {
        let (process, _) = completed(&server, &format!("Of life {life}"));
        operator.tell(&format!("{process}/archive")).is(200);
        shown_before.push((process.clone(), seen(&operator, &process)));
        // Every start begins a segment.
        server.crash();
    }
    let slow = tempfile::tempdir().expect("a directory");
    let letters = |path: &std::path::Path| path.to_str().expect("a path of letters").to_owned();
    let offload = |server: &Server| server.on_data(&["offload", "--to", &letters(slow.path()), "--keep", "1"]);
    let refused = offload(&server);
    assert!(!refused.status.success() && printed(&refused).contains("another"), "{}", printed(&refused));
    server.kill();
    let moved = offload(&server);
    assert!(moved.status.success() && printed(&moved).contains("4 segments moved"), "{}", printed(&moved));
    server.audit();
    server.launch();
    for (process, before) in &shown_before {
        assert_eq!(seen(&operator, process), *before);
    }
    let place = tempfile::tempdir().expect("a directory");
    let (file, again) = (letters(&place.path().join("b")), letters(&place.path().join("again")));
    let backup = server.cli(&["backup", &file]);
    assert!(backup.status.success(), "{}", printed(&backup));
    let restored = crate::server::interlink(&["restore", &file, "--data", &again]);
    assert!(restored.status.success(), "{}", printed(&restored));
    let audited = crate::server::interlink(&["audit", "verify", "--data", &again]);
    assert!(audited.status.success(), "{}", printed(&audited));
    server.kill();
    std::fs::remove_dir_all(slow.path()).expect("the other disk is gone");
    let refused = server.on_data(&["audit", "verify"]);
    assert!(!refused.status.success() && printed(&refused).contains(".segment"), "{}", printed(&refused));
}

#[test]
fn votes_that_race_with_an_archive_are_counted_or_refused() {
    const VOTERS: usize = 12;
    let mut server = library();
    let operator = server.operator().clone();
    let (process, poll) = completed(&server, "Contested");
    let voters: Vec<_> = (0..VOTERS).map(|number| server.member(&format!("voter-{number}"))).collect();
    let counted = AtomicU64::new(1);
    std::thread::scope(|scope| {
        for voter in &voters {
            let (poll, counted) = (&poll, &counted);
            scope.spawn(move || {
                let voted = vote(voter, poll, "Monday");
                match voted.status {
                    200 => drop(counted.fetch_add(1, Ordering::Relaxed)),
                    _ => drop(voted.refused(409, "process-archived")),
                }
            });
        }
        operator.tell(&format!("{process}/archive")).is(200);
    });
    let view = operator.get(&format!("{poll}/view")).is(200);
    assert_eq!(view["votes"]["Monday"], json!(counted.load(Ordering::Relaxed)));
    server.audit();
}

#[test]
fn a_fork_of_an_archived_process_is_not_archived() {
    let server = library();
    let operator = server.operator();
    let (process, _) = completed(&server, "The first");
    operator.tell(&format!("{process}/archive")).is(200);
    let version = operator.get(&process).is(200)["version"].clone();
    let body = json!({"as_of": version, "name": "The second"});
    let fork = operator.post(&format!("{process}/fork"), &body).is(201);
    assert_eq!(fork["status"], "completed");
    assert_eq!(status(operator, &process), "archived");
}
