//! Guests that compute too long, recurse too deep, grow too large or trap.

use std::time::{Duration, Instant};

use interlink_host::{Fault, Limits};

use super::given::{done, fault, given, shared, small};
use super::guest::Guest;

/// Again and again, without end, in a memory.
fn growing(memory: &str) -> String {
    format!("(drop (memory.grow {memory} (i32.const 1)))")
}

#[test]
fn a_loop_without_end_runs_out_of_fuel() {
    let called = shared().act(&Guest::repeating(""));
    assert!(called.cost.fuel >= small().fuel - 100, "{:?}", called.cost);
    assert_eq!(fault(called), Fault::Fuel { max: small().fuel });
}

#[test]
fn a_loop_with_all_the_fuel_of_the_world_passes_its_deadline() {
    let given = given(Limits { fuel: u64::MAX, deadline_ms: 200, ..small() });
    let began = Instant::now();
    assert_eq!(fault(given.act(&Guest::repeating(""))), Fault::Deadline { max_ms: 200 });
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn waiting_in_host_calls_counts_for_the_deadline() {
    let limits = Limits { fuel: u64::MAX, deadline_ms: 200, host_calls: u64::MAX, ..small() };
    let guest = Guest::repeating("(drop (call $count (i32.const 32) (i32.const 0)))");
    assert_eq!(fault(given(limits).act(&guest)), Fault::Deadline { max_ms: 200 });
}

#[test]
fn a_loop_while_the_instance_is_made_is_bounded_too() {
    let guest = Guest::new().with("(func $begin (loop $again (br $again))) (start $begin)");
    assert_eq!(fault(shared().act(&guest)), Fault::Fuel { max: small().fuel });
}

#[test]
fn recursion_without_end_runs_out_of_stack() {
    let max = small().stack_bytes;
    let deep = "(func $deeper (param i32) (result i32)
        (i32.add (call $deeper (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))";
    let guest = Guest::calling("(drop (call $deeper (i32.const 0))) (call $null)").with(deep);
    assert_eq!(fault(shared().act(&guest)), Fault::Stack { max });
}

#[test]
fn the_host_has_a_stack_of_its_own_however_deep_a_guest_is() {
    let limits = Limits { host_calls: u64::MAX, ..small() };
    let max = limits.stack_bytes;
    let deep = "(func $deeper (result i32)
        (call $log (i32.const 32) (i32.const 3) (i32.const 32) (i32.const 3))
        (i32.add (call $deeper) (i32.const 1)))";
    let guest = Guest::calling("(drop (call $deeper)) (call $null)").with(deep);
    assert_eq!(fault(given(limits).act(&guest)), Fault::Stack { max });
}

#[test]
fn a_memory_that_grows_without_end_reaches_the_limit() {
    let max = small().memory_bytes;
    assert_eq!(fault(shared().act(&Guest::repeating(&growing("0")))), Fault::Memory { wanted: max + 65_536, max });
}

#[test]
fn ten_memories_have_no_more_together_than_one() {
    let max = small().memory_bytes;
    let all: String = (1..=10).map(|number| growing(&number.to_string())).collect();
    let guest = Guest::repeating(&all).owning(&["memory 1"; 10]);
    assert_eq!(fault(shared().act(&guest)), Fault::Memory { wanted: max + 65_536, max });
}

#[test]
fn memory_that_would_be_too_large_at_once_is_told_with_its_size() {
    let max = small().memory_bytes;
    let guest = Guest::calling("(drop (memory.grow (i32.const 60000))) (call $null)");
    assert_eq!(fault(shared().act(&guest)), Fault::Memory { wanted: 60_001 * 65_536, max });
}

#[test]
fn a_guest_that_bounds_its_own_memory_is_told_no_and_goes_on() {
    // As often as the limit would be reached if what was refused were counted.
    let refused = "(if (i32.ne (memory.grow 1 (i32.const 2)) (i32.const -1)) (then unreachable))";
    done(shared().act(&Guest::times(200, refused).with("(memory 1 2)")));
}

#[test]
fn a_wide_memory_that_asks_for_all_there_is_reaches_the_limit() {
    let max = small().memory_bytes;
    let most = "(drop (memory.grow 1 (i64.const 0xfffffffffffe)))";
    let guest = Guest::calling(&format!("{most} (call $null)")).with("(memory i64 1)");
    match fault(shared().act(&guest)) {
        Fault::Memory { max: told, .. } => assert_eq!(told, max),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_table_that_grows_without_end_reaches_the_limit() {
    let max = small().table_elements;
    let grow = "(drop (table.grow $one (ref.null func) (i32.const 1)))";
    let guest = Guest::repeating(grow).with("(table $one 1 funcref)");
    assert_eq!(fault(shared().act(&guest)), Fault::Table { wanted: max + 1, max });
}

#[test]
fn two_tables_have_no_more_together_than_one() {
    let max = small().table_elements;
    let grow = "(drop (table.grow 0 (ref.null func) (i32.const 1)))
        (drop (table.grow 1 (ref.null func) (i32.const 1)))";
    let guest = Guest::repeating(grow).owning(&["table 1 funcref"; 2]);
    assert_eq!(fault(shared().act(&guest)), Fault::Table { wanted: max + 1, max });
}

#[test]
fn a_guest_that_bounds_its_own_table_is_told_no_and_goes_on() {
    let refused = "(if (i32.ne (table.grow $one (ref.null func) (i32.const 2)) (i32.const -1)) (then unreachable))";
    done(shared().act(&Guest::times(2_000, refused).with("(table $one 1 2 funcref)")));
}

#[test]
fn a_wide_table_that_asks_for_all_there_is_pays_for_it_in_fuel() {
    let most = "(drop (table.grow 0 (ref.null func) (i64.const -2)))";
    let guest = Guest::calling(&format!("{most} (call $null)"));
    let guest = guest.owning(&["table i64 1 funcref", "table 1 funcref"]);
    assert_eq!(fault(shared().act(&guest)), Fault::Fuel { max: small().fuel });
}

#[test]
fn a_trap_says_what_it_was() {
    for (body, said) in [
        ("unreachable", "unreachable"),
        ("(i32.div_u (i32.const 1) (i32.const 0))", "divide by zero"),
        ("(i32.load (i32.const -4))", "out of bounds"),
    ] {
        match fault(shared().act(&Guest::calling(body))) {
            Fault::Trap { message } => assert!(message.contains(said), "{message}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_trap_says_what_the_guest_said_last_as_an_error_however_much_it_said_before() {
    // Lines of no account beyond what is kept, and then why.
    let guest = Guest::calling(
        r#"(local $i i32)
        (loop $again
          (call $log (i32.const 16) (i32.const 4) (i32.const 16) (i32.const 4))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $again (i32.lt_u (local.get $i) (i32.const 200))))
        (call $log (i32.const 48) (i32.const 5) (i32.const 4096) (i32.const 10))
        unreachable"#,
    );
    let called = shared().act(&guest.with(r#"(data (i32.const 4096) "index is 7")"#));
    assert_eq!(fault(called), Fault::Trap { message: "index is 7".into() });
}
