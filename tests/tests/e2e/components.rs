//! The catalogue: what may be published, by whom, and what is shown of it.

use serde_json::{Value, json};

use crate::client::Ask;
use crate::given::{shipped, text};
use crate::server::Server;

const WASM: &str = "application/wasm";

/// Bytes of a component that does nothing but import an interface.
fn importing(name: &str) -> Vec<u8> {
    let mut component = b"\0asm\x0d\0\x01\0".to_vec();
    // A type section with one type: an instance of nothing.
    component.extend([7, 3, 1, 0x42, 0]);
    let length = u8::try_from(name.len()).expect("a short name");
    // An import section with one import of that type.
    component.extend([10, length + 5, 1, 0, length]);
    component.extend(name.bytes());
    component.extend([5, 0]);
    component
}

#[test]
fn what_is_no_component_of_the_world_is_refused_with_what_is_wrong() {
    let server = Server::start();
    let operator = server.operator();
    let whole = shipped("poll");
    let renamed = {
        let mut bytes = whole.clone();
        let manifest = bytes.windows(6).rposition(|window| window == b"\"poll\"").expect("its manifest names it");
        bytes[manifest + 1] = b'/';
        bytes
    };
    operator.id();
    let before = server.position();
    let cases: [(&str, Vec<u8>, u16, &str, &str); 7] = [
        ("no wasm", b"hello".to_vec(), 400, "no WebAssembly", "not-wasm"),
        ("nothing", Vec::new(), 400, "no WebAssembly", "not-wasm"),
        ("a core module", b"\0asm\x01\0\0\0".to_vec(), 422, "core module", "core-module"),
        ("files", importing("wasi:filesystem/types@0.2.0"), 422, "wasi:filesystem/types@0.2.0", "import"),
        ("nothing exported", b"\0asm\x0d\0\x01\0".to_vec(), 422, "does not export", "export"),
        ("cut off", whole[..whole.len() / 2].to_vec(), 422, "no sound component", "invalid"),
        ("a name that is none", renamed, 422, "manifest", "manifest"),
    ];
    for (what, bytes, status, says, reason) in cases {
        let problem = operator.send("/v1/interlinkers", WASM, bytes).refused(status, "component-refused");
        assert_eq!(problem["reason"], reason, "{what}: {problem}");
        assert!(text(&problem["detail"]).contains(says), "{what}: {problem}");
    }
    assert_eq!(server.position(), before, "something was written");
    assert_eq!(operator.all("/v1/interlinkers", 10).len(), 2);
}

#[test]
fn publishing_is_the_operators() {
    let server = Server::start();
    let member = server.member("ana");
    member.id();
    let before = server.position();
    member.send("/v1/interlinkers", WASM, shipped("poll")).refused(403, "forbidden");
    let entry = json!({"name": "a-guide", "nature": "knowledge", "title": "A guide"});
    let refused = member.post("/v1/interlinkers", &entry).refused(403, "forbidden");
    assert!(text(&refused["detail"]).contains("operator"), "it says which rule refused: {refused}");
    member.post("/v1/problem-profiles", &json!({"id": "x", "name": "X"})).refused(403, "forbidden");
    assert_eq!(server.position(), before);
    server.operator().send("/v1/interlinkers", WASM, shipped("poll")).is(200);
    server.operator().post("/v1/interlinkers", &entry).is(201);
}

#[test]
fn a_component_that_was_changed_needs_a_new_version() {
    let server = Server::start();
    let mut changed = shipped("poll");
    // A custom section of one byte of name and one of content changes nothing but the bytes.
    changed.extend([0, 3, 1, b'x', 1]);
    let problem = server.operator().send("/v1/interlinkers", WASM, changed).refused(409, "version-taken");
    assert!(text(&problem["detail"]).contains("poll@1.0.0"), "{problem}");
    let versions = server.operator().all("/v1/interlinkers/poll/versions", 10);
    assert_eq!(versions.len(), 1);
    assert_eq!(problem["found"], versions[0]["digest"]);
}

#[test]
fn the_catalogue_shows_software_with_its_actions_and_what_does_not_run_here() {
    let mut server = Server::start();
    let operator = server.operator().clone();
    let entry = json!({
        "name": "walk-guide", "nature": "external_knowledge", "title": {"en": "A guide to walks", "es": "Guía de paseos"},
        "problem_profiles": ["find-stakeholders"], "languages": ["en"], "url": "https://example.org/walks", "difficulty": 2,
    });
    let made = operator.post("/v1/interlinkers", &entry);
    assert_eq!(made.is(201)["difficulty"], json!(2), "what it does not understand it keeps");
    assert_eq!(made.header("location"), "/v1/interlinkers/walk-guide");
    operator.post("/v1/interlinkers", &entry).is(200);
    for (bad, pointer) in [("name", "/name"), ("nature", "/nature"), ("problem_profiles", "/problem_profiles")] {
        let mut entry = entry.clone();
        entry[bad] = json!("no such thing");
        operator.post("/v1/interlinkers", &entry).points_at(422, "invalid-input", &[pointer]);
    }
    server.crash();
    let names = |path: &str| -> Value { operator.all(path, 1).iter().map(|entry| entry["name"].clone()).collect() };
    assert_eq!(names("/v1/interlinkers"), json!(["document", "poll", "walk-guide"]));
    assert_eq!(names("/v1/interlinkers?nature=software"), json!(["document", "poll"]));
    assert_eq!(names("/v1/interlinkers?problem_profile=find-stakeholders"), json!(["walk-guide"]));
    assert_eq!(names("/v1/interlinkers?query=WALKS"), json!(["walk-guide"]));
    assert_eq!(names("/v1/interlinkers?language=it"), json!(["document", "poll"]));
    operator.get("/v1/interlinkers?nature=hardware").refused(400, "malformed");

    let actions = operator.get("/v1/interlinkers/poll/actions").is(200);
    let vote = actions["items"].as_array().and_then(|all| all.iter().find(|action| action["name"] == "vote")).cloned();
    let vote = vote.expect("a poll has votes");
    assert_eq!(vote["input"]["required"], json!(["option"]), "{vote}");
    assert!(vote["output"].is_object(), "{vote}");
    assert_eq!(operator.get("/v1/interlinkers/walk-guide/actions").is(200)["items"], json!([]));
    operator.get("/v1/interlinkers/nothing").refused(404, "not-found");
    operator.get("/v1/interlinkers/nothing/actions").refused(404, "not-found");
}

#[test]
fn a_task_is_recommended_what_addresses_its_problems_best_first() {
    let server = crate::given::library();
    let operator = server.operator();
    let entry = json!({"name": "aim-cards", "nature": "knowledge", "title": "Cards",
        "problem_profiles": ["align-expectations", "decide-together"]});
    operator.post("/v1/interlinkers", &entry).is(201);
    let process = crate::given::running(operator, "With help");
    let path = format!("{process}/tasks/set-rules/recommendations");
    let items = operator.get(&path).is(200)["items"].clone();
    let said: Vec<_> = items
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| json!([item["interlinker"]["name"], item["score"], item["because"]]))
        .collect();
    let expected =
        json!([["aim-cards", 1.0, ["decide-together", "align-expectations"]], ["poll", 0.5, ["decide-together"]],]);
    assert_eq!(json!(said), expected);
    let guide = operator.get(&format!("{process}/guide")).is(200);
    assert_eq!(guide["next"][0]["recommendations"][0]["interlinker"]["name"], json!("document"));
    operator.get(&format!("{process}/tasks/nothing/recommendations")).refused(404, "not-found");
}

#[test]
fn what_does_not_run_here_cannot_be_instantiated() {
    let server = crate::given::library();
    let operator = server.operator();
    operator.post("/v1/interlinkers", &json!({"name": "cards", "nature": "knowledge", "title": "Cards"})).is(201);
    let process = crate::given::running(operator, "With cards");
    let assets = format!("{process}/tasks/find-room/assets");
    operator.post(&assets, &json!({"interlinker": "cards"})).refused(422, "not-software");
    operator.post(&assets, &json!({"interlinker": "nothing"})).points_at(422, "no-such-thing", &["/interlinker"]);
    let huge = Ask::new("POST", "/v1/interlinkers").body(WASM, vec![0; (32 << 20) + 1]);
    operator.ask(&huge).refused(413, "too-large");
}
