//! Values of JSON as values of CEL, and back.

use std::collections::{BTreeMap, HashMap};

use cel::Value as Cel;
use cel::objects::Key;
use serde_json::{Map, Number, Value};

use super::error::ConditionError;

/// A value of JSON in CEL. Whole numbers are `int`, or `uint` where they are too large for it, and others `double`.
pub(super) fn to_cel(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(value) => Cel::Bool(*value),
        Value::Number(number) => number_to_cel(number),
        Value::String(text) => Cel::from(text.as_str()),
        Value::Array(values) => Cel::List(values.iter().map(to_cel).collect::<Vec<_>>().into()),
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| (Key::from(key.as_str()), to_cel(value)));
            Cel::Map(entries.collect::<HashMap<Key, Cel>>().into())
        }
    }
}

fn number_to_cel(number: &Number) -> Cel {
    let whole = number.as_i64().map(Cel::Int).or_else(|| number.as_u64().map(Cel::UInt));
    whole.or_else(|| number.as_f64().map(Cel::Float)).unwrap_or(Cel::Null)
}

/// A value of CEL in JSON; a timestamp as RFC 3339 in UTC.
pub(super) fn from_cel(value: &Cel) -> Result<Value, ConditionError> {
    match value {
        Cel::Null => Ok(Value::Null),
        Cel::Bool(value) => Ok(Value::from(*value)),
        Cel::Int(value) => Ok(Value::from(*value)),
        Cel::UInt(value) => Ok(Value::from(*value)),
        Cel::Float(value) => {
            let number = Number::from_f64(*value);
            number.map(Value::Number).ok_or(not_json("a number without a finite value", "check it before"))
        }
        Cel::String(text) => Ok(Value::from(text.as_str())),
        Cel::List(values) => values.iter().map(from_cel).collect(),
        Cel::Map(map) => {
            let entry = |(key, value): (&Key, &Cel)| Ok((text_key(key)?, from_cel(value)?));
            // In the order of the keys, whichever kind of map JSON is given.
            let entries = map.map.iter().map(entry).collect::<Result<BTreeMap<_, _>, _>>()?;
            Ok(Value::Object(Map::from_iter(entries)))
        }
        Cel::Timestamp(time) => {
            let time = jiff::Timestamp::from_microsecond(time.timestamp_micros());
            time.map(|time| Value::from(time.to_string()))
                .map_err(|_| not_json("a time out of reach", "check it before"))
        }
        Cel::Duration(_) => Err(not_json("a duration", "write `string(…)` around it")),
        _ => Err(not_json("a value of CEL alone", "give a text, number, list or map")),
    }
}

fn text_key(key: &Key) -> Result<String, ConditionError> {
    match key {
        Key::String(text) => Ok(text.to_string()),
        _ => Err(not_json("a map with keys that are no texts", "write `string(…)` around them")),
    }
}

fn not_json(found: &'static str, help: &'static str) -> ConditionError {
    ConditionError::NotJson { found, help }
}

/// A kind of value in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}
