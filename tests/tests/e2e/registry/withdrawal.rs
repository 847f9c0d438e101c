//! Versions that an operator advised against, or took back.

use serde_json::{Value, json};

use super::publish_poll;
use crate::automation::{started, until};
use crate::client::Client;
use crate::given::{asset, library, poll, running, text, vote};
use crate::server::{Server, printed};

const DEPRECATE: &str = "/v1/interlinkers/poll/versions/1.0.0/deprecate";
const REVOKE: &str = "/v1/interlinkers/poll/versions/1.0.0/revoke";
const LEAK: &str = "it shows who voted for what";

/// What an instantiation takes.
fn wanted(interlinker: &str) -> Value {
    json!({"interlinker": interlinker, "input": {"question": "?", "options": ["a", "b"], "quorum": 1}})
}

/// The version of a new poll on a task.
#[track_caller]
fn version_of_new(client: &Client, process: &str, interlinker: &str) -> Value {
    let made = client.post(&format!("{process}/tasks/find-room/assets"), &wanted(interlinker)).is(201);
    made["interlinker"]["version"].clone()
}

#[test]
fn withdrawing_a_version_is_the_operators_takes_a_reason_and_is_written_once() {
    let server = Server::start();
    let (member, operator) = (server.member("ana"), server.operator());
    member.id();
    operator.id();
    let before = server.position();
    for path in [DEPRECATE, REVOKE] {
        member.post(path, &json!({"reason": LEAK})).refused(403, "forbidden");
        operator.tell(path).points_at(422, "invalid-input", &["/reason"]);
        operator.post(path, &json!({"reason": " "})).points_at(422, "invalid-input", &["/reason"]);
        let elsewhere = path.replace("1.0.0", "9.0.0");
        operator.post(&elsewhere, &json!({"reason": LEAK})).refused(404, "not-found");
    }
    assert_eq!(server.position(), before, "something was written");
    for path in [DEPRECATE, REVOKE] {
        let first = operator.post(path, &json!({"reason": LEAK})).is(200);
        let after = server.position();
        assert_eq!(operator.post(path, &json!({"reason": LEAK})).is(200), first, "the same again is what it was");
        assert_eq!(server.position(), after, "and is not written again");
    }
    let other = operator.post(REVOKE, &json!({"reason": "it was stolen, too"})).is(200);
    assert_eq!(other["revoked"]["reason"], "it was stolen, too", "a better reason takes the place of the one before");
    let refused = operator.post(DEPRECATE, &json!({"reason": "old"})).refused(409, "interlinker-revoked");
    assert!(text(&refused["detail"]).contains("it was stolen, too"), "{refused}");
}

#[test]
fn a_deprecated_version_goes_on_and_everybody_sees_why() {
    let mut server = library();
    let operator = server.operator().clone();
    let process = running(&operator, "Deprecated");
    let old = poll(&operator, &process, "find-room", 5);
    operator.post(DEPRECATE, &json!({"reason": LEAK})).is(200);
    assert_eq!(version_of_new(&operator, &process, "poll"), "1.0.0", "there is no other");
    publish_poll(&server, "1.1.0");
    assert_eq!(version_of_new(&operator, &process, "poll"), "1.1.0");
    assert_eq!(version_of_new(&operator, &process, "poll@1.0.0"), "1.0.0");
    operator.post("/v1/interlinkers/poll/versions/1.1.0/deprecate", &json!({"reason": "worse"})).is(200);
    publish_poll(&server, "1.0.5");
    assert_eq!(version_of_new(&operator, &process, "poll"), "1.0.5", "an older one that is not deprecated");
    let seen = |server: &Server, login: &str| {
        let client = server.member(login);
        vote(&client, &old, "Monday").is(200);
        client.get(&format!("{old}/view")).is(200);
        let deprecated = client.get(&old).is(200)["interlinker"]["deprecated"].clone();
        assert_eq!(deprecated["reason"], LEAK);
        assert!(deprecated["at"].is_string() && deprecated["by"].is_string(), "{deprecated}");
        let versions = client.all("/v1/interlinkers/poll/versions", 10);
        let reasons: Vec<_> = versions.iter().map(|one| one["deprecated"]["reason"].clone()).collect();
        assert_eq!(json!(reasons), json!([LEAK, "worse", null]));
        assert_eq!(client.get("/v1/interlinkers/poll").is(200)["version"], "1.0.5");
        let told = client.get(&format!("{process}/tasks/find-room")).is(200)["withdrawn"].clone();
        assert_eq!(told.as_array().map(Vec::len), Some(4), "{told}");
        assert!(told.to_string().contains(LEAK), "{told}");
        let guide = client.get(&format!("{process}/guide")).is(200);
        assert_eq!(guide["next"][0]["withdrawn"], told);
    };
    seen(&server, "ana");
    server.crash();
    seen(&server, "bea");
    operator.post("/v1/interlinkers/poll/versions/1.0.5/deprecate", &json!({"reason": "tired"})).is(200);
    let process = &running(&operator, "With what is left");
    let advised = operator.get(&format!("{process}/tasks/set-rules/recommendations")).is(200);
    assert_eq!(advised["items"][0]["interlinker"]["version"], "1.1.0", "the newest, where all are deprecated");
    assert_eq!(advised["items"][0]["interlinker"]["deprecated"]["reason"], "worse");
    let listed = printed(&server.cli(&["interlinker", "list"]));
    assert!(listed.contains("deprecated: worse"), "{listed}");
    let listed = printed(&server.cli(&["interlinker", "list", "poll"]));
    assert!(["1.0.0", "1.0.5", "1.1.0", LEAK, "tired"].iter().all(|word| listed.contains(word)), "{listed}");
}

#[test]
fn a_revoked_version_is_looked_at_and_nothing_else_whatever_happens_to_the_server() {
    let mut server = library();
    let operator = server.operator().clone();
    let ana = server.member("ana");
    let process = running(&operator, "Revoked");
    let old = poll(&operator, &process, "find-room", 5);
    vote(&ana, &old, "Monday").is(200);
    publish_poll(&server, "0.9.0");
    let newer = asset(&operator, &process, "find-room", "poll@0.9.0", &wanted("poll")["input"]);
    let output = server.cli(&["interlinker", "revoke", "poll", "1.0.0", "--reason", LEAK]);
    assert!(output.status.success() && printed(&output).contains(LEAK), "{}", printed(&output));
    let (shown, version) =
        (operator.get(&format!("{old}/view")).is(200), operator.get(&old).is(200)["state_version"].clone());
    let holds = || {
        let refused = vote(&ana, &old, "Thursday").refused(409, "interlinker-revoked");
        assert!(text(&refused["detail"]).contains(LEAK), "{refused}");
        assert_eq!(refused["reason"], LEAK);
        let body = wanted("poll@1.0.0");
        operator.post(&format!("{process}/tasks/find-room/assets"), &body).refused(409, "interlinker-revoked");
        assert_eq!(operator.get(&format!("{process}/assets")).is(200)["items"].as_array().map(Vec::len), Some(2));
        assert_eq!(operator.get(&old).is(200)["state_version"], version, "nothing that is refused changes it");
        assert_eq!(operator.get(&format!("{old}/view")).is(200), shown, "it is shown as before");
        assert_eq!(operator.get(&old).is(200)["interlinker"]["revoked"]["reason"], LEAK);
        assert_eq!(operator.get(&newer).is(200)["interlinker"]["revoked"], Value::Null);
        assert_eq!(operator.get("/v1/interlinkers/poll").is(200)["version"], "0.9.0");
        let guide = operator.get(&format!("{process}/guide")).is(200);
        let told = &guide["next"][0]["withdrawn"];
        assert_eq!(told.as_array().map(Vec::len), Some(1), "{told}");
        assert_eq!(told[0]["interlinker"]["revoked"]["reason"], LEAK);
    };
    holds();
    vote(&ana, &newer, "a").is(200);
    server.crash();
    holds();
    server.stop();
    let rebuilt = server.on_data(&["state", "rebuild"]);
    assert!(rebuilt.status.success(), "{}", printed(&rebuilt));
    server.launch();
    holds();
    operator.send("/v1/interlinkers", super::WASM, super::shipped("poll")).is(200);
    holds();
    server.audit();
}

/// What a person was told of withdrawn versions, the newest first: how, and why.
fn told(client: &Client) -> Vec<(String, String)> {
    let items = client.all("/v1/me/notifications", 10);
    let of = |one: &Value| (text(&one["kind"]).to_owned(), one["text"].as_str().unwrap_or_default().to_owned());
    items.iter().filter(|one| one["interlinker"] == "poll").map(of).collect()
}

#[test]
fn whoever_takes_part_is_told_once_that_the_version_of_an_asset_was_withdrawn_whatever_happens_to_the_server() {
    let mut server = library();
    let (operator, ana, bea, out) =
        (server.operator().clone(), server.member("ana"), server.member("bea"), server.member("out"));
    let process = running(&ana, "Told");
    let asked = poll(&ana, &process, "find-room", 5);
    vote(&bea, &asked, "Monday").is(200);
    let elsewhere = running(&out, "Elsewhere");
    publish_poll(&server, "0.9.0");
    asset(&out, &elsewhere, "find-room", "poll@0.9.0", &wanted("poll")["input"]);
    let until = |server: &Server, many: usize| {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while [&ana, &bea].iter().any(|person| told(person).len() < many) {
            assert!(std::time::Instant::now() < deadline, "{:?}", told(&ana));
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        // A second telling would come with the walk of the next start.
        server.position()
    };
    operator.post(DEPRECATE, &json!({"reason": "worse"})).is(200);
    until(&server, 1);
    assert_eq!(told(&bea), [("deprecated".to_owned(), "worse".to_owned())]);
    // The kill may come before anybody is told, or while they are.
    operator.post(REVOKE, &json!({"reason": LEAK})).is(200);
    server.crash();
    until(&server, 2);
    let all = [("revoked".to_owned(), LEAK.to_owned()), ("deprecated".to_owned(), String::new())];
    let holds = |server: &Server| {
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert!(until(server, 2) > 0 && [&ana, &bea].iter().all(|person| told(person) == all), "{:?}", told(&ana));
        assert_eq!(told(&out), [], "nothing was withdrawn where they take part");
    };
    holds(&server);
    let first = ana.all("/v1/me/notifications", 10)[0].clone();
    assert_eq!((&first["title"], &first["task"]), (&json!("poll 1.0.0 was revoked"), &json!("find-room")), "{first}");
    assert_eq!(
        (&first["asset"], text(&first["process"])),
        (&ana.get(&asked).is(200)["id"], process.rsplit('/').next().expect("an id"))
    );
    let events = ana.all(&format!("{process}/events"), 100);
    let how: Vec<_> =
        events.iter().filter(|one| one["kind"] == "AssetWithdrawn").map(|one| one["data"]["how"].clone()).collect();
    assert_eq!(how, ["deprecated", "revoked"], "it stands in the history");
    operator.post(REVOKE, &json!({"reason": "it was stolen, too"})).is(200);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(told(&bea)[0].1, "it was stolen, too", "the reason is the one that holds now, and nobody is told again");
    operator.post(REVOKE, &json!({"reason": LEAK})).is(200);
    for _ in 0..2 {
        server.stop();
        server.launch();
        holds(&server);
    }
    server.stop();
    let rebuilt = server.on_data(&["state", "rebuild"]);
    assert!(rebuilt.status.success(), "{}", printed(&rebuilt));
    server.launch();
    holds(&server);
    server.audit();
}

#[test]
fn a_version_that_is_withdrawn_while_people_are_told_of_another_is_told_of_too() {
    let server = library();
    let (operator, ana) = (server.operator().clone(), server.member("ana"));
    publish_poll(&server, "0.9.0");
    let process = running(&ana, "Two at once");
    for _ in 0..20 {
        poll(&ana, &process, "find-room", 5);
    }
    asset(&ana, &process, "find-room", "poll@0.9.0", &wanted("poll")["input"]);
    operator.post(DEPRECATE, &json!({"reason": "worse"})).is(200);
    operator.post(&DEPRECATE.replace("1.0.0", "0.9.0"), &json!({"reason": "older"})).is(200);
    let of = |why: &str| told(&ana).iter().filter(|(_, reason)| reason == why).count();
    assert!(crate::given::becomes(|| (of("worse"), of("older")) == (20, 1)), "{:?}", told(&ana));
}

#[test]
fn where_every_version_is_revoked_a_bare_name_says_so_and_nothing_recommends_it() {
    let server = library();
    let operator = server.operator();
    operator.post(REVOKE, &json!({"reason": LEAK})).is(200);
    let process = running(operator, "All gone");
    let body = wanted("poll");
    let refused =
        operator.post(&format!("{process}/tasks/find-room/assets"), &body).refused(409, "interlinker-revoked");
    assert!(text(&refused["detail"]).contains("poll@1.0.0"), "{refused}");
    let advised = operator.get(&format!("{process}/tasks/set-rules/recommendations")).is(200);
    assert!(!advised.to_string().contains("poll"), "{advised}");
    assert_eq!(operator.get("/v1/interlinkers/poll").is(200)["revoked"]["reason"], LEAK, "the catalogue says why");
}

#[test]
fn what_happens_by_itself_becomes_an_incident_where_its_version_is_revoked_and_goes_on_with_another() {
    let server = Server::start();
    let (ana, operator) = (server.member("ana"), server.operator());
    operator.post(REVOKE, &json!({"reason": LEAK})).is(200);
    let tasks = "          - { id: ask, kind: interlinker, interlinker: poll, input: { question: Where?, options: [North, South], quorum: 1 } }\n";
    let process = started(&ana, "by-itself", tasks);
    let failed = until(&ana, &process, "ask", |task| task["status"] == "failed");
    let incident = format!("/v1/incidents/{}", text(&failed["incidents"][0]));
    let shown = operator.get(&incident).is(200);
    assert_eq!((&shown["cause"], &shown["attempts"]), (&json!("interlinker-revoked"), &json!(1)), "{shown}");
    assert!(shown["history"].to_string().contains(LEAK), "{shown}");
    publish_poll(&server, "1.1.0");
    operator.tell(&format!("{incident}/retry")).is(200);
    until(&ana, &process, "ask", |task| {
        let assets = ana.get(&format!("{process}/assets")).is(200);
        task["status"] != "failed" && assets["items"][0]["interlinker"]["version"] == "1.1.0"
    });
}

#[test]
fn a_service_says_that_what_it_needs_was_revoked() {
    let server = library();
    let operator = server.operator();
    let file = "service: tool-lending\nschema: tool-library\ninterlinkers: [poll]\nprocess: { name: Tools }\n";
    let apply = || operator.send("/v1/provisions", "application/yaml", file);
    operator.post(DEPRECATE, &json!({"reason": LEAK})).is(200);
    let applied = apply().is(201);
    assert!(applied["changes"].to_string().contains(LEAK), "a plan says that it is deprecated: {applied}");
    operator.post(REVOKE, &json!({"reason": LEAK})).is(200);
    let drift = operator.get("/v1/services/tool-lending").is(200)["drift"].clone();
    assert_eq!((&drift[0]["action"], &drift[0]["kind"]), (&json!("conflict"), &json!("interlinker")), "{drift}");
    let refused = apply().refused(409, "interlinker-revoked");
    assert!(text(&refused["detail"]).contains(LEAK), "{refused}");
}
