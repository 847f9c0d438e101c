//! Settings of Interlinkers.

use serde_json::{Value, json};

use crate::client::{Answer, Ask, Client};
use crate::files;
use crate::given::library;
use crate::server::Server;

const POLL: &str = "/v1/interlinkers/poll/settings";

fn put(client: &Client, path: &str, body: &Value) -> Answer {
    client.ask(&Ask::new("PUT", path).body("application/json", body.to_string()))
}

#[test]
fn settings_are_an_operators_and_are_there_after_a_crash_and_a_rebuild() {
    let mut server = Server::start();
    let operator = server.operator().clone();
    let ana = server.member("ana");
    assert_eq!(operator.get(POLL).is(200), json!({}), "none were given");
    ana.get(POLL).refused(403, "forbidden");
    put(&ana, POLL, &json!({})).refused(403, "forbidden");
    server.nobody().get(POLL).refused(401, "unauthorized");
    put(&operator, "/v1/interlinkers/nowhere/settings", &json!({})).refused(404, "not-found");
    operator.get("/v1/interlinkers/nowhere/settings").refused(404, "not-found");

    assert!(operator.get(POLL).header("etag").starts_with("\"0-"));
    let first = json!({"town": "Zaragoza", "hours": [9, 17], "code": "swordfish-of-the-desk"});
    let made = put(&operator, POLL, &first);
    assert_eq!((made.is(200), made.header("etag")), (first.clone(), "\"1\""));
    let read = operator.get(POLL);
    assert_eq!(read.is(200), first);
    let stale = Ask::new("PUT", POLL).body("application/json", "{}").header("if-match", "\"7\"");
    operator.ask(&stale).refused(412, "wrong-version");
    let second = json!({"town": "Huesca"});
    let seen =
        Ask::new("PUT", POLL).body("application/json", second.to_string()).header("if-match", read.header("etag"));
    assert_eq!(operator.ask(&seen).header("etag"), "\"2\"", "all of them, in place of those before");

    for (body, status, slug) in [
        ("[]", 422, "invalid-input"),
        ("3", 422, "invalid-input"),
        ("{", 400, "malformed"),
        ("null", 422, "invalid-input"),
    ] {
        operator.ask(&Ask::new("PUT", POLL).body("application/json", body)).refused(status, slug);
    }
    server.crash();
    assert_eq!(operator.get(POLL).is(200), second);
    server.kill();
    std::fs::remove_dir_all(server.place("state")).expect("it was there");
    server.launch();
    assert_eq!((operator.get(POLL).is(200), operator.get(POLL).header("etag").starts_with("\"2-")), (second, true));
    server.stop();
    assert_eq!(files::in_clear(server.data(), &["swordfish-of-the-desk"]), [], "what a person wrote is sealed");
    server.audit();
}

#[test]
fn settings_have_a_largest_size() {
    const MOST: usize = 64 << 10;
    let server = library();
    let operator = server.operator();
    let around = json!({"text": ""}).to_string().len();
    let of = |bytes: usize| json!({"text": "x".repeat(bytes - around)});
    put(operator, POLL, &of(MOST)).is(200);
    let refused = put(operator, POLL, &of(MOST + 1)).refused(422, "invalid-input");
    assert!(refused["detail"].to_string().contains("65536"), "{refused}");
    assert_eq!(operator.get(POLL).header("etag").split('-').next(), Some("\"1"));
}

#[test]
fn settings_fit_what_the_interlinker_says_of_them() {
    let server = Server::start();
    let operator = server.operator();
    let schema = json!({"type": "object", "required": ["seats"], "additionalProperties": false,
        "properties": {"seats": {"type": "integer", "minimum": 1}}});
    let component = super::file::component_with(|manifest| {
        manifest["name"] = json!("booking");
        manifest["settings"] = schema.clone();
    });
    operator.send("/v1/interlinkers", "application/wasm", component).is(201);
    let path = "/v1/interlinkers/booking/settings";
    put(operator, path, &json!({"seats": 4})).is(200);
    put(operator, path, &json!({"seats": 0})).points_at(422, "invalid-input", &["/seats"]);
    put(operator, path, &json!({})).points_at(422, "invalid-input", &[""]);
    assert_eq!(operator.get(path).is(200), json!({"seats": 4}));
    let broken = super::file::component_with(|manifest| manifest["settings"] = json!({"type": "no-type"}));
    operator.send("/v1/interlinkers", "application/wasm", broken).refused(422, "component-refused");
}
