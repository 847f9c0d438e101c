//! Each import of the world, abused.

use serde_json::json;

use super::imports::rings;
use super::{harming, harming_forever, harming_with, whole};
use crate::case::{Case, Comes, Group, Is, Step};
use crate::hand::asking::Asking;

fn case(name: &'static str, guest: crate::hand::Guest) -> Case {
    Case::of(Group::Abuse, name, guest)
}

fn asking(name: &'static str, asking: Asking) -> Case {
    case(name, asking.whole())
}

pub(super) fn cases() -> Vec<Case> {
    [state(), call(), outside(), kept(), wanted(), views()].into_iter().flatten().collect()
}

fn state() -> Vec<Case> {
    vec![
        case(
            "a guest that writes one key without end",
            harming_forever("(call $set (i32.const 32) (i32.const 3) (i32.const 0) (i32.const 60000))"),
        )
        .fails(&["host-calls", "deadline"]),
        case(
            "a guest that goes through its whole state without end",
            harming_forever(
                "(call $range (i32.const 32) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1)
                  (i32.const 2048))",
            ),
        )
        .fails(&["host-calls", "memory", "fuel", "deadline"]),
        case(
            "a guest that has the host write its answer over the end of the memory",
            harming("(call $get (i32.const 32) (i32.const 3) (i32.const -4)) (call $null)"),
        )
        .fails(&["trap"]),
        case(
            "a guest that hands over a value that is not in its memory",
            harming("(call $set (i32.const 32) (i32.const 3) (i32.const 65000) (i32.const 60000)) (call $null)"),
        )
        .fails(&["trap"]),
        case(
            "a guest that counts below a prefix of four gigabytes",
            harming("(drop (call $count (i32.const 0) (i32.const -1))) (call $null)"),
        )
        .fails(&["trap", "transfer"]),
        case(
            "a guest whose value is four gigabytes",
            harming("(call $set (i32.const 32) (i32.const 3) (i32.const 0) (i32.const -1)) (call $null)"),
        )
        .fails(&["trap", "transfer"]),
    ]
}

fn call() -> Vec<Case> {
    vec![
        case("a guest that asks who calls without end", harming_forever("(call $context (i32.const 2048))")).fails(&[
            "host-calls",
            "memory",
            "host-bytes",
            "deadline",
        ]),
        case("a guest that declares what is no JSON", harming_with("(call $declare TEXT) (call $null)", b"{\"a\":"))
            .fails(&["output"]),
        case("a guest that declares without end", harming_forever("(call $declare (i32.const 16) (i32.const 4))"))
            .fails(&["host-calls", "deadline"]),
        case(
            "a guest that logs without end",
            harming_forever("(call $log (i32.const 48) (i32.const 5) (i32.const 32) (i32.const 3))"),
        )
        .fails(&["host-calls", "deadline"]),
        case(
            "a guest that logs what is no text",
            harming_with("(call $log (i32.const 48) (i32.const 5) TEXT) (call $null)", b"\xff\xfe"),
        )
        .fails(&["trap"]),
    ]
}

fn outside() -> Vec<Case> {
    vec![
        case(
            "a guest that asks for secrets without end",
            harming_forever("(call $secret (i32.const 32) (i32.const 3) (i32.const 2048))"),
        )
        .fails(&["durable-calls"]),
        asking("a guest that asks for secrets that it was not granted", Asking::new().secret("conformance-other"))
            .then(Step::Secret("conformance-other", "of somebody else"))
            .is_done()
            .keeps("1/none", Is::There)
            .keeps("1/secret", Is::Absent),
        asking(
            "a guest that sends what is no request",
            Asking::new().http("{}", b"").http("[", b"").http("\u{0}", b""),
        )
        .is_done()
        .keeps_text("1/code", "invalid-request")
        .keeps_text("2/code", "invalid-request")
        .keeps_text("3/code", "invalid-request"),
        asking(
            "a guest that sets headers that are not its own to set",
            ["host", "Transfer-Encoding", "idempotency-key", "x\r\ny"].iter().fold(Asking::new(), |asking, name| {
                let request = json!({"method": "GET", "url": "https://example.org/", "headers": [[name, "v"]]});
                asking.http(&request.to_string(), b"")
            }),
        )
        .is_done()
        .keeps_text("1/code", "invalid-request")
        .keeps_text("2/code", "invalid-request")
        .keeps_text("3/code", "invalid-request")
        .keeps_text("4/code", "invalid-request"),
        asking(
            "a guest that would open a tunnel",
            Asking::new().http(r#"{"method": "CONNECT", "url": "https://example.org/"}"#, b""),
        )
        .granted(json!({"http": [{"methods": ["CONNECT"], "origin": "https://example.org"}]}))
        .is_done()
        .keeps_text("1/code", "invalid-request"),
    ]
}

fn kept() -> Vec<Case> {
    vec![
        asking(
            "a guest that puts what is of no media type",
            Asking::new().put_blob("text", b"x").put_blob("a/b\r\nc: d", b"x"),
        )
        .is_done()
        .keeps_text("1/code", "not-a-media-type")
        .keeps_text("2/code", "not-a-media-type")
        .then(Step::Has("a", "/blobs", Is::Absent)),
        asking(
            "a guest that asks for blobs by what is no digest",
            Asking::new().blob("../../keys", 0, 99).blob_size("sha256:").blob("", 0, 1),
        )
        .is_done()
        .keeps("1/none", Is::There)
        .keeps("2/none", Is::There)
        .keeps("3/none", Is::There),
        case(
            "a guest that puts a blob and fails",
            harming(
                "(call $put_blob (i32.const 4096) (i32.const 10) (i32.const 32) (i32.const 3) (i32.const 2048))
                unreachable",
            )
            .with(r#"(data (i32.const 4096) "text/plain")"#),
        )
        .fails(&["trap"])
        .then(Step::Has("a", "/blobs", Is::Absent)),
        case("a guest that asks for its settings without end", harming_forever("(call $settings (i32.const 2048))"))
            .fails(&["host-calls", "memory", "deadline"]),
    ]
}

fn wanted() -> Vec<Case> {
    let notify = "(call $notify (local.get 2) (local.get 3) (i32.const 2048))";
    let message = json!({"to": ["{me}"], "title": "Never said", "text": ""});
    vec![
        asking("a guest that tells people what it was not granted to", Asking::new().notify_of_input())
            .goes(message.clone(), Comes::Done)
            .keeps_text("1/code", "not-granted")
            .then(Step::Heard(Is::Without("Never said"))),
        case("a guest that tells people something and fails", harming(&format!("{notify} unreachable")))
            .granted(json!({"notify": true}))
            .goes(message.clone(), Comes::Failed(&["trap"]))
            .then(Step::Heard(Is::Without("Never said"))),
        case("a guest that tells people without end", harming_forever(notify))
            .granted(json!({"notify": true}))
            .goes(message, Comes::Failed(&["host-calls", "memory", "fuel", "deadline"]))
            .then(Step::Heard(Is::Without("Never said"))),
        asking(
            "a guest that tells what is no message",
            Asking::new().notify("{}").notify(r#"{"to":[],"title":"x"}"#).notify("\u{202e}"),
        )
        .granted(json!({"notify": true}))
        .is_done()
        .keeps_text("1/code", "invalid-message")
        .keeps_text("2/code", "invalid-message")
        .keeps_text("3/code", "invalid-message"),
        asking("a guest that sets alarms that it could not hear", Asking::new().set_alarm("rings", 1, "{}"))
            .is_done()
            .keeps_text("1/code", "no-alarms")
            .then(Step::Has("a", "/alarms", Is::Absent)),
        case(
            "a guest that sets alarms in no time, with no name and no input",
            rings(
                Asking::new()
                    .set_alarm("", 1, "{}")
                    .set_alarm("a b", 1, "{}")
                    .set_alarm("a", i64::MIN, "{")
                    .set_alarm("../a", 1, "1"),
            ),
        )
        .is_done()
        .keeps_text("1/code", "invalid-alarm")
        .keeps_text("2/code", "invalid-alarm")
        .keeps_text("3/code", "invalid-alarm")
        .keeps_text("4/code", "invalid-alarm")
        .then(Step::Has("a", "/alarms", Is::Absent)),
        case(
            "a guest that sets an alarm and fails",
            rings(Asking::new().set_alarm("rings", 1, "{}").then("unreachable")),
        )
        .fails(&["trap"])
        .then(Step::Has("a", "/alarms", Is::Absent)),
        case(
            "a guest whose alarm sets the next one and fails",
            Asking::new()
                .set_alarm("rings", 1, "{}")
                .whole()
                .ringing(
                    "(drop (call $now))
                    (call $set (i32.const 48) (i32.const 5) (local.get 0) (local.get 1)) unreachable",
                )
                .saying("alarms", json!(["rings"])),
        )
        .is_done()
        .then(Step::Ring("a"))
        .keeps("error", Is::Absent),
        asking(
            "a guest that notes what is no word",
            Asking::new().note("what Ana wrote", 1).note("", 1).note(&"w".repeat(129), 1),
        )
        .is_done()
        .keeps_text("1/code", "not-a-word")
        .keeps_text("2/code", "not-a-word")
        .keeps_text("3/code", "not-a-word")
        .then(Step::Noted("a", Is::Text("[]".into()))),
        asking(
            "a guest that notes numbers beyond all numbers",
            Asking::new().note("most", i64::MAX).note("least", i64::MIN),
        )
        .is_done()
        .is_done()
        .then(Step::Noted("a", Is::With("9223372036854775807"))),
    ]
}

/// A view that does what no view may.
fn views() -> Vec<Case> {
    let view = |name: &'static str, body: &str, comes| {
        case(name, whole("(call $null)").whose_view(&format!("{body} (call $null)"))).then(Step::View("a", comes))
    };
    let changes = Comes::Failed(&["view-changes"]);
    let asks = Comes::Failed(&["not-granted"]);
    let text = "(i32.const 32) (i32.const 3)";
    vec![
        view("a view that sets", &format!("(call $set {text} {text})"), changes.clone()),
        view("a view that takes away", &format!("(call $delete {text})"), changes.clone()),
        view("a view that declares", "(call $declare (i32.const 16) (i32.const 4))", changes.clone()),
        view("a view that notes", &format!("(call $note {text} (i64.const 1) (i32.const 2048))"), changes.clone()),
        view("a view that tells people", &format!("(call $notify {text} (i32.const 2048))"), changes.clone()),
        view("a view that puts a blob", &format!("(call $put_blob {text} {text} (i32.const 2048))"), changes.clone()),
        view(
            "a view that sets an alarm",
            &format!("(call $set_alarm {text} (i64.const 1) {text} (i32.const 2048))"),
            changes.clone(),
        ),
        view("a view that takes an alarm away", &format!("(drop (call $cancel_alarm {text}))"), changes),
        view("a view that reads the clock", "(drop (call $now))", asks.clone()),
        view("a view that draws random bytes", "(call $random (i32.const 8) (i32.const 2048))", asks.clone()),
        view("a view that reads a secret", &format!("(call $secret {text} (i32.const 2048))"), asks.clone()),
        view("a view that sends a request", &format!("(call $send {text} {text} (i32.const 2048))"), asks.clone()),
        view("a view that asks who takes part", "(call $people (i32.const 2048))", asks.clone()),
        view(
            "a view that runs an action of another asset",
            &format!("(call $act {text} {text} {text} (i32.const 2048))"),
            asks,
        ),
        view("a view that computes without end", "(loop $again (br $again))", Comes::Failed(&["fuel", "deadline"])),
    ]
}
