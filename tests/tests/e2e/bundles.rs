//! INTERLINK's published schemas, where they are there to be read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::given::{created_from, drive, ids, tasks, text};
use crate::server::{Server, printed};

/// Name, phases in order, objectives, tasks, problem profiles.
const PUBLISHED: [(&str, &[&str], usize, usize, usize); 3] = [
    ("default", &["phase-engage", "phase-design", "phase-build", "phase-sustain"], 17, 51, 37),
    ("hackathon", &["phase-engage", "phase-design", "phase-run", "phase-exploit"], 10, 30, 34),
    ("servicedescriptionenhancement", &["phase-engage", "phase-design", "phase-run", "phase-refine"], 9, 16, 23),
];

fn published() -> Option<PathBuf> {
    let schemas = std::env::var_os("INTERLINK_DATA").map(|data| PathBuf::from(data).join("schemas"));
    let there = schemas.filter(|schemas| schemas.is_dir());
    if there.is_none() {
        println!("skipped: INTERLINK_DATA names no directory with schemas");
    }
    there
}

/// Imports a published schema by the command line.
#[track_caller]
fn import(server: &Server, name: &str) -> Option<Value> {
    let path = published()?.join(name);
    let path = path.to_str().expect("a path of letters");
    let output = server.cli(&["--output", "json", "schema", "import", path]);
    assert!(output.status.success(), "{}", printed(&output));
    Some(serde_json::from_slice(&output.stdout).expect("JSON was asked for"))
}

fn items(value: &Value, field: &str) -> Vec<Value> {
    value[field].as_array().cloned().unwrap_or_default()
}

/// Siblings stand behind those of their prerequisites that are siblings.
#[track_caller]
fn in_order(siblings: &[Value]) {
    let all: BTreeSet<_> = siblings.iter().map(|sibling| text(&sibling["id"])).collect();
    let mut before = BTreeSet::new();
    for sibling in siblings {
        for prerequisite in items(sibling, "prerequisites") {
            let item = text(&prerequisite["item"]);
            assert!(!all.contains(item) || before.contains(item), "{} stands before {item}", sibling["id"]);
        }
        before.insert(text(&sibling["id"]));
    }
}

#[test]
fn the_published_schemas_import_whole_in_the_order_of_their_prerequisites_and_in_four_languages() {
    if published().is_none() {
        return;
    }
    let server = Server::start();
    for (name, phases, objectives, task_count, profiles) in PUBLISHED {
        let schema = import(&server, name).expect("it is there");
        assert_eq!(ids(&schema["phases"]), phases, "{name}");
        in_order(&items(&schema, "phases"));
        let below: Vec<_> = items(&schema, "phases").iter().flat_map(|phase| items(phase, "objectives")).collect();
        assert_eq!(below.len(), objectives, "{name}");
        items(&schema, "phases").iter().for_each(|phase| in_order(&items(phase, "objectives")));
        below.iter().for_each(|objective| in_order(&items(objective, "tasks")));
        let tasks = tasks(&schema);
        assert_eq!(tasks.len(), task_count, "{name}");
        let named = below.iter().chain(&tasks).flat_map(|item| items(item, "problem_profiles"));
        let named: BTreeSet<_> = named.map(|profile| text(&profile).to_owned()).collect();
        assert_eq!(named.len(), profiles, "{name}");
        assert_eq!(schema["languages"], json!(["en", "es", "it", "lv"]), "{name}");
        in_its_languages(&server, name);
        let again = import(&server, name).expect("it is there");
        assert_eq!(again["digest"], schema["digest"], "{name}");
    }
    assert_eq!(server.operator().all("/v1/schemas", 2).len(), PUBLISHED.len());
}

/// Titles and names of phases come in each language as they were published.
#[track_caller]
fn in_its_languages(server: &Server, name: &str) {
    let directory = published().expect("it is there").join(name);
    let read = |path: PathBuf| -> Value {
        serde_json::from_slice(&std::fs::read(path).expect("it is there")).expect("it is JSON")
    };
    let mut names =
        BTreeMap::from([(String::new(), read(directory.join("metadata.json"))["name_translations"].clone())]);
    for file in std::fs::read_dir(directory.join("phases")).expect("it is there") {
        let phase = read(file.expect("it is there").path());
        names.insert(text(&phase["id"]).to_owned(), phase["name_translations"].clone());
    }
    for language in ["en", "es", "it", "lv"] {
        let shown = server.operator().get(&format!("/v1/schemas/{name}?lang={language}"));
        assert_eq!(shown.header("content-language"), language, "{name}");
        let schema = shown.is(200);
        let phases = items(&schema, "phases");
        let all = phases.iter().map(|phase| (text(&phase["id"]), &phase["name"]));
        for (id, shown) in all.chain([("", &schema["title"])]) {
            let published = text(&names[id][language]).trim();
            assert!(!published.is_empty(), "{name} {id} {language}: nothing to compare with");
            assert_eq!(text(shown).trim(), published, "{name} {id}");
        }
    }
}

#[test]
fn a_process_of_the_default_schema_is_driven_to_its_end_by_the_guide_alone_over_a_kill() {
    if published().is_none() {
        return;
    }
    let mut server = Server::start();
    let schema = import(&server, "default").expect("it is there");
    let operator = server.operator().clone();
    let process = created_from(&operator, "default", "The long way");
    operator.tell(&format!("{process}/start")).is(200);
    let mut done = drive(&operator, &process, 25);
    server.crash();
    done.extend(drive(&operator, &process, usize::MAX));
    let distinct: BTreeSet<_> = done.iter().collect();
    assert_eq!((done.len(), distinct.len()), (51, 51));
    respects_prerequisites(&schema, &done);

    let shown = operator.get(&process).is(200);
    assert_eq!((&shown["status"], &shown["progress"]), (&json!("completed"), &json!(1.0)));
    let tree = operator.get(&format!("{process}/tree")).is(200);
    for item in items(&tree, "phases").iter().chain(&tasks(&tree)) {
        assert_eq!((&item["status"], &item["progress"]), (&json!("completed"), &json!(1.0)), "{}", item["id"]);
    }
    let guide = operator.get(&format!("{process}/guide")).is(200);
    assert_eq!((&guide["next"], &guide["waiting"]), (&json!([]), &json!([])));
    server.audit();
}

/// Whatever an item waits for was finished before the first of its tasks.
#[track_caller]
fn respects_prerequisites(schema: &Value, done: &[String]) {
    let place: BTreeMap<_, _> = done.iter().zip(0..).collect();
    let mut spans: BTreeMap<String, (i32, i32)> = BTreeMap::new();
    let mut waits: Vec<(String, String)> = Vec::new();
    for phase in items(schema, "phases") {
        for objective in items(&phase, "objectives") {
            for task in items(&objective, "tasks") {
                let at = place[&text(&task["id"]).to_owned()];
                for item in [&phase, &objective, &task] {
                    let span = spans.entry(text(&item["id"]).to_owned()).or_insert((at, at));
                    *span = (span.0.min(at), span.1.max(at));
                }
            }
        }
    }
    let all_tasks = tasks(schema);
    let phases = items(schema, "phases");
    let objectives: Vec<_> = phases.iter().flat_map(|phase| items(phase, "objectives")).collect();
    for item in phases.iter().chain(&objectives).chain(&all_tasks) {
        for prerequisite in items(item, "prerequisites") {
            waits.push((text(&item["id"]).to_owned(), text(&prerequisite["item"]).to_owned()));
        }
    }
    assert!(!waits.is_empty(), "the schema has prerequisites");
    for (item, before) in waits {
        if let (Some((first, _)), Some((_, last))) = (spans.get(&item), spans.get(&before)) {
            assert!(last < first, "{item} was begun before {before} was finished");
        }
    }
}
