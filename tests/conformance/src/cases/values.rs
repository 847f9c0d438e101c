//! Values that are too large or none, names that look like others, and fishing for what is nobody's business.

use serde_json::{Value, json};

use super::{harming_with, whole};
use crate::case::{Case, Comes, Group, Is, Step};
use crate::hand::Guest;
use crate::hand::asking::Asking;
use crate::subject::Place;

pub(super) fn cases() -> Vec<Case> {
    [values(), inputs(), names(), fishing()].into_iter().flatten().collect()
}

fn values() -> Vec<Case> {
    let case = |name: &'static str, body: &str, text: &[u8], fails: &'static [&'static str]| {
        Case::of(Group::Value, name, harming_with(body, text)).fails(fails)
    };
    let (set, get, delete) = (
        "(call $set TEXT (i32.const 16) (i32.const 4)) (call $null)",
        "(call $get TEXT (i32.const 2048)) (call $null)",
        "(call $delete TEXT) (call $null)",
    );
    let answer = "(call $answer TEXT)";
    vec![
        case("a key that is empty", set, b"", &["key"]),
        case("a key with an empty segment", get, b"a//b", &["key"]),
        case("a key that begins with a slash", delete, b"/a", &["key"]),
        case("a key that ends with a slash", set, b"a/", &["key"]),
        case("a key of more bytes than letters", set, "ñ".repeat(129).as_bytes(), &["key"]),
        case("a key that is no text", set, b"\xc3\x28", &["trap"]),
        Case::of(
            Group::Value,
            "a value that is no text and is read as text",
            Asking::new().set("bytes", b"\xc3\x28").get_text("bytes").whole(),
        )
        .fails(&["not-text"]),
        Case::of(
            Group::Value,
            "a value that is no text among those that are read as text",
            Asking::new().set("r/1", b"a").set("r/2", b"\xff").range_texts("r/", None, 9).whole(),
        )
        .fails(&["not-text"]),
        Case::of(Group::Value, "a text that is none", Asking::new().set_text("text", b"\xc3\x28").whole())
            .fails(&["trap"]),
        case("an answer that is nothing", answer, b"", &["output"]),
        case("an answer that is no JSON", answer, b"{\"a\": undefined}", &["output"]),
        case("an answer that is two", answer, b"1 2", &["output"]),
        case("an answer that is no number", answer, b"NaN", &["output"]),
        case("an answer nested ten thousand deep", answer, &b"[".repeat(10_000), &["output"]),
        case("an answer that is no text", answer, b"\"\xff\"", &["trap"]),
        case("an answer that is not in the memory", "(call $answer (i32.const -16) (i32.const 99))", b"", &["trap"]),
        case(
            "an answer that is neither done nor refused",
            "(i32.store8 (i32.const 1024) (i32.const 7)) (i32.const 1024)",
            b"",
            &["trap"],
        ),
        case(
            "an outcome nested ten thousand deep",
            "(call $declare TEXT) (call $null)",
            &b"[".repeat(10_000),
            &["output"],
        ),
        Case::of(
            Group::Value,
            "a refusal whose code is no word",
            harming_with("(call $refuse TEXT)", "../../\u{202e}\r\nset-cookie: a=b".as_bytes()),
        )
        .goes(json!({}), Comes::Refused("refused")),
        refusing("a refusal whose code is nothing", "", "refused"),
        refusing("a refusal whose code is another in capitals", "Full", "refused"),
        refusing("a refusal whose code would be another if it were made one", "no such-asset", "refused"),
        refusing("a refusal whose code has nothing between two hyphens", "is--full", "refused"),
        refusing("a refusal whose code is as long as one may be", LONGEST_CODE, LONGEST_CODE),
        refusing("a refusal whose code is one that the host has, too", "already-voted", "already-voted"),
        Case::of(
            Group::Value,
            "a refusal of twenty thousand letters",
            harming_with("(call $refuse TEXT)", &b"x".repeat(20_000)),
        )
        .goes(json!({}), Comes::Refused("refused"))
        .crossing(&["PROBLEM_CODE_BYTES_MAX"]),
    ]
}

/// The code of a problem that has 64 bytes.
const LONGEST_CODE: &str = "a-code-that-is-as-long-as-a-code-may-be-and-no-longer-than-that0";

/// A guest that refuses with a code, and what that is known by.
fn refusing(name: &'static str, code: &str, known_by: &'static str) -> Case {
    let guest = harming_with("(call $refuse TEXT)", code.as_bytes());
    Case::of(Group::Value, name, guest).goes(json!({}), Comes::Refused(known_by))
}

/// Inputs that do not fit; the guest never sees them.
fn inputs() -> Vec<Case> {
    let schema = json!({
        "type": "object",
        "properties": {"name": {"type": "string", "maxLength": 5}, "many": {"type": "integer", "maximum": 9}},
        "required": ["name"],
        "additionalProperties": false,
    });
    let guest = Asking::new()
        .set("seen", b"")
        .whole()
        .saying("actions", json!([{"name": "go", "input": schema}]))
        .saying("settings", json!({"type": "object", "required": ["place"]}));
    let case = Case::of(Group::Value, "inputs that do not fit are not even shown to the guest", guest.clone());
    let wrong = [
        json!({}),
        json!(null),
        json!([]),
        json!("name"),
        json!({"name": 1}),
        json!({"name": "longer"}),
        json!({"name": "a", "more": 1}),
        json!({"name": "a", "many": 1e300}),
        json!({"nаme": "a"}),
    ];
    let not_taken = || Comes::NotTaken("invalid-input");
    let case = wrong.into_iter().fold(case, |case, input: Value| case.goes(input, not_taken()));
    let settings = Case::new(Group::Value, "settings that do not fit are not taken").published(guest.clone());
    let strict = guest.saying("instantiate", json!({"input": {"type": "object"}}));
    let make = Step::Make { asset: "a", of: 0, place: Place::Here, input: json!([1]), comes: not_taken() };
    vec![
        case.keeps("seen", Is::Absent).goes(json!({"name": "ñandú"}), Comes::Done).keeps("seen", Is::There),
        settings.then(Step::Settings(0, json!({}), not_taken())).then(Step::Settings(
            0,
            json!({"place": "here"}),
            Comes::Done,
        )),
        Case::new(Group::Value, "an asset is not made with what does not fit").published(strict).then(make),
    ]
}

fn names() -> Vec<Case> {
    let unfit = |name: &'static str, tricks: &[&str]| {
        let bytes = |trick: &&str| Guest::new().saying("name", json!(trick)).bytes();
        tricks.iter().map(bytes).fold(Case::new(Group::Name, name), |case, bytes| case.and_unfit("manifest", bytes))
    };
    let actions = |names: &[&str]| {
        let actions: Vec<_> = names.iter().map(|name| json!({ "name": name })).collect();
        Guest::new().saying("actions", json!(actions)).bytes()
    };
    let act = |action| Step::Act { asset: "a", action, input: json!({}), comes: Comes::NotTaken("no-such-action") };
    let composed = Asking::new().set("caf\u{e9}", b"one").set("cafe\u{301}", b"two").get("caf\u{e9}").count("");
    vec![
        unfit("a name with letters that look like others", &["pоll", "ＰＯＬＬ", "poll\u{301}"]),
        unfit("a name with what nobody sees", &["poll\u{200b}", "poll\u{0}", "\u{202e}llop", "poll\u{fe0f}"]),
        unfit("a name that leads elsewhere", &["../poll", "a/b", "..\\poll", "poll ", "po\nll"]),
        unfit("a name that is nothing, or without end", &["", &"n".repeat(129)]),
        Case::unfit(Group::Name, "an action that is there twice", "manifest", actions(&["go", "go"]))
            .and_unfit("manifest", actions(&["gо\u{200b}"])),
        Case::of(Group::Name, "an action by a name that looks like its own", Asking::new().set("k", b"").whole())
            .then(act("gо"))
            .then(act("go\u{200b}"))
            .then(act("GO"))
            .then(act("go "))
            .then(act("ｇｏ"))
            .then(act("../go"))
            .keeps("k", Is::Absent),
        Case::of(Group::Name, "two keys that look the same are two", composed.whole())
            .is_done()
            .keeps_text("3/value", "one")
            .keeps_text("4/count", "4"),
        Case::of(
            Group::Name,
            "a secret by a name that looks like its own",
            Asking::new().secret("conformance-wоrd").secret("CONFORMANCE-WORD").secret("conformance-word\u{0}").whole(),
        )
        .then(Step::Secret("conformance-word", "a word"))
        .granted(json!({"secrets": ["conformance-word"]}))
        .is_done()
        .keeps("1/none", Is::There)
        .keeps("2/none", Is::There)
        .keeps("3/none", Is::There),
        Case::of(
            Group::Name,
            "words and alarms by names that look like others",
            super::imports::rings(Asking::new().note("mеal", 1).note("meal\u{200b}", 1).set_alarm(
                "ríng",
                i64::MAX / 2,
                "{}",
            )),
        )
        .is_done()
        .keeps_text("1/code", "not-a-word")
        .keeps_text("2/code", "not-a-word")
        .keeps_text("3/code", "invalid-alarm"),
        Case::of(
            Group::Name,
            "keys with what nobody sees are kept as they are",
            Asking::new()
                .set("a\u{0}b", b"1")
                .set("\u{202e}a", b"2")
                .set(&"👩‍👩‍👧".repeat(14), b"3")
                .get("a\u{0}b")
                .get("ab")
                .whole(),
        )
        .is_done()
        .keeps_text("4/value", "1")
        .keeps("5/none", Is::There),
    ]
}

fn fishing() -> Vec<Case> {
    let case = |name: &'static str, guest: Guest| Case::of(Group::Fishing, name, guest);
    let differs = "(local $was i32)
        (call $get (i32.const 4096) (i32.const 4) (i32.const 2048))
        (local.set $was (i32.load (i32.const 2052)))
        (call $random (i32.const 16) (i32.const 2080))
        (if (i32.load8_u (i32.const 2048))
          (then (if (i64.eq (i64.load (local.get $was)) (i64.load (i32.load (i32.const 2080)))) (then unreachable))))
        (call $set (i32.const 4096) (i32.const 4) (i32.load (i32.const 2080)) (i32.load (i32.const 2084)))
        (call $null)";
    let remembers = "(if (i32.load8_u (i32.const 5000)) (then unreachable))
        (if (global.get $calls) (then unreachable))
        (i32.store8 (i32.const 5000) (i32.const 1)) (global.set $calls (i32.const 1)) (call $null)";
    let leavings = "(local $at i32) (local $end i32)
        (local.set $at (i32.const 65536))
        (local.set $end (i32.add (i32.const 65536) (i32.const 6553600)))
        (drop (memory.grow (i32.const 100)))
        (loop $again
          (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then unreachable))
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (br_if $again (i32.lt_u (local.get $at) (local.get $end))))
        (memory.fill (i32.const 65536) (i32.const 7) (i32.const 6553600))
        (call $null)";
    let bits = "(if (i64.ne (i64.reinterpret_f64 (f64.add (global.get $payload) (f64.const 1)))
          (i64.const 0x7ff8000000000000)) (then unreachable))
        (if (i64.ne (i64.reinterpret_f64 (f64.div (global.get $zero) (global.get $zero)))
          (i64.const 0x7ff8000000000000)) (then unreachable))
        (call $null)";
    let floats = "(global $zero (mut f64) (f64.const 0)) (global $payload (mut f64) (f64.const nan:0x4000000001234))";
    vec![
        case("random bytes are others in each call", whole(differs).with(r#"(data (i32.const 4096) "last")"#))
            .is_done()
            .is_done()
            .is_done(),
        case(
            "a guest that would remember from call to call",
            whole(remembers).with("(global $calls (mut i32) (i32.const 0))"),
        )
        .is_done()
        .is_done()
        .is_done(),
        case("a guest that looks in its memory for what others left", whole(leavings)).is_done().is_done().is_done(),
        case("a guest that looks at the bits of what is no number", whole(bits).with(floats)).is_done(),
        case("a guest that looks in its context for credentials", Asking::new().context().whole())
            .is_done()
            .keeps("1/context", Is::Without("token"))
            .keeps("1/context", Is::Without("secret"))
            .keeps("1/context", Is::Without("@")),
        case("a guest that asks who takes part where nobody granted it", Asking::new().people().whole())
            .is_done()
            .keeps_text("1/code", "not-granted")
            .keeps("1/people", Is::Absent),
    ]
}
