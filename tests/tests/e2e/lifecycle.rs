//! A process from its beginning to its end, and the ways back.

use serde_json::{Value, json};

use crate::client::Client;
use crate::given::{complete, created, drive, ids, library, next, poll, running, seen, tasks, text};

fn status(client: &Client, process: &str) -> String {
    text(&client.get(process).is(200)["status"]).to_owned()
}

fn task_status(client: &Client, process: &str, task: &str) -> String {
    text(&client.get(&format!("{process}/tasks/{task}")).is(200)["status"]).to_owned()
}

#[test]
fn a_process_rests_and_goes_on_and_nothing_is_done_meanwhile() {
    let mut server = library();
    let ana = server.member("ana");
    let process = created(&ana, "Now and then");
    let guide = ana.get(&format!("{process}/guide")).is(200);
    assert_eq!((&guide["next"], guide["note"].is_string()), (&json!([]), true), "{guide}");
    ana.tell(&format!("{process}/suspend")).refused(409, "process-not-started");
    ana.tell(&format!("{process}/start")).is(200);
    let poll = poll(&ana, &process, "find-room", 2);

    let rests = ana.post(&format!("{process}/suspend"), &json!({"reason": "the summer"}));
    assert_eq!(rests.is(200)["status"], json!("suspended"));
    let before = seen(&ana, &process);
    for path in ["/tasks/find-room/claim", "/tasks/find-room/start", "/tasks/find-room/complete", "/suspend"] {
        ana.tell(&format!("{process}{path}")).refused(409, "process-suspended");
    }
    let body = json!({"interlinker": "document", "input": {"title": "Late"}});
    ana.post(&format!("{process}/tasks/find-room/assets"), &body).refused(409, "process-suspended");
    assert_eq!(seen(&ana, &process), before);
    crate::given::vote(&ana, &poll, "Monday").is(200);
    server.crash();
    assert_eq!(status(&ana, &process), "suspended");
    assert_eq!(ana.tell(&format!("{process}/resume")).is(200)["status"], json!("running"));
    complete(&ana, &process, "find-room");

    let events = ana.all(&format!("{process}/events"), 100);
    let suspended = events.iter().find(|event| event["kind"] == "ProcessSuspended").expect("it is in the history");
    assert_eq!((&suspended["data"]["reason"], &suspended["actor"]), (&json!("the summer"), &json!(ana.id())));
    server.audit();
}

#[test]
fn a_process_that_was_given_up_takes_no_work_any_more() {
    let server = library();
    let ana = server.member("ana");
    let process = running(&ana, "Given up");
    complete(&ana, &process, "find-room");
    assert_eq!(
        ana.post(&format!("{process}/cancel"), &json!({"reason": "no room"})).is(200)["status"],
        json!("cancelled")
    );
    let before = seen(&ana, &process);
    let paths = [
        "/start",
        "/suspend",
        "/resume",
        "/cancel",
        "/tasks/set-rules/claim",
        "/tasks/set-rules/complete",
        "/tasks/find-room/reopen",
        "/items/open/skip",
        "/items/open/restore",
    ];
    for path in paths {
        ana.tell(&format!("{process}{path}")).refused(409, "process-ended");
    }
    assert_eq!(seen(&ana, &process), before);
    assert_eq!(next(&ana, &process), Vec::<String>::new());
    assert_eq!(ana.all("/v1/processes?status=cancelled", 10).len(), 1);
    assert_eq!(ana.all("/v1/processes?status=running", 10).len(), 0);
}

#[test]
fn reopening_a_task_holds_up_what_was_begun_behind_it() {
    let mut server = library();
    let (ana, boris) = (server.member("ana"), server.member("boris"));
    let process = running(&ana, "Once more");
    complete(&ana, &process, "find-room");
    boris.tell(&format!("{process}/tasks/set-rules/start")).is(200);
    let reopened =
        ana.post(&format!("{process}/tasks/find-room/reopen"), &json!({"comment": "it is too damp"})).is(200);
    assert_eq!((&reopened["status"], &reopened["reopened"]), (&json!("ready"), &json!(1)));
    assert_eq!(ids(&reopened["held_up"]), ["set-rules"], "{reopened}");
    let refused = boris.tell(&format!("{process}/tasks/set-rules/complete")).refused(409, "task-not-ready");
    assert_eq!(ids(&refused["waiting_for"]), ["find-room"]);

    let held = |client: &Client| {
        let task = client.get(&format!("{process}/tasks/set-rules")).is(200);
        (task["assignee"].clone(), client.get(&process).is(200)["progress"].clone())
    };
    let before = held(&ana);
    assert_eq!(before, (json!(boris.id()), json!(0.0)), "what was begun stays with who began it");
    server.crash();
    assert_eq!(held(&ana), before);
    complete(&ana, &process, "find-room");
    complete(&boris, &process, "set-rules");
    server.audit();
}

#[test]
fn reopening_the_last_task_reopens_the_process() {
    let server = library();
    let ana = server.member("ana");
    let process = running(&ana, "Not quite");
    assert_eq!(drive(&ana, &process, usize::MAX).len(), 5);
    assert_eq!(status(&ana, &process), "completed");
    ana.tell(&format!("{process}/tasks/look-back/start")).refused(409, "process-ended");
    ana.tell(&format!("{process}/tasks/look-back/reopen")).is(200);
    let shown = ana.get(&process).is(200);
    assert_eq!(
        (&shown["status"], &shown["progress"], &shown["ended_at"]),
        (&json!("running"), &json!(0.8), &Value::Null)
    );
    assert_eq!(next(&ana, &process), ["look-back"]);
    complete(&ana, &process, "look-back");
    assert_eq!(status(&ana, &process), "completed");
}

#[test]
fn what_is_left_out_counts_for_nothing_until_it_is_taken_in_again() {
    let mut server = library();
    let ana = server.member("ana");
    let process = running(&ana, "Less is more");
    complete(&ana, &process, "find-room");
    let skipped = ana.post(&format!("{process}/items/open/skip"), &json!({"reason": "next year"})).is(200);
    assert_eq!((&skipped["id"], &skipped["status"]), (&json!("open"), &json!("skipped")));
    ana.tell(&format!("{process}/items/open/skip")).refused(409, "task-finished");
    let third = ana.get(&process).is(200)["progress"].as_f64().expect("a number");
    assert!((third - 1.0 / 3.0).abs() < 1e-9, "one of three tasks that are left: {third}");
    assert_eq!(task_status(&ana, &process, "open-day"), "skipped");
    ana.tell(&format!("{process}/tasks/open-day/reopen")).refused(409, "task-not-finished");

    ana.tell(&format!("{process}/items/set-rules/skip")).is(200);
    complete(&ana, &process, "collect-tools");
    let done = ana.get(&process).is(200);
    assert_eq!((&done["status"], &done["progress"]), (&json!("completed"), &json!(1.0)), "nothing is left");
    server.crash();

    ana.tell(&format!("{process}/items/find-room/restore")).refused(409, "item-not-skipped");
    let restored = ana.tell(&format!("{process}/items/open/restore")).is(200);
    assert_eq!(restored["id"], json!("open"));
    assert_eq!(status(&ana, &process), "running");
    assert_eq!(next(&ana, &process), ["open-day"]);
    assert_eq!(drive(&ana, &process, usize::MAX), ["open-day", "look-back"]);
    assert_eq!(status(&ana, &process), "completed");
    assert_eq!(task_status(&ana, &process, "set-rules"), "skipped");
    server.audit();
}

#[test]
fn leaving_the_last_open_task_out_ends_the_process() {
    let server = library();
    let ana = server.member("ana");
    let process = running(&ana, "Enough");
    for item in ["prepare", "open"] {
        ana.tell(&format!("{process}/items/{item}/skip")).is(200);
    }
    assert_eq!(status(&ana, &process), "completed");
    let tree = ana.get(&format!("{process}/tree")).is(200);
    assert!(tasks(&tree).iter().all(|task| task["status"] == "skipped"));
}

#[test]
fn a_task_is_given_back_by_who_has_it_or_by_an_operator() {
    let server = library();
    let (ana, boris) = (server.member("ana"), server.member("boris"));
    let process = running(&ana, "Hands");
    let task = |command: &str| format!("{process}/tasks/find-room/{command}");
    ana.tell(&task("claim")).is(200);
    ana.tell(&task("claim")).refused(409, "task-claimed");
    boris.tell(&task("release")).refused(409, "task-claimed");
    assert_eq!(server.operator().tell(&task("release")).is(200)["assignee"], Value::Null);
    let started = boris.tell(&task("start")).is(200);
    assert_eq!((&started["status"], &started["assignee"]), (&json!("in_progress"), &json!(boris.id())));
    assert!(started["started_at"].is_string());
    boris.tell(&task("release")).is(200);
    let done = ana.post(&task("complete"), &json!({"comment": "found one"})).is(200);
    assert_eq!((&done["status"], &done["progress"]), (&json!("completed"), &json!(1.0)));
    assert_eq!(next(&ana, &process), ["set-rules", "collect-tools"]);
}

#[test]
fn the_history_says_who_did_what_in_one_order_and_in_pages() {
    let server = library();
    let (ana, boris) = (server.member("ana"), server.member("boris"));
    let process = running(&ana, "History");
    let poll = poll(&boris, &process, "find-room", 1);
    crate::given::vote(&boris, &poll, "Monday").is(200);
    ana.post(&format!("{process}/tasks/find-room/complete"), &json!({"comment": "the cellar"})).is(200);

    let events = ana.all(&format!("{process}/events"), 1_000);
    let kinds: Vec<_> = events.iter().map(|event| text(&event["kind"])).collect();
    let expected = [
        "ProcessCreated",
        "ProcessStarted",
        "AssetAdded",
        "InterlinkerInstantiated",
        "ActionPerformed",
        "OutcomeDeclared",
        "TaskCompleted",
    ];
    assert_eq!(kinds, expected);
    let people: Vec<_> = events.iter().map(|event| event["actor"].clone()).collect();
    let (ana_id, boris_id) = (json!(ana.id()), json!(boris.id()));
    assert_eq!(people, [&ana_id, &ana_id, &boris_id, &boris_id, &boris_id, &boris_id, &ana_id].map(Value::clone));
    let positions: Vec<_> = events.iter().map(|event| event["position"].as_u64().expect("a position")).collect();
    assert!(positions.is_sorted_by(|before, after| before < after), "{positions:?}");
    assert_eq!(events[6]["data"], json!({"task": "find-room", "comment": "the cellar"}));
    for limit in [1, 2, 3, 7] {
        assert_eq!(ana.all(&format!("{process}/events"), limit), events, "in pages of {limit}");
    }
    let page = ana.get(&format!("{process}/events?limit=2")).is(200);
    let after = ana.get(&format!("{process}/events?after={}", text(&page["next_cursor"]))).is(200);
    assert_eq!(after["items"], json!(events[2..]));
}
