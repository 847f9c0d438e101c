//! What holds for any document, valid or not.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use interlink_model::schema::authoring::{Syntax, parse};
use interlink_model::schema::outline::{ItemRef, Outline};
use interlink_model::schema::{bundle, digest, text};
use proptest::prelude::*;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const BUDGET: &[u8] = include_bytes!("../../../examples/schemas/participatory-budget.yaml");

/// Any text that YAML can hold in double quotes, with what confuses readers often in it.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z ]{1,20}",
        "[ -~äñ目😀\n\t\"\\\\:#-]{1,20}",
        Just("no".to_owned()),
        Just("1.0".to_owned()),
        Just("~".to_owned()),
        Just("- a: b".to_owned()),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-1_000_000i64..1_000_000).prop_map(Value::from),
        (-1.0e6f64..1.0e6).prop_map(Value::from),
        any_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z:# ]{1,6}", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

/// The shape of a tree: for each phase, for each objective, how many tasks.
fn any_shape() -> impl Strategy<Value = Vec<Vec<usize>>> {
    prop::collection::vec(prop::collection::vec(0usize..4, 0..4), 1..4)
}

/// A valid document: prerequisites go from items to ones that come earlier in a hidden order, and each list is then
/// turned about, so that the authored order is not the one wanted.
fn any_document() -> impl Strategy<Value = Value> {
    let parts = (any_shape(), any_text(), any_value(), prop::collection::vec(any::<u16>(), 64), any::<bool>());
    parts.prop_map(|(shape, title, extension, dice, turned)| {
        let mut dice = dice.into_iter().cycle();
        let mut roll = move |sides: usize| usize::from(dice.next().unwrap_or_default()) % sides.max(1);
        let mut document = json!({"name": "any", "version": "1.0.0", "title": title, "x-any": extension});
        let phases: Vec<Value> = (0..shape.len())
            .map(|p| {
                let objectives: Vec<Value> = (0..shape[p].len())
                    .map(|o| {
                        let tasks: Vec<Value> =
                            (0..shape[p][o]).map(|t| named(&format!("t{p}.{o}."), t, &mut roll)).collect();
                        with_list(named(&format!("o{p}."), o, &mut roll), "tasks", tasks, turned)
                    })
                    .collect();
                with_list(named("p", p, &mut roll), "objectives", objectives, turned)
            })
            .collect();
        document = with_list(document, "phases", phases, turned);
        document
    })
}

fn named(prefix: &str, number: usize, roll: &mut impl FnMut(usize) -> usize) -> Value {
    let mut item = json!({"id": format!("{prefix}{number}")});
    if number > 0 && roll(2) == 0 {
        let kind = ["finished", "previous"][roll(2)];
        item["prerequisites"] = json!([{"item": format!("{prefix}{}", roll(number)), "type": kind}]);
    }
    item
}

fn with_list(mut map: Value, key: &str, mut list: Vec<Value>, turned: bool) -> Value {
    if turned {
        list.reverse();
    }
    map[key] = Value::from(list);
    map
}

/// `value` as YAML in block style, with texts in double quotes.
fn to_yaml(value: &Value, indent: usize, out: &mut String) {
    let margin = "  ".repeat(indent);
    match value {
        Value::Array(values) if !values.is_empty() => {
            for value in values {
                out.push_str(&format!("\n{margin}-"));
                to_yaml(value, indent + 1, out);
            }
        }
        Value::Object(entries) if !entries.is_empty() => {
            // Keys the other way round: their order says nothing.
            for (key, value) in entries.iter().rev() {
                out.push_str(&format!("\n{margin}{}:", Value::from(key.as_str())));
                to_yaml(value, indent + 1, out);
            }
        }
        scalar => out.push_str(&format!(" {scalar}")),
    }
}

/// Places of the items in the schema's order, by id, level by level.
fn places(outline: &Outline) -> BTreeMap<String, ItemRef> {
    let phases = outline.phases.iter().enumerate().map(|(n, phase)| (phase.id.clone(), ItemRef::Phase(n)));
    let objectives = outline.objectives.iter().enumerate().map(|(n, o)| (o.id.clone(), ItemRef::Objective(n)));
    let tasks = outline.tasks.iter().enumerate().map(|(n, task)| (task.id.clone(), ItemRef::Task(n)));
    phases.chain(objectives).chain(tasks).collect()
}

/// Every prerequisite of a document, as (item, what comes before).
fn prerequisites(value: &Value, found: &mut Vec<(String, String)>) {
    if let (Some(id), Some(list)) = (value["id"].as_str(), value["prerequisites"].as_array()) {
        found.extend(list.iter().filter_map(|p| Some((id.to_owned(), p["item"].as_str()?.to_owned()))));
    }
    for key in ["phases", "objectives", "tasks"] {
        value[key].as_array().into_iter().flatten().for_each(|part| prerequisites(part, found));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for syntax in [Syntax::Yaml, Syntax::Json] {
            if let Err(refusal) = parse(&bytes, syntax) {
                let source = String::from_utf8_lossy(&bytes);
                refusal.findings.iter().for_each(|finding| { finding.render(&source, "any"); });
            }
        }
        let _ = bundle::unzip(&bytes);
        let files = ["metadata.json", "phases/a.json"].map(|path| (path.to_owned(), bytes.clone()));
        let _ = bundle::import(&BTreeMap::from(files));
        text::accepted(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn arbitrary_punctuation_never_panics(source in "[\\[\\]{}:,&*!|>'\"%@`#?~\\- \n\tae\u{e9}\u{feff}\u{85}]{0,80}") {
        for syntax in [Syntax::Yaml, Syntax::Json] {
            if let Err(refusal) = parse(source.as_bytes(), syntax) {
                refusal.findings.iter().for_each(|finding| { finding.render(&source, "any"); });
            }
        }
    }

    #[test]
    fn a_damaged_document_never_panics(at in 0..BUDGET.len(), with in any::<u8>(), cut in 0..BUDGET.len()) {
        let mut bytes = BUDGET.to_vec();
        bytes[at] = with;
        let _ = parse(&bytes, Syntax::Yaml);
        let _ = parse(&bytes[..cut], Syntax::Yaml);
    }

    #[test]
    fn a_damaged_zip_never_panics(changes in prop::collection::vec((any::<usize>(), any::<u8>()), 1..8)) {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for path in ["metadata.json", "phases/a.json"] {
            writer.start_file(path, SimpleFileOptions::default()).expect("an entry");
            writer.write_all(BUDGET).expect("its bytes");
        }
        let mut bytes = writer.finish().expect("a zip").into_inner();
        let length = bytes.len();
        for (at, with) in changes {
            // The headers stand at both ends; most of the middle is packed text.
            let at = if at % 2 == 0 { at % 64 } else { length - 1 - at % 160 };
            bytes[at] = with;
        }
        if let Ok(files) = bundle::unzip(&bytes) {
            let _ = bundle::import(&files);
        }
    }

    #[test]
    fn values_that_are_no_schema_never_panic(value in any_value(), deeper in any_value()) {
        let document = json!({"name": value, "version": deeper, "title": value, "roles": deeper, "phases": [
            value, {"id": "p", "name": value, "after": deeper, "prerequisites": value, "objectives": [
                deeper, {"id": value, "tasks": [value, {"id": "t", "kind": deeper, "roles": value}]}
            ]}
        ]});
        let _ = parse(document.to_string().as_bytes(), Syntax::Json);
        let bytes = document.to_string().into_bytes();
        let files = ["metadata.json", "phases/a.json"].map(|path| (path.to_owned(), bytes.clone()));
        let _ = bundle::import(&BTreeMap::from(files));
    }

    #[test]
    fn yaml_and_json_of_the_same_document_are_one_schema(document in any_document()) {
        let json = parse(document.to_string().as_bytes(), Syntax::Json);
        let mut source = String::new();
        to_yaml(&document, 0, &mut source);
        let yaml = parse(source.as_bytes(), Syntax::Yaml);
        prop_assert!(json.is_ok(), "{json:?}");
        prop_assert_eq!(&json, &yaml, "{}", source);
        let parsed = json.expect("checked");
        prop_assert_eq!(&parsed.schema.digest, &digest::of(&digest::canonical(&parsed.document)));
        // What is kept of it reads as the same again.
        let kept = digest::canonical(&parsed.document);
        prop_assert_eq!(parse(&kept, Syntax::Json), Ok(parsed));
    }

    #[test]
    fn the_order_respects_every_prerequisite_and_loses_nothing(document in any_document()) {
        let parsed = parse(document.to_string().as_bytes(), Syntax::Json).expect("a schema");
        let places = places(&Outline::of(&parsed.schema));
        let mut wanted = Vec::new();
        prerequisites(&document, &mut wanted);
        for (item, before) in wanted {
            prop_assert!(places[&before] < places[&item], "{before} comes before {item}");
        }
        let written = document.to_string().matches("\"id\":").count();
        prop_assert_eq!(places.len(), written);
    }
}

#[test]
fn without_prerequisites_the_authored_order_stays() {
    let document = json!({"name": "a", "version": "1.0.0", "phases": [{"id": "z"}, {"id": "m"}, {"id": "a"}]});
    let schema = parse(document.to_string().as_bytes(), Syntax::Json).expect("a schema").schema;
    assert_eq!(schema.phases.iter().map(|phase| phase.id.as_str()).collect::<Vec<_>>(), ["z", "m", "a"]);
}

#[test]
fn an_item_that_waits_moves_no_further_than_it_must() {
    let document = json!({"name": "a", "version": "1.0.0", "phases": [
        {"id": "a"}, {"id": "b", "after": "d"}, {"id": "c"}, {"id": "d"}, {"id": "e"}
    ]});
    let schema = parse(document.to_string().as_bytes(), Syntax::Json).expect("a schema").schema;
    assert_eq!(schema.phases.iter().map(|phase| phase.id.as_str()).collect::<Vec<_>>(), ["a", "c", "d", "b", "e"]);
}

#[test]
fn parts_that_wait_put_what_holds_them_in_order_unless_both_ways_at_once() {
    let phase = |id: &str, tasks: Value| json!({"id": id, "objectives": [{"id": format!("o-{id}"), "tasks": tasks}]});
    let order = |first: Value, second: Value| {
        let document = json!({"name": "a", "version": "1.0.0", "phases": [first, second]});
        let schema = parse(document.to_string().as_bytes(), Syntax::Json).expect("a schema").schema;
        schema.phases.into_iter().map(|phase| phase.id).collect::<Vec<_>>()
    };
    let later = phase("later", json!([{"id": "a1", "after": "b1"}, {"id": "a2"}]));
    assert_eq!(order(later.clone(), phase("first", json!([{"id": "b1"}]))), ["first", "later"]);
    let both = phase("first", json!([{"id": "b1"}, {"id": "b2", "after": "a2"}]));
    assert_eq!(order(later, both), ["later", "first"]);
}
