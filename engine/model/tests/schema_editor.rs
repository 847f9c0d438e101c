//! The JSON Schema for editors is the committed one, and agrees with the reader.

use interlink_model::schema::authoring::{Syntax, parse};
use interlink_model::schema::editor::json_schema;
use serde_json::{Value, json};

#[test]
fn the_committed_json_schema_is_the_one_that_is_served() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/schema-authoring.schema.json");
    let wanted = format!("{:#}\n", json_schema());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &wanted).expect("docs can be written");
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == wanted, "{path} is not up to date: run this test with UPDATE_DOCS=1");
}

#[test]
fn every_key_is_described_or_refers_to_what_describes_it() {
    let schema = json_schema();
    let defs = schema["$defs"].as_object().expect("definitions").values();
    for properties in defs.chain([&schema]).filter_map(|part| part["properties"].as_object()) {
        for (key, property) in properties {
            let described = property.get("description").is_some() || property.get("$ref").is_some();
            assert!(described, "{key}: {property}");
        }
    }
}

fn examples() -> [Value; 2] {
    let read = |source: &[u8]| parse(source, Syntax::Yaml).expect("a schema").document;
    [
        read(include_bytes!("../../../examples/schemas/participatory-budget.yaml")),
        read(include_bytes!("../../../examples/schemas/accessibility-review.yaml")),
    ]
}

#[test]
fn the_json_schema_takes_what_the_reader_takes_and_refuses_what_it_refuses() {
    let validator = jsonschema::draft202012::new(&json_schema()).expect("a JSON Schema");
    let small = json!({"name": "a", "version": "1.0.0", "phases": [{"id": "p", "objectives": [
        {"id": "o", "tasks": [{"id": "t"}, {"id": "u"}]}
    ]}]});
    let with = |pointer: &str, key: &str, value: Value| {
        let mut document = small.clone();
        let map = document.pointer_mut(pointer).and_then(Value::as_object_mut).expect("a map");
        map.insert(key.to_owned(), value);
        document
    };
    let task = "/phases/0/objectives/0/tasks/1";
    let documents = [
        small.clone(),
        with("", "format", json!(1)),
        with("", "format", json!(2)),
        with("", "title", json!("A")),
        with("", "title", json!({"en": "A", "pt-BR": "B", "lv": null})),
        with("", "title", json!({"english!": "A"})),
        with("", "title", json!(7)),
        with("", "languages", json!(["en", "no"])),
        with("", "languages", json!(["x"])),
        with("", "roles", json!(["reader"])),
        with("", "roles", json!(["reader", "reader"])),
        with("", "tags", json!(["Two words"])),
        with("", "licence", json!("CC0-1.0")),
        with("", "version", json!("1.0")),
        with("", "version", json!("1.0.0-rc.1+7")),
        with("", "phases", json!([])),
        with("", "x-mine", json!({"a": [1]})),
        with("", "due", json!("2 weeks")),
        with("", "nonsense", json!(1)),
        with(task, "kind", json!("human")),
        with(task, "kind", json!("approval")),
        with(task, "after", json!("t")),
        with(task, "after", json!(["t"])),
        with(task, "after", json!({"t": "finished"})),
        with(task, "prerequisites", json!([{"item": "t", "type": "previous"}])),
        with(task, "prerequisites", json!([{"item": "t"}])),
        with(task, "prerequisites", json!([{"type": "previous"}])),
        with(task, "prerequisites", json!(["t"])),
        with(task, "problem_profiles", json!(["decide-together"])),
        with(task, "problem_profiles", json!("decide-together")),
        with(task, "roles", json!(["owner"])),
        with(task, "every", json!("0 9 1 * *")),
        with(task, "id", json!("Not an id")),
        with(task, "id", json!(null)),
        with(task, "description", json!(null)),
        with("/phases/0", "tasks", json!([])),
        with("/phases/0/objectives/0", "tasks", json!(null)),
        json!([]),
        json!({}),
    ];
    for document in documents.iter().chain(&examples()) {
        let taken = parse(document.to_string().as_bytes(), Syntax::Json).is_ok();
        assert_eq!(validator.is_valid(document), taken, "{document}");
    }
}
