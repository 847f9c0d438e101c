//! Schemas that cannot be run, and files that are none: each is refused with its place, and nothing is kept of it.

use serde_json::{Value, json};

use crate::given::{TOOL_LIBRARY, library};
use crate::server::Server;
use crate::zips::zip;

/// Sends a schema that has to be refused; nothing may be written for it.
#[track_caller]
fn refused(server: &Server, content_type: &str, body: impl Into<Vec<u8>>, status: u16, slug: &str) -> Value {
    let before = server.position();
    let problem = server.operator().send("/v1/schemas", content_type, body).refused(status, slug);
    assert_eq!(server.position(), before, "something was written");
    assert_eq!(server.operator().all("/v1/schemas", 10).len(), 1);
    problem
}

/// The schema of the tests, changed in one place, as a new version.
#[track_caller]
fn with(from: &str, to: &str) -> String {
    let changed = TOOL_LIBRARY.replacen(from, to, 1);
    assert_ne!(changed, TOOL_LIBRARY, "there is no `{from}`");
    changed.replacen("version: 1.0.0", "version: 1.0.1", 1)
}

/// Line of a document with a text, counted from 1.
fn line(document: &str, text: &str) -> usize {
    document.lines().position(|line| line.contains(text)).expect("it is there") + 1
}

#[test]
fn a_schema_that_waits_in_a_circle_for_nothing_or_is_ambiguous_is_refused_with_its_place() {
    let server = library();
    let yaml = "application/yaml";

    let circle = with(
        "            name: { en: Find a room",
        "            after: set-rules\n            name: { en: Find a room",
    );
    let problem = refused(&server, yaml, circle, 422, "invalid-schema");
    let said = problem["detail"].to_string() + &problem["errors"].to_string();
    assert!(said.contains("find-room") && said.contains("set-rules"), "{problem}");

    let nothing = with("after: find-room", "after: find-rom");
    let problem = refused(&server, yaml, nothing.as_str(), 422, "invalid-schema");
    let error = &problem["errors"][0];
    assert_eq!(error["pointer"], json!("/phases/0/objectives/0/tasks/1/after"), "{problem}");
    assert_eq!(error["line"], json!(line(&nothing, "find-rom")), "{problem}");
    assert!(error["detail"].to_string().contains("`find-room`"), "it says what may be meant: {problem}");

    let twice = with("id: collect-tools", "id: find-room");
    let problem = refused(&server, yaml, twice, 422, "invalid-schema");
    assert_eq!(problem["errors"][0]["pointer"], json!("/phases/0/objectives/1/tasks/0/id"), "{problem}");

    let key_twice = with("    after: prepare\n", "    after: prepare\n    after: prepare\n");
    refused(&server, yaml, key_twice, 422, "invalid-schema");
    let json_twice = r#"{"format": 1, "name": "twice", "version": "1.0.0", "title": {"en": "A"}, "title": {"en": "B"}, "phases": []}"#;
    let problem = refused(&server, "application/json", json_twice, 422, "invalid-schema");
    assert!(problem["errors"][0]["detail"].to_string().contains("title"), "{problem}");
}

#[test]
fn a_key_that_this_server_does_not_run_is_refused_and_not_ignored() {
    let server = library();
    let planned =
        with("            name: { en: Find a room", "            deadline: P3D\n            name: { en: Find a room");
    let problem = refused(&server, "application/yaml", planned, 422, "invalid-schema");
    assert_eq!(problem["errors"][0]["pointer"], json!("/phases/0/objectives/0/tasks/0/deadline"), "{problem}");
}

#[test]
fn a_schema_that_is_too_large_is_refused() {
    let server = library();
    let head = "{name: large, version: 1.0.0, title: {en: Large}, phases: [{id: p, objectives: [{id: o, tasks: [";
    let of = |items: usize| {
        let tasks: Vec<_> = (0..items).map(|number| format!("{{id: t{number}}}")).collect();
        format!("{head}{}]}}]}}]}}", tasks.join(","))
    };
    refused(&server, "application/yaml", of(100_000), 413, "too-large");
    let many = refused(&server, "application/yaml", of(2_100), 422, "invalid-schema");
    assert!(many.to_string().contains("2000"), "it says the limit: {many}");
    server.operator().send("/v1/schemas", "application/yaml", of(1_900)).is(201);
}

#[test]
fn nesting_without_end_is_refused_wherever_it_comes_from() {
    let mut server = library();
    let brackets = "[".repeat(100_000);
    let closed = format!("{brackets}{}", "]".repeat(100_000));
    let braces = "{\"a\":".repeat(100_000);
    for content_type in ["application/yaml", "application/json"] {
        for body in [&brackets, &closed, &braces] {
            let before = server.position();
            let answer = server.operator().send("/v1/schemas", content_type, body.as_str());
            assert!([400, 413, 422].contains(&answer.status), "{content_type}: {}", answer.text());
            assert_eq!(answer.header("content-type"), "application/problem+json");
            assert_eq!(server.position(), before);
        }
    }
    let operator = server.operator().clone();
    let process = crate::given::running(&operator, "Not that deep");
    let poll = crate::given::poll(&operator, &process, "find-room", 2);
    let before = server.position();
    let paths = [
        "/v1/processes".to_owned(),
        "/v1/problem-profiles".to_owned(),
        format!("{process}/start"),
        format!("{process}/tasks/find-room/claim"),
        format!("{process}/tasks/find-room/assets"),
        format!("{poll}/actions/vote"),
    ];
    for path in &paths {
        for body in [&brackets, &closed] {
            operator.send(path, "application/json", body.as_str()).refused(400, "malformed");
        }
        operator.send(path, "application/json", braces.as_str()).refused(413, "too-large");
    }
    for content_type in ["application/yaml", "application/json"] {
        for body in [&brackets, &closed] {
            operator.send("/v1/provisions", content_type, body.as_str()).refused(400, "malformed");
        }
        operator.send("/v1/provisions", content_type, braces.as_str()).refused(413, "too-large");
    }
    operator.send("/v1/interlinkers", "application/json", closed.as_str()).refused(400, "malformed");
    assert_eq!(server.position(), before);
    server.audit();
}

#[test]
fn what_cannot_be_read_is_refused() {
    let server = library();
    let mut not_utf8 = TOOL_LIBRARY.as_bytes().to_vec();
    let place = not_utf8.windows(6).position(|window| window == b"A tool").expect("it is there");
    not_utf8[place] = 0xff;
    for content_type in ["application/yaml", "application/json"] {
        refused(&server, content_type, not_utf8.clone(), 400, "malformed");
        refused(&server, content_type, "name: [", 400, "malformed");
        let empty = server.operator().send("/v1/schemas", content_type, "");
        assert!([400, 422].contains(&empty.status), "{}", empty.text());
    }
    let aliases = "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d]\nf: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e]\n";
    let answer = server.operator().send("/v1/schemas", "application/yaml", aliases);
    assert!([400, 413, 422].contains(&answer.status), "{}", answer.text());
    refused(&server, "text/html", "<p>", 415, "unsupported-media-type");
}

#[test]
fn a_zip_that_is_none_bursts_or_climbs_out_is_refused() {
    let server = library();
    let metadata = br#"{"id": "small", "name_translations": {"en": "Small"}, "languages": ["en"]}"#;
    let phase = br#"{"id": "one", "name_translations": {"en": "One"}, "prerequisites": [], "objectives": []}"#;
    let kind = "application/zip";
    refused(&server, kind, b"PK\x03\x04 no zip", 400, "malformed");
    refused(&server, kind, Vec::new(), 400, "malformed");
    let bomb = vec![b' '; 64 << 20];
    let problem = refused(
        &server,
        kind,
        zip(&[("small/metadata.json", metadata), ("small/phases/one.json", &bomb)]),
        413,
        "too-large",
    );
    assert!(problem["detail"].to_string().contains("inflated"), "{problem}");
    for name in ["../metadata.json", "small/../../metadata.json", "/metadata.json"] {
        let climbing = zip(&[(name, metadata), ("small/phases/one.json", phase)]);
        let problem = refused(&server, kind, climbing, 422, "invalid-schema");
        assert!(problem.to_string().contains("metadata.json"), "{problem}");
    }
    let whole = zip(&[("small/metadata.json", metadata), ("small/phases/one.json", phase)]);
    let half = &whole[..whole.len() / 2];
    refused(&server, kind, half, 400, "malformed");
    let not_utf8 = zip(&[("small/metadata.json", metadata), ("small/phases/one.json", b"{\"id\": \"\xff\"}")]);
    refused(&server, kind, not_utf8, 400, "malformed");
    let circle = br#"{"id": "one", "name_translations": {"en": "One"}, "objectives": [],
        "prerequisites": [{"item": "one", "status": "finished"}]}"#;
    let circle = zip(&[("small/metadata.json", metadata), ("small/phases/one.json", circle)]);
    let problem = refused(&server, kind, circle, 422, "invalid-schema");
    assert!(problem["errors"][0]["file"].to_string().contains("one.json"), "{problem}");
    server.operator().send("/v1/schemas", kind, whole).is(201);
}

#[test]
fn a_version_is_one_content_for_good() {
    let server = library();
    let operator = server.operator();
    operator.send("/v1/schemas", "application/yaml", TOOL_LIBRARY).is(200);
    let other = TOOL_LIBRARY.replacen("A tool library", "Another library", 1);
    refused(&server, "application/yaml", other.as_str(), 409, "version-taken");
    let newer = other.replacen("version: 1.0.0", "version: 1.1.0", 1);
    operator.send("/v1/schemas", "application/yaml", newer).is(201);
    assert_eq!(operator.get("/v1/schemas/tool-library").is(200)["version"], json!("1.1.0"));
    assert_eq!(operator.get("/v1/schemas/tool-library@1.0.0").is(200)["title"], json!("A tool library"));
    assert_eq!(operator.all("/v1/schemas/tool-library/versions", 1).len(), 2);
}
