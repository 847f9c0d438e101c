//! Looking back, and beginning anew from there.

use serde_json::{Value, json};

use crate::given::{asset, complete, library, poll, running, text, vote};

#[test]
fn a_process_and_its_assets_are_shown_as_they_were_by_version_and_by_time() {
    let mut server = library();
    let (ana, boris) = (server.member("ana"), server.member("boris"));
    let process = running(&ana, "Long ago");
    let poll = poll(&ana, &process, "find-room", 3);
    vote(&ana, &poll, "Monday").is(200);
    let early = ana.get(&process).is(200);
    std::thread::sleep(std::time::Duration::from_millis(20));
    let then = "2999-01-01T00:00:00Z";
    let before = ana.all(&format!("{process}/events"), 100).last().expect("events")["at"].clone();
    vote(&boris, &poll, "Monday").is(200);
    complete(&ana, &process, "find-room");
    complete(&ana, &process, "set-rules");
    server.crash();

    let status = |tree: &Value, task: usize| crate::given::tasks(tree)[task]["status"].clone();
    let now = ana.get(&format!("{process}/tree")).is(200);
    assert_eq!(status(&now, 0), "completed");
    for moment in [early["version"].to_string(), text(&before).to_owned()] {
        let was = ana.get(&format!("{process}/tree?as_of={moment}")).is(200);
        assert_eq!((status(&was, 0), &was["version"]), (json!("ready"), &early["version"]), "{moment}");
        assert_eq!(ana.get(&format!("{process}?as_of={moment}")).is(200), early);
        let guide = ana.get(&format!("{process}/guide?as_of={moment}")).is(200);
        assert_eq!(guide["next"][0]["task"]["id"], "find-room");
    }
    let votes = |moment: &str| ana.get(&format!("{poll}/view?as_of={moment}")).is(200)["votes"]["Monday"].clone();
    assert_eq!((votes("0"), votes("1"), votes(text(&before)), votes(then)), (json!(0), json!(1), json!(1), json!(2)));
    assert_eq!(ana.get(&format!("{poll}?as_of=1")).is(200)["state_version"], 1);
    assert_eq!(ana.get(&format!("{process}?as_of={then}")).is(200)["version"], now["version"]);
    ana.get(&format!("{process}?as_of=999")).refused(404, "not-found");
    ana.get(&format!("{process}?as_of=2001-01-01T00:00:00Z")).refused(404, "not-found");
    ana.get(&format!("{process}?as_of=yesterday")).refused(400, "malformed");
}

#[test]
fn a_diff_says_what_changed_and_who_did_it() {
    let server = library();
    let (ana, boris) = (server.member("ana"), server.member("boris"));
    let process = running(&ana, "Compared");
    boris.post(&format!("{process}/tasks/find-room/complete"), &json!({"comment": "the old school"})).is(200);
    ana.tell(&format!("{process}/tasks/collect-tools/claim")).is(200);
    let poll = poll(&ana, &process, "set-rules", 1);
    vote(&boris, &poll, "Thursday").is(200);
    let diff = ana.get(&format!("{process}/diff?from=1")).is(200);
    let change = |item: &str, field: &str| {
        let found = diff["changes"]
            .as_array()
            .expect("changes")
            .iter()
            .find(|change| change["item"] == item && change["field"] == field);
        found.unwrap_or_else(|| panic!("{item} {field}: {diff}")).clone()
    };
    let room = change("find-room", "status");
    assert_eq!((&room["before"], &room["after"]), (&json!("ready"), &json!("completed")));
    assert_eq!((&room["by"][0]["actor"], &room["by"][0]["comment"]), (&json!(boris.id()), &json!("the old school")));
    assert_eq!(change("collect-tools", "assignee")["after"], json!(ana.id()));
    let used = change("set-rules", &format!("asset.{}", crate::given::id_of(&poll)));
    let actors: Vec<_> =
        used["by"].as_array().expect("who").iter().map(|by| (by["kind"].clone(), by["actor"].clone())).collect();
    assert!(actors.contains(&(json!("ActionPerformed"), json!(boris.id()))), "{used}");
    assert_eq!(ana.get(&format!("{process}/diff?from=1&to=1")).is(200)["changes"], json!([]));
    ana.get(&format!("{process}/diff")).refused(400, "malformed");
    let output = server.cli(&["process", "diff", crate::given::id_of(&process), "--from", "1"]);
    assert!(crate::server::printed(&output).contains("ready → completed"), "{}", crate::server::printed(&output));
}

#[test]
fn a_fork_goes_on_from_a_past_moment_with_copies_of_its_assets_and_the_original_is_untouched() {
    let mut server = library();
    let ana = server.member("ana");
    let process = running(&ana, "Original");
    let poll = poll(&ana, &process, "find-room", 5);
    let document = asset(
        &ana,
        &process,
        "find-room",
        "document",
        &json!({"title": "Rooms", "sections": [{"id": "a", "heading": "A", "text": "the school"}]}),
    );
    vote(&ana, &poll, "Monday").is(200);
    complete(&ana, &process, "find-room");
    let version = ana.get(&process).is(200)["version"].clone();
    ana.tell(&format!("{process}/cancel")).is(200);
    let seen = crate::given::seen(&ana, &process);
    let body = json!({"as_of": version, "name": "Another way"});
    let made = ana.ask(&crate::client::Ask::post(&format!("{process}/fork"), &body).key("fork-1"));
    let fork = made.header("location").to_owned();
    let shown = made.is(201);
    assert_eq!((&shown["status"], &shown["name"]), (&json!("running"), &json!("Another way")));
    assert_eq!(shown["lineage"], json!({"process": crate::given::id_of(&process), "version": version}));
    let again = ana.ask(&crate::client::Ask::post(&format!("{process}/fork"), &body).key("fork-1"));
    assert_eq!((again.status, again.header("location")), (201, fork.as_str()), "once");

    let copies = ana.get(&format!("{fork}/assets")).is(200)["items"].as_array().cloned().expect("assets");
    assert_eq!(copies.len(), 2);
    let copy = |name: &str| {
        let found = copies.iter().find(|copy| copy["interlinker"]["name"] == name).expect(name);
        format!("/v1/assets/{}", text(&found["id"]))
    };
    vote(&server.member("boris"), &copy("poll"), "Monday").is(200);
    vote(&ana, &copy("poll"), "Monday").refused(409, "already-voted");
    let votes = |poll: &str| ana.get(&format!("{poll}/view")).is(200)["votes"]["Monday"].clone();
    assert_eq!((votes(&copy("poll")), votes(&poll)), (json!(2), json!(1)));
    assert_eq!(ana.get(&format!("{}/view", copy("document"))).is(200)["sections"][0]["text"], "the school");
    assert_eq!(crate::given::seen(&ana, &process), seen);
    complete(&ana, &fork, "set-rules");
    server.crash();
    assert_eq!(votes(&copy("poll")), json!(2));
    assert_eq!(ana.get(&format!("{document}/view")).is(200)["title"], "Rooms");
    server.stop();
    std::fs::remove_dir_all(server.place("state")).expect("removed");
    server.launch();
    assert_eq!(votes(&copy("poll")), json!(2), "and on a state that was made again");
    assert_eq!(crate::given::tasks(&ana.get(&format!("{fork}/tree")).is(200))[1]["status"], "completed");
    server.audit();
}

#[test]
fn a_fork_from_the_version_that_brought_an_asset_has_it_with_what_it_was_made_with() {
    let server = library();
    let ana = server.member("ana");
    let process = running(&ana, "Original");
    poll(&ana, &process, "find-room", 5);
    let version = ana.get(&process).is(200)["version"].clone();
    let fork = ana.post(&format!("{process}/fork"), &json!({"as_of": version, "name": "F", "assets": true}));
    fork.is(201);
    let copies = ana.get(&format!("{}/assets", fork.header("location"))).is(200)["items"].clone();
    let copy = format!("/v1/assets/{}/view", crate::given::text(&copies[0]["id"]));
    assert_eq!(ana.get(&copy).is(200)["quorum"], 5);
}
