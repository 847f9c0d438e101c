//! A service's file in full: planned, applied, drifted from, applied again.

use std::time::Duration;

use serde_json::{Value, json};

use super::{DESK, DOOR, apply, changed, plan, prepared, secret};
use crate::client::Ask;
use crate::files;
use crate::given::{becomes, id_of, library, shipped, text, with_manifest};
use crate::server::{Server, printed};

/// The poll that ships, with another manifest.
pub fn component_with(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    with_manifest(shipped("poll"), change)
}

#[test]
fn a_plan_names_every_kind_of_thing_and_applying_makes_all_of_it_at_once() {
    let mut server = library();
    let operator = server.operator().clone();
    let planned = plan(&operator, DESK);
    let all = planned["changes"].as_array().expect("changes");
    let kinds: Vec<_> = all.iter().map(|change| json!([change["action"], change["kind"], change["name"]])).collect();
    let expected = json!([
        ["keep", "schema", "tool-library"],
        ["keep", "interlinker", "poll@1.0.0"],
        ["update", "grants", "poll"],
        ["update", "settings", "poll"],
        ["keep", "interlinker", "document"],
        ["missing", "secret", "mail"],
        ["create", "process", "The tool desk"],
        ["create", "asset", "evening"],
        ["create", "asset", "wishes"],
        ["create", "asset", "inside"],
        ["create", "service", "tool-desk"],
    ]);
    assert_eq!(json!(kinds), expected);
    assert!(text(&all[5]["detail"]).contains("interlink secret set mail"), "it says what would help: {}", all[5]);
    apply(&operator, DESK).points_at(422, "no-such-thing", &["/secrets/0"]);
    secret(&operator, "swordfish");
    server.member("ana").send("/v1/provisions", "application/yaml", DESK).refused(403, "forbidden");
    operator.get(DOOR).refused(404, "not-found");

    let before = server.position();
    let applied = apply(&operator, DESK);
    let body = applied.is(201);
    assert_eq!(applied.header("location"), DOOR);
    let service = operator.get(DOOR).is(200);
    assert_eq!(
        (&service["status"], &service["drift"], &service["version"]),
        (&json!("deployed"), &json!([]), &json!(0))
    );
    assert_eq!(service["history"][0]["step"], json!("provisioned"));
    assert_eq!(operator.get("/v1/interlinkers/poll/settings").is(200), json!({"town": "Zaragoza"}));
    let grants = operator.get("/v1/interlinkers/poll/grants").is(200);
    assert_eq!(grants["http"][0]["origin"], json!("https://example.org"));
    let process = format!("/v1/processes/{}", text(&body["process"]));
    let assets = operator.all(&format!("{process}/assets"), 10);
    let made: Vec<_> = assets.iter().map(|asset| json!([asset["task"], asset["interlinker"]["name"]])).collect();
    let on = json!([["find-room", "poll"], ["collect-tools", "document"], ["set-rules", "document"]]);
    assert_eq!(json!(made), on);
    let evening = operator.get(&format!("/v1/assets/{}", text(&service["assets"]["evening"]))).is(200);
    assert_eq!(evening["name"], json!("Which evening"));
    let view = operator.get(&format!("/v1/assets/{}/view", text(&service["assets"]["evening"]))).is(200);
    assert_eq!(view["options"], json!(["Monday", "Thursday"]));
    let records = operator.all("/v1/usage", 100);
    assert_eq!(records.iter().filter(|used| used["kind"] == "instantiate").count(), 3);
    assert!(server.position() > before + 8, "it is many events");
    // Its answer did not wait for the record of it.
    assert!(becomes(|| operator.all("/v1/usage", 100).iter().any(|used| used["kind"] == "view")));

    let at = server.position();
    assert_eq!(apply(&operator, DESK).is(200)["process"], body["process"]);
    assert_eq!(server.position(), at, "what is so already writes nothing");
    let seen = |server: &Server| {
        let parts = [DOOR, "/v1/adoption", "/v1/interlinkers/poll/settings", &process];
        let views = server.operator().get(&format!("/v1/assets/{}", text(&service["assets"]["wishes"]))).is(200);
        (parts.map(|path| server.operator().get(path).is(200)), views)
    };
    let then = seen(&server);
    server.crash();
    assert_eq!(seen(&server), then);
    server.kill();
    std::fs::remove_dir_all(server.place("state")).expect("it was there");
    server.launch();
    assert_eq!(seen(&server), then);
    server.stop();
    let wrote = ["Which evening?", "The tool desk", "Zaragoza", "swordfish"];
    assert_eq!(files::in_clear(server.data(), &wrote), []);
    server.audit();
}

#[test]
fn every_drift_is_shown_and_applying_again_mends_it() {
    let server = prepared();
    let operator = server.operator();
    apply(operator, DESK).is(201);
    let drift = || changed(&operator.get(DOOR).is(200), "drift");
    let put = |path: &str, body: &Value| {
        operator.ask(&Ask::new("PUT", path).body("application/json", body.to_string())).is(200);
    };
    let first = text(&operator.get(DOOR).is(200)["assets"]["wishes"]).to_owned();
    put("/v1/interlinkers/poll/grants", &json!({}));
    assert_eq!(drift(), json!([["update", "grants", "poll"]]));
    put("/v1/interlinkers/poll/settings", &json!({"town": "Huesca"}));
    operator.ask(&Ask::new("DELETE", &format!("/v1/assets/{first}"))).is(204);
    operator.ask(&Ask::new("DELETE", "/v1/secrets/mail")).is(200);
    let all = [
        ["update", "grants", "poll"],
        ["update", "settings", "poll"],
        ["missing", "secret", "mail"],
        ["create", "asset", "wishes"],
    ];
    assert_eq!(drift(), json!(all));
    let shown = server.cli(&["provision", "status"]);
    assert!(shown.status.success(), "{}", printed(&shown));
    assert!(
        printed(&shown).contains("tool-desk is deployed; 4 things are not as its file says"),
        "{}",
        printed(&shown)
    );
    assert!(!printed(&shown).contains("Huesca"), "settings are compared and not shown: {}", printed(&shown));

    secret(operator, "swordfish");
    let mended = apply(operator, DESK).is(201);
    let made = json!([
        ["update", "grants", "poll"],
        ["update", "settings", "poll"],
        ["create", "asset", "wishes"],
        ["update", "service", "tool-desk"],
    ]);
    assert_eq!(changed(&mended, "changes"), made);
    let service = operator.get(DOOR).is(200);
    assert_eq!((&service["drift"], &service["version"]), (&json!([]), &json!(1)));
    assert_ne!(service["assets"]["wishes"], json!(first), "another was made in its place");
    assert_eq!(operator.all(&format!("/v1/processes/{}/assets", text(&service["process"])), 10).len(), 3);

    let revoke = json!({"reason": "it miscounts"});
    operator.post("/v1/interlinkers/poll/versions/1.0.0/revoke", &revoke).is(200);
    assert_eq!(drift(), json!([["conflict", "interlinker", "poll@1.0.0"]]));
    apply(operator, DESK).refused(409, "interlinker-revoked");
    let shown = server.cli(&["provision", "status", "tool-desk"]);
    assert!(printed(&shown).contains("it miscounts"), "{}", printed(&shown));
}

#[test]
fn a_file_that_asks_for_more_makes_what_is_new_and_keeps_what_is_used() {
    let server = prepared();
    let operator = server.operator();
    apply(operator, DESK).is(201);
    let before = operator.get(DOOR).is(200);
    let more = format!(
        "{DESK}  - {{ id: second, task: open-day, interlinker: poll, input: {{ question: When?, options: [a, b], quorum: 2 }} }}\n"
    );
    let more = more.replace("    open: { actions: [write] }\n", "    open: { view: true }\n");
    let planned = plan(operator, &more);
    let expected =
        json!([["update", "asset", "wishes"], ["create", "asset", "second"], ["update", "service", "tool-desk"]]);
    assert_eq!(changed(&planned, "changes"), expected);
    let stale = Ask::new("POST", "/v1/provisions").body("application/yaml", more.as_str()).header("if-match", "\"3\"");
    operator.ask(&stale).refused(412, "wrong-version");
    assert_eq!(apply(operator, &more).is(201)["process"], before["process"]);
    let after = operator.get(DOOR).is(200);
    for kept in ["evening", "wishes", "inside"] {
        assert_eq!(after["assets"][kept], before["assets"][kept], "{kept}");
    }
    assert_eq!(after["assets"].as_object().map(serde_json::Map::len), Some(4));

    for (from, to, pointer) in [
        ("question: When?", "question: Where?", "/assets/3/input"),
        ("task: open-day", "task: look-back", "/assets/3/task"),
        ("language: en", "language: es", "/process"),
    ] {
        let problem = apply(operator, &more.replacen(from, to, 1)).points_at(409, "service-conflict", &[pointer]);
        assert!(!text(&problem["detail"]).is_empty());
    }
    let process = format!("/v1/processes/{}", text(&after["process"]));
    operator.tell(&format!("{process}/suspend")).is(200);
    let third = format!("{more}  - {{ id: third, task: open-day, interlinker: document, input: {{ title: More }} }}\n");
    let refused = apply(operator, &third).points_at(409, "service-conflict", &["/assets/4"]);
    assert!(text(&refused["detail"]).contains("suspended"), "{refused}");
    operator.tell(&format!("{process}/resume")).is(200);
    apply(operator, &third).is(201);
}

#[test]
fn an_interlinker_that_refuses_leaves_nothing_of_the_whole_file() {
    let server = prepared();
    let operator = server.operator();
    let before = (server.position(), operator.all("/v1/processes", 10).len());
    let refused = |from: &str, to: &str, status: u16, pointer: &str| {
        let file = DESK.replacen(from, to, 1);
        assert_ne!(file, DESK);
        let problem = apply(operator, &file).is(status);
        assert_eq!(problem["errors"][0]["pointer"], json!(pointer), "{problem}");
    };
    // The guest of the second asset refuses what its schema allows; what the schema does not allow no guest sees.
    refused("[Monday, Thursday]", "[Monday, ' Monday']", 409, "/assets/0/input/options/1");
    refused("heading: Saws", "heading: 7", 422, "/assets/1/input/sections/0/heading");
    refused("task: set-rules", "task: nowhere", 422, "/assets/2/task");
    refused("actions: [vote]", "actions: [vote, fly]", 422, "/assets/0/open/actions/1");
    refused("methods: [GET]", "verbs: [GET]", 422, "/interlinkers/0/grants");
    refused("http: [", "htp: [", 422, "/interlinkers/0/grants");
    refused("    settings:", "    unknown:", 422, "/interlinkers/0/unknown");
    refused("id: wishes", "id: evening", 422, "/assets/1/id");
    refused("start: true", "start: false", 422, "/process/start");
    assert_eq!((server.position(), operator.all("/v1/processes", 10).len()), before, "nothing was written");
    operator.get(DOOR).refused(404, "not-found");
    assert_eq!(operator.get("/v1/interlinkers/poll/settings").is(200), json!({}));
    apply(operator, DESK).is(201);
}

#[test]
fn a_file_may_bring_settings_that_fit_the_interlinker_and_no_others() {
    let server = library();
    let operator = server.operator();
    let schema = json!({"type": "object", "properties": {"seats": {"type": "integer"}}, "required": ["seats"]});
    let component = component_with(|manifest| {
        manifest["name"] = json!("booking");
        manifest["settings"] = schema;
    });
    operator.send("/v1/interlinkers", "application/wasm", component).is(201);
    let file = |seats: &str| {
        format!(
            "{{service: b, schema: tool-library, process: {{name: B}}, interlinkers: [{{name: booking, settings: {{seats: {seats}}}}}]}}"
        )
    };
    apply(operator, &file("many")).points_at(422, "invalid-input", &["/interlinkers/0/settings/seats"]);
    apply(operator, &file("4")).is(201);
    assert_eq!(operator.get("/v1/interlinkers/booking/settings").is(200), json!({"seats": 4}));
    let seen = server.member("ana").get("/v1/services/b").is(200);
    assert_eq!(seen["file"]["interlinkers"][0], json!({"name": "booking"}), "settings are the operator's to see");
}

#[test]
fn a_kill_in_the_middle_of_applying_leaves_all_of_it_or_nothing_and_applying_again_completes_it() {
    const TURNS: usize = 8;
    let mut server = prepared();
    let mut found = [0, 0];
    for turn in 0..TURNS {
        let name = format!("desk-{turn}");
        let file = DESK.replacen("tool-desk", &name, 1).replacen("town: Zaragoza", &format!("town: T{turn}"), 1);
        let operator = server.operator().clone();
        let ask = || {
            let ask = Ask::new("POST", "/v1/provisions").body("application/yaml", file.as_str());
            operator.try_ask(&ask.key(format!("apply-{turn}")))
        };
        std::thread::scope(|scope| {
            let asking = scope.spawn(ask);
            std::thread::sleep(Duration::from_millis(3 * turn as u64));
            server.kill();
            let _ = asking.join().expect("it was asked");
        });
        server.launch();
        let processes = operator.all("/v1/processes", 100).len();
        let service = operator.get(&format!("/v1/services/{name}"));
        let settings = operator.get("/v1/interlinkers/poll/settings").is(200);
        let is_there = service.status == 200;
        found[usize::from(is_there)] += 1;
        assert_eq!(processes, turn + usize::from(is_there), "a process without its service, or the reverse");
        assert_eq!(settings["town"] == json!(format!("T{turn}")), is_there, "{settings}");
        if is_there {
            assert_eq!(service.json()["drift"], json!([]));
            let process = text(&service.json()["process"]).to_owned();
            assert_eq!(operator.all(&format!("/v1/processes/{process}/assets"), 10).len(), 3);
        }
        let again = ask().expect("it is answered").is(201);
        assert_eq!(operator.get(&format!("/v1/services/{name}")).is(200)["process"], again["process"]);
        assert_eq!(operator.all("/v1/processes", 100).len(), turn + 1, "once, however often it is asked for");
    }
    assert_eq!(found[0] + found[1], TURNS);
    server.audit();
}

#[test]
fn what_an_asset_asks_outside_while_it_is_made_is_recorded_and_sends_nothing() {
    let server = prepared();
    let operator = server.operator();
    crate::given::publish_webhook(&server);
    let outside = crate::outside::Outside::start();
    outside.grant(&server);
    let url = outside.url("made");
    let file = format!(
        "{{service: hooks, schema: tool-library, interlinkers: [webhook], process: {{name: H, start: true}}, \
         assets: [{{id: hook, task: find-room, interlinker: webhook, input: {{urls: ['{url}']}}, open: {{actions: [send]}}}}]}}"
    );
    apply(operator, &file).is(201);
    assert_eq!(outside.keys("made").len(), 0);
    operator.tell("/v1/services/hooks/activate").is(200);
    let sent = server.nobody().post("/v1/services/hooks/hook/actions/send", &json!({"text": "hello"}));
    sent.is(200);
    assert_eq!(outside.keys("made").len(), 1, "once it is there it may ask");
    let used = operator.all("/v1/usage?service=hooks", 10);
    assert_eq!((used.len(), &used[0]["action"]), (1, &json!("send")));
    let asset = text(&operator.get("/v1/services/hooks").is(200)["assets"]["hook"]).to_owned();
    assert_eq!(id_of(&format!("/v1/assets/{asset}")), asset);
}
