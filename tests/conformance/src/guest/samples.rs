//! Inputs that a JSON Schema lets through: plain ones, and odd ones.

use serde_json::{Map, Value, json};

/// Texts that a guest is given where its schema names none: plain ones first.
const TEXTS: [&str; 7] = [
    "a-1",
    "2027-05-01T10:00:00Z",
    "https://example.org/",
    "Some words",
    "",
    "\u{202e}ñ\u{301}👩‍👩‍👧\u{0}\u{feff}</script>",
    "../../\r\n{\"a\": [",
];
/// Numbers that a guest is given where its schema names none.
const NUMBERS: [i64; 6] = [1, 0, -1, 50, i64::MAX, i64::MIN];
/// Variants of each schema.
const VARIANTS: usize = 8;
/// How deep a schema is followed.
const DEEP_MAX: usize = 12;
/// How deep the deepest input is: a server reads JSON no deeper than this.
const NESTED_MAX: usize = 100;
/// How long the longest text is, in bytes.
const LONG_BYTES: usize = 20_000;

/// Inputs of every kind, those of the schema first; whoever uses them asks the schema which fit.
pub(super) fn inputs(schema: &Value) -> Vec<Value> {
    let mut found: Vec<Value> = Vec::new();
    for variant in 0..VARIANTS {
        for all in [true, false] {
            let input = Sampler { root: schema, variant, all }.sample(schema, 0, 0);
            if !found.contains(&input) {
                found.push(input);
            }
        }
    }
    let plain = found.first().cloned().unwrap_or_default();
    found.extend(longer(&plain));
    found.extend(anything());
    found
}

/// What a guest may be given whose schema lets anything through.
fn anything() -> Vec<Value> {
    let nested = |list: bool| {
        (0..NESTED_MAX).fold(json!(null), |inner, _| if list { json!([inner]) } else { json!({ "a": inner }) })
    };
    vec![
        json!(null),
        json!({}),
        json!([]),
        json!(true),
        json!(""),
        json!(0),
        json!(-0.0),
        json!(1e308),
        json!(u64::MAX),
        json!(TEXTS[5]),
        json!({ TEXTS[5]: TEXTS[6], "": null }),
        nested(true),
        nested(false),
        json!("x".repeat(LONG_BYTES)),
        json!(vec![1; 2_000]),
    ]
}

/// The same input with each of its texts made long, one after the other.
fn longer(input: &Value) -> Vec<Value> {
    let Value::Object(fields) = input else { return Vec::new() };
    let texts = fields.iter().filter(|(_, value)| value.is_string());
    let long = |name: &String| {
        let mut input = input.clone();
        input[name] = json!("ñ".repeat(LONG_BYTES / 2));
        input
    };
    texts.map(|(name, _)| long(name)).collect()
}

struct Sampler<'s> {
    root: &'s Value,
    variant: usize,
    /// Whether properties are there that need not be.
    all: bool,
}

impl Sampler<'_> {
    /// An input; `place` tells the items of a list apart.
    fn sample(&self, schema: &Value, place: usize, deep: usize) -> Value {
        let pick = |all: &[Value]| all.get((self.variant + place) % all.len().max(1)).cloned();
        if deep > DEEP_MAX {
            return Value::Null;
        }
        if let Some(reference) = schema["$ref"].as_str() {
            let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            return target.map_or(Value::Null, |target| self.sample(target, place, deep + 1));
        }
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(value) = schema["enum"].as_array().and_then(|all| pick(all)) {
            return value;
        }
        for choice in ["oneOf", "anyOf", "allOf"] {
            if let Some(schema) = schema[choice].as_array().and_then(|all| pick(all)) {
                return self.sample(&schema, place, deep + 1);
            }
        }
        match kind(schema, self.variant) {
            "object" => self.object(schema, deep),
            "array" => self.list(schema, deep),
            "string" => self.text(schema, place),
            "integer" | "number" => self.number(schema, place),
            "boolean" => json!((self.variant + place).is_multiple_of(2)),
            _ => Value::Null,
        }
    }

    fn object(&self, schema: &Value, deep: usize) -> Value {
        let required: Vec<_> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let properties = schema["properties"].as_object().into_iter().flatten();
        let wanted = properties.filter(|(name, _)| self.all || required.contains(&name.as_str()));
        Value::Object(
            wanted.map(|(name, schema)| (name.clone(), self.sample(schema, 0, deep + 1))).collect::<Map<_, _>>(),
        )
    }

    fn list(&self, schema: &Value, deep: usize) -> Value {
        let least = schema["minItems"].as_u64().unwrap_or(0).min(100) as usize;
        let many = if self.all { least.max(1) } else { least };
        (0..many).map(|place| self.sample(&schema["items"], place, deep + 1)).collect()
    }

    /// A text: one that the schema names, or that its description has between backticks, or any.
    fn text(&self, schema: &Value, place: usize) -> Value {
        let named = [&schema["default"]].into_iter().chain(schema["examples"].as_array().into_iter().flatten());
        let named = named.filter_map(Value::as_str);
        let described = schema["description"].as_str().unwrap_or_default().split('`').skip(1).step_by(2);
        let candidates: Vec<&str> = named.chain(described).chain(TEXTS).collect();
        let text = candidates[(self.variant + place) % candidates.len()];
        json!(text)
    }

    fn number(&self, schema: &Value, place: usize) -> Value {
        let bounds = ["minimum", "maximum"].map(|bound| schema[bound].as_i64());
        let candidates: Vec<i64> = bounds.into_iter().flatten().chain(NUMBERS).collect();
        json!(candidates[(self.variant + place) % candidates.len()])
    }
}

/// What a schema wants: one of its types, or what its other words say.
fn kind(schema: &Value, variant: usize) -> &str {
    match &schema["type"] {
        Value::String(kind) => kind,
        Value::Array(kinds) => kinds.get(variant % kinds.len().max(1)).and_then(Value::as_str).unwrap_or_default(),
        _ if schema["properties"].is_object() => "object",
        _ if schema["items"].is_object() => "array",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_as_the_schema_has_them_and_every_kind_of_odd() {
        let schema = json!({
            "type": "object",
            "properties": {
                "id": {"type": "string", "description": "As in `monday-10`."},
                "kind": {"enum": ["one", "two"]},
                "many": {"type": "integer", "minimum": 3},
                "list": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/item"}},
            },
            "required": ["id", "list"],
            "$defs": {"item": {"type": "string"}},
        });
        let inputs = inputs(&schema);
        assert_eq!(inputs[0]["id"], "monday-10");
        assert_eq!((&inputs[0]["kind"], &inputs[0]["many"]), (&json!("one"), &json!(3)));
        assert_ne!(inputs[0]["list"][0], inputs[0]["list"][1], "items differ");
        assert!(inputs.iter().any(|input| input.get("kind").is_none() && input["id"].is_string()));
        assert!(
            inputs.contains(&json!(null))
                && inputs.iter().any(|input| input["id"].as_str().is_some_and(|id| id.len() >= LONG_BYTES))
        );
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({"type": "object", "properties": {"a": {"$ref": "#"}}});
        assert!(!inputs(&schema).is_empty());
    }
}
