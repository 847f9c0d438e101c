//! Guests that hand over too much, read too much, call too often or log without end.

use interlink_host::{Fault, Limits};
use interlink_model::keyvalues::{KeyValues, RANGE_ENTRIES_MAX};
use serde_json::json;

use super::given::{action, done, fault, given, shared, small};
use super::guest::Guest;

/// Room for four megabytes, whatever is in it.
const ROOM: &str = "(drop (memory.grow (i32.const 64)))";

fn transfer() -> Fault {
    Fault::Transfer { max: small().transfer_bytes }
}

/// A state of so many values of 60,000 bytes under `key` and `key/…`.
fn large(values: usize) -> KeyValues {
    let mut state = KeyValues::default();
    state.set("key", vec![0; 60_000]);
    for number in 1..values {
        state.set(&format!("key/{number:04}"), vec![0; 60_000]);
    }
    state
}

#[test]
fn what_is_handed_over_at_once_is_bounded_in_every_call() {
    let four_megabytes = "(i32.const 0) (i32.const 4000000)";
    for body in [
        format!("(call $set (i32.const 32) (i32.const 3) {four_megabytes})"),
        format!("(call $set {four_megabytes} (i32.const 32) (i32.const 3))"),
        format!("(call $get {four_megabytes} (i32.const 2048))"),
        format!("(call $delete {four_megabytes})"),
        format!("(drop (call $count {four_megabytes}))"),
        format!(
            "(call $range {four_megabytes} (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 9) (i32.const 2048))"
        ),
        format!(
            "(call $range (i32.const 32) (i32.const 0) (i32.const 1) {four_megabytes} (i32.const 9) (i32.const 2048))"
        ),
        format!("(call $declare {four_megabytes})"),
        format!("(call $log (i32.const 32) (i32.const 3) {four_megabytes})"),
        format!("(call $log {four_megabytes} (i32.const 32) (i32.const 3))"),
    ] {
        let guest = Guest::calling(&format!("{ROOM} {body} (call $null)"));
        assert_eq!(fault(shared().act(&guest)), transfer(), "{body}");
    }
}

#[test]
fn a_list_that_is_not_there_is_not_made_room_for() {
    for length in ["-1", "0x7fffffff", "0x10000000"] {
        let body = format!("(call $set (i32.const 32) (i32.const 3) (i32.const 0) (i32.const {length})) (call $null)");
        let fault = fault(shared().act(&Guest::calling(&body)));
        assert!(matches!(fault, Fault::Transfer { .. } | Fault::Trap { .. }), "{length}: {fault:?}");
    }
}

#[test]
fn an_answer_of_a_hundred_megabytes_is_not_taken() {
    let limits = Limits { memory_bytes: 128 << 20, ..small() };
    let body = "(drop (memory.grow (i32.const 1600))) (call $answer (i32.const 0) (i32.const 100000000))";
    assert_eq!(fault(given(limits).act(&Guest::calling(body))), transfer());
}

#[test]
fn an_answer_that_changes_something_is_kept_and_so_is_smaller_than_one_that_only_shows() {
    let limits = Limits { output_bytes: 1_000, ..small() };
    let text = |bytes: usize| {
        format!(
            r#"(i32.store8 (i32.const 4096) (i32.const 34)) (memory.fill (i32.const 4097) (i32.const 97) (i32.const {})) (i32.store8 (i32.const {}) (i32.const 34)) (call $answer (i32.const 4096) (i32.const {bytes}))"#,
            bytes - 2,
            4_096 + bytes - 1
        )
    };
    let given = given(limits);
    assert_eq!(done(given.act(&Guest::calling(&text(1_000)))).output, json!("a".repeat(998)));
    assert_eq!(fault(given.act(&Guest::calling(&text(1_001)))), Fault::Transfer { max: 1_000 });
}

#[test]
fn an_answer_that_is_not_there_or_no_text_is_a_trap() {
    let bad = r#"(data (i32.const 4096) "\ff\fe")"#;
    for body in [
        "(call $answer (i32.const -16) (i32.const 8))",
        "(call $answer (i32.const 4096) (i32.const 2))",
        "(i32.const -4)",
        "(i32.const 1025)",
        "(i32.store8 (i32.const 1024) (i32.const 7)) (i32.const 1024)",
        "(call $log (i32.const 32) (i32.const 3) (i32.const 4096) (i32.const 2)) (call $null)",
    ] {
        let fault = fault(shared().act(&Guest::calling(body).with(bad)));
        assert!(matches!(fault, Fault::Trap { .. }), "{body}: {fault:?}");
    }
}

#[test]
fn an_answer_of_the_host_goes_nowhere_but_into_the_guest() {
    for at in ["-8", "-1", "0x7ffffff0", "2049"] {
        let guest = Guest::calling(&format!("(call $get (i32.const 32) (i32.const 3) (i32.const {at})) (call $null)"));
        let fault = fault(shared().enter(&guest, action("go", json!({})), &large(1)));
        assert!(matches!(fault, Fault::Trap { .. }), "{at}: {fault:?}");
    }
}

#[test]
fn reading_one_value_without_end_is_bounded_in_bytes() {
    let guest = Guest::repeating("(call $get (i32.const 32) (i32.const 3) (i32.const 2048))");
    let called = shared().enter(&guest, action("go", json!({})), &large(1));
    let max = small().host_bytes;
    assert_eq!(fault(called), Fault::HostBytes { wanted: (max / 60_000 + 1) * 60_000, max });
}

#[test]
fn reading_everything_at_once_is_bounded_in_bytes() {
    let everything = "(call $range (i32.const 32) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
        (i32.const -1) (i32.const 2048))";
    let guest = Guest::calling(&format!("{everything} (call $null)"));
    let called = shared().enter(&guest, action("go", json!({})), &large(900));
    let max = small().host_bytes;
    match fault(called) {
        // It stops at the first entry that is too much, not at the last.
        Fault::HostBytes { wanted, max: told } => assert!(told == max && wanted < max + 61_000, "{wanted}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_range_answers_so_many_entries_and_no_more() {
    let mut state = KeyValues::default();
    for number in 0..RANGE_ENTRIES_MAX + 500 {
        state.set(&format!("{number:05}"), vec![1]);
    }
    let body = format!(
        "(call $range (i32.const 32) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
          (i32.const -1) (i32.const 2048))
        (if (i32.ne (i32.load (i32.const 2052)) (i32.const {RANGE_ENTRIES_MAX})) (then unreachable))
        (call $null)"
    );
    done(shared().enter(&Guest::calling(&body), action("go", json!({})), &state));
}

#[test]
fn calling_the_host_without_end_is_bounded_whatever_is_called() {
    for body in [
        "(call $get (i32.const 32) (i32.const 3) (i32.const 2048))",
        "(call $set (i32.const 32) (i32.const 3) (i32.const 16) (i32.const 4))",
        "(call $delete (i32.const 32) (i32.const 3))",
        "(call $range (i32.const 32) (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 9) (i32.const 2048))",
        "(drop (call $count (i32.const 32) (i32.const 0)))",
        "(call $context (i32.const 2048))",
        "(call $declare (i32.const 16) (i32.const 4))",
        "(call $log (i32.const 32) (i32.const 3) (i32.const 16) (i32.const 4))",
    ] {
        let fault = fault(shared().act(&Guest::repeating(body)));
        assert_eq!(fault, Fault::HostCalls { max: small().host_calls }, "{body}");
    }
}

#[test]
fn lines_beyond_the_limit_are_dropped_and_the_call_is_fine() {
    let guest = Guest::times(500, "(call $log (i32.const 48) (i32.const 5) (i32.const 32) (i32.const 3))");
    let called = shared().act(&guest);
    assert_eq!(called.logs.len(), small().log_lines);
    assert!(called.logs.iter().all(|line| (line.level.as_str(), line.message.as_str()) == ("error", "key")));
    done(called);
}

#[test]
fn a_long_line_is_cut_between_letters_and_a_level_that_is_none_is_info() {
    // A letter of one byte and then letters of two: the cut would be within one.
    let letters = format!(r#"(data (i32.const 8192) "x{}")"#, "\\c3\\a9".repeat(4_000));
    let guest =
        Guest::calling("(call $log (i32.const 32) (i32.const 3) (i32.const 8192) (i32.const 8001)) (call $null)");
    let called = shared().act(&guest.with(&letters));
    let line = &called.logs[0];
    assert_eq!((line.level.as_str(), line.message.len()), ("info", small().log_line_bytes - 1));
    done(called);
}
