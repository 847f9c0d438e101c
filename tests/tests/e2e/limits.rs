//! Limits of the API, crossed by one: what is just within is taken, what is beyond says so.

use serde_json::json;

use crate::client::{Ask, Client};
use crate::given::{asset, complete, created, library, running, text};
use crate::server::{Server, interlink, printed};

fn put(client: &Client, path: &str, body: &serde_json::Value) -> crate::client::Answer {
    client.ask(&Ask::new("PUT", path).body("application/json", body.to_string()))
}

#[test]
fn a_secret_has_a_longest_name_and_a_largest_value() {
    let server = Server::start();
    let secret = |name: usize, value: usize| {
        put(server.operator(), &format!("/v1/secrets/{}", "n".repeat(name)), &json!({"value": "v".repeat(value)}))
    };
    secret(64, 4_096).is(200);
    secret(65, 4_096).refused(422, "invalid-input");
    secret(64, 4_097).points_at(422, "invalid-input", &["/value"]);
}

#[test]
fn an_entry_of_the_catalogue_has_a_longest_name() {
    let server = Server::start();
    let operator = server.operator();
    let entry = |bytes: usize| json!({"name": "n".repeat(bytes), "nature": "knowledge", "title": "Cards"});
    operator.post("/v1/interlinkers", &entry(128)).is(201);
    operator.post("/v1/interlinkers", &entry(129)).points_at(422, "invalid-input", &["/name"]);
    let profile = |bytes: usize| json!({"id": "p".repeat(bytes), "name": "Profile"});
    operator.post("/v1/problem-profiles", &profile(128)).is(201);
    operator.post("/v1/problem-profiles", &profile(129)).points_at(422, "invalid-input", &["/id"]);
}

#[test]
fn a_preview_shows_so_many_runs() {
    let server = Server::start();
    let path = |count: usize| format!("/v1/schedules/preview?cron=*/5%20*%20*%20*%20*&zone=UTC&count={count}");
    let shown = server.operator().get(&path(1_000)).is(200);
    assert_eq!(shown["items"].as_array().map(Vec::len), Some(1_000));
    server.operator().get(&path(1_001)).refused(400, "malformed");
}

#[test]
fn one_request_moves_so_many_processes_and_says_where_the_next_goes_on() {
    let server = library();
    let (ana, operator) = (server.member("ana"), server.operator());
    std::thread::scope(|scope| {
        for worker in 0..7 {
            let ana = ana.clone();
            scope.spawn(move || (0..143).for_each(|number| drop(created(&ana, &format!("P{worker}-{number}")))));
        }
    });
    let newer = crate::given::TOOL_LIBRARY.replace("version: 1.0.0", "version: 2.0.0");
    operator.send("/v1/schemas", "application/yaml", newer).is(201);
    let path = "/v1/schemas/tool-library/migrate";
    let first = operator.post(path, &json!({"version": "2.0.0"})).is(200);
    assert_eq!((first["moved"].as_array().map(Vec::len), &first["more"]), (Some(1_000), &json!(true)));
    let rest = operator.post(path, &json!({"version": "2.0.0", "after": first["next"]})).is(200);
    assert_eq!((rest["moved"].as_array().map(Vec::len), &rest["more"]), (Some(1), &json!(false)));
}

#[test]
fn a_guide_recommends_so_many_interlinkers_and_the_task_lists_them_all() {
    let server = library();
    let operator = server.operator();
    for number in 0..6 {
        let name = format!("cards-{number}");
        let entry = json!({"name": name, "nature": "knowledge", "title": "C", "problem_profiles": ["write-together"]});
        operator.post("/v1/interlinkers", &entry).is(201);
    }
    let process = running(operator, "With help");
    let items = |value: &serde_json::Value| value.as_array().map(Vec::len);
    let all = operator.get(&format!("{process}/tasks/find-room/recommendations")).is(200);
    assert!(items(&all["items"]) >= Some(6), "{all}");
    let guide = operator.get(&format!("{process}/guide")).is(200);
    let next = guide["next"].as_array().expect("tasks").iter().find(|next| text(&next["task"]["id"]) == "find-room");
    assert_eq!(items(&next.expect("it is ready")["recommendations"]), Some(5), "{guide}");
}

#[test]
fn a_fork_copies_so_much_of_its_assets_and_is_made_without_them_where_they_hold_more() {
    let server = library();
    let ana = server.member("ana");
    let process = running(&ana, "Much text");
    let fork = |name: &str, assets: bool| {
        ana.post(&format!("{process}/fork"), &json!({"as_of": 2, "name": name, "assets": assets}))
    };
    let text = "x".repeat(64_000);
    for document in 0..3 {
        let path = asset(&ana, &process, "find-room", "document", &json!({"title": format!("D{document}")}));
        for section in 0..6 {
            let write = json!({"section": format!("s{section}"), "text": text});
            ana.post(&format!("{path}/actions/write"), &write).is(200);
        }
    }
    complete(&ana, &process, "find-room");
    let now = ana.get(&process).is(200)["version"].clone();
    let fork_now =
        |assets: bool| ana.post(&format!("{process}/fork"), &json!({"as_of": now, "name": "F", "assets": assets}));
    fork_now(true).refused(413, "too-large");
    fork_now(false).is(201);
    fork("Before there was much", true).is(201);
}

#[test]
fn a_directory_that_is_checked_holds_so_many_files() {
    let bundle = tempfile::tempdir().expect("a directory");
    for number in 0..=10_000 {
        std::fs::write(bundle.path().join(format!("{number}.json")), "{}").expect("written");
    }
    let output = interlink(&["schema", "check", bundle.path().to_str().expect("letters")]);
    assert!(!output.status.success() && printed(&output).contains("more than 10000 files"), "{}", printed(&output));
    std::fs::remove_file(bundle.path().join("0.json")).expect("removed");
    let output = interlink(&["schema", "check", bundle.path().to_str().expect("letters")]);
    assert!(printed(&output).contains("the limits are 256"), "it is read, and is no bundle: {}", printed(&output));
}
