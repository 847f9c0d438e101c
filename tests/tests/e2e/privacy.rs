//! People are random ids, and what they write lies sealed: neither is in any file in clear.

use serde_json::json;

use crate::client::Ask;
use crate::files::{below, in_clear};
use crate::given::{TOOL_LIBRARY, asset, id_of, library, text};
use crate::server::OPERATOR;

const LOGIN: &str = "marguerite.of-the-mill";
const NAME: &str = "The quarry by the river";
const COMMENT: &str = "nobody was against the heron";
const REASON: &str = "because of the high water";
const QUESTION: &str = "Do we rebuild the footbridge?";
const OPTION: &str = "Rebuild it in larch";
const ASSET_NAME: &str = "Vote on the footbridge";
const TITLE: &str = "Minutes of the larch evening";
const HEADING: &str = "Those who were absent";
const WRITTEN: &str = "Sawyers were asked for two offers";
const KEY: &str = "key-of-the-heron";
const SERVICE_PROCESS: &str = "The footbridge, provisioned";
const ORGANIZATION: &str = "Friends of the heron";

#[test]
fn no_login_and_nothing_that_people_wrote_is_in_any_file_in_clear() {
    let mut server = library();
    let marguerite = server.member(LOGIN);
    let made = marguerite.ask(&Ask::post("/v1/processes", &json!({"schema": "tool-library", "name": NAME})).key(KEY));
    made.is(201);
    let process = made.header("location").to_owned();
    marguerite.tell(&format!("{process}/start")).is(200);
    marguerite.post(&format!("{process}/tasks/find-room/claim"), &json!({"comment": COMMENT})).is(200);
    let input = json!({"question": QUESTION, "options": [OPTION, "Leave it"], "quorum": 1});
    let body = json!({"interlinker": "poll", "name": ASSET_NAME, "input": input});
    let made = marguerite.ask(&Ask::post(&format!("{process}/tasks/find-room/assets"), &body).key(KEY));
    let poll = format!("/v1/assets/{}", text(&made.is(201)["id"]));
    let vote = format!("{poll}/actions/vote");
    marguerite.ask(&Ask::post(&vote, &json!({"option": OPTION})).key(KEY)).is(200);
    let sections = json!([{"id": "absent", "heading": HEADING, "text": "Two."}]);
    let document =
        asset(&marguerite, &process, "find-room", "document", &json!({"title": TITLE, "sections": sections}));
    marguerite.post(&format!("{document}/actions/write"), &json!({"section": "offers", "text": WRITTEN})).is(200);
    for asset in [&poll, &document] {
        marguerite.get(&format!("{asset}/view")).is(200);
    }
    let organization = json!({"name": ORGANIZATION, "kind": "citizens"});
    let made = marguerite.ask(&Ask::post("/v1/organizations", &organization).key(KEY));
    let organization = format!("/v1/organizations/{}", text(&made.is(201)["id"]));
    let file = json!({"service": "footbridge", "schema": "tool-library", "organization": ORGANIZATION,
        "process": {"name": SERVICE_PROCESS}});
    marguerite.post("/v1/provisions", &file).is(201);
    marguerite.post(&format!("{process}/suspend"), &json!({"reason": REASON})).is(200);
    assert_eq!(marguerite.get("/v1/me").is(200)["login"], json!(LOGIN), "she is told her own");

    let secrets = [
        LOGIN,
        OPERATOR,
        NAME,
        COMMENT,
        REASON,
        QUESTION,
        OPTION,
        ASSET_NAME,
        TITLE,
        HEADING,
        WRITTEN,
        KEY,
        SERVICE_PROCESS,
        ORGANIZATION,
        marguerite.token(),
    ];
    // Running, after a stop that writes the state, and made again from the journal.
    for turn in ["running", "stopped", "made again"] {
        match turn {
            "stopped" => server.stop(),
            "made again" => {
                std::fs::remove_dir_all(server.place("state")).expect("it was there");
                server.launch();
                server.stop();
            }
            _ => {}
        }
        assert_eq!(in_clear(server.data(), &secrets), [], "{turn}");
        let open = in_clear(server.data(), &["Find a room"]);
        assert!(!open.is_empty(), "{turn}: what is no secret is not found, either");
    }
    assert!(!server.said().contains(LOGIN) && !server.said().contains(NAME), "{}", server.said());
    server.launch();
    assert_eq!(marguerite.get(&process).is(200)["name"], json!(NAME));
    assert_eq!(marguerite.get(&organization).is(200)["name"], json!(ORGANIZATION));
    let service = marguerite.get("/v1/services/footbridge");
    assert_eq!(service.is(200)["file"]["process"]["name"], json!(SERVICE_PROCESS));
    server.audit();
}

#[test]
fn people_appear_as_ids_in_everything_that_others_see() {
    let server = library();
    let (marguerite, other) = (server.member(LOGIN), server.member("somebody-else"));
    let process = crate::given::running(&marguerite, NAME);
    marguerite.tell(&format!("{process}/tasks/find-room/claim")).is(200);
    let poll = crate::given::poll(&marguerite, &process, "find-room", 1);
    crate::given::vote(&marguerite, &poll, "Monday").is(200);
    let id = marguerite.id();
    let mut shown = String::new();
    for below in ["", "/tree", "/guide", "/events", "/assets", "/tasks/find-room"] {
        shown += &other.get(&format!("{process}{below}")).text();
    }
    for path in [&poll, &format!("{poll}/view"), "/v1/usage", "/v1/usage?format=csv", "/v1/adoption", "/metrics"] {
        shown += &other.get(path).text();
    }
    let adoption = other.get(&format!("/v1/adoption/processes/{}", id_of(&process)));
    shown += &adoption.text();
    assert!(!shown.contains(LOGIN));
    assert!(shown.contains(&id));
    let refused = other.tell(&format!("{process}/tasks/find-room/claim")).refused(409, "task-claimed");
    assert!(!refused.to_string().contains(LOGIN) && refused.to_string().contains(&id), "{refused}");
}

#[test]
fn a_login_is_one_person_whatever_token_it_comes_with() {
    let mut server = library();
    let ana = server.member("ana");
    let id = ana.id();
    let as_operator = ana.with_token(Some(&server.mint("ana", &["--role", "operator"])));
    assert_eq!(as_operator.id(), id);
    assert_eq!(as_operator.get("/v1/me").is(200)["role"], json!("operator"));
    assert_ne!(server.member("Ana").id(), id);
    server.crash();
    assert_eq!(ana.id(), id);
    server.kill();
    std::fs::remove_dir_all(server.place("state")).expect("it was there");
    server.launch();
    assert_eq!(ana.id(), id);
    let first_requests: Vec<String> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8).map(|_| server.member("new-at-once")).collect();
        let asking: Vec<_> = clients.into_iter().map(|client| scope.spawn(move || client.id())).collect();
        asking.into_iter().map(|asking| asking.join().expect("answered")).collect()
    });
    assert!(first_requests.iter().all(|id| *id == first_requests[0]), "two first requests made two people");
}

#[test]
fn keys_are_readable_by_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let server = crate::server::Server::start_anew();
    server.operator().send("/v1/schemas", "application/yaml", TOOL_LIBRARY).is(201);
    for file in below(&server.place("keys")) {
        let mode = std::fs::metadata(&file).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", file.display());
    }
}
