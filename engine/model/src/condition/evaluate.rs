//! Evaluating an expression that was checked.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cel::common::ast::{CallExpr, Expr, LiteralValue};
use cel::{Context, ExecutionError, IdedExpr, Value as Cel};
use serde_json::{Map, Value};

use super::bound::Bound;
use super::cost::{Inputs, estimate};
use super::environment::ENVIRONMENT;
use super::error::ConditionError;
use super::json::{from_cel, to_cel};
use super::parse::Parsed;

/// The variable that is a time.
const NOW: &str = "now";

pub(super) fn value(parsed: &Parsed, inputs: &Value) -> Result<Value, ConditionError> {
    let inputs =
        inputs.as_object().ok_or(ConditionError::Input { name: "inputs", wanted: "a map of the variables" })?;
    let context = context(parsed, inputs)?;
    estimate(&parsed.expression, Inputs::Given(inputs)).map_err(|excess| parsed.excess(excess))?;
    from_cel(&run(&parsed.expression, &context, &parsed.source)?)
}

/// The variables that the expression names, checked and turned into values of CEL.
fn context(parsed: &Parsed, inputs: &Map<String, Value>) -> Result<Context<'static, 'static>, ConditionError> {
    let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
    for name in &parsed.variables {
        let value = inputs.get(*name).ok_or(ConditionError::Input { name, wanted: "given" })?;
        if !Bound::of_json(value).is_within_limits() {
            return Err(ConditionError::InputTooLarge { name });
        }
        let value = if *name == NOW { timestamp(value)? } else { to_cel(value) };
        context.add_variable_from_value(*name, value);
    }
    Ok(context)
}

/// A time given in microseconds since 1970 as a timestamp of CEL, by the crate's own reading of RFC 3339: its time
/// library is not named here, because it has a clock.
fn timestamp(value: &Value) -> Result<Cel, ConditionError> {
    let wrong = ConditionError::Input { name: NOW, wanted: "a time in microseconds since 1970" };
    let micros = value.as_i64().and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok());
    let text = micros.ok_or_else(|| wrong.clone())?.to_string();
    let argument = IdedExpr { id: 0, expr: Expr::Literal(LiteralValue::String(text.into())) };
    let call = CallExpr { func_name: "timestamp".to_owned(), target: None, args: vec![argument] };
    let call = IdedExpr { id: 0, expr: Expr::Call(call) };
    Cel::resolve(&call, &Context::with_env(Arc::clone(&ENVIRONMENT))).map_err(|_| wrong)
}

fn run(expression: &IdedExpr, context: &Context, source: &str) -> Result<Cel, ConditionError> {
    match catch_unwind(AssertUnwindSafe(|| Cel::resolve(expression, context))) {
        Ok(result) => result.map_err(|error| failure(&error, source)),
        Err(_) => Err(failed("the evaluation broke off", "write the expression in another way")),
    }
}

/// What went wrong, without the values that it went wrong with: they may be personal, and this may be kept.
fn failure(error: &ExecutionError, source: &str) -> ConditionError {
    match error {
        // A key that was computed may be a value of the inputs.
        ExecutionError::NoSuchKey(key) if source.contains(key.as_str()) => {
            failed(format!("there is no `{key}`"), "ask `has(…)` first")
        }
        ExecutionError::NoSuchKey(_) => failed("there is no such key", "ask with `in` first"),
        ExecutionError::NoSuchOverload(_)
        | ExecutionError::UnexpectedType { .. }
        | ExecutionError::ValuesNotComparable(..)
        | ExecutionError::UnsupportedBinaryOperator(..)
        | ExecutionError::UnsupportedKeyType(_)
        | ExecutionError::UnsupportedIndex(..) => {
            failed(format!("the kinds of values do not fit{}", kinds(error)), "convert one, or ask what it is first")
        }
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            failed("a division by zero", "compare the divisor with 0 first")
        }
        ExecutionError::Overflow(..) => failed("a number or time is out of range", "check it first"),
        ExecutionError::IndexOutOfBounds(_) => failed("a list has no entry of this number", "ask its `size` first"),
        ExecutionError::FunctionError { function, .. } => {
            failed(format!("`{function}` cannot be done with this value"), "check it first")
        }
        ExecutionError::DuplicateKey(_) => failed("a map has a key twice", "write each key once"),
        _ => failed("the evaluation failed", "write the expression in another way"),
    }
}

/// The operator and the types, where they are known.
fn kinds(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchOverload(overload) => {
            format!(": {} of {}", overload.function(), overload.argument_types().join(" and "))
        }
        ExecutionError::UnexpectedType { got, want } => format!(": {got} where {want} is wanted"),
        _ => String::new(),
    }
}

fn failed(message: impl Into<String>, help: &'static str) -> ConditionError {
    ConditionError::Failed { message: message.into(), help }
}
