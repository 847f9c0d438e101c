//! Versions of the world: guests of each that was released run, those of others are told so, and manifests ask.

use interlink_host::{PublishError, WORLD};
use interlink_model::keyvalues::KeyValues;
use interlink_model::manifest::Asked;
use serde_json::{Value, json};

use super::given::{action, call, done, instantiate, refused, shared, view};
use super::guest::{Guest, manifest};

/// The poll as it was shipped for a world.
fn shipped_for(world: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/world-{world}/poll.wasm", env!("CARGO_MANIFEST_DIR"));
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
    let poll = host.load(&shipped_for("0.1.0")).expect("it is sound");
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

#[test]
fn a_guest_of_each_version_is_taken() {
    assert_eq!(WORLD, "interlink:interlinker@0.1.1");
    for guest in [Guest::new(), Guest::new().of_version("0.1.1"), Guest::new().asking_outside()] {
        done(shared().act(&guest));
    }
}

#[test]
fn a_world_that_is_not_spoken_is_refused_with_both_versions() {
    for version in ["0.1.2", "0.2.0", "1.0.0", "0.0.9"] {
        let error = shared().unpublished(&Guest::new().of_version(version).bytes());
        assert!(matches!(error, PublishError::World { .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.contains(&format!("@{version}")) && said.contains(WORLD), "{said}");
    }
}

#[test]
fn an_interface_is_there_from_its_version_on() {
    for interface in ["clock", "random", "http", "secrets"] {
        let name = format!("interlink:interlinker/{interface}@0.1.0");
        let import = format!(r#"(import "{name}" (instance))"#);
        assert_eq!(shared().unpublished(&Guest::new().importing(&import).bytes()), PublishError::Import { name });
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
    assert!(asking_for(origins(16)).is_ok() && asking_for(secrets(16)).is_ok());
}
