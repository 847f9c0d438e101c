//! A guest for each limit: what crosses it is told, by its word or by a problem's code.

use serde_json::{Value, json};

use super::imports::{grant, rings};
use super::{harming, harming_forever, whole};
use crate::case::{Case, Comes, Group, Is, Step};
use crate::hand::asking::{Asking, KEEP};
use crate::hand::{Guest, with_section};
use crate::subject::Need;

/// Computes without end.
const SPIN: &str = "(loop $again (br $again)) unreachable";
/// Room for a megabyte.
const ROOM: &str = "(drop (memory.grow (i32.const 16)))";

fn case(name: &'static str, guest: Guest) -> Case {
    Case::of(Group::Limit, name, guest)
}

fn asking(name: &'static str, asking: Asking) -> Case {
    case(name, asking.whole())
}

pub(super) fn cases() -> Vec<Case> {
    let parts = [computing(), handing(), state(), full_of_blobs(), outside(), logs(), besides(), sizes()];
    parts.into_iter().flatten().collect()
}

fn computing() -> Vec<Case> {
    let deep = "(func $deeper (param i32) (result i32)
        (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))";
    vec![
        case("a loop without end runs out of fuel", harming(SPIN)).crossing(&["fuel"]).fails(&["fuel", "deadline"]),
        case("a loop without end runs out of fuel long before its deadline", harming(SPIN))
            .needing(Need::Limits(&[("fuel", 1_000_000), ("deadline_ms", 60_000)]))
            .crossing(&["fuel"])
            .fails(&["fuel"]),
        case("a loop with all the fuel of the world passes its deadline", harming(SPIN))
            .needing(Need::Limits(&[("fuel", u64::MAX), ("deadline_ms", 100)]))
            .crossing(&["deadline_ms"])
            .fails(&["deadline"]),
        case("a memory that grows without end is bounded", harming_forever("(drop (memory.grow (i32.const 1)))"))
            .crossing(&["memory_bytes"])
            .fails(&["memory"]),
        case(
            "a table that grows without end is bounded",
            harming_forever("(drop (table.grow $one (ref.null func) (i32.const 1)))").with("(table $one 1 funcref)"),
        )
        .crossing(&["table_elements"])
        .fails(&["table"]),
        case(
            "recursion without end is bounded",
            harming("(drop (call $deeper (i32.const 0))) (call $null)").with(deep),
        )
        .crossing(&["stack_bytes"])
        .fails(&["stack"]),
        Case::unfit(
            Group::Limit,
            "a component has so many memories",
            "invalid",
            Guest::new().owning(&["memory 1"; 16]),
        )
        .crossing(&["memories"]),
        Case::unfit(
            Group::Limit,
            "a component has so many core instances",
            "invalid",
            Guest::new().owning(&["func"; 64]),
        )
        .crossing(&["core_instances"]),
    ]
}

/// A text of JSON with HTML that does harm.
const HOSTILE: &str = "\"<p onclick='x()'>a<script>c</script></p><a href='javascript:d'>b</a>\"";

/// Whose action says that it answers with HTML.
fn html(guest: Guest) -> Guest {
    guest.saying("actions", json!([{"name": "go", "output": {"type": "string", "contentMediaType": "text/html"}}]))
}

fn handing() -> Vec<Case> {
    let escaped: String = HOSTILE.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let hostile = format!("(data (i32.const 4096) \"{escaped}\")");
    let large = "(drop (memory.grow (i32.const 64)))";
    let answer = |bytes: usize| {
        format!(
            "{ROOM} (memory.fill (i32.const 65536) (i32.const 97) (i32.const {bytes}))
            (i32.store8 (i32.const 65536) (i32.const 34)) (i32.store8 (i32.const {}) (i32.const 34))
            (call $answer (i32.const 65536) (i32.const {bytes}))",
            65_535 + bytes
        )
    };
    vec![
        case(
            "what is handed over at once is bounded",
            harming(&format!("{large} (call $declare (i32.const 0) (i32.const 4000000)) (call $null)")),
        )
        .crossing(&["transfer_bytes"])
        .fails(&["transfer"]),
        case("an answer that changes something is as large as it may be", harming(&answer(256 << 10))).is_done(),
        case("HTML in an answer that is longer than it may be ends the call", html(harming(&answer((64 << 10) + 3))))
            .fails(&["markup"]),
        case(
            "HTML in an answer is made safe before anybody sees it",
            html(harming(&format!("(call $answer (i32.const 4096) (i32.const {}))", HOSTILE.len())).with(&hostile)),
        )
        .goes(json!({}), Comes::Answer(json!("<p>a</p><a rel=\"noopener noreferrer nofollow\">b</a>"))),
        case("an answer that changes something is no larger than it may be", harming(&answer((256 << 10) + 1)))
            .crossing(&["output_bytes"])
            .fails(&["transfer"]),
        case(
            "what a call reads is bounded in all",
            whole(&format!(
                "{ROOM} (call $set (i32.const 32) (i32.const 3) (i32.const 0) (i32.const 60000))
                (loop $again (call $get (i32.const 32) (i32.const 3) (i32.const 2048)) (br $again)) unreachable"
            )),
        )
        .crossing(&["host_bytes"])
        .fails(&["host-bytes", "memory"]),
        case(
            "a call calls the host so often, and no more",
            harming_forever("(drop (call $count (i32.const 32) (i32.const 0)))"),
        )
        .needing(Need::Limits(&[("host_calls", 1_000), ("deadline_ms", 60_000)]))
        .crossing(&["host_calls"])
        .fails(&["host-calls"]),
        case("a call calls the host so often", harming_forever("(drop (call $count (i32.const 32) (i32.const 0)))"))
            .crossing(&["host_calls"])
            .fails(&["host-calls", "deadline"]),
    ]
}

fn state() -> Vec<Case> {
    let set = |key: &str, bytes: usize| {
        format!(
            "(i32.store8 (i32.const 34) (i32.const {}))
            (call $set (i32.const 32) (i32.const 3) (i32.const 0) (i32.const {bytes}))",
            key.as_bytes()[0]
        )
    };
    let many: String = "abcde".chars().map(|letter| set(&letter.to_string(), 60_000)).collect();
    let letter = |at: u32, shift: u32| {
        format!(
            "(i32.store8 (i32.const {at})
              (i32.add (i32.const 65) (i32.and (i32.shr_u (local.get $i) (i32.const {shift})) (i32.const 15))))"
        )
    };
    let letters = [letter(32, 8), letter(33, 4), letter(34, 0)].concat();
    let entries = format!(
        "(local $i i32)
        (loop $again
          {letters}
          (call $set (i32.const 32) (i32.const 3) (i32.const 16) (i32.const 0))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $again (i32.lt_u (local.get $i) (i32.const 1100))))
        (call $range (i32.const 32) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1)
          (i32.const 2048))
        (if (i32.ne (i32.load (i32.const 2052)) (i32.const 1000)) (then unreachable))
        (call $null)"
    );
    vec![
        asking("a key has a longest length", Asking::new().set("x", b"").get(&"k".repeat(257)))
            .crossing(&["KEY_BYTES_MAX"])
            .fails(&["key"]),
        case("a value is as large as it may be", whole(&format!("{ROOM} {} (call $null)", set("v", 64 << 10))))
            .is_done()
            .keeps("kev", Is::Size(64 << 10)),
        case(
            "a value is no larger than it may be",
            harming(&format!("{ROOM} {} (call $null)", set("v", (64 << 10) + 1))),
        )
        .crossing(&["VALUE_BYTES_MAX"])
        .fails(&["value"]),
        case("what a call changes is bounded together", harming(&format!("{many} (call $null)")))
            .crossing(&["CHANGES_BYTES_MAX"])
            .fails(&["changes"]),
        case("a range gives so many entries and no more", whole(&entries).whose_view("(call $null)"))
            .crossing(&["RANGE_ENTRIES_MAX"])
            .is_done(),
        filled(),
    ]
}

/// An asset that is filled call by call.
fn filled() -> Case {
    // The input is a number of three digits, which begins the keys.
    let set = |letter: u8| {
        format!(
            "(i32.store8 offset=3 (i32.const 32) (i32.const {letter}))
            (call $set (i32.const 32) (i32.const 4) (i32.const 0) (i32.const 65400))"
        )
    };
    let sets: String = (b'a'..=b'd').map(set).collect();
    let body = format!("(memory.copy (i32.const 32) (local.get 2) (i32.const 3)) {sets} (call $null)");
    let mut case = case("an asset holds so much and no more", whole(&body).whose_view("(call $null)"))
        .needing(Need::Room)
        .crossing(&["STATE_BYTES_MAX"]);
    for number in 0..256 {
        case = case.goes(json!(100 + number), Comes::Done);
    }
    case.goes(json!(999), Comes::Failed(&["state"]))
}

/// Assets that people have filled with blobs: neither they nor the guest put another.
fn full_of_blobs() -> Vec<Case> {
    let filled = |name: &'static str, limit: &'static str, (many, bytes): (u32, usize)| {
        asking(name, Asking::new().put_blob("text/plain", b"another")).crossing(&[limit]).then(Step::FillBlobs {
            asset: "a",
            many,
            bytes,
        })
    };
    let full = |case: Case, (many, bytes): (u32, usize), code: &str| {
        case.then(Step::Has("a", "/blobs/count", Is::Text(many.to_string())))
            .then(Step::Has("a", "/blobs/size_bytes", Is::Text((many as usize * bytes).to_string())))
            .then(Step::PutBlob("a", "text/plain", b"one more".to_vec(), Comes::NotTaken("too-many-blobs")))
            .is_done()
            .keeps_text("1/code", code)
            // What is there already is kept once, also where there is no room.
            .then(Step::FillBlobs { asset: "a", many: 1, bytes })
            .then(Step::Has("a", "/blobs/count", Is::Text(many.to_string())))
    };
    let (numbers, bytes) = ((256, 4), (32, 8 << 20));
    vec![
        filled("an asset keeps so many blobs but for one, and one more", "BLOBS_MAX", (255, 4))
            .is_done()
            .keeps("1/digest", Is::There)
            .then(Step::Has("a", "/blobs/count", Is::Text("256".into()))),
        full(filled("an asset keeps so many blobs, and no more", "BLOBS_MAX", numbers), numbers, "too-many"),
        full(
            filled("an asset keeps blobs of so many bytes, and no more", "BLOBS_BYTES_MAX", bytes),
            bytes,
            "too-large",
        )
        .needing(Need::Room),
    ]
}

fn outside() -> Vec<Case> {
    let url = "https://example.org/";
    let ask = |request: Value| Asking::new().http(&request.to_string(), b"");
    let headers: Vec<_> = (0..65).map(|number| [format!("h{number}"), String::new()]).collect();
    let part = |name: &'static str, limit: &'static str, request: Value| {
        asking(name, ask(request)).crossing(&[limit]).fails(&["http"])
    };
    let response = |name: &'static str, path: &str, limit: &'static str| {
        asking(name, Asking::new().http_of_input())
            .needing(Need::Outside)
            .granted(grant(&["GET"], "{outside}"))
            .crossing(&[limit])
            .goes(json!({"method": "GET", "url": format!("{{outside}}{path}")}), Comes::Done)
            .keeps_text("1/code", "response-too-large")
    };
    let slow = json!({"method": "GET", "url": "{outside}/slow"});
    vec![
        case(
            "the world outside is asked so often",
            Asking::new().now().repeated().asking_for_all().made_by(KEEP).showing(),
        )
        .crossing(&["durable_calls"])
        .fails(&["durable-calls"]),
        asking("a call has so many random bytes", Asking::new().random(4_096).random(1))
            .crossing(&["random_bytes"])
            .fails(&["random-bytes"]),
        asking("a secret's name has a longest length", Asking::new().secret(&"s".repeat(129)))
            .crossing(&["secret_name_bytes"])
            .fails(&["secret-name"]),
        part(
            "a URL has a longest length",
            "http_url_bytes",
            json!({"method": "GET", "url": format!("{url}{}", "u".repeat(8 << 10))}),
        ),
        part("a request has so many headers", "http_headers", json!({"method": "GET", "url": url, "headers": headers})),
        part(
            "the headers of a request have a largest size",
            "http_header_bytes",
            json!({"method": "GET", "url": url, "headers": [["h", "v".repeat(16 << 10)]]}),
        ),
        part(
            "a request has a longest timeout",
            "http_timeout_ms",
            json!({"method": "GET", "url": url, "timeout_ms": 10_001}),
        ),
        asking(
            "the body of a request has a largest size",
            Asking::new().http_large(&json!({"method": "POST", "url": url}).to_string(), (512 << 10) + 1),
        )
        .crossing(&["http_request_bytes"])
        .fails(&["http"]),
        response("the body of a response has a largest size", "/large", "http_response_bytes"),
        response("the headers of a response have a largest size", "/wide", "http_header_bytes"),
        asking("requests have so much time together", Asking::new().http_of_input().http_of_input().http_of_input())
            .needing(Need::Outside)
            .needing(Need::Limits(&[("http_timeout_ms", 170), ("http_total_ms", 200)]))
            .granted(grant(&["GET"], "{outside}"))
            .crossing(&["http_total_ms"])
            .goes(slow, Comes::Failed(&["http-time"])),
    ]
}

fn logs() -> Vec<Case> {
    let line = "(call $log (i32.const 32) (i32.const 3) (i32.const 4096) (i32.const 5000))";
    let many = Guest::times(150, line).made_by(KEEP).asking_for_all().showing();
    let letters = format!("(data (i32.const 4096) \"{}\")", "x".repeat(5_000));
    vec![
        case("lines beyond their number are dropped, and a long one is cut", many.with(&letters))
            .needing(Need::Logs)
            .crossing(&["log_lines", "log_line_bytes"])
            .is_done()
            .then(Step::Logged(100, 4 << 10)),
    ]
}

fn besides() -> Vec<Case> {
    let repeated = |times: usize, one: &dyn Fn(Asking, usize) -> Asking| (0..times).fold(Asking::new(), one);
    let coded = |case: Case, limit: &'static str, input: Value, key: &'static str, code: &str| {
        case.crossing(&[limit]).goes(input, Comes::Done).keeps_text(key, code)
    };
    let notify = json!({"notify": true});
    let to = |to: &[&str], title: &str, text: &str| json!({"to": to, "title": title, "text": text});
    let one = to(&["{me}"], "x", "");
    let notes = repeated(17, &|asking, _| asking.note("word", 1));
    let messages = repeated(17, &|asking, _| asking.notify_of_input());
    let alarms = repeated(17, &|asking, number| asking.set_alarm(&format!("alarm-{number}"), i64::MAX / 2, "{}"));
    let long = format!("\"{}\"", "x".repeat(4 << 10));
    vec![
        coded(asking("a call notes so many words", notes), "NOTES_MAX", json!({}), "17/code", "too-many")
            .keeps("16/done", Is::There),
        coded(
            asking("a call sends so many messages", messages).granted(notify.clone()),
            "MESSAGES_MAX",
            one,
            "17/code",
            "too-many",
        )
        .keeps("16/done", Is::There),
        coded(
            asking("a message is for so many people", Asking::new().notify_of_input()).granted(notify.clone()),
            "RECIPIENTS_MAX",
            to(&["nobody"; 1_001], "x", ""),
            "1/code",
            "too-many",
        ),
        coded(
            asking("a message has a largest size", Asking::new().notify_of_input()).granted(notify),
            "MESSAGE_BYTES_MAX",
            to(&["{me}"], "x", &"x".repeat(4 << 10)),
            "1/code",
            "invalid-message",
        ),
        coded(
            case("a call changes so many alarms", rings(alarms)),
            "ALARM_CHANGES_MAX",
            json!({}),
            "17/code",
            "too-many",
        )
        .crossing(&["ALARMS_MAX"])
        .keeps("16/done", Is::There),
        coded(
            case("an alarm is set with so much", rings(Asking::new().set_alarm("a", i64::MAX / 2, &long))),
            "ALARM_INPUT_BYTES_MAX",
            json!({}),
            "1/code",
            "invalid-alarm",
        ),
        coded(
            asking(
                "a call puts so much into blobs",
                Asking::new().put_large_blob(256 << 10, 1).put_large_blob((256 << 10) + 1, 2),
            ),
            "PUT_BYTES_MAX",
            json!({}),
            "2/code",
            "too-large",
        )
        .keeps("1/digest", Is::Size(71)),
    ]
}

fn sizes() -> Vec<Case> {
    let padded = with_section(Guest::new().bytes(), "padding", &vec![0; 32 << 20]);
    vec![
        Case::unfit(Group::Limit, "a component has a largest size", "too-large", padded).crossing(&["component_bytes"]),
    ]
}
