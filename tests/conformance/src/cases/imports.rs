//! A well-behaved guest for each import.

use serde_json::{Value, json};

use crate::case::{Case, Comes, Group, Is, Step};
use crate::hand::Guest;
use crate::hand::asking::Asking;
use crate::subject::{Need, Place};

/// A text, and what it is known by as a blob.
const HELLO: &[u8] = b"hello";
const HELLO_DIGEST: &str = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

fn case(name: &'static str, asking: Asking) -> Case {
    Case::of(Group::Import, name, asking.whole())
}

/// What lets a guest ask the service outside.
pub(super) fn grant(methods: &[&str], origin: &str) -> Value {
    json!({"http": [{"methods": methods, "origin": origin}]})
}

pub(super) fn cases() -> Vec<Case> {
    [state(), call(), outside(), kept(), wanted(), company(), exports()].into_iter().flatten().collect()
}

fn state() -> Vec<Case> {
    vec![
        case("a key is set, read and taken away", Asking::new().set("k", b"v").get("k").delete("k").get("k"))
            .is_done()
            .keeps_text("2/value", "v")
            .keeps("4/none", Is::There)
            .keeps("k", Is::Absent),
        case("what a call has set the next one reads", Asking::new().get("kept").set("kept", b"v"))
            .is_done()
            .keeps("1/none", Is::There)
            .is_done()
            .keeps_text("1/value", "v"),
        case(
            "keys are counted by their prefix",
            Asking::new().set("a/1", b"").set("a/2", b"").set("b/1", b"").count("a/").count("c/"),
        )
        .is_done()
        .keeps_text("4/count", "2")
        .keeps_text("5/count", "0"),
        case(
            "a range is in order, goes on behind a key and ends where it is told",
            Asking::new().set("r/3", b"").set("r/1", b"").set("r/2", b"").set("s", b"").range("r/", None, 9).range(
                "r/",
                Some("r/1"),
                1,
            ),
        )
        .is_done()
        .keeps_text("5/first", "r/1")
        .keeps_text("5/many", "3")
        .keeps_text("6/first", "r/2")
        .keeps_text("6/many", "1"),
        case(
            "what is set as text is there as bytes, and the other way round",
            Asking::new().set_text("t", "ñ".as_bytes()).get("t").set("b", "né".as_bytes()).get_text("b").get_text("c"),
        )
        .is_done()
        .keeps_text("2/value", "ñ")
        .keeps_text("4/value", "né")
        .keeps("5/none", Is::There),
        case(
            "a range of texts is in order, goes on behind a key and ends where it is told",
            Asking::new()
                .set_text("r/2", b"b")
                .set_text("r/1", b"a")
                .set("s", b"\xff")
                .range_texts("r/", None, 9)
                .range_texts("r/", Some("r/1"), 1),
        )
        .is_done()
        .keeps_text("4/first", "r/1")
        .keeps_text("4/many", "2")
        .keeps_text("5/first", "r/2")
        .keeps_text("5/many", "1"),
        Case::of(Group::Import, "what a guest refuses is not kept", refusing())
            .goes(json!({}), Comes::Refused("error")),
    ]
}

/// One that writes, and then refuses with the code `error`.
fn refusing() -> Guest {
    super::harming("(call $refuse (i32.const 48) (i32.const 5))")
}

fn call() -> Vec<Case> {
    vec![
        case("a call knows its asset and its language", Asking::new().context())
            .is_done()
            .keeps("1/context", Is::With("\"asset\""))
            .keeps("1/context", Is::With("\"language\""))
            .keeps("1/context", Is::With("\"roles\"")),
        case("an outcome that is declared is told", Asking::new().declare(r#"{"chosen":"A"}"#).declare("[2]"))
            .is_done()
            .then(Step::Has("a", "/outcome", Is::Text("[2]".into()))),
        case("a line is logged", Asking::new().log("warn", "a long line"))
            .needing(Need::Logs)
            .is_done()
            .then(Step::Logged(2, 11)),
    ]
}

fn outside() -> Vec<Case> {
    let asked = |path: &str| json!({"method": "POST", "url": format!("{{outside}}{path}"), "headers": [["x-a", "b"]]});
    vec![
        case("the clock is read", Asking::new().now().then("")).is_done().keeps("1/now", Is::Size(8)),
        case("random bytes are drawn", Asking::new().random(16)).is_done().keeps("1/random", Is::Size(16)),
        case("a request that is granted is sent and answered", Asking::new().http_of_input())
            .needing(Need::Outside)
            .granted(grant(&["POST"], "{outside}"))
            .goes(asked("/echo"), Comes::Done)
            .keeps("1/head", Is::With("200"))
            .then(Step::Arrived("/echo", 1)),
        case("a request has an idempotency key that says which of the call it is", Asking::new().now().http_of_input())
            .needing(Need::Outside)
            .granted(grant(&["POST"], "{outside}"))
            .goes(asked("/key"), Comes::Done)
            .keeps("2/body", Is::With("-2")),
        case(
            "a secret that is granted and set is read",
            Asking::new().secret("conformance-word").secret("conformance-no"),
        )
        .then(Step::Secret("conformance-word", "a word"))
        .granted(json!({"secrets": ["conformance-word", "conformance-no"]}))
        .is_done()
        .keeps_text("1/secret", "a word")
        .keeps("2/none", Is::There),
    ]
}

fn kept() -> Vec<Case> {
    vec![
        case("settings are an empty object, and then what an operator has set", Asking::new().settings())
            .is_done()
            .keeps_text("1/settings", "{}")
            .then(Step::Settings(0, json!({"colour": "green"}), Comes::Done))
            .is_done()
            .keeps_text("1/settings", r#"{"colour":"green"}"#),
        case(
            "a blob is put, known by its bytes, and read in parts, in the same call and in the next",
            Asking::new().blob_size(HELLO_DIGEST).put_blob("text/plain", HELLO).blob(HELLO_DIGEST, 1, 3),
        )
        .is_done()
        .keeps("1/none", Is::There)
        .keeps_text("2/digest", HELLO_DIGEST)
        .keeps_text("3/part", "ell")
        .then(Step::Has("a", "/blobs/count", Is::Text("1".into())))
        .is_done()
        .keeps("1/size", Is::Bytes(5u64.to_le_bytes().to_vec()))
        .then(Step::Has("a", "/blobs/size_bytes", Is::Text("5".into()))),
        case(
            "a blob that a person has put is read, and what lies behind its end is nothing",
            Asking::new().blob(HELLO_DIGEST, 3, 100).blob(HELLO_DIGEST, u64::MAX, u32::MAX),
        )
        .then(Step::PutBlob("a", "text/plain", HELLO.to_vec(), Comes::Answer(json!(HELLO_DIGEST))))
        .is_done()
        .keeps_text("1/part", "lo")
        .keeps("2/part", Is::Size(0)),
    ]
}

fn wanted() -> Vec<Case> {
    let message = json!({"to": ["{me}"], "title": "Come at noon, says {name:0}", "text": "To the park."});
    vec![
        case("people are told something where that is granted", Asking::new().notify_of_input())
            .granted(json!({"notify": true}))
            .goes(message, Comes::Done)
            .keeps("1/done", Is::There)
            .then(Step::Heard(Is::With("Come at noon"))),
        case("a word is noted", Asking::new().note("meal-booked", 2).note("meal-eaten", -1))
            .is_done()
            .then(Step::Noted("a", Is::Text(r#"[["meal-booked",2],["meal-eaten",-1]]"#.into()))),
        Case::of(Group::Import, "an alarm rings once, with its name", rings(Asking::new().set_alarm("rings", 1, "{}")))
            .is_done()
            .keeps("1/done", Is::There)
            .then(Step::Ring("a"))
            .keeps_text("error", "rings")
            .then(Step::Has("a", "/alarms", Is::Absent)),
        Case::of(
            Group::Import,
            "an alarm that is taken away does not ring",
            rings(Asking::new().set_alarm("rings", i64::MAX / 2, "{}").cancel_alarm("rings").cancel_alarm("rings")),
        )
        .is_done()
        .keeps_text("2/was", "1")
        .keeps_text("3/was", "0")
        .then(Step::Has("a", "/alarms", Is::Absent)),
    ]
}

/// One whose alarms leave their name under `error`.
pub(super) fn rings(asking: Asking) -> Guest {
    asking
        .whole()
        .ringing("(call $set (i32.const 48) (i32.const 5) (local.get 0) (local.get 1)) (call $null)")
        .saying("alarms", json!(["rings"]))
}

fn company() -> Vec<Case> {
    let other = Asking::new().set("asked", b"yes").whole();
    vec![
        case("who takes part is told where that is granted", Asking::new().people())
            .granted(json!({"people": true}))
            .is_done()
            .keeps("1/people", Is::With("\"roles\"")),
        case("an action of another asset is run where that is granted", Asking::new().act_on_input("go", "{}"))
            .published(other)
            .then(Step::Make { asset: "b", of: 1, place: Place::Here, input: json!("before"), comes: Comes::Done })
            .granted(json!({"assets": [{"interlinker": "{name:1}", "actions": ["go"]}]}))
            .goes(json!("{asset:b}"), Comes::Done)
            .keeps_text("1/answer", "null")
            .then(Step::Keeps("b", "asked", Is::Text("yes".into()))),
    ]
}

fn exports() -> Vec<Case> {
    let later = Asking::new()
        .whole()
        .migrating("(call $set (i32.const 48) (i32.const 5) (local.get 0) (local.get 1)) (call $null)")
        .later("1.1.0");
    let acting = Asking::new().whole().acting("other", "(call $answer (local.get 0) (local.get 1))");
    vec![
        case("an asset moves to a version that brings its state along", Asking::new().set("k", b"v"))
            .is_done()
            .published(later)
            .then(Step::Upgrade("a", "1.1.0", Comes::Done))
            .keeps_text("error", "1.0.0")
            .keeps_text("k", "v"),
        Case::of(Group::Import, "an action is called by its name, with its input", acting)
            .then(Step::Act { asset: "a", action: "other", input: json!([1]), comes: Comes::Answer(json!([1])) })
            .goes(json!([1]), Comes::Answer(json!(null))),
    ]
}
