//! Conditions (`when:`) and computed inputs, written in CEL.
//!
//! CEL has no loops but those over lists, yet the `cel` crate has no bound on what an evaluation costs: lists over lists
//! multiply. So every expression is bounded before it runs. When it is read, its length, nesting and nodes are, and
//! its cost is estimated for lists of a usual length; when it is evaluated, the estimate is made again with the lists
//! there are. The estimate is never less than what the evaluation does, and what is over the limit does not run.
//!
//! An expression may name `process`, `tasks`, `data` and `now`; nothing else comes in, so the same inputs give the same
//! answer. Time is one of them, in microseconds since 1970 ([`Micros`](crate::id::Micros)), and a timestamp in the
//! expression. Maps are gone through in the order of their keys, which plain CEL leaves to chance. Regular expressions,
//! whose cost depends on what is written in them, are left out, as are bytes, types, and values of other packages.

mod bound;
mod check;
mod cost;
mod environment;
mod error;
mod evaluate;
mod json;
pub mod limits;
mod parse;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

pub use error::{ConditionError, Place};
use parse::Parsed;
use serde_json::Value;

/// The names that an expression may use.
pub const VARIABLES: [&str; 4] = ["process", "tasks", "data", "now"];

/// An expression whose result is a JSON value. Cheap to clone.
#[derive(Clone)]
pub struct Expression(Arc<Parsed>);

/// An expression whose result is yes or no. Cheap to clone.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition(Expression);

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    ///
    /// If it is no CEL, names what it may not, or is or may become too large; with the place and what would be right.
    pub fn parse(source: &str) -> Result<Expression, ConditionError> {
        Ok(Expression(Arc::new(parse::parse(source)?)))
    }

    /// Its value for `inputs`, an object with the values of [`VARIABLES`]; those that it does not name may be missing.
    ///
    /// # Errors
    ///
    /// If an input is missing or too large, the cost for these inputs is over the limit, the evaluation fails, or the
    /// result cannot be written as JSON. No error repeats a value of the inputs, which may be personal.
    pub fn evaluate_value(&self, inputs: &Value) -> Result<Value, ConditionError> {
        evaluate::value(&self.0, inputs)
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.0.source
    }
}

/// Two are the same if they are written the same.
impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source() == other.source()
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.source()).finish()
    }
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    ///
    /// As [`Expression::parse`].
    pub fn parse(source: &str) -> Result<Condition, ConditionError> {
        Expression::parse(source).map(Condition)
    }

    /// Whether it holds for `inputs`, an object as for [`Expression::evaluate_value`].
    ///
    /// # Errors
    ///
    /// As [`Expression::evaluate_value`], and if the result is neither true nor false.
    pub fn evaluate(&self, inputs: &Value) -> Result<bool, ConditionError> {
        match self.0.evaluate_value(inputs)? {
            Value::Bool(holds) => Ok(holds),
            other => Err(ConditionError::NotABool { found: json::kind(&other) }),
        }
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        self.0.source()
    }
}
