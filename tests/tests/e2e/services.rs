//! Services in full: from one file to the people whom they serve, and to their end.

mod door;
mod file;
mod kills;
mod life;
mod limits;
mod settings;
mod walk;

use serde_json::{Value, json};

use crate::client::{Answer, Ask, Client};
use crate::given::{library, text};
use crate::server::Server;

/// A service of a poll and a document, open in part.
pub const DESK: &str = "\
service: tool-desk
schema: tool-library
interlinkers:
  - name: poll
    version: 1.0.0
    grants: { http: [{ origin: 'https://example.org', methods: [GET] }], secrets: [mail] }
    settings: { town: Zaragoza }
  - document
secrets: [mail]
process: { name: The tool desk, language: en, start: true }
assets:
  - id: evening
    task: find-room
    interlinker: poll
    name: Which evening
    input: { question: Which evening?, options: [Monday, Thursday], quorum: 40 }
    open: { view: true, actions: [vote] }
  - id: wishes
    task: collect-tools
    interlinker: document
    input: { title: Wishes, sections: [{ id: saws, heading: Saws }] }
    open: { actions: [write] }
  - id: inside
    task: set-rules
    interlinker: document
    input: { title: Rules }
";

pub const DOOR: &str = "/v1/services/tool-desk";

pub fn plan(client: &Client, file: &str) -> Value {
    client.send("/v1/provisions?dry_run=true", "application/yaml", file).is(200)
}

pub fn apply(client: &Client, file: &str) -> Answer {
    client.send("/v1/provisions", "application/yaml", file)
}

/// What a plan or an application does with what, in short, but for what it keeps.
pub fn changed(answer: &Value, list: &str) -> Value {
    let changes = answer[list].as_array().into_iter().flatten().filter(|change| change["action"] != "keep");
    changes.map(|change| json!([change["action"], change["kind"], change["name"]])).collect()
}

/// A server with all that the desk's file cannot make.
pub fn prepared() -> Server {
    let server = library();
    secret(server.operator(), "swordfish");
    server
}

#[track_caller]
pub fn secret(operator: &Client, value: &str) {
    let body = json!({"value": value}).to_string();
    operator.ask(&Ask::new("PUT", "/v1/secrets/mail").body("application/json", body)).is(200);
}

/// A server with the desk, which is open.
pub fn open_desk() -> Server {
    let server = prepared();
    apply(server.operator(), DESK).is(201);
    server.operator().tell(&format!("{DOOR}/activate")).is(200);
    server
}

/// A visitor with a token of their own.
#[track_caller]
pub fn visitor(server: &Server) -> Client {
    let visit = server.nobody().tell(&format!("{DOOR}/visits")).is(201);
    server.nobody().with_token(Some(text(&visit["token"])))
}

#[track_caller]
pub fn vote(client: &Client, option: &str) -> Answer {
    client.post(&format!("{DOOR}/evening/actions/vote"), &json!({"option": option}))
}
