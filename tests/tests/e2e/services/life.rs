//! The steps of a service's life, and what it says of the wrong ones.

use serde_json::{Value, json};

use super::{DESK, DOOR, apply, prepared};
use crate::client::{Answer, Ask, Client};
use crate::files;
use crate::given::text;
use crate::server::printed;

fn step(client: &Client, step: &str) -> Answer {
    client.post(&format!("{DOOR}/{step}"), &json!({"reason": format!("we {step} for the heron")}))
}

#[test]
fn each_step_is_an_operators_and_stands_in_the_history_with_its_reason() {
    let mut server = prepared();
    let operator = server.operator().clone();
    step(&operator, "activate").refused(404, "not-found");
    apply(&operator, DESK).is(201);
    let ana = server.member("ana");
    for wanted in ["activate", "pause", "retire"] {
        step(&ana, wanted).refused(403, "forbidden");
        step(&server.nobody(), wanted).refused(401, "unauthorized");
    }
    operator.post(&format!("{DOOR}/activate"), &json!({"why": "?"})).points_at(422, "invalid-input", &["/why"]);

    step(&operator, "pause").refused(409, "service-not-active");
    let active = step(&operator, "activate");
    assert_eq!((&active.is(200)["status"], active.header("etag")), (&json!("active"), "\"1\""));
    let refused = step(&operator, "activate").refused(409, "service-active");
    assert!(text(&refused["detail"]).contains("paused or retired"), "it says what would be right: {refused}");
    assert_eq!(step(&operator, "pause").is(200)["status"], json!("paused"));
    step(&operator, "pause").refused(409, "service-paused");
    assert_eq!(step(&operator, "activate").is(200)["status"], json!("active"));
    assert_eq!(step(&operator, "retire").is(200)["status"], json!("retired"));
    for wanted in ["activate", "pause", "retire"] {
        step(&operator, wanted).refused(409, "service-retired");
    }
    let other = DESK.replacen("view: true", "view: false", 1);
    apply(&operator, &other).points_at(409, "service-conflict", &["/service"]);

    let seen = operator.get(DOOR).is(200);
    let history: Vec<_> = seen["history"].as_array().expect("steps").iter().map(|step| text(&step["step"])).collect();
    assert_eq!(history, ["provisioned", "activated", "paused", "activated", "retired"]);
    assert_eq!(seen["history"][2]["reason"], json!("we pause for the heron"));
    assert_eq!(seen["history"][2]["by"], json!(operator.id()));
    assert!(text(&seen["history"][2]["at"]).ends_with('Z'));
    server.crash();
    assert_eq!(operator.get(DOOR).is(200), seen);
    server.kill();
    std::fs::remove_dir_all(server.place("state")).expect("it was there");
    server.launch();
    assert_eq!(operator.get(DOOR).is(200), seen);
    server.stop();
    assert_eq!(files::in_clear(server.data(), &["for the heron"]), [], "reasons are sealed");
    server.audit();
}

#[test]
fn a_step_is_taken_once_under_its_key_and_on_the_version_that_was_seen() {
    let server = prepared();
    let operator = server.operator();
    apply(operator, DESK).is(201);
    let seen = operator.get(DOOR);
    let path = format!("{DOOR}/activate");
    let ask = || Ask::post(&path, &json!({})).key("open-the-desk");
    let first = operator.ask(&ask());
    first.is(200);
    let again = operator.ask(&ask());
    assert_eq!((again.is(200), again.header("idempotent-replayed")), (first.json(), "true"));
    assert_eq!(operator.get(DOOR).is(200)["version"], json!(1));
    let pause = format!("{DOOR}/pause");
    operator.ask(&Ask::new("POST", &pause).header("if-match", seen.header("etag"))).refused(412, "wrong-version");
    let now = operator.get(DOOR);
    operator.ask(&Ask::new("POST", &pause).header("if-match", now.header("etag"))).is(200);
    let refused = || operator.ask(&Ask::new("POST", &pause).key("pause-again"));
    refused().refused(409, "service-paused");
    operator.tell(&path).is(200);
    assert_eq!(refused().header("idempotent-replayed"), "true", "a refusal is remembered, too");
}

#[test]
fn the_command_line_leads_a_service_through_its_life() {
    let server = prepared();
    apply(server.operator(), DESK).is(201);
    let said = |line: &[&str]| {
        let output = server.cli(line);
        assert!(output.status.success(), "{line:?}: {}", printed(&output));
        printed(&output)
    };
    assert!(said(&["service", "activate", "tool-desk", "--reason", "the doors are open"]).contains("is active"));
    server.nobody().get(&format!("{DOOR}/evening/view")).is(200);
    super::vote(&super::visitor(&server), "Monday").is(200);
    let is_counted = || said(&["service", "show", "tool-desk"]).contains("2 in all");
    assert!(crate::given::becomes(is_counted), "{}", said(&["service", "show", "tool-desk"]));
    let shown = said(&["service", "show", "tool-desk"]);
    for part in ["is active", "evening is", "the doors are open", "1 view · 1 vote", "1 visitors"] {
        assert!(shown.contains(part), "`{part}` is not in: {shown}");
    }
    assert!(said(&["usage", "--service", "tool-desk"]).lines().count() == 3);
    assert!(said(&["adoption"]).contains("tool-desk is active: 2 uses by 1 people"));
    assert!(said(&["service", "list"]).contains("active"));
    assert!(said(&["service", "pause", "tool-desk"]).contains("is paused"));
    let json: Value =
        serde_json::from_str(&said(&["service", "retire", "tool-desk", "--output", "json"])).expect("JSON");
    assert_eq!(json["status"], json!("retired"));
    let refused = server.cli(&["service", "pause", "tool-desk"]);
    assert!(!refused.status.success() && printed(&refused).contains("retired"), "{}", printed(&refused));
}
