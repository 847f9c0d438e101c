//! How many assets there may be, and how much they may hold: counted over crashes and rebuilds, and kept by many at once.

use serde_json::{Value, json};

use crate::client::{Answer, Ask, Client};
use crate::given::{asset, library, running};
use crate::server::Server;

fn set(client: &Client, quota: &Value) -> Answer {
    client.ask(&Ask::new("PUT", "/v1/interlinkers/document/quota").body("application/json", quota.to_string()))
}

fn entry(server: &Server) -> Value {
    server.operator().get("/v1/interlinkers/document").is(200)
}

#[test]
fn an_interlinker_has_a_quota_that_is_kept_and_says_how_far_it_was_crossed() {
    let mut server = library();
    let (ana, operator) = (server.member("ana"), server.operator().clone());
    let process = running(&ana, "Quotas");
    let make = || asset(&ana, &process, "find-room", "document", &json!({"title": "Minutes"}));
    let first = make();
    let write = |text: &str| ana.post(&format!("{first}/actions/write"), &json!({"section": "aim", "text": text}));
    write("A room for tools.").is(200);
    let held = entry(&server)["held"].clone();
    let bytes = held["state_bytes"].as_u64().expect("a number");
    assert!(held["assets"] == 1 && bytes > 17, "{held}");
    assert_eq!(entry(&server)["quota"], json!({"assets": 10_000_000, "state_bytes": 64_u64 << 30}));

    set(&ana, &json!({"assets": 2})).refused(403, "forbidden");
    set(&operator, &json!({"assets": -1})).points_at(422, "invalid-input", &["/assets"]);
    set(&operator, &json!({"assets": 2, "state_bytes": bytes + 2_000})).is(200);
    server.crash();
    assert_eq!((&entry(&server)["held"], &entry(&server)["quota"]["assets"]), (&held, &json!(2)));
    server.stop();
    std::fs::remove_dir_all(server.place("state")).expect("it was there");
    server.launch();
    assert_eq!(entry(&server)["held"], held, "it is counted again from the journal");

    let refused = write(&"long ".repeat(1_000)).refused(409, "quota-exceeded");
    assert_eq!((&refused["limit"], &refused["max"]), (&json!("state_bytes"), &json!(bytes + 2_000)), "{refused}");
    assert!(refused["wanted"].as_u64() > Some(bytes + 2_000), "{refused}");
    assert_eq!(entry(&server)["held"], held, "nothing of it was kept");
    write("A room.").is(200);
    assert!(entry(&server)["held"]["state_bytes"].as_u64() < Some(bytes + 2_000));

    let second = make();
    let assets = format!("{process}/tasks/find-room/assets");
    let new = json!({"interlinker": "document", "input": {"title": "One more"}});
    let refused = ana.post(&assets, &new).refused(409, "quota-exceeded");
    assert_eq!((&refused["limit"], &refused["wanted"], &refused["max"]), (&json!("assets"), &json!(3), &json!(2)));
    ana.ask(&Ask::new("DELETE", &second)).is(204);
    assert_eq!(entry(&server)["held"]["assets"], 1);
    // Many at once get past it as little as one.
    let made = std::thread::scope(|scope| {
        let many: Vec<_> = (0..8).map(|_| scope.spawn(|| ana.post(&assets, &new).status)).collect();
        many.into_iter().map(|one| one.join().expect("answered")).collect::<Vec<_>>()
    });
    assert_eq!(made.iter().filter(|status| **status == 201).count(), 1, "{made:?}");
    crate::given::poll(&ana, &process, "find-room", 1);
    set(&operator, &json!({})).is(200);
    make();
    server.audit();
}

#[test]
fn blobs_count_towards_a_quota_and_are_given_back_with_their_asset() {
    let mut server = library();
    let (ana, operator) = (server.member("ana"), server.operator().clone());
    let process = running(&ana, "Blobs");
    let first = asset(&ana, &process, "find-room", "document", &json!({"title": "Minutes"}));
    let held = |server: &Server| entry(server)["held"]["state_bytes"].as_u64().expect("a number");
    let before = held(&server);
    let put = |bytes: usize, letter: u8| ana.send(&format!("{first}/blobs"), "text/plain", vec![letter; bytes]);
    put(1_000, b'a').is(201);
    assert_eq!(held(&server), before + 1_000);
    put(1_000, b'a').is(200);
    assert_eq!(held(&server), before + 1_000, "what is there is there once");
    set(&operator, &json!({"state_bytes": before + 1_500})).is(200);
    let refused = put(501, b'b').refused(409, "quota-exceeded");
    assert_eq!((&refused["limit"], &refused["wanted"]), (&json!("state_bytes"), &json!(before + 1_501)), "{refused}");
    put(500, b'c').is(201);
    server.crash();
    assert_eq!(held(&server), before + 1_500);
    server.stop();
    std::fs::remove_dir_all(server.place("state")).expect("it was there");
    server.launch();
    assert_eq!(held(&server), before + 1_500, "it is counted again from the journal");
    ana.ask(&Ask::new("DELETE", &first)).is(204);
    assert_eq!(held(&server), 0);
    server.audit();
}
