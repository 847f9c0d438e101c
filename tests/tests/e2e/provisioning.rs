//! Services from one declarative file.

use std::sync::Barrier;

use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::given::{TOOL_LIBRARY, library, schema, text};
use crate::server::{Server, printed};

const FILE: &str = "\
service: tool-lending
schema: tool-library
interlinkers: [poll, document]
process:
  name: Tools for everyone
  language: es
  start: true
";

#[track_caller]
fn plan(client: &Client, file: &str) -> Value {
    client.send("/v1/provisions?dry_run=true", "application/yaml", file).is(200)
}

fn apply(client: &Client, file: &str) -> Answer {
    client.send("/v1/provisions", "application/yaml", file)
}

/// What a plan or an application does with what, in short.
fn changes(answer: &Value) -> Value {
    let changes = answer["changes"].as_array().into_iter().flatten();
    changes.map(|change| json!([change["action"], change["kind"], change["name"]])).collect()
}

#[test]
fn a_plan_says_what_is_missing_and_applying_makes_it_so_once() {
    let mut server = Server::start();
    let operator = server.operator().clone();
    operator.id();
    let file = FILE.replace("document]", "document, walk-guide]");
    let before = server.position();
    let planned = plan(&operator, &file);
    let expected = json!([
        ["missing", "schema", "tool-library"],
        ["keep", "interlinker", "poll"],
        ["keep", "interlinker", "document"],
        ["missing", "interlinker", "walk-guide"],
        ["create", "process", "Tools for everyone"],
        ["create", "service", "tool-lending"],
    ]);
    assert_eq!(changes(&planned), expected);
    assert!(planned["changes"][0]["detail"].to_string().contains("interlink schema import"), "it says what would help");
    apply(&operator, &file).points_at(422, "no-such-thing", &["/schema"]);
    assert_eq!(server.position(), before, "neither a plan nor what is refused changes anything");
    schema(&operator);
    apply(&operator, &file).points_at(422, "no-such-thing", &["/interlinkers"]);
    operator.get("/v1/services/tool-lending").refused(404, "not-found");
    assert_eq!(operator.all("/v1/processes", 10), Vec::<Value>::new(), "all of it is made, or nothing");
    let entry = json!({"name": "walk-guide", "nature": "knowledge", "title": "Walks"});
    operator.post("/v1/interlinkers", &entry).is(201);

    let applied = apply(&operator, &file);
    let body = applied.is(201);
    assert_eq!(applied.header("location"), "/v1/services/tool-lending");
    let path = format!("/v1/processes/{}", text(&body["process"]));
    let process = operator.get(&path).is(200);
    assert_eq!((&process["name"], &process["status"]), (&json!("Tools for everyone"), &json!("running")));
    assert_eq!(process["language"], json!("es"));

    let again = |server: &Server| {
        let again = apply(server.operator(), &file);
        assert_eq!(again.is(200)["process"], body["process"]);
        let kept =
            again.json()["changes"].as_array().is_some_and(|all| all.iter().all(|change| change["action"] == "keep"));
        assert!(kept, "{}", again.text());
        assert_eq!(operator.all("/v1/processes", 10).len(), 1);
        let service = operator.get("/v1/services/tool-lending").is(200);
        assert_eq!(
            (&service["process"], &service["drift"], &service["version"]),
            (&body["process"], &json!([]), &json!(0))
        );
    };
    again(&server);
    server.crash();
    again(&server);
    server.kill();
    std::fs::remove_dir_all(server.place("state")).expect("it was there");
    server.launch();
    again(&server);
    assert_eq!(operator.all("/v1/services", 1).len(), 1);
    server.audit();
}

#[test]
fn a_file_that_asks_for_more_brings_the_service_up_to_it() {
    let server = library();
    let operator = server.operator();
    let first = apply(operator, &FILE.replace(", document", "")).is(201);
    let planned = plan(operator, FILE);
    let service = planned["changes"].as_array().and_then(|all| all.last()).cloned().expect("a service");
    assert_eq!(service["action"], json!("update"), "{planned}");
    let second = apply(operator, FILE);
    assert_eq!(second.is(201)["process"], first["process"]);
    let shown = operator.get("/v1/services/tool-lending").is(200);
    assert_eq!((&shown["version"], &shown["file"]["interlinkers"]), (&json!(1), &json!(["poll", "document"])));
    apply(operator, FILE).is(200);
}

#[test]
fn a_file_that_would_lose_work_is_refused_and_says_why() {
    let server = library();
    let operator = server.operator();
    let other = TOOL_LIBRARY.replacen("name: tool-library", "name: seed-library", 1);
    operator.send("/v1/schemas", "application/yaml", other).is(201);
    apply(operator, FILE).is(201);
    let before = (server.position(), operator.get("/v1/services/tool-lending").body);
    for (from, to, says) in [
        ("schema: tool-library", "schema: seed-library", "tool-library"),
        ("name: Tools for everyone", "name: Tools for some", "name"),
        ("start: true", "start: false", "start"),
    ] {
        let changed = FILE.replacen(from, to, 1);
        let planned = plan(operator, &changed);
        let conflicts =
            planned["changes"].as_array().into_iter().flatten().filter(|change| change["action"] == "conflict");
        let conflicts: Vec<_> = conflicts.collect();
        assert_eq!(conflicts.len(), 1, "{planned}");
        assert!(text(&conflicts[0]["detail"]).contains(says), "{planned}");
        let refused = apply(operator, &changed).is(409);
        assert!(text(&refused["detail"]).contains(says), "{refused}");
    }
    assert_eq!((server.position(), operator.get("/v1/services/tool-lending").body), before);
    assert_eq!(operator.all("/v1/processes", 10).len(), 1);
}

#[test]
fn a_file_that_is_none_is_refused_with_its_place() {
    let server = library();
    let operator = server.operator();
    operator.id();
    let before = server.position();
    for (file, status, slug) in [
        ("", 400, "malformed"),
        ("service: [", 400, "malformed"),
        ("service: a\nservice: b\n", 400, "malformed"),
        ("- a\n- b\n", 422, "invalid-input"),
        ("service: a\n", 422, "invalid-input"),
        (&FILE.replacen("tool-lending", "tools / lending", 1), 422, "invalid-input"),
        (&FILE.replacen("Tools for everyone", "\"\"", 1), 422, "invalid-input"),
    ] {
        apply(operator, file).refused(status, slug);
        operator.send("/v1/provisions?dry_run=true", "application/yaml", file).refused(status, slug);
    }
    let unknown = FILE.replacen("  start: true", "  begin: true", 1);
    let refused = apply(operator, &unknown).refused(422, "invalid-input");
    assert_eq!(refused["errors"][0]["pointer"], json!("/process/begin"), "{refused}");
    operator.send("/v1/provisions?dry_run=perhaps", "application/yaml", FILE).refused(400, "malformed");
    assert_eq!(server.position(), before);
}

#[test]
fn applying_a_file_many_times_at_once_makes_one_process() {
    const MANY: usize = 6;
    let server = library();
    let barrier = Barrier::new(MANY);
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let applying = (0..MANY).map(|_| {
            scope.spawn(|| {
                barrier.wait();
                apply(server.operator(), FILE)
            })
        });
        applying.collect::<Vec<_>>().into_iter().map(|applying| applying.join().expect("answered")).collect()
    });
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 1);
    assert!(answers.iter().all(|answer| [200, 201].contains(&answer.status)));
    assert!(answers.iter().all(|answer| answer.json()["process"] == answers[0].json()["process"]));
    assert_eq!(server.operator().all("/v1/processes", 10).len(), 1);
}

#[test]
fn the_command_line_plans_and_applies_a_file() {
    let server = library();
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("service.yaml");
    std::fs::write(&file, FILE).expect("written");
    let path = file.to_str().expect("a path of letters");
    let run = |verb: &str| server.cli(&["provision", verb, path]);
    let planned = run("plan");
    assert!(planned.status.success() && printed(&planned).contains("apply would make it so"), "{}", printed(&planned));
    assert!(printed(&planned).contains("+ process"), "{}", printed(&planned));
    let applied = run("apply");
    assert!(applied.status.success(), "{}", printed(&applied));
    let process = text(&server.operator().get("/v1/services/tool-lending").is(200)["process"]).to_owned();
    assert!(printed(&applied).contains(&process), "{}", printed(&applied));
    let again = run("apply");
    assert!(again.status.success() && printed(&again).contains("= process"), "{}", printed(&again));

    std::fs::write(&file, FILE.to_owned() + "schema: seed-library\n").expect("written");
    let broken = run("apply");
    assert_eq!(broken.status.code(), Some(1));
    assert!(broken.stdout.is_empty() && printed(&broken).contains("(400)"), "{}", printed(&broken));
    let listed = server.cli(&["process", "guide", &process]);
    assert!(printed(&listed).contains("find-room"), "{}", printed(&listed));
}

#[test]
fn a_command_that_finds_no_server_or_has_no_token_says_so() {
    let mut server = Server::start();
    server.stop();
    let output = server.cli(&["process", "list"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed(&output).contains("is `interlink serve` running?"), "{}", printed(&output));
}
