//! What most tests begin with: a small schema, a process of it, people who drive it.

use serde_json::{Value, json};

use crate::client::Client;
use crate::server::Server;

/// A schema of five tasks in two phases, in three languages, with one text that lacks two of them.
pub const TOOL_LIBRARY: &str = "\
format: 1
name: tool-library
version: 1.0.0
title: { en: A tool library, es: Una biblioteca de herramientas, it: Una biblioteca degli attrezzi }
description: { en: Neighbours lend each other their tools. }
languages: [en, es, it]
phases:
  - id: prepare
    name: { en: Prepare, es: Preparar, it: Preparare }
    objectives:
      - id: ground
        name: { en: A room and its rules }
        tasks:
          - id: find-room
            name: { en: Find a room, es: Buscar un local, it: Trovare un locale }
            problem_profiles: [write-together]
          - id: set-rules
            name: { en: Set the rules, es: Fijar las reglas, it: Fissare le regole }
            after: find-room
            problem_profiles: [decide-together, align-expectations]
      - id: stock
        name: { en: Something to lend }
        tasks:
          - id: collect-tools
            name: { en: Collect tools, es: Reunir herramientas, it: Raccogliere attrezzi }
  - id: open
    name: { en: Open, es: Abrir, it: Aprire }
    after: prepare
    objectives:
      - id: doors
        name: { en: Doors open }
        tasks:
          - id: open-day
            name: { en: Hold an open day, es: Hacer una jornada abierta, it: Fare una giornata aperta }
          - id: look-back
            name: { en: Look back }
            after: open-day
";

/// Imports the schema.
#[track_caller]
pub fn schema(client: &Client) -> Value {
    client.send("/v1/schemas", "application/yaml", TOOL_LIBRARY).is(201)
}

/// A server with the schema.
pub fn library() -> Server {
    let server = Server::start();
    schema(server.operator());
    server
}

/// Publishes the Interlinker that calls services outside. What it may ask has to be granted.
#[track_caller]
pub fn publish_webhook(server: &Server) {
    const WEBHOOK: &[u8] = include_bytes!("../../../interlinkers/dist/webhook.wasm");
    server.operator().send("/v1/interlinkers", "application/wasm", WEBHOOK).is(201);
}

/// Path of a new process of the schema, not begun.
#[track_caller]
pub fn created(client: &Client, name: &str) -> String {
    created_from(client, "tool-library", name)
}

/// Path of a new process of any schema, not begun.
#[track_caller]
pub fn created_from(client: &Client, schema: &str, name: &str) -> String {
    let made = client.post("/v1/processes", &json!({"schema": schema, "name": name}));
    let process = made.is(201);
    let path = format!("/v1/processes/{}", text(&process["id"]));
    assert_eq!(made.header("location"), path);
    assert_eq!(process["status"], "created");
    path
}

/// Path of a new process that runs.
#[track_caller]
pub fn running(client: &Client, name: &str) -> String {
    let process = created(client, name);
    client.tell(&format!("{process}/start")).is(200);
    process
}

/// Completes a task.
#[track_caller]
pub fn complete(client: &Client, process: &str, task: &str) -> Value {
    client.tell(&format!("{process}/tasks/{task}/complete")).is(200)
}

/// Path of a new poll on a task.
#[track_caller]
pub fn poll(client: &Client, process: &str, task: &str, quorum: u64) -> String {
    let input = json!({"question": "Which evening?", "options": ["Monday", "Thursday"], "quorum": quorum});
    asset(client, process, task, "poll", &input)
}

/// Path of a new asset.
#[track_caller]
pub fn asset(client: &Client, process: &str, task: &str, interlinker: &str, input: &Value) -> String {
    let body = json!({"interlinker": interlinker, "name": format!("a {interlinker}"), "input": input});
    let made = client.post(&format!("{process}/tasks/{task}/assets"), &body);
    let path = format!("/v1/assets/{}", text(&made.is(201)["id"]));
    assert_eq!(made.header("location"), path);
    path
}

/// Votes.
#[track_caller]
pub fn vote(client: &Client, poll: &str, option: &str) -> crate::client::Answer {
    client.post(&format!("{poll}/actions/vote"), &json!({"option": option}))
}

/// A component that ships.
pub fn shipped(name: &str) -> Vec<u8> {
    let path = format!("{}/../interlinkers/dist/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).expect("the component is built")
}

/// A component with another manifest.
pub fn with_manifest(mut component: Vec<u8>, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let place = component.windows(18).rposition(|bytes| bytes == b"interlink:manifest").expect("it has a manifest");
    let mut manifest: Value = serde_json::from_slice(&component[place + 18..]).expect("it is at the end");
    change(&mut manifest);
    // The section begins before its name: its id, its size and the length of the name.
    component.truncate(place - 1);
    while component.pop() != Some(0) {}
    let content = [&[18][..], b"interlink:manifest", manifest.to_string().as_bytes()].concat();
    component.push(0);
    let mut size = content.len();
    while size >= 0x80 {
        component.push((size & 0x7f) as u8 | 0x80);
        size >>= 7;
    }
    component.push(size as u8);
    component.extend(content);
    component
}

/// The id at the end of a path.
pub fn id_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// A field that has to be a text.
#[track_caller]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// Whether something becomes so, within a while: a view's record does not hold up its answer.
pub fn becomes(is_so: impl Fn() -> bool) -> bool {
    const LONGEST: std::time::Duration = std::time::Duration::from_secs(30);
    let begun = std::time::Instant::now();
    while !is_so() {
        if begun.elapsed() > LONGEST {
            return false;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    true
}

/// Ids of entries, in their order.
pub fn ids(entries: &Value) -> Vec<String> {
    entries.as_array().into_iter().flatten().map(|entry| text(&entry["id"]).to_owned()).collect()
}

/// Tasks of a tree or a schema, in their order.
pub fn tasks(tree: &Value) -> Vec<Value> {
    let below = |value: &Value, field: &str| value[field].as_array().cloned().unwrap_or_default();
    let objectives = below(tree, "phases").into_iter().flat_map(|phase| below(&phase, "objectives"));
    objectives.flat_map(|objective| below(&objective, "tasks")).collect()
}

/// Tasks that the guide offers.
#[track_caller]
pub fn next(client: &Client, process: &str) -> Vec<String> {
    let guide = client.get(&format!("{process}/guide")).is(200);
    let next = guide["next"].as_array().expect("a guide says what is next");
    next.iter().map(|next| text(&next["task"]["id"]).to_owned()).collect()
}

/// Starts and completes what the guide offers first, again and again, until it offers nothing or so many are done.
#[track_caller]
pub fn drive(client: &Client, process: &str, most: usize) -> Vec<String> {
    let mut done: Vec<String> = Vec::new();
    while done.len() < most {
        let Some(task) = next(client, process).into_iter().next() else {
            let guide = client.get(&format!("{process}/guide")).is(200);
            assert_eq!(guide["waiting"], json!([]), "nothing can be done, and something waits");
            break;
        };
        assert!(!done.contains(&task), "{task} is offered again");
        client.tell(&format!("{process}/tasks/{task}/start")).is(200);
        client.post(&format!("{process}/tasks/{task}/complete"), &json!({"comment": "as agreed"})).is(200);
        done.push(task);
    }
    done
}

/// What a process and its history look like: compared before and after what must change nothing.
#[track_caller]
pub fn seen(client: &Client, process: &str) -> Value {
    let parts = ["", "/tree", "/guide", "/assets"].map(|part| client.get(&format!("{process}{part}")).is(200));
    json!([parts, client.all(&format!("{process}/events"), 1_000)])
}
