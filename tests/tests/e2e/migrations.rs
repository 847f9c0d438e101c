//! Moving processes to a newer schema: planned, refused where work would be lost, undone, many at once.

use serde_json::json;

use crate::client::Ask;
use crate::given::{TOOL_LIBRARY, complete, id_of, library, poll, running, tasks, text, vote};

/// The second version: `set-rules` is called `agree-rules`, `collect-tools` is gone, `insure` is new.
fn second() -> String {
    TOOL_LIBRARY
        .replace("version: 1.0.0", "version: 2.0.0")
        .replace("id: set-rules", "id: agree-rules")
        .replace("id: collect-tools", "id: insure")
}

#[test]
fn a_move_is_planned_first_refuses_to_lose_work_and_can_be_undone_over_a_kill() {
    let mut server = library();
    let ana = server.member("ana");
    let process = running(&ana, "Moving");
    complete(&ana, &process, "find-room");
    let poll = poll(&ana, &process, "set-rules", 2);
    ana.tell(&format!("{process}/tasks/set-rules/claim")).is(200);
    ana.tell(&format!("{process}/tasks/collect-tools/complete")).is(200);
    server.operator().send("/v1/schemas", "application/yaml", second()).is(201);
    let path = format!("{process}/migrate");
    let plan = ana.post(&path, &json!({"schema": "tool-library", "dry_run": true})).is(200);
    assert_eq!(plan["to"]["version"], "2.0.0");
    assert_eq!(plan["added"], json!(["agree-rules", "insure"]), "{plan}");
    assert_eq!(plan["removed"].as_array().map(Vec::len), Some(2));
    assert_eq!(plan["refused"].as_array().map(Vec::len), Some(2), "{plan}");
    let position = server.position();
    let refused = ana.post(&path, &json!({"schema": "tool-library"})).refused(409, "migration-refused");
    assert!(text(&refused["detail"]).contains("`set-rules` is not in the new schema, and is claimed"), "{refused}");
    ana.post(&path, &json!({"schema": "nothing"})).points_at(422, "no-such-thing", &["/schema"]);
    ana.post(&path, &json!({"schema": "tool-library", "mapping": 7})).points_at(422, "invalid-input", &["/mapping"]);
    assert_eq!(server.position(), position, "nothing was written");

    let mapping = json!({"set-rules": "agree-rules", "collect-tools": null});
    let body = json!({"schema": "tool-library", "mapping": mapping, "reason": "the new rules of the town"});
    let moved = ana.ask(&Ask::post(&path, &body).key("move")).is(200);
    assert_eq!(moved["schema"]["version"], "2.0.0");
    server.crash();
    let statuses = || {
        let tree = ana.get(&format!("{process}/tree")).is(200);
        tasks(&tree).iter().map(|task| format!("{}:{}", text(&task["id"]), text(&task["status"]))).collect::<Vec<_>>()
    };
    assert_eq!(statuses()[..3], ["find-room:completed", "agree-rules:reserved", "insure:ready"].map(String::from));
    vote(&ana, &poll, "Monday").is(200);
    let assets = ana.get(&format!("{process}/assets")).is(200);
    assert_eq!(assets["items"][0]["id"], id_of(&poll), "what hangs on a task goes with it");
    complete(&ana, &process, "insure");
    let undo = format!("{process}/migrate/undo");
    ana.tell(&undo).refused(409, "migration-refused");
    let undone = ana.post(&undo, &json!({"mapping": {"insure": null}})).is(200);
    assert_eq!(undone["schema"]["version"], "1.0.0");
    assert_eq!(
        statuses()[..3],
        ["find-room:completed", "set-rules:reserved", "collect-tools:completed"].map(String::from)
    );
    ana.tell(&undo).refused(409, "never-moved");
    ana.post(&path, &body).is(200);
    assert_eq!(statuses()[2], "insure:completed", "a second time, with the work that was set aside");
    server.stop();
    std::fs::remove_dir_all(server.place("state")).expect("removed");
    server.launch();
    assert_eq!(statuses()[2], "insure:completed");
    server.audit();
}

#[test]
fn many_processes_move_at_once_and_each_that_does_not_says_why() {
    let server = library();
    let (ana, operator) = (server.member("ana"), server.operator());
    let processes: Vec<_> = (0..12).map(|number| running(&ana, &format!("P{number}"))).collect();
    complete(&ana, &processes[3], "collect-tools");
    ana.tell(&format!("{}/suspend", processes[4])).is(200);
    ana.tell(&format!("{}/cancel", processes[5])).is(200);
    operator.send("/v1/schemas", "application/yaml", second()).is(201);
    let path = "/v1/schemas/tool-library/migrate";
    ana.post(path, &json!({})).refused(403, "forbidden");
    let plan = operator.post(path, &json!({"dry_run": true})).is(200);
    assert_eq!(
        (plan["moved"].as_array().map(Vec::len), &plan["refused"][0]["process"]),
        (Some(10), &json!(id_of(&processes[3])))
    );
    let behind = operator.post(path, &json!({"dry_run": true, "after": id_of(&processes[3])})).is(200);
    assert_eq!((behind["moved"].as_array().map(Vec::len), &behind["refused"]), (Some(7), &json!([])));
    operator.post(path, &json!({"after": "the second"})).refused(422, "invalid-input");
    let moved = operator.post(path, &json!({"version": "2.0.0"})).is(200);
    assert_eq!((&moved["moved"], &moved["more"]), (&plan["moved"], &json!(false)));
    let version = |process: &str| ana.get(process).is(200)["schema"]["version"].clone();
    assert_eq!(
        (version(&processes[0]), version(&processes[3]), version(&processes[5])),
        (json!("2.0.0"), json!("1.0.0"), json!("1.0.0"))
    );
    assert_eq!(ana.get(&processes[4]).is(200)["status"], "suspended");
    let again = operator.post(path, &json!({"mapping": {"collect-tools": "insure"}})).is(200);
    assert_eq!(again["moved"], json!([id_of(&processes[3])]), "those that were left are moved with a mapping");
}
