//! An Interlinker that fails: what it costs, and whom.

use serde_json::{Value, json};

use crate::client::Client;
use crate::given::{asset, complete, library, running, seen, text};

/// A component whose instantiation answers `null`, whose action `trap` traps, whose action `loop` never ends, whose action
/// `work` computes for some tenths of a second, and whose view traps.
fn failing() -> Vec<u8> {
    let options = r#"(memory (core memory $main "memory")) (realloc (core func $main "realloc"))"#;
    let result = "(result (result string (error $problem)))";
    let mut component = wat::parse_str(format!(
        r#"(component
  (import "interlink:interlinker/types@0.1.0" (instance $types
    (type $record (record (field "code" string) (field "detail" string)
      (field "pointer" (option string)) (field "data" (option string))))
    (export "problem" (type (eq $record)))))
  (alias export $types "problem" (type $problem))
  (core module $Main
    (memory (export "memory") 1)
    (data (i32.const 16) "null")
    (data (i32.const 32) "\00\00\00\00\10\00\00\00\04\00\00\00")
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32) (param $bytes i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get $bytes)))
      (local.get $at))
    (func (export "instantiate") (param i32 i32) (result i32) (i32.const 32))
    (func (export "call") (param $action i32) (param i32 i32 i32) (result i32)
      (local $rounds i32)
      (if (i32.eq (i32.load8_u (local.get $action)) (i32.const 108)) (then (loop $again (br $again))))
      (if (i32.eq (i32.load8_u (local.get $action)) (i32.const 119))
        (then
          (loop $more
            (local.set $rounds (i32.add (local.get $rounds) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $rounds) (i32.const 100000000))))
          (return (i32.const 32))))
      unreachable)
    (func (export "view") (param i32 i32) (result i32) unreachable))
  (core instance $main (instantiate $Main))
  (func $instantiate (param "input" string) {result} (canon lift (core func $main "instantiate") {options}))
  (func $call (param "action" string) (param "input" string) {result} (canon lift (core func $main "call") {options}))
  (func $view (param "query" string) {result} (canon lift (core func $main "view") {options}))
  (instance $asset
    (export "problem" (type $problem))
    (export "instantiate" (func $instantiate)) (export "call" (func $call)) (export "view" (func $view)))
  (export "interlink:interlinker/asset@0.1.0" (instance $asset)))"#
    ))
    .expect("the text is a component");
    let manifest = json!({
        "manifest": 1, "name": "brittle", "version": "1.0.0", "world": "interlink:interlinker@0.1.0",
        "title": {"en": "Brittle"}, "instantiate": {}, "actions": [{"name": "trap"}, {"name": "loop"}, {"name": "work"}, {"name": "staff", "allow": ["operator"]}],
    });
    let manifest = manifest.to_string();
    let name = "interlink:manifest";
    let content =
        [&[u8::try_from(name.len()).expect("a short name")][..], name.as_bytes(), manifest.as_bytes()].concat();
    component.push(0);
    // The length, as LEB128 in two bytes.
    component.extend([(content.len() & 0x7f) as u8 | 0x80, (content.len() >> 7) as u8]);
    component.extend(content);
    component
}

#[test]
fn an_interlinker_that_fails_changes_nothing_and_the_registry_says_that_it_failed() {
    let mut server = library();
    let ana = server.member("ana");
    server.operator().send("/v1/interlinkers", "application/wasm", failing()).is(201);
    let process = running(&ana, "Brittle");
    let brittle = asset(&ana, &process, "find-room", "brittle", &json!({}));
    let before = (seen(&ana, &process), ana.get(&brittle).body);
    for action in ["trap", "loop"] {
        let failed = ana.tell(&format!("{brittle}/actions/{action}")).refused(502, "interlinker-failed");
        assert!(!text(&failed["limit"]).is_empty(), "{failed}");
    }
    ana.get(&format!("{brittle}/view")).refused(502, "interlinker-failed");
    assert_eq!((seen(&ana, &process), ana.get(&brittle).body), before);
    complete(&ana, &process, "find-room");

    let failures = |client: &Client| -> Vec<Value> {
        let all = client.all("/v1/usage?interlinker=brittle", 100);
        all.iter()
            .map(|used| json!([used["kind"], used["outcome"], used["action"], used["reason"].is_string()]))
            .collect()
    };
    let expected = [
        json!(["instantiate", "done", null, false]),
        json!(["failure", "failed", "trap", true]),
        json!(["failure", "failed", "loop", true]),
        json!(["failure", "failed", null, true]),
    ];
    for _ in 0..100 {
        if failures(&ana).len() == expected.len() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(failures(&ana), expected);
    server.stop();
    std::fs::remove_dir_all(server.place("state")).expect("it was there");
    server.launch();
    assert_eq!(failures(&ana), expected);
    assert_eq!(ana.get("/v1/adoption/interlinkers/brittle").is(200)["uses"]["total"], json!(expected.len()));
    server.audit();
}

#[test]
fn an_interlinker_without_end_holds_up_nobody_elses_work() {
    let server = library();
    let ana = server.member("ana");
    server.operator().send("/v1/interlinkers", "application/wasm", failing()).is(201);
    let process = running(&ana, "Busy");
    let brittle = asset(&ana, &process, "find-room", "brittle", &json!({}));
    let poll = crate::given::poll(&ana, &process, "find-room", 1);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| ana.tell(&format!("{brittle}/actions/loop")).refused(502, "interlinker-failed"));
        }
        crate::given::vote(&ana, &poll, "Monday").is(200);
        complete(&ana, &process, "find-room");
        assert_eq!(ana.get(&format!("{poll}/view")).is(200)["votes"]["Monday"], json!(1));
    });
}

#[test]
fn an_action_that_takes_a_role_is_refused_to_whoever_has_none_of_it() {
    let server = library();
    let ana = server.member("ana");
    server.operator().send("/v1/interlinkers", "application/wasm", failing()).is(201);
    let process = running(&ana, "Staff only");
    let brittle = asset(&ana, &process, "find-room", "brittle", &json!({}));
    let staff = format!("{brittle}/actions/staff");
    let refused = ana.tell(&staff).refused(403, "forbidden");
    assert!(text(&refused["detail"]).contains("operator"), "{refused}");
    // The operator's call reaches the guest, which traps.
    server.operator().tell(&staff).refused(502, "interlinker-failed");
}

#[test]
fn an_interlinker_that_fails_again_and_again_is_let_alone_for_a_while_and_an_operator_sees_it() {
    let server = library();
    let (ana, operator) = (server.member("ana"), server.operator());
    operator.send("/v1/interlinkers", "application/wasm", failing()).is(201);
    let process = running(&ana, "Failing");
    let brittle = asset(&ana, &process, "find-room", "brittle", &json!({}));
    let trap = format!("{brittle}/actions/trap");
    for _ in 0..3 {
        ana.tell(&trap).refused(502, "interlinker-failed");
        operator.tell(&trap).refused(502, "interlinker-failed");
    }
    let refused = ana.tell(&trap);
    let problem = refused.refused(503, "interlinker-failing");
    assert_eq!((&problem["failures"], &problem["last"]["limit"]), (&json!(5), &json!("trap")), "{problem}");
    let retry_after: u64 = refused.header("retry-after").parse().expect("seconds");
    assert!((1..=2).contains(&retry_after), "{retry_after}");
    // Trials fail, too: back-offs double until nobody is quick enough to see it closed by chance.
    let begun = std::time::Instant::now();
    loop {
        let shown = ana.get("/v1/interlinkers/brittle").is(200)["breaker"].clone();
        assert_ne!(shown["status"], "closed", "{shown}");
        if shown["failures"].as_u64() >= Some(7) {
            break;
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{shown}");
        operator.tell(&trap);
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let shown = ana.get("/v1/interlinkers/brittle").is(200)["breaker"].clone();
    assert_eq!((&shown["status"], &shown["last"]["limit"]), (&json!("open"), &json!("trap")), "{shown}");
    assert!(shown["retry_at"].is_string(), "{shown}");
    let names = |path: &str| -> Vec<Value> { ana.all(path, 10).iter().map(|one| one["name"].clone()).collect() };
    assert_eq!(names("/v1/interlinkers?breaker=open"), [json!("brittle")]);
    assert!(!names("/v1/interlinkers?breaker=closed").contains(&json!("brittle")));
    ana.get("/v1/interlinkers?breaker=broken").refused(400, "malformed");
    let listed = crate::server::printed(&server.cli(&["interlinker", "list"]));
    assert!(listed.contains("breaker open until"), "{listed}");
    let metrics = ana.get("/metrics").body;
    let metrics = String::from_utf8_lossy(&metrics).into_owned();
    for line in [
        "interlink_interlinker_breaker{interlinker=\"brittle\",version=\"1.0.0\",status=\"open\"} 1",
        "interlink_interlinker_calls_total{interlinker=\"brittle\",version=\"1.0.0\",outcome=\"failed\"} 8",
        "interlink_limit_crossed_total{limit=\"trap\"} 8",
        "interlink_interlinker_waiting{interlinker=\"brittle\",version=\"1.0.0\"} 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    assert!(metrics.contains("interlink_interlinker_cpu_seconds_total{interlinker=\"brittle\""), "{metrics}");
    assert!(metrics.contains("limit=\"failing\""), "{metrics}");

    // Nobody else's Interlinker is let alone, and one that is reset is called at once.
    crate::given::poll(&ana, &process, "find-room", 1);
    ana.tell("/v1/interlinkers/brittle/reset").refused(403, "forbidden");
    let reset = crate::server::printed(&server.cli(&["interlinker", "reset", "brittle"]));
    assert!(reset.contains("closed"), "{reset}");
    ana.tell(&trap).refused(502, "interlinker-failed");
    operator.tell("/v1/interlinkers/nothing/reset").refused(404, "not-found");
}

#[test]
fn whoever_makes_an_interlinker_fail_again_and_again_stops_their_own_calls_and_nobody_elses() {
    let server = library();
    let (ana, bea, operator) = (server.member("ana"), server.member("bea"), server.operator());
    operator.send("/v1/interlinkers", "application/wasm", failing()).is(201);
    let process = running(&ana, "On purpose");
    let brittle = asset(&ana, &process, "find-room", "brittle", &json!({}));
    let trap = format!("{brittle}/actions/trap");
    for _ in 0..5 {
        ana.tell(&trap).refused(502, "interlinker-failed");
    }
    ana.tell(&trap).refused(503, "interlinker-failing");
    let shown = operator.get("/v1/interlinkers/brittle").is(200)["breaker"].clone();
    assert_eq!((&shown["status"], &shown["held_off"]), (&json!("closed"), &json!(1)), "{shown}");
    asset(&bea, &process, "find-room", "brittle", &json!({}));
    ana.tell(&trap).refused(503, "interlinker-failing");
    operator.tell("/v1/interlinkers/brittle/reset").is(200);
    ana.tell(&trap).refused(502, "interlinker-failed");
}

#[test]
fn a_call_that_waits_is_looked_at_again_when_its_turn_comes() {
    let server = library();
    let (ana, operator) = (server.member("ana"), server.operator());
    operator.send("/v1/interlinkers", "application/wasm", failing()).is(201);
    let process = running(&ana, "Waiting");
    let brittle = asset(&ana, &process, "find-room", "brittle", &json!({}));
    let is_running = || {
        let metrics = ana.get("/metrics").body;
        let line = "interlink_interlinker_running{interlinker=\"brittle\",version=\"1.0.0\"} 1";
        String::from_utf8_lossy(&metrics).lines().any(|found| found == line)
    };
    std::thread::scope(|scope| {
        let first = scope.spawn(|| ana.tell(&format!("{brittle}/actions/loop")).status);
        let begun = std::time::Instant::now();
        while !is_running() {
            assert!(begun.elapsed() < std::time::Duration::from_secs(10), "it does not run");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        // They wait in the lane of the asset behind one that takes its time.
        let second = [0; 2].map(|_| scope.spawn(|| ana.tell(&format!("{brittle}/actions/trap"))));
        operator.tell("/v1/interlinkers/brittle/pause").is(200);
        for second in second {
            second.join().expect("answered").refused(503, "interlinker-paused");
        }
        assert_eq!(first.join().expect("answered"), 502, "what had begun ended as it would have");
    });
    let uses = ana.all("/v1/usage?interlinker=brittle", 100);
    assert!(uses.iter().all(|used| used["action"] != "trap"), "they were not made: {uses:?}");
}

#[test]
fn what_is_automatic_waits_for_a_breaker_and_uses_up_no_attempt() {
    let server = library();
    let (ana, operator) = (server.member("ana"), server.operator());
    operator.send("/v1/interlinkers", "application/wasm", failing()).is(201);
    let process = running(&ana, "Breaking");
    let brittle = asset(&ana, &process, "find-room", "brittle", &json!({}));
    for client in [&ana, operator].repeat(3) {
        client.tell(&format!("{brittle}/actions/trap")).refused(502, "interlinker-failed");
    }
    assert_eq!(ana.get("/v1/interlinkers/brittle").is(200)["breaker"]["status"], "open");
    let task = "          - { id: ask, kind: interlinker, interlinker: brittle, retry: { attempts: 1 } }\n";
    let automatic = crate::automation::started(&ana, "automatic", task);
    let begun = std::time::Instant::now();
    while ana.all(&format!("{automatic}/assets"), 10).is_empty() {
        assert!(begun.elapsed() < std::time::Duration::from_secs(30), "it never happens");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(ana.all("/v1/incidents", 10), Vec::<Value>::new(), "its one attempt was made when it could be");
    assert_eq!(ana.get("/v1/interlinkers/brittle").is(200)["breaker"]["status"], "closed", "and closed the breaker");
}

#[test]
fn an_interlinker_that_has_used_its_cpu_time_up_is_told_when_to_come_back_and_its_neighbour_is_served() {
    let options = ["--cpu-ms-per-s", "40", "--waiting-over-budget", "0"];
    let server = crate::server::Server::run_by(Vec::new(), &options, crate::server::Server::new_data());
    let server = server.expect("it starts");
    crate::given::schema(server.operator());
    let ana = server.member("ana");
    server.operator().send("/v1/interlinkers", "application/wasm", failing()).is(201);
    let process = running(&ana, "Used up");
    let brittle = asset(&ana, &process, "find-room", "brittle", &json!({}));
    let poll = crate::given::poll(&ana, &process, "find-room", 1);
    let work = || ana.tell(&format!("{brittle}/actions/work"));
    let cpu = || ana.get("/v1/interlinkers/brittle").is(200)["cpu"].clone();
    // What making the assets took is paid for.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let before = cpu();
    assert_eq!((&before["ms_per_s"], &before["burst_ms"], &before["owed_ms"]), (&json!(40), &json!(25), &json!(0)));
    work().is(200);

    let refused = work();
    let problem = refused.refused(429, "interlinker-over-budget");
    let retry_after_s: u64 = refused.header("retry-after").parse().expect("seconds");
    let owed_ms = problem["owed_ms"].as_u64().expect("a number");
    assert!(problem["ms_per_s"] == 40 && problem["limit"] == "cpu" && owed_ms > 0, "{problem}");
    assert!(retry_after_s >= owed_ms / 40 && (1..=10).contains(&retry_after_s), "{retry_after_s}: {problem}");
    let told = std::time::Instant::now();
    let during = cpu();
    assert!(
        during["owed_ms"].as_u64() > Some(0) && during["used_ms"].as_u64() > before["used_ms"].as_u64(),
        "{during}"
    );
    let metrics = String::from_utf8_lossy(&ana.get("/metrics").body).into_owned();
    let owed = "interlink_interlinker_cpu_owed_seconds{interlinker=\"brittle\",version=\"1.0.0\"} 0.";
    let owes = metrics.lines().any(|line| line.starts_with(owed) && !line.ends_with("0.000000"));
    let not_made = "interlink_interlinker_refusals_total{interlinker=\"brittle\",version=\"1.0.0\",limit=\"cpu\"} 1";
    assert!(owes && metrics.lines().any(|line| line == not_made), "{metrics}");
    crate::given::vote(&ana, &poll, "Monday").is(200);

    let left = std::time::Duration::from_secs(retry_after_s).saturating_sub(told.elapsed());
    std::thread::sleep(left);
    work().is(200);
}
