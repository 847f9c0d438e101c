//! Signatures of components: who signed what, whose keys are trusted, and components that travel as files.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{WASM, poll};
use crate::client::{Ask, Client};
use crate::given::text;
use crate::server::{Server, interlink, printed};

/// A folder with keys and components of an author.
pub struct Desk(TempDir);

impl Desk {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().expect("a path of letters").to_owned()
    }

    pub fn line(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("it is there").trim().to_owned()
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> String {
        std::fs::write(self.path(name), bytes).expect("written");
        self.path(name)
    }

    /// Makes a key of this id; its file.
    #[track_caller]
    pub fn key(&self, id: &str) -> String {
        let file = self.path(&format!("{id}.key"));
        succeeds(&interlink(&["interlinker", "keygen", &file]));
        file
    }

    /// The public half of a key, as base64.
    fn public(&self, id: &str) -> String {
        let line = self.line(&format!("{id}.key.pub"));
        line.split_once("public=").expect("its public half").1.to_owned()
    }
}

#[track_caller]
pub fn succeeds(output: &std::process::Output) -> String {
    assert!(output.status.success(), "{}", printed(output));
    printed(output)
}

#[track_caller]
pub fn trust(server: &Server, desk: &Desk, id: &str, owner: &str) {
    succeeds(&server.cli(&["trust", "add", &desk.path(&format!("{id}.key.pub")), "--owner", owner]));
}

pub fn publish(server: &Server, file: &str, key: Option<&str>) -> std::process::Output {
    let with_key: Vec<_> = key.into_iter().flat_map(|key| ["--key", key]).collect();
    server.cli(&[&["interlinker", "publish", file][..], &with_key].concat())
}

/// Sends a component with a line of a signature.
fn send(client: &Client, component: Vec<u8>, line: &str) -> crate::client::Answer {
    client.ask(&Ask::new("POST", "/v1/interlinkers").body(WASM, component).header("interlink-signature", line))
}

/// Who signed a version of the poll.
#[track_caller]
pub fn signed_by(client: &Client, version: &str) -> Value {
    let versions = client.all("/v1/interlinkers/poll/versions", 10);
    versions.iter().find(|one| one["version"] == version).expect("it is there")["signed_by"].clone()
}

fn put(client: &Client, path: &str, body: &Value) -> crate::client::Answer {
    client.ask(&Ask::new("PUT", path).body("application/json", body.to_string()))
}

#[test]
fn a_signed_component_says_whose_it_is_and_travels_as_a_file_to_a_server_that_asks_for_it() {
    let (mut here, there, desk) = (Server::start(), Server::start(), Desk::new());
    let key = desk.key("town-2027");
    let component = desk.write("poll.wasm", &poll("1.1.0"));
    trust(&here, &desk, "town-2027", "Town hall");
    let said = succeeds(&publish(&here, &component, Some(&key)));
    assert!(said.contains("signed by town-2027 of Town hall"), "{said}");
    let holds = |server: &Server| {
        let by = signed_by(&server.member("ana"), "1.1.0");
        assert_eq!(
            (&by["key"], &by["owner"], &by["trusted"]),
            (&json!("town-2027"), &json!("Town hall"), &json!(true)),
            "{by}"
        );
        assert_eq!(signed_by(server.operator(), "1.0.0"), Value::Null, "what ships is not signed");
    };
    holds(&here);
    here.crash();
    holds(&here);
    here.stop();
    succeeds(&here.on_data(&["state", "rebuild"]));
    here.launch();
    holds(&here);

    let exported = desk.path("exported.wasm");
    succeeds(&here.cli(&["interlinker", "export", "poll@1.1.0", &exported]));
    assert!(std::fs::read(&exported).expect("it is there") == poll("1.1.0"), "it is what was published");
    assert_eq!(desk.line("exported.wasm.sig"), desk.line("poll.wasm.sig"));
    let again = here.cli(&["interlinker", "export", "poll", &exported]);
    assert!(!again.status.success() && printed(&again).contains("exported.wasm"), "nothing is written over");
    let path = "/v1/interlinkers/poll/versions/1.1.0/component";
    assert_eq!(here.operator().get(path).header("interlink-signature"), desk.line("poll.wasm.sig"));
    here.member("ana").get(path).refused(403, "forbidden");
    here.operator().get(&path.replace("1.1.0", "9.0.0")).refused(404, "not-found");

    succeeds(&there.cli(&["trust", "require", "on"]));
    let refused = publish(&there, &exported, None);
    assert!(!refused.status.success() && printed(&refused).contains("town-2027"), "{}", printed(&refused));
    trust(&there, &desk, "town-2027", "The other town");
    succeeds(&publish(&there, &exported, None));
    assert_eq!(signed_by(there.operator(), "1.1.0")["owner"], "The other town");
    here.audit();
}

#[test]
fn a_private_key_is_readable_by_nobody_else_and_never_written_over() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new();
    let key = desk.key("town");
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&PathBuf::from(&key)), 0o600);
    let before = desk.line("town.key");
    assert!(!desk.line("town.key.pub").contains(before.split_once("private=").expect("it signs").1));
    let again = interlink(&["interlinker", "keygen", &key]);
    assert!(!again.status.success(), "{}", printed(&again));
    assert_eq!(desk.line("town.key"), before);
    let odd = interlink(&["interlinker", "keygen", &desk.path("a key.key")]);
    assert!(!odd.status.success() && printed(&odd).contains("--id"), "{}", printed(&odd));
}

#[test]
fn a_signature_that_is_wrong_is_refused_and_one_of_a_stranger_is_taken_for_what_it_is() {
    let (mut server, desk) = (Server::start(), Desk::new());
    let operator = server.operator().clone();
    let key = desk.key("town");
    let component = desk.write("poll.wasm", &poll("1.1.0"));
    let said = succeeds(&publish(&server, &component, Some(&key)));
    assert!(said.contains("which is not trusted there"), "{said}");
    let by = signed_by(&operator, "1.1.0");
    assert_eq!((&by["trusted"], &by["owner"]), (&json!(false), &Value::Null), "{by}");
    let line = desk.line("poll.wasm.sig");
    send(&operator, poll("1.2.0"), "town").refused(400, "malformed");

    trust(&server, &desk, "town", "Town hall");
    assert_eq!(signed_by(&operator, "1.1.0")["owner"], Value::Null, "nobody checked it when it was published");
    let before = server.position();
    let refused = send(&operator, poll("1.2.0"), &line).refused(422, "signature-refused");
    assert!(text(&refused["detail"]).contains("did not sign this component"), "{refused}");
    assert_eq!(server.position(), before, "something was written");
    send(&operator, poll("1.1.0"), &line).is(200);
    assert_eq!(signed_by(&operator, "1.1.0")["owner"], "Town hall", "it was sent again, and checked");
    let before = server.position();
    send(&operator, poll("1.1.0"), &line).is(200);
    operator.send("/v1/interlinkers", WASM, poll("1.1.0")).is(200);
    assert_eq!(server.position(), before, "what is signed already is not signed again, and stays signed");
    server.crash();
    assert_eq!(signed_by(&operator, "1.1.0")["trusted"], true);
}

#[test]
fn a_server_that_asks_for_signatures_says_what_would_be_right_and_keeps_asking() {
    let (mut server, desk) = (Server::start(), Desk::new());
    let (operator, member) = (server.operator().clone(), server.member("ana"));
    assert_eq!(operator.get("/v1/trust").is(200), json!({"require_signatures": false, "keys": []}));
    put(&member, "/v1/trust", &json!({"require_signatures": true})).refused(403, "forbidden");
    put(&operator, "/v1/trust", &json!({})).points_at(422, "invalid-input", &["/require_signatures"]);
    put(&operator, "/v1/trust", &json!({"require_signatures": true})).is(200);
    let position = server.position();
    put(&operator, "/v1/trust", &json!({"require_signatures": true})).is(200);
    assert_eq!(server.position(), position, "what is so already is not written again");
    server.crash();
    assert_eq!(member.get("/v1/trust").is(200)["require_signatures"], true);
    let refused = operator.send("/v1/interlinkers", WASM, poll("1.1.0")).refused(422, "signature-refused");
    assert!(text(&refused["detail"]).contains("--key"), "{refused}");
    let (key, component) = (desk.key("town"), desk.write("poll.wasm", &poll("1.1.0")));
    let refused = publish(&server, &component, Some(&key));
    assert!(printed(&refused).contains("not on the list"), "{}", printed(&refused));
    let body = |more: Value| {
        let mut body = json!({"public_key": desk.public("town"), "owner": "Town hall"});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        body
    };
    put(&operator, "/v1/trust/keys/town", &body(json!({"until": "2020-01-01T00:00:00Z"}))).is(201);
    let refused = publish(&server, &component, Some(&key));
    assert!(printed(&refused).contains("only until 2020-01-01"), "{}", printed(&refused));
    put(&operator, "/v1/trust/keys/town", &body(json!({"from": "2020-01-01T00:00:00Z"}))).is(200);
    succeeds(&publish(&server, &component, Some(&key)));
    operator.post("/v1/interlinkers", &json!({"name": "walks", "nature": "knowledge", "title": "Walks"})).is(201);
}

#[test]
fn a_key_is_trusted_by_an_operator_and_one_that_is_removed_keeps_what_it_signed() {
    let (mut server, desk) = (Server::start(), Desk::new());
    let (operator, member) = (server.operator().clone(), server.member("ana"));
    let (key, _) = (desk.key("town"), desk.key("other"));
    let path = "/v1/trust/keys/town";
    let body = json!({"public_key": desk.public("town"), "owner": "Town hall"});
    put(&member, path, &body).refused(403, "forbidden");
    put(&operator, path, &json!({})).points_at(422, "invalid-input", &["/public_key", "/owner"]);
    let none = json!({"public_key": "AAAA", "owner": "x", "from": "soon"});
    put(&operator, path, &none).points_at(422, "invalid-input", &["/public_key", "/from"]);
    put(&operator, &format!("/v1/trust/keys/{}", "k".repeat(65)), &body).refused(422, "invalid-input");
    put(&operator, path, &body).is(201);
    let position = server.position();
    put(&operator, path, &body).is(200);
    assert_eq!(server.position(), position, "what is so already is not written again");
    let component = desk.write("poll.wasm", &poll("1.1.0"));
    succeeds(&publish(&server, &component, Some(&key)));
    member.ask(&Ask::new("DELETE", path)).refused(403, "forbidden");
    succeeds(&server.cli(&["trust", "remove", "town"]));
    operator.ask(&Ask::new("DELETE", path)).refused(404, "not-found");
    succeeds(&server.cli(&["trust", "require", "on"]));
    server.crash();
    let by = signed_by(&member, "1.1.0");
    assert_eq!((&by["owner"], &by["trusted"]), (&json!("Town hall"), &json!(true)), "{by}");
    assert!(by["key_removed_at"].is_string(), "{by}");
    let next = desk.write("next.wasm", &poll("1.2.0"));
    let refused = publish(&server, &next, Some(&key));
    assert!(printed(&refused).contains("not trusted any more"), "{}", printed(&refused));
    let taken = json!({"public_key": desk.public("other"), "owner": "Town hall"});
    put(&operator, path, &taken).refused(409, "key-taken");
    put(&operator, path, &body).is(201);
    succeeds(&publish(&server, &next, Some(&key)));
    let listed = succeeds(&server.cli(&["trust", "list"]));
    assert!(listed.contains("Town hall") && listed.contains("require_signatures: true"), "{listed}");
    member.get("/v1/trust/keys/nobody").refused(404, "not-found");
    assert_eq!(member.get(path).is(200)["removed_at"], Value::Null);
}

#[test]
fn a_key_that_is_trusted_vouches_for_its_successor_and_nobody_else_does() {
    let (mut server, desk) = (Server::start(), Desk::new());
    let operator = server.operator().clone();
    let (old, next) = (desk.key("town-2027"), desk.path("town-2028.key"));
    succeeds(&interlink(&["interlinker", "keygen", &next, "--succeeds", &old]));
    let (said, line) = (format!("{next}.succession"), desk.line("town-2028.key.succession"));
    assert!(!line.contains(desk.line("town-2028.key").split_once("private=").expect("it signs").1), "{line}");
    let early = server.cli(&["trust", "add", &said]);
    assert!(
        !early.status.success() && printed(&early).contains("`town-2027` is not on the list"),
        "{}",
        printed(&early)
    );

    trust(&server, &desk, "town-2027", "Town hall");
    succeeds(&server.cli(&["trust", "require", "on"]));
    let (path, ana) = ("/v1/trust/keys/town-2028", server.member("ana"));
    ana.id();
    operator.id();
    let position = server.position();
    let body = |line: &str| json!({ "succession": line });
    put(&operator, path, &body("town")).points_at(422, "invalid-input", &["/succession"]);
    put(&operator, "/v1/trust/keys/mine", &body(&line)).points_at(422, "invalid-input", &["/succession"]);
    put(&operator, path, &json!({"succession": 7})).points_at(422, "invalid-input", &["/succession"]);
    put(&operator, path, &json!({"succession": line, "owner": "Me"})).points_at(422, "invalid-input", &["/owner"]);
    desk.key("mine");
    let forged = line.replace(&desk.public("town-2028"), &desk.public("mine"));
    let refused = put(&operator, path, &body(&forged)).refused(422, "signature-refused");
    assert!(text(&refused["detail"]).contains("did not vouch"), "{refused}");
    put(&ana, path, &body(&line)).refused(403, "forbidden");
    assert_eq!(server.position(), position, "something was written");

    let told = succeeds(&server.cli(&["trust", "add", &said]));
    assert!(told.contains("trusted town-2028 of Town hall") && told.contains("town-2027 vouched"), "{told}");
    let position = server.position();
    succeeds(&server.cli(&["trust", "add", &said]));
    assert_eq!(server.position(), position, "what is so already is not written again");
    server.crash();
    let component = desk.write("poll.wasm", &poll("1.1.0"));
    succeeds(&publish(&server, &component, Some(&next)));
    assert_eq!(signed_by(&operator, "1.1.0")["owner"], "Town hall");
    assert_eq!(operator.get(path).is(200)["succeeds"], "town-2027");
    let told = succeeds(&server.cli(&["trust", "remove", "town-2027"]));
    assert!(told.contains("town-2028 is trusted because town-2027 vouched for it"), "{told}");
    let next = desk.write("next.wasm", &poll("1.2.0"));
    let refused = publish(&server, &next, Some(&old));
    assert!(printed(&refused).contains("not trusted any more"), "{}", printed(&refused));
    let late = server.cli(&["trust", "add", &said]);
    assert!(!late.status.success() && printed(&late).contains("not trusted any more"), "{}", printed(&late));
}

#[test]
fn a_server_that_cannot_read_whether_it_asks_for_signatures_asks_for_them() {
    let mut server = Server::start();
    let operator = server.operator().clone();
    for required in [true, false] {
        put(&operator, "/v1/trust", &json!({"require_signatures": required})).is(200);
    }
    operator.send("/v1/interlinkers", WASM, poll("1.1.0")).is(201);
    server.stop();
    crate::repair::flipped(&server, "SignaturesRequired");
    server.launch();
    assert_eq!(operator.get("/v1/trust").is(200)["require_signatures"], true);
    operator.send("/v1/interlinkers", WASM, poll("1.2.0")).refused(422, "signature-refused");
}
