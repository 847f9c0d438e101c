//! The schemas that the repository shows.

use std::path::PathBuf;

use serde_json::json;

use crate::given::{created_from, drive, tasks, text};
use crate::server::{Server, interlink, printed};

const EXAMPLES: [&str; 2] = ["accessibility-review", "participatory-budget"];

fn example(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../examples/schemas/{name}.yaml"))
}

#[test]
fn the_example_schemas_are_checked_imported_and_driven_to_their_end() {
    let mut server = Server::start();
    let operator = server.operator().clone();
    for name in EXAMPLES {
        let path = example(name);
        let path = path.to_str().expect("a path of letters");
        let checked = interlink(&["schema", "check", path]);
        assert!(checked.status.success(), "{}", printed(&checked));
        assert!(printed(&checked).contains("nothing wrong"), "{}", printed(&checked));
        let imported = server.cli(&["schema", "import", path]);
        assert!(imported.status.success(), "{}", printed(&imported));

        let schema = operator.get(&format!("/v1/schemas/{name}")).is(200);
        assert!(printed(&checked).contains(text(&schema["digest"])), "check and server agree on the digest");
        let process = created_from(&operator, name, "As the example has it");
        operator.tell(&format!("{process}/start")).is(200);
        assert_eq!(drive(&operator, &process, usize::MAX).len(), tasks(&schema).len());
        let shown = operator.get(&process).is(200);
        assert_eq!((&shown["status"], &shown["progress"]), (&json!("completed"), &json!(1.0)));

        let listed = server.cli(&["process", "show", crate::given::id_of(&process)]);
        assert!(listed.status.success() && printed(&listed).contains("completed"), "{}", printed(&listed));
    }
    server.audit();
}

#[test]
fn a_broken_copy_of_an_example_is_checked_with_file_line_and_what_would_be_right() {
    let sound = std::fs::read_to_string(example("accessibility-review")).expect("it is there");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("broken.yaml");
    let broken = sound.replacen("after: describe-service", "after: describe-servise", 1);
    assert_ne!(sound, broken);
    std::fs::write(&path, &broken).expect("written");
    let line = broken.lines().position(|line| line.contains("describe-servise")).expect("it is there") + 1;

    let path = path.to_str().expect("a path of letters");
    let output = interlink(&["schema", "check", path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "errors go to standard error");
    let said = printed(&output);
    assert!(said.contains(&format!("broken.yaml:{line}")), "no line {line} in: {said}");
    assert!(said.contains("describe-servise") && said.contains("`describe-service`"), "{said}");

    let output = interlink(&["--output", "json", "schema", "check", path]);
    assert_eq!(output.status.code(), Some(1));
    let refusal: serde_json::Value = serde_json::from_slice(&output.stderr).expect("JSON was asked for");
    assert_eq!(refusal["findings"][0]["line"], json!(line), "{refusal}");
}

#[test]
fn a_path_that_is_no_schema_is_said_to_be_none() {
    for path in ["/nowhere/at-all.yaml", "Cargo.toml"] {
        let output = interlink(&["schema", "check", path]);
        assert_eq!(output.status.code(), Some(1), "{path}");
        assert!(printed(&output).contains(path), "{}", printed(&output));
    }
}
