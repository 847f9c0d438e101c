//! Where a component comes from, as its manifest claims.

use serde_json::{Value, json};

use super::{WASM, shipped};
use crate::given::{text, with_manifest};
use crate::server::Server;

/// The poll that ships in version 1.1.0, whose manifest names a source.
fn poll_from(source: &str) -> Vec<u8> {
    with_manifest(shipped("poll"), |manifest| {
        manifest["version"] = json!("1.1.0");
        manifest["source"] = json!(source);
        manifest["build"] = json!("rustc 1.95.0");
    })
}

#[test]
fn an_entry_and_its_versions_say_where_the_component_comes_from() {
    let mut server = Server::start();
    let operator = server.operator().clone();
    let shipped = operator.get("/v1/interlinkers/poll").is(200)["provenance"].clone();
    assert_eq!((&shipped["licence"], &shipped["source"]), (&json!("EUPL-1.2"), &Value::Null), "{shipped}");
    assert!(shipped["sdk"].is_string(), "{shipped}");
    let refused = operator.send("/v1/interlinkers", WASM, poll_from("javascript:alert(1)"));
    let refused = refused.refused(422, "component-refused");
    assert!(text(&refused["detail"]).contains("https://"), "it says what would be right: {refused}");
    operator.send("/v1/interlinkers", WASM, poll_from("https://example.org/town/poll")).is(201);
    server.crash();
    let entry = operator.get("/v1/interlinkers/poll").is(200)["provenance"].clone();
    let said = [&entry["source"], &entry["build"], &entry["licence"]];
    assert_eq!(said, [&json!("https://example.org/town/poll"), &json!("rustc 1.95.0"), &json!("EUPL-1.2")]);
    let versions = operator.all("/v1/interlinkers/poll/versions", 10);
    assert_eq!([&versions[0]["provenance"], &versions[1]["provenance"]], [&shipped, &entry]);
}
