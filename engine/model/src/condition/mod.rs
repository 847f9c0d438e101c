//! stub
/// c
#[derive(Debug, Clone, PartialEq)]
pub struct Condition;
/// e
#[derive(Debug, Clone, PartialEq)]
pub struct Expression;
/// x
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("x")]
pub struct ConditionError;
impl Condition {
    /// p
    pub fn parse(_: &str) -> Result<Self, ConditionError> { Ok(Self) }
    /// e
    pub fn evaluate(&self, _: &serde_json::Value) -> Result<bool, ConditionError> { Ok(true) }
}
impl Expression {
    /// p
    pub fn parse(_: &str) -> Result<Self, ConditionError> { Ok(Self) }
    /// e
    pub fn evaluate_value(&self, _: &serde_json::Value) -> Result<serde_json::Value, ConditionError> { Ok(serde_json::Value::Null) }
}
