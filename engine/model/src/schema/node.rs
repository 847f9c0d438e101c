//! A document as it was written: values with their places.
//!
//! YAML and JSON are read into the same tree, so that one checker walks both and says where each problem is. The
//! usual way, a `Deserialize`, stops at the first error and knows no place for the rest.

use std::collections::HashMap;

use serde_json::{Map, Number, Value};

use super::finding::{Findings, Span, quoted};

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub content: Content,
    pub span: Span,
}

/// The values of JSON; a map keeps its order and, until [`refuse_duplicates`], its duplicate keys.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a map with its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key: String,
    pub key_span: Span,
    pub value: Node,
}

impl Node {
    pub fn to_json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(value) => Value::Bool(*value),
            Content::Number(value) => Value::Number(value.clone()),
            Content::Text(value) => Value::String(value.clone()),
            Content::List(values) => Value::Array(values.iter().map(Node::to_json).collect()),
            Content::Map(entries) => {
                let entries = entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json()));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }

    /// What it is, for a message: "a list".
    pub fn described(&self) -> &'static str {
        match &self.content {
            Content::Null => "nothing",
            Content::Bool(_) => "true or false",
            Content::Number(_) => "a number",
            Content::Text(_) => "a text",
            Content::List(_) => "a list",
            Content::Map(_) => "a map",
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self.content, Content::Null)
    }

    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// The value of a key.
pub(super) fn get<'n>(entries: &'n [Entry], key: &str) -> Option<&'n Node> {
    entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value)
}

/// `pointer` with one reference token more.
pub(super) fn join(pointer: &str, token: &str) -> String {
    format!("{pointer}/{}", token.replace('~', "~0").replace('/', "~1"))
}

/// A number as JSON can carry it to any reader: RFC 8785 is over IEEE 754 doubles. Whole numbers become integers,
/// so that `1`, `1.0` and `1e0`, which have one canonical form, are one value here too.
pub(super) fn number(literal: &str) -> Result<Number, String> {
    const WHOLE_MAX: f64 = 9_007_199_254_740_991.0;
    let value: f64 = literal.parse().map_err(|_| format!("{} is not a number", quoted(literal)))?;
    let written_whole = !literal.contains(['.', 'e', 'E']);
    if !value.is_finite() || (written_whole && value.abs() > WHOLE_MAX) {
        return Err(format!("the number {} is larger than every reader can keep", quoted(literal)));
    }
    if value.fract() == 0.0 && value.abs() <= WHOLE_MAX {
        // Lossless: whole and within 2^53.
        return Ok(Number::from(value as i64));
    }
    Number::from_f64(value).ok_or_else(|| format!("{} is not a number", quoted(literal)))
}

/// Reports each key that a map gives twice, naming both places, and keeps the first.
pub(super) fn refuse_duplicates(node: &mut Node, pointer: &str, findings: &mut Findings<'_>) {
    match &mut node.content {
        Content::List(values) => {
            for (index, value) in values.iter_mut().enumerate() {
                if matches!(value.content, Content::List(_) | Content::Map(_)) {
                    refuse_duplicates(value, &format!("{pointer}/{index}"), findings);
                }
            }
        }
        Content::Map(entries) => {
            let mut seen: HashMap<String, Span> = HashMap::with_capacity(entries.len());
            entries.retain_mut(|entry| {
                if let Some(first) = seen.get(&entry.key) {
                    let message = format!(
                        "the key {} is given twice: first at {}, again here",
                        quoted(&entry.key),
                        findings.place(*first)
                    );
                    findings.error(entry.key_span, &join(pointer, &entry.key), message, None);
                    return false;
                }
                seen.insert(entry.key.clone(), entry.key_span);
                if matches!(entry.value.content, Content::List(_) | Content::Map(_)) {
                    refuse_duplicates(&mut entry.value, &join(pointer, &entry.key), findings);
                }
                true
            });
        }
        _ => {}
    }
}
