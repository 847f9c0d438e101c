//! The schemas that the repository shows.

use std::path::PathBuf;

use serde_json::json;

use crate::automation::{task, until};
use crate::client::{Ask, Client};
use crate::given::{complete, created_from, drive, tasks, text, vote};
use crate::server::{Server, interlink, printed};

const EXAMPLES: [&str; 2] = ["accessibility-review", "participatory-budget"];

fn example(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../examples/schemas/{name}.yaml"))
}

#[test]
fn the_example_schemas_are_checked_imported_and_driven_to_their_end() {
    let mut server = Server::start();
    let operator = server.operator().clone();
    for name in EXAMPLES {
        let path = example(name);
        let path = path.to_str().expect("a path of letters");
        let checked = interlink(&["schema", "check", path]);
        assert!(checked.status.success(), "{}", printed(&checked));
        assert!(printed(&checked).contains("nothing wrong"), "{}", printed(&checked));
        let imported = server.cli(&["schema", "import", path]);
        assert!(imported.status.success(), "{}", printed(&imported));

        let schema = operator.get(&format!("/v1/schemas/{name}")).is(200);
        assert!(printed(&checked).contains(text(&schema["digest"])), "check and server agree on the digest");
        let process = created_from(&operator, name, "As the example has it");
        operator.tell(&format!("{process}/start")).is(200);
        assert_eq!(drive(&operator, &process, usize::MAX).len(), tasks(&schema).len());
        let shown = operator.get(&process).is(200);
        assert_eq!((&shown["status"], &shown["progress"]), (&json!("completed"), &json!(1.0)));

        let listed = server.cli(&["process", "show", crate::given::id_of(&process)]);
        assert!(listed.status.success() && printed(&listed).contains("completed"), "{}", printed(&listed));
    }
    server.audit();
}

#[test]
fn a_broken_copy_of_an_example_is_checked_with_file_line_and_what_would_be_right() {
    let sound = std::fs::read_to_string(example("accessibility-review")).expect("it is there");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("broken.yaml");
    let broken = sound.replacen("after: describe-service", "after: describe-servise", 1);
    assert_ne!(sound, broken);
    std::fs::write(&path, &broken).expect("written");
    let line = broken.lines().position(|line| line.contains("describe-servise")).expect("it is there") + 1;

    let path = path.to_str().expect("a path of letters");
    let output = interlink(&["schema", "check", path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "errors go to standard error");
    let said = printed(&output);
    assert!(said.contains(&format!("broken.yaml:{line}")), "no line {line} in: {said}");
    assert!(said.contains("describe-servise") && said.contains("`describe-service`"), "{said}");

    let output = interlink(&["--output", "json", "schema", "check", path]);
    assert_eq!(output.status.code(), Some(1));
    let refusal: serde_json::Value = serde_json::from_slice(&output.stderr).expect("JSON was asked for");
    assert_eq!(refusal["findings"][0]["line"], json!(line), "{refusal}");
}

#[test]
fn a_path_that_is_no_schema_is_said_to_be_none() {
    for path in ["/nowhere/at-all.yaml", "Cargo.toml"] {
        let output = interlink(&["schema", "check", path]);
        assert_eq!(output.status.code(), Some(1), "{path}");
        assert!(printed(&output).contains(path), "{}", printed(&output));
    }
}

/// The example with its weeks taken out, so that a test does not wait for them, and with votes that few people decide.
fn school_street_in_a_hurry() -> String {
    let sound = std::fs::read_to_string(example("school-street")).expect("it is there");
    let hurry = [
        ("wait: 6 weeks", "wait: 2020-01-01"),
        ("opens: 1 week after council-agrees at 08:00", "opens: 2020-01-01"),
        ("every: \"30 8 * * Mon\"", "every: \"* * * * * *\""),
        ("times: 6", "times: 2"),
        ("            deadline: 3 weeks after ready\n", ""),
        ("            deadline: 2 weeks after ready\n", ""),
        ("quorum: 30", "quorum: 1"),
        ("quorum: 20", "quorum: 1"),
        ("quorum: 3\n", "quorum: 1\n"),
    ];
    hurry.into_iter().fold(sound, |text, (long, short)| {
        assert!(text.contains(long), "the example does not say {long}");
        text.replace(long, short)
    })
}

#[test]
fn the_example_about_time_and_work_goes_its_way_by_people_and_by_itself() {
    let mut server = Server::start();
    let (operator, ana) = (server.operator().clone(), server.member("ana"));
    let review = example("accessibility-review");
    assert!(server.cli(&["schema", "import", review.to_str().expect("a path of letters")]).status.success());
    operator.send("/v1/schemas", "application/yaml", school_street_in_a_hurry()).is(201);
    let process = created_from(&ana, "school-street", "The street of the old school");
    ana.tell(&format!("{process}/start")).is(200);
    let values = json!({"cars": 50, "needs_car": true});
    ana.ask(&Ask::new("PATCH", &format!("{process}/data")).body("application/json", values.to_string())).is(200);
    let walk = task(&ana, &process, "walk-the-street");
    assert!(walk["due_at"].is_string() && ana.get(&process).is(200)["due_at"].is_string(), "{walk}");

    complete(&ana, &process, "walk-the-street");
    let choosing = format!("{process}/assets");
    until(&ana, &process, "choose-hours", |_| ana.get(&choosing).is(200)["items"][0]["id"].is_string());
    let poll = format!("/v1/assets/{}", text(&ana.get(&choosing).is(200)["items"][0]["id"]));
    vote(&ana, &poll, "The whole school day").is(200);
    let barriers = until(&ana, &process, "find-barriers", |task| task["subprocess"].is_string());
    let within = format!("/v1/processes/{}", text(&barriers["subprocess"]));
    drive(&ana, &within, usize::MAX);
    until(&ana, &process, "find-barriers", |task| task["status"] == "completed");

    approve(&ana, &process, "council-agrees").refused(403, "may-not-vote");
    approve(&operator, &process, "council-agrees").is(200);
    complete(&ana, &process, "put-up-signs");
    complete(&ana, &process, "ask-neighbours");
    // The first time is missed: nobody says that it is done before the second comes.
    until(&ana, &process, "look-every-week", |task| task["occurrence"]["number"] == json!(2));
    complete(&ana, &process, "look-every-week");
    until(&ana, &process, "six-weeks-pass", |task| task["status"] == "completed");
    complete(&ana, &process, "say-what-was-seen");
    approve(&ana, &process, "it-stays").is(200);
    assert_eq!(task(&ana, &process, "build-a-gate")["status"], "ready", "50 is over 40");
    complete(&ana, &process, "build-a-gate");
    assert_eq!(ana.get(&process).is(200)["status"], "completed");
    server.audit();
}

fn approve(client: &Client, process: &str, task: &str) -> crate::client::Answer {
    client.post(&format!("{process}/tasks/{task}/vote"), &json!({"choice": "approve"}))
}

#[test]
fn the_example_about_time_and_work_is_taken_as_it_stands() {
    let server = Server::start();
    let path = example("school-street");
    let path = path.to_str().expect("a path of letters");
    let checked = interlink(&["schema", "check", path]);
    assert!(printed(&checked).contains("nothing wrong"), "{}", printed(&checked));
    let imported = server.cli(&["schema", "import", path]);
    assert!(imported.status.success(), "{}", printed(&imported));
}
