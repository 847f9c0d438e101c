//! Conditions: an expression of CEL, then `---` on a line, then its inputs as JSON.

use std::time::Duration;

use interlink_model::condition::limits::WEIGHT_MAX;
use interlink_model::condition::{ConditionError, Expression, Place};
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;

use super::pieces;

/// What one evaluation may take of a processor: the dearest takes a fifth of a second, and instruments and a debug build slow
/// it down.
const CPU_MAX: Duration = Duration::from_secs(4);

/// An expression that is taken stays within its budget, whatever its inputs, and gives the same each time; one that is
/// refused is told where.
pub fn run(data: &[u8]) {
    let Some(pieces) = pieces(data) else { return };
    let source = pieces[0];
    let expression = match Expression::parse(source) {
        Ok(expression) => expression,
        Err(error) => return points_into(&error, source),
    };
    assert_eq!(expression.source(), source);
    let inputs: Value = pieces.get(1).and_then(|inputs| serde_json::from_str(inputs).ok()).unwrap_or_default();
    let begun = cpu();
    let first = expression.evaluate_value(&inputs);
    let taken = cpu() - begun;
    assert!(taken < CPU_MAX, "it took {taken:?}");
    match &first {
        Ok(value) => assert!(weight(value) <= WEIGHT_MAX, "the result weighs {}", weight(value)),
        Err(error) => points_into(error, source),
    }
    assert_eq!(expression.evaluate_value(&inputs), first, "the second time it is something else");
}

/// What this thread has taken of a processor.
fn cpu() -> Duration {
    let taken = clock_gettime(ClockId::ThreadCPUTime);
    // Neither is negative: the thread has run forwards.
    Duration::new(taken.tv_sec.unsigned_abs(), u32::try_from(taken.tv_nsec).unwrap_or_default())
}

/// A value's nodes, a text counting for every 32 bytes begun.
fn weight(value: &Value) -> u64 {
    let text = |text: &str| text.len() as u64 / 32 + 1;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(found) => text(found),
        Value::Array(values) => values.iter().map(weight).sum::<u64>() + 1,
        Value::Object(entries) => entries.iter().map(|(key, value)| text(key) + weight(value)).sum::<u64>() + 1,
    }
}

fn points_into(error: &ConditionError, source: &str) {
    assert!(!error.to_string().is_empty(), "an error says nothing");
    if let Some(Place { offset, line, column }) = error.place() {
        let before = source.get(..offset).unwrap_or_else(|| panic!("byte {offset} begins no character"));
        let in_line = before.rsplit('\n').next().unwrap_or_default();
        assert_eq!((line, column), (before.matches('\n').count() + 1, in_line.chars().count() + 1), "of byte {offset}");
    }
}
