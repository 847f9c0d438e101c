//! The whole way of a service: from one file to fifty people who use it, and to its end.

use std::sync::Barrier;

use serde_json::json;

use super::{DESK, DOOR, apply, plan, prepared, visitor, vote};
use crate::client::Answer;
use crate::given::{becomes, text};

#[test]
fn a_service_is_provisioned_from_one_file_used_by_fifty_while_it_is_upgraded_paused_opened_again_and_ended() {
    const PEOPLE: usize = 50;
    let mut server = prepared();
    let operator = server.operator().clone();
    assert!(plan(&operator, DESK)["changes"].as_array().is_some_and(|all| all.len() == 11));
    let applied = apply(&operator, DESK).is(201);
    let process = format!("/v1/processes/{}", text(&applied["process"]));
    operator.post(&format!("{DOOR}/activate"), &json!({"reason": "the desk is set up"})).is(200);

    let asset = text(&operator.get(DOOR).is(200)["assets"]["evening"]).to_owned();
    crate::registry::publish_poll(&server, "1.1.0");

    let barrier = Barrier::new(PEOPLE + 1);
    let answers: Vec<[Answer; 3]> = std::thread::scope(|scope| {
        // In the midst of them its Interlinker moves to a newer version.
        let (own, barrier, path) = (&operator, &barrier, format!("/v1/assets/{asset}/upgrade"));
        scope.spawn(move || {
            barrier.wait();
            own.post(&path, &json!({"version": "1.1.0"})).is(200);
        });
        let using = (0..PEOPLE).map(|number| {
            let server = &server;
            scope.spawn(move || {
                barrier.wait();
                let guest = visitor(server);
                let first = vote(&guest, if number % 2 == 0 { "Monday" } else { "Thursday" });
                let second = vote(&guest, "Monday");
                [first, second, guest.get(&format!("{DOOR}/evening/view"))]
            })
        });
        using.collect::<Vec<_>>().into_iter().map(|using| using.join().expect("answered")).collect()
    });
    for [first, second, view] in &answers {
        first.is(200);
        second.refused(409, "already-voted");
        view.is(200);
    }
    let view = server.nobody().get(&format!("{DOOR}/evening/view")).is(200);
    assert_eq!(view["votes"], json!({"Monday": 25, "Thursday": 25}));
    assert_eq!(operator.get(&format!("/v1/assets/{asset}")).is(200)["interlinker"]["version"], "1.1.0");
    let versions: std::collections::BTreeSet<_> = operator
        .all("/v1/usage?service=tool-desk", 100)
        .iter()
        .map(|used| text(&used["interlinker"]["version"]).to_owned())
        .collect();
    assert!(versions.contains("1.1.0"), "some came after it had moved: {versions:?}");
    assert!(!operator.get(&format!("/v1/assets/{asset}")).is(200)["outcome"].is_null(), "the quorum of 40 was reached");

    operator.post(&format!("{DOOR}/pause"), &json!({"reason": "we count"})).is(200);
    vote(&server.nobody(), "Monday").refused(503, "service-paused");
    operator.tell(&format!("{DOOR}/activate")).is(200);
    vote(&visitor(&server), "Monday").is(200);
    operator.tell(&format!("{DOOR}/retire")).is(200);
    vote(&server.nobody(), "Monday").refused(410, "service-retired");

    let used = || operator.get("/v1/adoption/services/tool-desk").is(200);
    assert!(becomes(|| used()["uses"]["total"] == json!(3 * PEOPLE + 2)), "{}", used());
    let now = used();
    assert_eq!(now["uses"]["by_action"], json!({"vote": 2 * PEOPLE + 1, "view": PEOPLE + 1}));
    assert_eq!(now["people"], json!({"active": PEOPLE + 1, "visitors": PEOPLE + 1, "members": 0}));
    assert_eq!(operator.all("/v1/usage?service=tool-desk", 100).len(), 3 * PEOPLE + 2);
    let own = operator.get(&process.replace("/v1/processes", "/v1/adoption/processes")).is(200);
    assert_eq!((&own["uses"]["total"], &own["people"]["active"]), (&json!(3), &json!(1)));

    let seen = || [DOOR, "/v1/adoption", &process].map(|path| operator.get(path).is(200));
    let before = seen();
    server.crash();
    assert_eq!(seen(), before);
    server.audit();
}
