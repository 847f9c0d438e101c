//! Guests that use the state, the outcome or the answer as nobody should.

use std::sync::Arc;

use interlink_host::{Called, Fault};
use interlink_model::keyvalues::{CHANGES_BYTES_MAX, KeyFault, KeyValues, STATE_BYTES_MAX, VALUE_BYTES_MAX};
use serde_json::{Value, json};

use super::given::{action, done, fault, instantiate, shared, small, view};
use super::guest::Guest;

/// Room for a megabyte.
const ROOM: &str = "(drop (memory.grow (i32.const 16)))";

fn act_on(guest: &Guest, state: &KeyValues) -> Called {
    shared().enter(guest, action("go", json!({})), state)
}

/// A guest with a text at 4096.
fn with_text(body: &str, text: &str) -> Guest {
    let escaped: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    Guest::calling(&body.replace("TEXT", &format!("(i32.const 4096) (i32.const {})", text.len())))
        .with(&format!("(data (i32.const 4096) \"{escaped}\")"))
}

#[test]
fn what_is_no_key_is_refused_by_every_function_that_takes_one() {
    for (key, why) in [
        ("", KeyFault::EmptySegment(String::new())),
        ("a//b", KeyFault::EmptySegment("a//b".into())),
        ("/a", KeyFault::EmptySegment("/a".into())),
        (&"k".repeat(257), KeyFault::Long(257)),
    ] {
        for body in [
            "(call $get TEXT (i32.const 2048)) (call $null)",
            "(call $set TEXT (i32.const 16) (i32.const 4)) (call $null)",
            "(call $delete TEXT) (call $null)",
        ] {
            assert_eq!(fault(shared().act(&with_text(body, key))), Fault::Key(why.clone()), "{body}");
        }
    }
}

#[test]
fn a_value_is_as_large_as_it_may_be_and_not_larger() {
    let set = |bytes: usize| {
        let body = format!("{ROOM} (call $set (i32.const 32) (i32.const 3) (i32.const 0) (i32.const {bytes}))");
        Guest::calling(&format!("{body} (call $null)"))
    };
    let kept = done(shared().act(&set(VALUE_BYTES_MAX)));
    assert_eq!(kept.state.bytes(), VALUE_BYTES_MAX + 3);
    let bytes = VALUE_BYTES_MAX + 1;
    assert_eq!(fault(shared().act(&set(bytes))), Fault::Value { key: "key".into(), bytes });
}

#[test]
fn changes_are_bounded_together() {
    // A key for every value of the counter: `keA`, `keB`, …
    let set = "(i32.store8 (i32.const 34) (i32.add (local.get $i) (i32.const 65)))
        (call $set (i32.const 32) (i32.const 3) (i32.const 0) (i32.const 60000))";
    let four = done(shared().act(&Guest::times(4, set)));
    assert_eq!(four.changes.len(), 4);
    let bytes = 5 * 60_003;
    assert!(bytes > CHANGES_BYTES_MAX);
    assert_eq!(fault(shared().act(&Guest::times(5, set))), Fault::Changes { bytes });
}

#[test]
fn a_key_that_is_changed_again_and_again_counts_once() {
    let set = "(call $set (i32.const 32) (i32.const 3) (i32.const 0) (i32.const 60000))";
    let changed = done(shared().act(&Guest::times(200, set)));
    assert_eq!(changed.changes.len(), 1);
}

#[test]
fn what_ends_as_it_began_is_no_change() {
    let mut state = KeyValues::default();
    state.set("key", b"null".to_vec());
    let (key, other) = ("(i32.const 32) (i32.const 3)", "(i32.const 48) (i32.const 5)");
    for body in [
        format!("(call $delete {key}) (call $set {key} (i32.const 16) (i32.const 4)) (call $null)"),
        format!("(call $set {key} (i32.const 16) (i32.const 4)) (call $null)"),
        format!("(call $set {other} (i32.const 16) (i32.const 4)) (call $delete {other}) (call $null)"),
    ] {
        let same = done(act_on(&Guest::calling(&body), &state));
        assert!(same.changes.is_empty() && same.counts.is_empty(), "{same:?}");
        assert_eq!(same.state, state);
    }
}

#[test]
fn an_asset_holds_so_much_and_no_more() {
    // One value in memory, in a thousand places.
    let value: Arc<[u8]> = vec![0; VALUE_BYTES_MAX].into();
    let mut state = KeyValues::default();
    for number in 0..STATE_BYTES_MAX / VALUE_BYTES_MAX - 1 {
        state.set(&format!("full/{number:04}"), Arc::clone(&value));
    }
    let rest = STATE_BYTES_MAX - state.bytes();
    assert!(rest > 50_000);
    let set = |bytes: usize| {
        let body = format!("(call $set (i32.const 32) (i32.const 3) (i32.const 0) (i32.const {bytes})) (call $null)");
        Guest::calling(&format!("{ROOM} {body}"))
    };
    // What is left is given to a first key, so that the second one has nothing.
    state.set("rest", vec![0; rest - "rest".len() - "key".len() - 10]);
    assert_eq!(done(act_on(&set(10), &state)).state.bytes(), STATE_BYTES_MAX);
    assert_eq!(fault(act_on(&set(11), &state)), Fault::State { bytes: STATE_BYTES_MAX + 1 });
}

#[test]
fn a_view_changes_nothing() {
    let mut state = KeyValues::default();
    state.set("key", b"1".to_vec());
    for body in [
        "(call $set (i32.const 32) (i32.const 3) (i32.const 16) (i32.const 4))",
        "(call $delete (i32.const 32) (i32.const 3))",
        "(call $declare (i32.const 16) (i32.const 4))",
    ] {
        let guest = Guest::viewing(&format!("{body} (call $null)"));
        assert_eq!(fault(shared().enter(&guest, view(), &state)), Fault::ViewChanges, "{body}");
    }
    let reads = Guest::viewing("(call $get (i32.const 32) (i32.const 3) (i32.const 2048)) (call $null)");
    assert_eq!(done(shared().enter(&reads, view(), &state)).state, state);
}

#[test]
fn an_outcome_is_json_and_the_last_one_stands() {
    let declare = "(call $declare TEXT) (call $null)";
    for bad in ["", "{", "null null", "\u{0}"] {
        let fault = fault(shared().act(&with_text(declare, bad)));
        assert!(matches!(fault, Fault::Output { .. }), "{bad:?}: {fault:?}");
    }
    let twice = "(call $declare (i32.const 16) (i32.const 4)) (call $declare TEXT) (call $null)";
    assert_eq!(done(shared().act(&with_text(twice, "[1]"))).outcome, Some(json!([1])));
}

#[test]
fn an_answer_is_json() {
    let answer = "(call $answer TEXT)";
    for bad in ["", "{", "NaN", "1 2", &"[".repeat(10_000)] {
        let fault = fault(shared().act(&with_text(answer, bad)));
        assert!(matches!(fault, Fault::Output { .. }), "{bad:?}: {fault:?}");
    }
    assert_eq!(done(shared().act(&with_text(answer, "{\"a\":1}"))).output, json!({"a": 1}));
}

#[test]
fn what_a_failed_call_declared_and_changed_is_not_told() {
    let guest = Guest::calling(
        "(call $set (i32.const 32) (i32.const 3) (i32.const 16) (i32.const 4))
        (call $declare (i32.const 16) (i32.const 4))
        (call $log (i32.const 32) (i32.const 3) (i32.const 32) (i32.const 3))
        unreachable",
    );
    let called = shared().act(&guest);
    assert_eq!(called.logs.len(), 1, "what it logged is told all the same");
    assert!(matches!(fault(called), Fault::Trap { .. }));
}

#[test]
fn the_input_is_what_was_given_whatever_its_size() {
    // An input is handed to the guest, not taken from it: its size is for the server to bound.
    let echo = Guest::instantiating("(call $answer (local.get 0) (local.get 1))");
    let input = Value::String("x".repeat(small().transfer_bytes - 100));
    assert_eq!(done(shared().enter(&echo, instantiate(input.clone()), &KeyValues::default())).output, input);
}

#[test]
fn a_guest_remembers_nothing_from_call_to_call() {
    let guest = Guest::calling(
        "(i32.store8 (i32.const 4096) (i32.add (i32.load8_u (i32.const 4096)) (i32.const 1)))
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (if (i32.ne (global.get $calls) (i32.const 49)) (then unreachable))
        (call $answer (i32.const 4096) (i32.const 1))",
    );
    let guest = guest.with(r#"(data (i32.const 4096) "0") (global $calls (mut i32) (i32.const 48))"#);
    for _ in 0..10 {
        assert_eq!(done(shared().act(&guest)).output, json!(1));
    }
}
