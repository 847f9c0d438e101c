//! Where an answer has HTML and Markdown: its schema and it are walked side by side.
//!
//! What a schema might say counts as said: of `anyOf`, `oneOf` and `if` every branch is followed, whether it fits or not, so
//! that no answer can choose a branch that hides a mark. What cannot be followed is refused at publication.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value};

use super::MarkupFault;

/// Steps of one walk, at most.
const STEPS_MAX: usize = 200_000;
/// Steps that lead down from each other: an answer nests 128 deep, and each level may take some references.
const STEPS_DEEP_MAX: usize = 256;

/// What a string is said to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Kinds {
    pub html: bool,
    pub markdown: bool,
}

impl Kinds {
    fn of(schema: &Map<String, Value>) -> Self {
        let said = schema.get("contentMediaType").and_then(Value::as_str).unwrap_or_default();
        let said = said.split(';').next().unwrap_or_default().trim();
        let is = |kind: &str| said.eq_ignore_ascii_case(kind);
        Self { html: is("text/html"), markdown: is("text/markdown") }
    }

    pub fn any(self) -> bool {
        self.html || self.markdown
    }

    fn and(self, other: Self) -> Self {
        Self { html: self.html || other.html, markdown: self.markdown || other.markdown }
    }
}

/// What a schema marks anywhere; says why where it does so in a way that cannot be followed.
pub(crate) fn said_kinds(schema: &Value) -> Result<Kinds, String> {
    let kinds = within(schema);
    if kinds.any() {
        check(schema, schema, true)?;
    }
    Ok(kinds)
}

fn within(part: &Value) -> Kinds {
    match part {
        Value::Object(fields) => fields.values().map(within).fold(Kinds::of(fields), Kinds::and),
        Value::Array(parts) => parts.iter().map(within).fold(Kinds::default(), Kinds::and),
        _ => Kinds::default(),
    }
}

fn check(root: &Value, part: &Value, is_root: bool) -> Result<(), String> {
    match part {
        Value::Array(parts) => parts.iter().try_for_each(|part| check(root, part, false)),
        Value::Object(fields) => {
            if Kinds::of(fields).any() && fields.contains_key("contentEncoding") {
                return Err("says of HTML or Markdown that it is encoded: leave `contentEncoding` out".into());
            }
            for (name, part) in fields {
                match (name.as_str(), part.as_str()) {
                    ("$ref", Some(reference)) if target(root, reference).is_none() => {
                        return Err(format!(
                            "refers to {reference:?}; beside HTML and Markdown a reference is a JSON pointer, as in `#/$defs/Name`"
                        ));
                    }
                    ("$dynamicRef" | "$recursiveRef", Some(_)) => {
                        return Err(format!("has `{name}`; beside HTML and Markdown write `$ref` and a JSON pointer"));
                    }
                    ("$id", Some(_)) if !is_root => {
                        return Err("has `$id` below its root; beside HTML and Markdown there is none".into());
                    }
                    _ => check(root, part, false)?,
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn target<'s>(root: &'s Value, reference: &str) -> Option<&'s Value> {
    root.pointer(reference.strip_prefix('#')?)
}

/// The places of an answer that its schema marks, by JSON pointer.
pub(super) fn marked(schema: &Value, answer: &Value) -> Result<BTreeMap<String, Kinds>, MarkupFault> {
    let mut walk = Walk { root: schema, deep: 0, seen: HashSet::new(), found: BTreeMap::new() };
    walk.at(schema, answer, "")?;
    Ok(walk.found)
}

struct Walk<'s> {
    root: &'s Value,
    deep: usize,
    /// Schema and part of the answer, by address: each pair is looked at once.
    seen: HashSet<(*const Value, *const Value)>,
    found: BTreeMap<String, Kinds>,
}

/// Keywords with schemas of the same part.
const HERE: [&str; 7] = ["allOf", "anyOf", "oneOf", "if", "then", "else", "not"];

impl Walk<'_> {
    fn at(&mut self, schema: &Value, part: &Value, pointer: &str) -> Result<(), MarkupFault> {
        let Value::Object(fields) = schema else { return Ok(()) };
        if !self.seen.insert((schema, part)) {
            return Ok(());
        }
        if self.seen.len() > STEPS_MAX {
            return Err(MarkupFault::Steps { max: STEPS_MAX });
        }
        if self.deep == STEPS_DEEP_MAX {
            return Err(MarkupFault::Deep { max: STEPS_DEEP_MAX });
        }
        self.deep += 1;
        let walked = self.in_fields(fields, part, pointer);
        self.deep -= 1;
        walked
    }

    fn in_fields(&mut self, fields: &Map<String, Value>, part: &Value, pointer: &str) -> Result<(), MarkupFault> {
        let kinds = Kinds::of(fields);
        if part.is_string() && kinds.any() {
            let found = self.found.entry(pointer.to_owned()).or_default();
            *found = found.and(kinds);
        }
        let root = self.root;
        let referred = fields.get("$ref").and_then(Value::as_str).and_then(|reference| target(root, reference));
        let dependent = fields.get("dependentSchemas").and_then(Value::as_object);
        let here = HERE.iter().filter_map(|name| fields.get(*name));
        let here = here.flat_map(|schemas| match schemas {
            Value::Array(schemas) => schemas.iter().collect(),
            schema => vec![schema],
        });
        for schema in here.chain(dependent.into_iter().flat_map(Map::values)).chain(referred) {
            self.at(schema, part, pointer)?;
        }
        match part {
            Value::Object(properties) => self.below_object(fields, properties, pointer),
            Value::Array(items) => self.below_array(fields, items, pointer),
            _ => Ok(()),
        }
    }

    fn below_object(
        &mut self,
        fields: &Map<String, Value>,
        properties: &Map<String, Value>,
        pointer: &str,
    ) -> Result<(), MarkupFault> {
        let schemas = |keyword: &str| fields.get(keyword).and_then(Value::as_object);
        let (named, patterns) = (schemas("properties"), schemas("patternProperties"));
        let others = ["additionalProperties", "unevaluatedProperties"].map(|keyword| fields.get(keyword));
        for (name, part) in properties {
            let below = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
            let own = named.and_then(|named| named.get(name));
            let others = others.into_iter().flatten().filter(|_| own.is_none());
            for schema in own.into_iter().chain(patterns.into_iter().flat_map(Map::values)).chain(others) {
                self.at(schema, part, &below)?;
            }
        }
        Ok(())
    }

    fn below_array(&mut self, fields: &Map<String, Value>, items: &[Value], pointer: &str) -> Result<(), MarkupFault> {
        let first = fields.get("prefixItems").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let others = ["unevaluatedItems", "contains"].map(|keyword| fields.get(keyword));
        for (number, part) in items.iter().enumerate() {
            let below = format!("{pointer}/{number}");
            let own = first.get(number).or_else(|| fields.get("items"));
            for schema in own.into_iter().chain(others.into_iter().flatten()) {
                self.at(schema, part, &below)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn html() -> Value {
        json!({"type": "string", "contentMediaType": "text/html"})
    }

    fn places(schema: Value, answer: Value) -> Vec<String> {
        marked(&schema, &answer).expect("walked").into_keys().collect()
    }

    #[test]
    fn a_mark_is_found_wherever_a_schema_can_say_it() {
        let object = |keyword: &str, schema: Value| json!({keyword: schema});
        for (schema, answer, pointer) in [
            (html(), json!("a"), ""),
            (object("properties", json!({"a": html()})), json!({"a": "b"}), "/a"),
            (object("properties", json!({"a/b~": html()})), json!({"a/b~": "b"}), "/a~1b~0"),
            (object("additionalProperties", html()), json!({"a": "b"}), "/a"),
            (object("unevaluatedProperties", html()), json!({"a": "b"}), "/a"),
            (object("patternProperties", json!({"^a": html()})), json!({"a": "b"}), "/a"),
            (object("items", html()), json!(["b"]), "/0"),
            (object("unevaluatedItems", html()), json!(["b"]), "/0"),
            (object("contains", html()), json!(["b"]), "/0"),
            (object("prefixItems", json!([{}, html()])), json!(["a", "b"]), "/1"),
            (object("anyOf", json!([{"type": "null"}, html()])), json!("b"), ""),
            (object("oneOf", json!([html(), {"type": "null"}])), json!("b"), ""),
            (object("allOf", json!([html()])), json!("b"), ""),
            (object("not", html()), json!("b"), ""),
            (json!({"if": {}, "then": html()}), json!("b"), ""),
            (json!({"if": {}, "else": html()}), json!("b"), ""),
            (object("dependentSchemas", json!({"a": {"properties": {"b": html()}}})), json!({"b": "c"}), "/b"),
            (json!({"$ref": "#/$defs/Text", "$defs": {"Text": html()}}), json!("b"), ""),
            (json!({"type": "string", "contentMediaType": "Text/HTML; charset=utf-8"}), json!("b"), ""),
        ] {
            assert_eq!(said_kinds(&schema), Ok(Kinds { html: true, markdown: false }), "{schema}");
            assert_eq!(places(schema.clone(), answer), [pointer], "{schema}");
        }
    }

    #[test]
    fn what_is_not_marked_is_left() {
        let schema =
            json!({"properties": {"text": html(), "name": {"type": "string"}, "contentMediaType": {"const": 1}}});
        assert_eq!(
            places(schema, json!({"text": 7, "name": "a", "other": "b", "contentMediaType": "text/html"})),
            [""; 0]
        );
        let none = said_kinds(&json!({"properties": {"contentMediaType": {"type": "string"}}}));
        assert_eq!(none, Ok(Kinds::default()));
    }

    #[test]
    fn a_tree_that_contains_itself_is_followed_as_deep_as_the_answer_goes() {
        let schema = json!({"$ref": "#/$defs/Node", "$defs": {"Node": {
            "properties": {"text": html(), "answers": {"items": {"$ref": "#/$defs/Node"}}},
            "anyOf": [{"$ref": "#/$defs/Node"}, {"$ref": "#"}],
        }}});
        let answer = json!({"text": "a", "answers": [{"text": "b", "answers": [{"text": "c"}]}]});
        assert_eq!(places(schema, answer), ["/answers/0/answers/0/text", "/answers/0/text", "/text"]);
    }

    #[test]
    fn a_walk_takes_so_many_steps() {
        let schema = json!({"items": {"anyOf": vec![html(); 100]}});
        assert!(marked(&schema, &json!(vec!["a"; 1_000])).is_ok());
        let over = marked(&schema, &json!(vec!["a"; STEPS_MAX / 100]));
        assert_eq!(over, Err(MarkupFault::Steps { max: STEPS_MAX }));
    }

    #[test]
    fn a_walk_goes_so_deep() {
        let defs = |levels: usize| {
            let link = |number| (format!("d{number}"), json!({"$ref": format!("#/$defs/d{}", number + 1)}));
            let mut defs: Map<String, Value> = (0..levels).map(link).collect();
            defs.insert(format!("d{levels}"), html());
            json!({"$ref": "#/$defs/d0", "$defs": defs})
        };
        assert_eq!(places(defs(STEPS_DEEP_MAX - 2), json!("a")), [""]);
        let over = marked(&defs(STEPS_DEEP_MAX - 1), &json!("a"));
        assert_eq!(over, Err(MarkupFault::Deep { max: STEPS_DEEP_MAX }));
    }

    #[test]
    fn a_mark_that_cannot_be_followed_is_refused() {
        let encoded = json!({"type": "string", "contentMediaType": "text/html", "contentEncoding": "base64"});
        for (schema, says) in [
            (json!({"$ref": "#text", "$defs": {"Text": html()}}), "#text"),
            (json!({"$ref": "#/$defs/Other", "$defs": {"Text": html()}}), "#/$defs/Other"),
            (json!({"$ref": "other.json", "$defs": {"Text": html()}}), "other.json"),
            (json!({"$dynamicRef": "#text", "$defs": {"Text": html()}}), "$dynamicRef"),
            (json!({"properties": {"a": {"$id": "x", "properties": {"b": html()}}}}), "$id"),
            (encoded, "contentEncoding"),
        ] {
            let refused = said_kinds(&schema).expect_err("refused");
            assert!(refused.contains(says), "{schema}: {refused}");
        }
        assert_eq!(said_kinds(&json!({"$ref": "other.json"})), Ok(Kinds::default()), "nothing is marked");
    }
}
