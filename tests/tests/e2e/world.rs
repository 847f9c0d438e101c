//! The world 1.0.0 from outside: a probe asks for each thing that it has, and for what it should not have.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::client::{Ask, Client};
use crate::files::in_clear;
use crate::given::{self, asset, id_of, running, text};
use crate::server::Server;

const PROBE: &[u8] = include_bytes!("../../../engine/host/tests/fixtures/world-1.0.0/probe.wasm");
/// Longer than anything here takes, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(30);

/// The probe in another version, by its manifest: the same code.
fn probe(version: &str) -> Vec<u8> {
    let mut bytes = PROBE.to_vec();
    let known = b"\"version\":\"1.0.0\"";
    let at = bytes.windows(known.len()).rposition(|window| window == known).expect("its manifest has a version");
    let renamed = format!("\"version\":\"{version}\"");
    assert_eq!(renamed.len(), known.len(), "the section keeps its length");
    bytes[at..at + known.len()].copy_from_slice(renamed.as_bytes());
    bytes
}

pub fn publish(server: &Server, version: &str) {
    server.operator().send("/v1/interlinkers", "application/wasm", probe(version)).is(201);
}

fn grant(server: &Server, grants: &Value) {
    let ask = Ask::new("PUT", "/v1/interlinkers/probe/grants").body("application/json", grants.to_string());
    server.operator().ask(&ask).is(200);
}

fn all_grants() -> Value {
    json!({"secrets": ["word"], "people": true, "notify": true,
        "assets": [{"interlinker": "probe", "actions": ["keep", "fail", "ask-on"]}]})
}

/// A server with the probe and a process that runs; the path of the process.
pub fn town() -> (Server, String) {
    let server = given::library();
    publish(&server, "1.0.0");
    let process = running(server.operator(), "A tool library");
    (server, process)
}

pub fn made(client: &Client, process: &str) -> String {
    asset(client, process, "find-room", "probe@1.0.0", &json!({"text": "hello"}))
}

pub fn act(client: &Client, asset: &str, action: &str, input: &Value) -> crate::client::Answer {
    client.post(&format!("{asset}/actions/{action}"), input)
}

pub fn done(client: &Client, asset: &str, action: &str, input: &Value) -> Value {
    act(client, asset, action, input).is(200)["output"].clone()
}

pub fn view(client: &Client, asset: &str) -> Value {
    client.get(&format!("{asset}/view")).is(200)
}

/// Waits until something is so.
#[track_caller]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "it never came to this: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn now_micros() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    since.as_micros() as i64
}

#[test]
fn an_alarm_rings_once_over_a_kill_and_sets_the_next() {
    let (mut server, process) = town();
    let probe = made(server.operator(), &process);
    let soon = now_micros() + 1_500_000;
    let set =
        json!({"text": "rings", "number": soon, "value": {"says": "first", "then": "again", "at": soon + 700_000}});
    done(server.operator(), &probe, "set-alarm", &set);
    let shown = server.operator().get(&probe).is(200);
    assert_eq!((&shown["alarms"][0]["name"], &shown["alarms"][0]["failed"]), (&json!("rings"), &json!(0)));
    server.crash();
    until("both alarms rang", || view(server.operator(), &probe)["rung"] == json!(["first", "again"]));
    assert_eq!(server.operator().get(&probe).is(200)["alarms"], Value::Null);
    let uses = server.operator().all(&format!("/v1/usage?asset={}", id_of(&probe)), 100);
    let rang: Vec<_> = uses.iter().filter(|used| used["action"] == "alarm:rings").collect();
    assert_eq!(rang.len(), 2, "{rang:?}");
    assert!(
        rang.iter().all(|used| used["actor"] == "system" && used["noted"] == json!([{"word": "rang", "amount": 1}]))
    );
    let adoption = server.operator().get("/v1/adoption").is(200);
    assert_eq!(adoption["uses"]["by_word"]["probe"]["rang"], 2);
    server.audit();
}

#[test]
fn an_alarm_that_fails_is_tried_again_later_and_one_that_is_taken_away_does_not_ring() {
    let (server, process) = town();
    let probe = made(server.operator(), &process);
    done(server.operator(), &probe, "set-alarm", &json!({"text": "rings", "number": 1, "value": {"then": "trap"}}));
    until("it failed once", || server.operator().get(&probe).is(200)["alarms"][0]["failed"] == 1);
    let uses = server.operator().all(&format!("/v1/usage?asset={}", id_of(&probe)), 100);
    assert!(uses.iter().any(|used| used["kind"] == "failure" && used["reason"] == "trap"), "{uses:?}");
    assert_eq!(done(server.operator(), &probe, "cancel-alarm", &json!({"text": "rings"})), true);
    assert_eq!(done(server.operator(), &probe, "cancel-alarm", &json!({"text": "rings"})), false);
    assert_eq!(view(server.operator(), &probe)["rung"], Value::Null);
    let refused = act(server.operator(), &probe, "set-alarm", &json!({"text": "no name", "number": 1}));
    refused.refused(409, "invalid-alarm");
}

#[test]
fn an_alarm_asks_the_world_outside_and_waits_while_its_interlinker_is_paused() {
    let (server, process) = town();
    let probe = made(server.operator(), &process);
    server.operator().post("/v1/interlinkers/probe/pause", &json!({"reason": "moving house"})).is(200);
    // Set while it could still be called.
    server.operator().tell("/v1/interlinkers/probe/resume").is(200);
    let at = now_micros() + 400_000;
    let set = json!({"text": "rings", "number": at, "value": {"then": "clock", "says": "asked"}});
    done(server.operator(), &probe, "set-alarm", &set);
    server.operator().tell("/v1/interlinkers/probe/pause").is(200);
    std::thread::sleep(Duration::from_millis(900));
    assert_eq!(server.operator().get(&probe).is(200)["alarms"][0]["failed"], 0, "it rang, or failed, meanwhile");
    server.operator().tell("/v1/interlinkers/probe/resume").is(200);
    until("it rang", || view(server.operator(), &probe)["rung"] == json!(["asked"]));
}

#[test]
fn people_are_told_where_that_is_granted_and_nobody_of_what_was_refused() {
    let (mut server, process) = town();
    let probe = made(server.operator(), &process);
    let (ana, boris) = (server.member("ana"), server.member("boris"));
    let told =
        |title: &str, refuse: i64| json!({"list": [ana.id(), boris.id(), "nobody"], "text": title, "number": refuse});
    act(&ana, &probe, "notify", &told("Come", 0)).refused(409, "not-granted");
    grant(&server, &all_grants());
    act(&ana, &probe, "notify", &told("Never said", 1)).refused(409, "told-to");
    done(&ana, &probe, "notify", &told("Come", 0));
    done(&ana, &probe, "notify", &told("Bring a hammer", 0));
    let of = |client: &Client| client.get("/v1/me/notifications").is(200)["items"].clone();
    let titles =
        |items: &Value| items.as_array().into_iter().flatten().map(|one| one["title"].clone()).collect::<Vec<_>>();
    assert_eq!(titles(&of(&boris)), ["Bring a hammer", "Come"], "the newest first");
    assert_eq!(of(&boris)[0]["asset"], id_of(&probe));
    assert_eq!(of(&server.member("carla")), json!([]));
    let first = boris.get("/v1/me/notifications?limit=1").is(200);
    let next = format!("/v1/me/notifications?limit=1&cursor={}", text(&first["next_cursor"]));
    assert_eq!(titles(&boris.get(&next).is(200)["items"]), ["Come"]);
    server.member("carla").get(&next).refused(400, "malformed");
    server.crash();
    assert_eq!(titles(&of(&boris)), ["Bring a hammer", "Come"]);
    let events = server.operator().get(&format!("{process}/events?limit=1000")).is(200);
    let told = events["items"].as_array().into_iter().flatten().filter(|event| event["kind"] == "PeopleNotified");
    assert_eq!(told.count(), 2);
    server.audit();
    let rebuilt = server.on_data(&["state", "rebuild"]);
    assert!(rebuilt.status.success(), "{rebuilt:?}");
    server.launch();
    assert_eq!(titles(&of(&boris)), ["Bring a hammer", "Come"]);
}

#[test]
fn what_a_person_wrote_to_people_or_uploaded_is_on_no_disk_in_the_clear() {
    let (mut server, process) = town();
    let probe = made(server.operator(), &process);
    grant(&server, &all_grants());
    let ana = server.member("ana");
    done(&ana, &probe, "notify", &json!({"list": [ana.id()], "text": "zanzibar-in-a-title"}));
    done(&ana, &probe, "put-blob", &json!({"text": "zanzibar-in-a-blob"}));
    done(
        &ana,
        &probe,
        "set-alarm",
        &json!({"text": "rings", "number": now_micros() * 2, "value": {"says": "zanzibar-in-an-alarm"}}),
    );
    ana.send(&format!("{probe}/blobs"), "text/plain", "zanzibar-uploaded").is(201);
    server.stop();
    assert_eq!(in_clear(server.data(), &["zanzibar"]), []);
}

#[test]
fn blobs_are_put_by_calls_and_by_people_and_read_by_both_over_a_restart() {
    let (mut server, process) = town();
    let probe = made(server.operator(), &process);
    let ana = server.member("ana");
    let digest = done(&ana, &probe, "put-blob", &json!({"text": "a list of tools"}));
    let at = format!("{probe}/blobs/{}", text(&digest));
    assert_eq!(ana.get(&at).text(), "a list of tools");
    assert_eq!(ana.get(&at).header("content-disposition"), "attachment");
    // Larger than one part, and than what fits into one append.
    let picture: Vec<u8> = (0..3_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let put = ana.send(&format!("{probe}/blobs"), "image/png", picture.clone());
    let kept = put.is(201);
    assert_eq!((&kept["size_bytes"], &kept["media_type"]), (&json!(3_000_000), &json!("image/png")));
    ana.send(&format!("{probe}/blobs"), "image/png", picture.clone()).is(200);
    let named = text(&kept["digest"]).to_owned();
    let read = done(&ana, &probe, "get-blob", &json!({"text": named, "number": 4}));
    assert_eq!(read["size"], 3_000_000);
    let gone = done(&ana, &probe, "get-blob", &json!({"text": "sha256:0", "number": 4}));
    assert_eq!(gone, json!({"size": null, "text": null}));
    server.crash();
    let answer = ana.get(&format!("{probe}/blobs/{named}"));
    assert_eq!((answer.header("content-type"), answer.body == picture), ("image/png", true));
    let listed = ana.all(&format!("{probe}/blobs"), 1);
    assert_eq!(listed.len(), 2);
    act(&ana, &probe, "put-blob", &json!({"number": 512 * 1024 + 1})).refused(409, "too-large");
    act(&ana, &probe, "put-blob", &json!({"text": "x", "list": ["no type"]})).refused(409, "not-a-media-type");
    ana.send(&format!("{probe}/blobs"), "nonsense", "x").refused(409, "not-a-media-type");
    ana.send(&format!("{probe}/blobs"), "image/png", vec![0; (8 << 20) + 1]).refused(413, "too-large");
    ana.get(&format!("{probe}/blobs/sha256:0")).refused(404, "not-found");
    server.audit();
}

#[test]
fn an_asset_runs_an_action_of_another_once_for_the_person_who_asks_and_no_further() {
    let (mut server, process) = town();
    let (one, other) = (made(server.operator(), &process), made(server.operator(), &process));
    let ana = server.member("ana");
    let ask =
        |action: &str, value: Value, then: &str| json!({"list": [id_of(&other), action], "value": value, "text": then});
    let keep = || json!({"text": "passed-on", "value": 7});
    act(&ana, &one, "act-on", &ask("keep", keep(), "")).refused(409, "not-granted");
    grant(&server, &all_grants());
    let passed = done(&ana, &one, "act-on", &ask("keep", keep(), ""));
    assert_eq!(passed["by"], id_of(&one));
    assert_eq!(passed["person"], ana.id());
    // It stays done, whatever becomes of the call that asked.
    act(&ana, &one, "act-on", &ask("keep", json!({"text": "stays"}), "refuse")).refused(409, "told-to");
    let kept = view(&ana, &other)["kept"].clone();
    assert_eq!((&kept["passed-on"], kept.get("stays").is_some()), (&json!(7), true));
    // What is no business of this asset's.
    let cases = [
        (json!({"list": [id_of(&other), "settings"]}), "not-granted"),
        (json!({"list": [id_of(&one), "keep"], "value": keep()}), "too-deep"),
        (json!({"list": ["0198c0de-0000-7000-8000-000000000000", "keep"], "value": keep()}), "no-such-asset"),
        (json!({"list": ["../../etc/passwd", "keep"], "value": keep()}), "no-such-asset"),
        (ask("keep", json!({"text": 7}), ""), "invalid-input"),
        (ask("fail", json!({"text": "as-told"}), ""), "as-told"),
        (ask("fail", json!({"text": "trap"}), ""), "failed"),
    ];
    for (input, code) in cases {
        act(&ana, &one, "act-on", &input).refused(409, code);
    }
    // The other, asked, asks nobody in turn.
    act(&ana, &one, "act-on", &ask("ask-on", json!({"text": id_of(&one)}), "")).refused(409, "failed");
    // An asset of another process is not there.
    let elsewhere = running(server.operator(), "Another library");
    let foreign = made(server.operator(), &elsewhere);
    act(&ana, &one, "act-on", &json!({"list": [id_of(&foreign), "keep"], "value": keep()}))
        .refused(409, "no-such-asset");
    let events = server.operator().get(&format!("{process}/events?limit=1000")).is(200);
    let by = events["items"].as_array().into_iter().flatten().filter(|event| event["data"]["by"] == id_of(&one));
    assert_eq!(by.count(), 2, "the history says through whom");
    server.audit();
}

#[test]
fn two_assets_that_run_each_other_at_once_both_come_back() {
    let (server, process) = town();
    grant(&server, &all_grants());
    let (one, other) = (made(server.operator(), &process), made(server.operator(), &process));
    let done = std::thread::scope(|scope| {
        let pairs = [(&one, &other), (&other, &one)].into_iter().cycle().take(6);
        let asking: Vec<_> = pairs
            .enumerate()
            .map(|(number, (from, to))| {
                let ana = server.member("ana");
                scope.spawn(move || {
                    let value = json!({"text": format!("key-{number}"), "value": number});
                    let asked = act(&ana, from, "act-on", &json!({"list": [id_of(to), "keep"], "value": value}));
                    asked.status
                })
            })
            .collect();
        asking.into_iter().map(|asking| asking.join().expect("it came back")).collect::<Vec<_>>()
    });
    assert!(done.iter().all(|status| [200, 409].contains(status)), "{done:?}");
    assert!(done.contains(&200), "{done:?}");
}

#[test]
fn who_takes_part_is_told_where_that_is_granted() {
    let (server, process) = town();
    let probe = made(server.operator(), &process);
    let ana = server.member("ana");
    act(&ana, &probe, "people", &json!({})).refused(409, "not-granted");
    grant(&server, &all_grants());
    let people = done(&ana, &probe, "people", &json!({}));
    let ids: Vec<_> = people.as_array().into_iter().flatten().map(|one| one["id"].clone()).collect();
    assert!(ids.contains(&json!(ana.id())) && ids.contains(&json!(server.operator().id())), "{people}");
    let all = server.operator().all("/v1/grants", 10);
    assert_eq!(all[0]["interlinker"], "probe");
    assert_eq!(all[0]["not_granted"]["http"][0]["origin"], "http://127.0.0.1:1");
    assert_eq!(all[0]["not_granted"]["people"], Value::Null);
    ana.get("/v1/grants").refused(403, "forbidden");
}

#[test]
fn an_asset_moves_to_a_newer_version_after_a_look_and_goes_back_to_what_it_was() {
    let (mut server, process) = town();
    let probe = made(server.operator(), &process);
    let own = server.operator().clone();
    let operator = &own;
    done(operator, &probe, "keep", &json!({"text": "before", "value": 1}));
    publish(&server, "1.1.0");
    let upgrade = |body: Value| own.post(&format!("{probe}/upgrade"), &body);
    upgrade(json!({"version": "1.1.0"})).refused(409, "consent-needed");
    upgrade(json!({"version": "9.9.9"})).refused(422, "no-such-thing");
    let look = upgrade(json!({"version": "1.1.0", "dry_run": true, "without_grants": true})).is(200);
    assert_eq!((&look["migrates"], &look["keys_changed"]), (&json!(true), &json!(1)));
    assert_eq!(operator.get(&probe).is(200)["interlinker"]["version"], "1.0.0");
    server.member("ana").post(&format!("{probe}/upgrade"), &json!({"version": "1.1.0"})).refused(403, "forbidden");
    // What the migration leaves has to have room.
    let quota =
        |quota: Value| Ask::new("PUT", "/v1/interlinkers/probe/quota").body("application/json", quota.to_string());
    operator.ask(&quota(json!({"state_bytes": 0}))).is(200);
    upgrade(json!({"version": "1.1.0", "without_grants": true})).refused(409, "quota-exceeded");
    assert_eq!(operator.get(&probe).is(200)["interlinker"]["version"], "1.0.0");
    operator.ask(&quota(json!({}))).is(200);
    upgrade(json!({"version": "1.1.0", "without_grants": true})).is(200);
    server.crash();
    assert_eq!(operator.get(&probe).is(200)["interlinker"]["version"], "1.1.0");
    assert_eq!(view(operator, &probe)["migrated_from"], "1.0.0");
    upgrade(json!({"version": "1.1.0", "without_grants": true})).refused(409, "not-an-upgrade");
    upgrade(json!({"version": "1.0.0", "without_grants": true})).refused(409, "not-an-upgrade");
    // What happened since is not lost by accident.
    done(operator, &probe, "keep", &json!({"text": "since", "value": 2}));
    let back = |body: Value| own.post(&format!("{probe}/rollback"), &body);
    back(json!({})).refused(409, "changed-since-upgrade");
    assert_eq!(back(json!({"discard": true})).is(200)["discarded"], 1);
    let shown = view(operator, &probe);
    assert_eq!(shown["migrated_from"], Value::Null);
    assert_eq!((&shown["kept"]["before"], shown["kept"].get("since")), (&json!(1), None));
    let asset = operator.get(&probe).is(200);
    assert_eq!(asset["interlinker"]["version"], "1.0.0");
    assert_eq!(asset["earlier_versions"].as_array().map(Vec::len), Some(2));
    back(json!({})).refused(409, "nothing-to-roll-back");
    // The registry knows which version was used when.
    let uses = operator.all(&format!("/v1/usage?asset={}", id_of(&probe)), 100);
    let versions: Vec<_> = uses
        .iter()
        .filter(|used| used["kind"] == "action")
        .map(|used| used["interlinker"]["version"].clone())
        .collect();
    assert_eq!(versions, ["1.0.0", "1.1.0"]);
    server.audit();
}

#[test]
fn an_asset_whose_migration_refuses_fails_or_asks_outside_stays_where_it_is() {
    let (server, process) = town();
    publish(&server, "2.0.0");
    for (how, status, slug) in
        [("refuse", 409, "cannot-move"), ("trap", 502, "interlinker-failed"), ("clock", 409, "not-in-a-view")]
    {
        let probe = made(server.operator(), &process);
        done(server.operator(), &probe, "keep", &json!({"text": "migration", "value": how}));
        let asked = json!({"version": "2.0.0", "without_grants": true});
        server.operator().post(&format!("{probe}/upgrade"), &asked).refused(status, slug);
        let asset = server.operator().get(&probe).is(200);
        assert_eq!(asset["interlinker"]["version"], "1.0.0", "{how}");
        done(server.operator(), &probe, "keep", &json!({"text": "goes on"}));
    }
}

#[test]
fn many_assets_move_at_once_while_people_use_them_and_those_that_cannot_say_why() {
    let (mut server, process) = town();
    publish(&server, "1.1.0");
    let probes: Vec<_> = (0..12).map(|_| made(server.operator(), &process)).collect();
    done(server.operator(), &probes[3], "keep", &json!({"text": "migration", "value": "refuse"}));
    let moved = std::thread::scope(|scope| {
        let using: Vec<_> = probes
            .iter()
            .map(|probe| {
                let ana = server.member("ana");
                scope.spawn(move || {
                    (0..20)
                        .map(|number| act(&ana, probe, "keep", &json!({"text": format!("k{number}")})).status)
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let mut asked = json!({"version": "1.1.0", "without_grants": true, "limit": 1_001});
        server.operator().post("/v1/interlinkers/probe/upgrade", &asked).points_at(422, "invalid-input", &["/limit"]);
        asked["limit"] = json!(5);
        let mut moved = server.operator().post("/v1/interlinkers/probe/upgrade", &asked).is(200);
        while !moved["next"].is_null() {
            asked["after"] = moved["next"].clone();
            let more = server.operator().post("/v1/interlinkers/probe/upgrade", &asked).is(200);
            for list in ["moved", "refused"] {
                let found = more[list].as_array().cloned().unwrap_or_default();
                moved[list].as_array_mut().expect("a list").extend(found);
            }
            moved["next"] = more["next"].clone();
        }
        for statuses in using {
            assert_eq!(statuses.join().expect("they went on"), [200; 20]);
        }
        moved
    });
    assert_eq!(moved["moved"].as_array().map(Vec::len), Some(11));
    assert_eq!(moved["refused"][0]["asset"], id_of(&probes[3]));
    let of = |version: &str| server.operator().all(&format!("/v1/assets?interlinker=probe&version={version}"), 5).len();
    assert_eq!((of("1.1.0"), of("1.0.0")), (11, 1));
    for (number, probe) in probes.iter().enumerate() {
        let shown = view(server.operator(), probe);
        let kept = shown["kept"].as_object().map_or(0, serde_json::Map::len);
        assert_eq!(kept, if number == 3 { 22 } else { 21 }, "{shown}");
        assert_eq!(shown["migrated_from"].is_null(), number == 3);
    }
    server.audit();
}

#[test]
fn a_call_that_failed_is_kept_for_whoever_writes_the_interlinker_and_fails_on_their_machine_too() {
    let (mut server, process) = town();
    let probe = made(server.operator(), &process);
    let ana = server.member("ana");
    done(&ana, &probe, "keep", &json!({"text": "before", "value": "it-stood-there"}));
    let input = json!({"text": "trap", "list": ["what-ana-wrote"]});
    act(&ana, &probe, "fail", &input).refused(502, "interlinker-failed");
    server.crash();
    let uses = server.operator().all(&format!("/v1/usage?asset={}", id_of(&probe)), 100);
    let failed = uses.iter().find(|used| used["kind"] == "failure").expect("it is in the registry").clone();
    assert_eq!(failed["reason"], "trap");
    let call = text(&failed["call"]).to_owned();
    ana.get(&format!("/v1/calls/{call}")).refused(403, "forbidden");
    server.operator().get("/v1/calls/0198c0de-0000-7000-8000-000000000000").refused(404, "not-found");
    let taken = server.operator().get(&format!("/v1/calls/{call}")).is(200);
    assert_eq!((&taken["input"], &taken["action"], &taken["do"]), (&input, &json!("fail"), &json!("call")));
    assert!(text(&taken["failure"]["detail"]).contains("it was told to"), "{taken}");
    assert!(text(&taken["failure"]["detail"]).contains("src/lib.rs:"), "a trap has its place: {taken}");
    let again = server.operator().post(&format!("{probe}/calls/{call}/replay"), &json!({})).is(200);
    assert!(text(&again["failure"]).contains("it was told to"), "{again}");

    let place = tempfile::tempdir().expect("a directory");
    let [file, component] = ["call.json", "probe.wasm"].map(|name| place.path().join(name).display().to_string());
    std::fs::write(&component, PROBE).expect("written");
    let listed = server.cli(&["interlinker", "failures", "probe"]);
    assert!(crate::server::printed(&listed).contains(&call), "{listed:?}");
    let fetched = server.cli(&["interlinker", "fetch", &call, &file]);
    assert!(fetched.status.success(), "{fetched:?}");
    assert!(!server.cli(&["interlinker", "fetch", &call, &file]).status.success(), "it is there already");
    let rerun = crate::server::interlink(&["interlinker", "rerun", &file, &component]);
    let said = String::from_utf8_lossy(&rerun.stdout).into_owned();
    assert!(rerun.status.success() && said.contains("failed: it trapped") && said.contains("src/lib.rs:"), "{rerun:?}");
    server.stop();
    assert_eq!(in_clear(server.data(), &["what-ana-wrote", "it-stood-there"]), []);
    server.launch();
    server.audit();
}

/// What running a recorded call again on another machine says.
#[track_caller]
fn rerun(server: &Server, call: &str) -> String {
    let place = tempfile::tempdir().expect("a directory");
    let [file, component] = ["call.json", "probe.wasm"].map(|name| place.path().join(name).display().to_string());
    std::fs::write(&component, PROBE).expect("written");
    let fetched = server.cli(&["interlinker", "fetch", call, &file]);
    assert!(fetched.status.success(), "{fetched:?}");
    let rerun = crate::server::interlink(&["interlinker", "rerun", &file, &component]);
    assert!(rerun.status.success(), "{rerun:?}");
    String::from_utf8_lossy(&rerun.stdout).into_owned()
}

/// The record of the last failure of an asset.
#[track_caller]
fn last_failure(server: &Server, asset: &str) -> (String, Value) {
    let uses = server.operator().all(&format!("/v1/usage?asset={}", id_of(asset)), 100);
    let failed = uses.iter().rfind(|used| used["kind"] == "failure").expect("it is in the registry");
    let call = text(&failed["call"]).to_owned();
    let taken = server.operator().get(&format!("/v1/calls/{call}")).is(200);
    (call, taken)
}

#[test]
fn a_view_or_a_migration_that_failed_is_kept_and_fails_on_another_machine_too() {
    let (mut server, process) = town();
    publish(&server, "1.1.0");
    let (operator, ana) = (server.operator().clone(), server.member("ana"));
    let (large, stays) = (made(&operator, &process), made(&operator, &process));
    // More than a view may hand over at once.
    for number in 0..20 {
        done(&ana, &large, "keep", &json!({"text": format!("part-{number}"), "value": "x".repeat(60_000)}));
    }
    ana.get(&format!("{large}/view")).refused(502, "interlinker-failed");
    done(&ana, &stays, "keep", &json!({"text": "migration", "value": "trap"}));
    let upgrade = json!({"version": "1.1.0", "without_grants": true});
    operator.post(&format!("{stays}/upgrade"), &upgrade).refused(502, "interlinker-failed");
    server.crash();

    let (call, taken) = last_failure(&server, &large);
    assert_eq!((&taken["do"], &taken["action"]), (&json!("view"), &Value::Null), "{}", taken["failure"]);
    assert_eq!((&taken["input"], taken["state"].as_object().map(serde_json::Map::len)), (&json!({}), Some(21)));
    let (said, detail) = (rerun(&server, &call), text(&taken["failure"]["detail"]).to_owned());
    assert!(said.contains(&format!("failed: {detail}")), "{said}");
    let again = operator.post(&format!("{large}/calls/{call}/replay"), &json!({})).is(200);
    assert_eq!(again["failure"], detail.as_str());

    let (call, taken) = last_failure(&server, &stays);
    assert_eq!((&taken["do"], &taken["input"]), (&json!("migrate"), &json!("1.0.0")));
    assert_eq!(taken["interlinker"]["version"], "1.1.0", "it is the newer one that failed");
    let said = rerun(&server, &call);
    assert!(said.contains("failed: it trapped") && said.contains("src/lib.rs:"), "{said}");
    let listed = crate::server::printed(&server.cli(&["interlinker", "failures", "probe"]));
    assert!(listed.contains(&call), "{listed}");
    server.audit();
}

#[test]
fn a_call_that_is_taken_along_has_the_blobs_that_it_read() {
    let (mut server, process) = town();
    let probe = made(server.operator(), &process);
    let ana = server.member("ana");
    let digest = done(&ana, &probe, "put-blob", &json!({"text": "kept aside"}));
    act(&ana, &probe, "fail", &json!({"text": "trap"})).refused(502, "interlinker-failed");
    done(&ana, &probe, "put-blob", &json!({"text": "put since"}));
    let (call, taken) = last_failure(&server, &probe);
    let blobs = taken["blobs"].as_object().expect("by digest").clone();
    assert_eq!((blobs.len(), &taken["blobs_left"]), (1, &json!(0)), "{taken}");
    assert_eq!(blobs[text(&digest)], "a2VwdCBhc2lkZQ==", "those that were there when it was made");
    assert!(rerun(&server, &call).contains("failed: it trapped"));
    server.audit();
}
