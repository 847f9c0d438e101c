//! The same call on the same state has the same answer on every machine.

use interlink_model::keyvalues::KeyValues;
use serde_json::json;

use super::given::{action, done, shared};
use super::guest::Guest;

/// A function that writes an integer's hex digits as a JSON string at 4096.
const HEX: &str = r#"
    (global $zero (mut f64) (f64.const 0))
    (global $payload (mut f64) (f64.const nan:0x4000000001234))
    (func $hex (param $bits i64) (result i32) (local $i i32) (local $digit i32)
      (i32.store8 (i32.const 4096) (i32.const 34))
      (i32.store8 (i32.const 4113) (i32.const 34))
      (loop $again
        (local.set $digit (i32.wrap_i64 (i64.and (local.get $bits) (i64.const 15))))
        (i32.store8 (i32.sub (i32.const 4112) (local.get $i))
          (i32.add (local.get $digit)
            (select (i32.const 48) (i32.const 87) (i32.lt_u (local.get $digit) (i32.const 10)))))
        (local.set $bits (i64.shr_u (local.get $bits) (i64.const 4)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (i32.const 16))))
      (call $answer (i32.const 4096) (i32.const 18)))"#;

fn bits(number: &str) -> String {
    let guest = Guest::calling(&format!("(call $hex {number})")).with(HEX);
    let output = done(shared().act(&guest)).output;
    output.as_str().expect("digits").to_owned()
}

#[test]
fn what_is_not_a_number_has_the_same_bits_everywhere() {
    let zero = "(global.get $zero)";
    let nan = format!("(f64.div {zero} {zero})");
    assert_eq!(bits(&format!("(i64.reinterpret_f64 {nan})")), "7ff8000000000000");
    let carried = "(f64.add (global.get $payload) (f64.const 1))";
    assert_eq!(bits(&format!("(i64.reinterpret_f64 {carried})")), "7ff8000000000000", "no payload is carried on");
    let single = "(f32.demote_f64 (global.get $payload))";
    assert_eq!(bits(&format!("(i64.extend_i32_u (i32.reinterpret_f32 {single}))")), "000000007fc00000");
    let root = "(f64.sqrt (f64.const -1))";
    assert_eq!(bits(&format!("(i64.reinterpret_f64 {root})")), "7ff8000000000000");
}

#[test]
fn a_call_costs_the_same_fuel_each_time() {
    let guest = Guest::times(1_000, "(drop (call $count (i32.const 32) (i32.const 0)))");
    let cost = || shared().enter(&guest, action("go", json!({})), &KeyValues::default()).cost.fuel;
    let first = cost();
    assert!(first > 1_000, "{first}");
    assert_eq!(cost(), first);
}
