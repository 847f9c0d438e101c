//! Versions of the world: guests of each that was released run, those of others are told so, and manifests ask.

use std::sync::Arc;
use std::time::Duration;

use interlink_host::{Called, Entry, Fault, Kind, PublishError, Recorded, WORLD};
use interlink_model::keyvalues::KeyValues;
use interlink_model::manifest::Asked;
use serde_json::{Value, json};

use super::given::{action, call, done, fault, instantiate, refused, shared, view};
use super::guest::{Guest, manifest};
use super::town::{NOON, Town, call_in, durable, response};

/// A guest as it was built for a world.
fn built_for(world: &str, name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/world-{world}/{name}.wasm", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).expect("guests of each released world are kept")
}

/// What is said of a manifest that asks for this.
fn asking_for(grants: Value) -> Result<Asked, PublishError> {
    let mut manifest = manifest();
    manifest["grants"] = grants;
    let bytes = Guest::new().with_manifest(Some(manifest.to_string().as_bytes())).bytes();
    shared().host.inspect(&bytes).map(|inspected| inspected.manifest.grants)
}

fn http(origin: &str, methods: &[&str], reason: &str) -> Value {
    json!({ "http": [{ "origin": origin, "methods": methods, "reason": { "en": reason } }] })
}

#[test]
fn a_guest_of_the_first_world_runs_unchanged() {
    let host = &shared().host;
    let poll = host.load(&built_for("0.1.0", "poll")).expect("it is sound");
    assert_eq!(poll.manifest().world, "interlink:interlinker@0.1.0");
    assert_eq!(poll.manifest().grants, Asked::default());
    let input = json!({"question": "Which park?", "options": ["A", "B"], "quorum": 2});
    let opened = done(call(host, &poll, "ana", instantiate(input), &KeyValues::default()));
    let vote = |person: &str, option: &str, state: &KeyValues| {
        call(host, &poll, person, action("vote", json!({ "option": option })), state)
    };
    let first = done(vote("ana", "A", &opened.state));
    assert_eq!(refused(vote("ana", "B", &first.state)).code, "already-voted");
    let second = done(vote("boris", "B", &first.state));
    assert_eq!(second.outcome.map(|outcome| outcome["votes"].clone()), Some(json!({"A": 1, "B": 1})));
    let seen = done(call(host, &poll, "eva", view(), &second.state));
    assert_eq!(seen.output["votes"], json!({"A": 1, "B": 1}));
}

/// The errand's call of an entry, in a town, fed with this.
fn run_errand(town: &Arc<Town>, entry: Entry, state: &KeyValues, recorded: Vec<Recorded>) -> Called {
    let host = &shared().host;
    let errand = host.load(&built_for("0.1.1", "errand")).expect("it is sound");
    call_in(host, &errand, entry, state, durable(town, recorded))
}

#[test]
fn a_guest_of_the_sdk_asks_for_all_that_is_outside_and_is_run_again() {
    let town = || {
        Arc::new(Town::answering(|request| {
            let body: Value = serde_json::from_slice(&request.body).expect("the guest sends JSON");
            assert_eq!(body["token"], json!(vec![4; 8]));
            Ok(response(201, format!("\"filed at {}\"", body["at_micros"]).as_bytes()))
        }))
    };
    let opened = done(run_errand(&town(), instantiate(json!({})), &KeyValues::default(), Vec::new()));
    assert_eq!(opened.state.get("opened_micros").map(|value| value.to_vec()), Some(NOON.to_string().into_bytes()));
    let file = || action("file", json!({"text": "We agreed."}));

    let first = town();
    let filed = done(run_errand(&first, file(), &opened.state, Vec::new()));
    let [sent] = &first.sent()[..] else { panic!("one was sent") };
    assert_eq!(sent.headers[0], ("authorization".into(), "the mail secret".into()));
    assert_eq!(sent.timeout, Duration::from_millis(900));
    let again = town();
    let called = run_errand(&again, file(), &opened.state, first.recorded());
    let replayed: Vec<_> = called.logs.iter().map(|line| (line.message.as_str(), line.replayed)).collect();
    assert_eq!(replayed, [("filing 10 bytes", true), ("filed", false)]);
    assert_eq!(done(called).changes, filed.changes);
    assert_eq!(again.notes(), [] as [&str; 0]);

    let host = &shared().host;
    let errand = host.load(&built_for("0.1.1", "errand")).expect("it is sound");
    let seen = done(call(host, &errand, "eva", view(), &filed.state));
    assert_eq!(seen.output, json!({"number": format!("filed at {NOON}"), "at_micros": NOON, "token": vec![4; 8]}));
}

#[test]
fn a_guest_of_the_sdk_is_told_what_it_is_not_granted_and_ends_without_an_outside() {
    let town = Arc::new(Town::new());
    let opened = done(run_errand(&town, instantiate(json!({})), &KeyValues::default(), Vec::new()));
    let problem = refused(run_errand(&town, action("wander", json!({})), &opened.state, Vec::new()));
    assert_eq!((problem.code.as_str(), town.sent().len()), ("not-granted", 0));
    let data: Value = serde_json::from_str(&problem.data.expect("it says what")).expect("data is JSON");
    assert_eq!(data, json!({"method": "GET", "origin": "https://elsewhere.org"}));
    let host = &shared().host;
    let errand = host.load(&built_for("0.1.1", "errand")).expect("it is sound");
    let asked = errand.manifest().grants.http.iter().map(|asked| asked.origin.as_str()).collect::<Vec<_>>();
    assert_eq!(asked, ["https://example.org"]);
    let called = call(host, &errand, "ana", action("wander", json!({})), &opened.state);
    assert_eq!(fault(called), Fault::NotGranted { kind: Kind::Http });
}

#[test]
fn a_guest_of_1_1_0_reads_and_writes_texts() {
    let host = &shared().host;
    let texts = host.load(&built_for("1.1.0", "texts")).expect("it is sound");
    assert_eq!(texts.manifest().world, "interlink:interlinker@1.1.0");
    let made = done(call(host, &texts, "ana", instantiate(json!({})), &KeyValues::default()));
    let acted = done(call(host, &texts, "ana", action("go", json!({})), &made.state));
    let value = |key: &str| acted.state.get(key).map(|value| String::from_utf8_lossy(value).into_owned());
    assert_eq!(value("r/1").as_deref(), Some("ñ"), "what it set as text");
    assert_eq!(value("2/value").as_deref(), Some("ñ"), "what it read as text");
    assert_eq!((value("3/first"), value("3/many")), (Some("r/1".into()), Some("1".into())), "a range of texts");
}

#[test]
fn a_guest_of_each_version_is_taken() {
    assert_eq!(WORLD, "interlink:interlinker@1.1.0");
    for guest in [
        Guest::new(),
        Guest::new().of_version("0.1.1"),
        Guest::new().of_version("1.0.0"),
        Guest::new().of_version("1.1.0"),
        Guest::new().asking_outside(),
    ] {
        done(shared().act(&guest));
    }
}

#[test]
fn a_world_that_is_not_spoken_is_refused_with_both_versions() {
    for version in ["0.1.2", "0.2.0", "1.0.1", "1.1.1", "1.2.0", "2.0.0", "0.0.9"] {
        let error = shared().unpublished(&Guest::new().of_version(version).bytes());
        assert!(matches!(error, PublishError::World { .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.contains(&format!("@{version}")) && said.contains(WORLD), "{said}");
    }
}

#[test]
fn an_interface_is_there_from_its_version_on() {
    let later: [(&str, &[&str]); 3] = [
        ("0.1.0", &["clock", "random", "http", "secrets"]),
        ("0.1.1", &["settings", "blobs", "people", "notify", "schedule", "usage", "assets"]),
        ("1.0.0", &["texts"]),
    ];
    for (version, interface) in later.iter().flat_map(|(version, all)| all.iter().map(move |one| (version, one))) {
        let name = format!("interlink:interlinker/{interface}@{version}");
        let import = format!(r#"(import "{name}" (instance))"#);
        assert_eq!(shared().unpublished(&Guest::new().importing(&import).bytes()), PublishError::Import { name });
    }
}

#[test]
fn what_else_is_asked_for_has_its_reasons_and_its_limits() {
    let reason = json!({"en": "To pass votes on."});
    let assets = |count: usize| -> Vec<Value> {
        let one = |number| json!({"interlinker": format!("poll-{number}"), "actions": ["vote"], "reason": reason});
        (0..count).map(one).collect()
    };
    let asked = asking_for(json!({"people": {"reason": reason}, "notify": {"reason": reason}, "assets": assets(16)}));
    let asked = asked.expect("it can be granted");
    assert_eq!((asked.people.is_some(), asked.notify.is_some(), asked.assets.len()), (true, true, 16));
    for wrong in [
        json!({"assets": assets(17)}),
        json!({"people": {"reason": {}}}),
        json!({"notify": {"reason": {"en": "x".repeat(501)}}}),
        json!({"assets": [{"interlinker": "poll", "actions": [], "reason": reason}]}),
        json!({"assets": [{"interlinker": "po/ll", "actions": ["vote"], "reason": reason}]}),
        json!({"assets": [assets(1)[0], assets(1)[0]]}),
        json!({"everything": true}),
    ] {
        let error = asking_for(wrong.clone()).expect_err("it cannot be granted");
        assert!(matches!(error, PublishError::Manifest { .. }), "{wrong}: {error:?}");
    }
}

#[test]
fn a_function_with_other_types_is_refused() {
    let import = r#"(import "interlink:interlinker/clock@0.1.1" (instance (export "now" (func (result string)))))"#;
    let error = shared().unpublished(&Guest::new().importing(import).bytes());
    assert!(matches!(error, PublishError::Invalid { .. }), "{error:?}");
}

#[test]
fn a_manifest_says_what_it_asks_for() {
    let asked = json!({
        "http": [{"origin": "https://example.org", "methods": ["GET", "POST"], "reason": {"en": "To send minutes."}}],
        "secrets": [{"name": "mail", "reason": {"en": "To sign in.", "es": "Para entrar."}}],
    });
    let read = asking_for(asked.clone()).expect("it may be asked for");
    assert_eq!((read.http[0].origin.as_str(), read.secrets[0].name.as_str()), ("https://example.org", "mail"));
    assert_eq!(serde_json::to_value(&read).expect("it is JSON"), asked);
    for nothing in [json!([]), json!({}), json!({"http": [], "secrets": []})] {
        assert_eq!(asking_for(nothing), Ok(Asked::default()));
    }
}

#[test]
fn what_cannot_be_granted_is_refused_when_it_is_published() {
    let long = "r".repeat(501);
    let origins = |many: u32| {
        let one = |at| json!({"origin": format!("https://h{at}.org"), "methods": ["GET"], "reason": {"en": "why"}});
        json!({ "http": (0..many).map(one).collect::<Vec<_>>() })
    };
    let secrets = |many: u32| {
        let one = |at| json!({"name": format!("s{at}"), "reason": {"en": "why"}});
        json!({ "secrets": (0..many).map(one).collect::<Vec<_>>() })
    };
    let twice = |grants: Value, kind: &str| {
        let one = grants[kind][0].clone();
        json!({ kind: [one.clone(), one] })
    };
    let plain = http("https://example.org", &["GET"], "why");
    for (asked, said) in [
        (json!([{"http": "example.org"}]), "grants are"),
        (json!("all"), "grants are"),
        (json!({"network": []}), "network"),
        (json!({"http": [{"origin": "https://example.org", "methods": ["GET"]}]}), "reason"),
        (http("ftp://example.org", &["GET"], "why"), "https://"),
        (http("example.org", &["GET"], "why"), "https://"),
        (http("https://example.org/", &["GET"], "why"), "no path"),
        (http("https://example.org/api", &["GET"], "why"), "no path"),
        (http("https://*.example.org", &["GET"], "why"), "no plain name"),
        (http("https://Example.org", &["GET"], "why"), "write it as `https://example.org`"),
        (http("https://example.org:443", &["GET"], "why"), "write it as `https://example.org`"),
        (http("https://example.org", &[], "why"), "no methods"),
        (http("https://example.org", &["GET", "GET"], "why"), "twice"),
        (http("https://example.org", &["get"], "why"), "methods are"),
        (http("https://example.org", &["CONNECT"], "why"), "methods are"),
        (http("https://example.org", &[&"M".repeat(21)], "why"), "methods are"),
        (http("https://example.org", &["GET"], " "), "without a reason"),
        (http("https://example.org", &["GET"], &long), "more than 500 bytes"),
        (json!({"secrets": [{"name": "a b", "reason": {"en": "why"}}]}), "a name is letters"),
        (json!({"secrets": [{"name": "mail", "reason": {}}]}), "without a reason"),
        (twice(plain, "http"), "twice"),
        (twice(secrets(1), "secrets"), "twice"),
        (origins(17), "at most 16"),
        (secrets(17), "at most 16"),
    ] {
        let error = asking_for(asked.clone()).expect_err("it is refused");
        assert!(matches!(error, PublishError::Manifest { .. }), "{error:?}");
        assert!(error.to_string().contains(said), "{error} does not say {said:?}");
    }
    assert!(asking_for(http("https://example.org", &[&"M".repeat(20)], "why")).is_ok(), "nobody knows all of them");
    assert!(asking_for(origins(16)).is_ok() && asking_for(secrets(16)).is_ok());
}
