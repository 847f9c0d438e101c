//! The pages under `docs/` are held to what is there: their commands are run, their schemas checked, the names of tests and
//! limits looked up.

mod limits;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Parser;
use interlink_conformance::Options;
use serde_json::json;

use crate::automation::started;
use crate::client::{Answer, Ask, Client};
use crate::given::{TOOL_LIBRARY, complete, id_of, running, schema, text};
use crate::server::{Server, interlink, printed};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub fn page(name: &str) -> String {
    std::fs::read_to_string(root().join("docs").join(name)).expect("the page is there")
}

/// Contents of the fenced blocks of a language, in their order.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fenced = page.split("\n```").skip(1).step_by(2);
    fenced
        .filter_map(|block| block.strip_prefix(&format!("{language}\n")).map(|block| block.to_owned() + "\n"))
        .collect()
}

/// Every file of Rust below a directory, by its path from the root.
fn sources() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut left: Vec<_> =
        ["api", "engine", "fuzz", "interlinkers", "sdk", "tests"].map(|below| root().join(below)).into();
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(std::fs::read_dir(&path).expect("a directory").map(|entry| entry.expect("an entry").path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let below = path.strip_prefix(root()).expect("below it").to_string_lossy().into_owned();
            found.insert(below, std::fs::read_to_string(&path).expect("it can be read"));
        }
    }
    found
}

/// What stands between backticks.
fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_schema_of_the_page_on_schemas_is_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("of-the-page.yaml");
    let blocks = blocks(&page("writing-schemas.md"), "yaml");
    assert!(blocks.len() > 5, "only {} blocks", blocks.len());
    for block in blocks {
        let whole = if block.starts_with("name:") {
            block
        } else {
            let tasks: String = block.lines().map(|line| format!("          {line}\n")).collect();
            format!(
                "name: piece\nversion: 1.0.0\nphases:\n  - id: p\n    objectives:\n      - id: o\n        tasks:\n{tasks}"
            )
        };
        std::fs::write(&path, &whole).expect("written");
        let checked = interlink(&["schema", "check", path.to_str().expect("a path of letters")]);
        assert!(printed(&checked).contains("nothing wrong"), "{}\n{whole}", printed(&checked));
    }
}

#[test]
fn every_key_of_the_editor_schema_that_is_about_time_and_work_is_explained_on_the_page() {
    let page = page("writing-schemas.md");
    let authoring: serde_json::Value = serde_json::from_str(&page_of_editors()).expect("it is JSON");
    let keys = authoring["$defs"]["task"]["properties"].as_object().expect("tasks have keys");
    let told_elsewhere = ["id", "name", "description", "roles", "prerequisites"];
    let planned = |key: &str| keys[key].get("not").is_some();
    for key in keys.keys().filter(|key| !told_elsewhere.contains(&key.as_str()) && !planned(key)) {
        assert!(page.contains(&format!("`{key}")) || page.contains(&format!("{key}: ")), "`{key}` is not explained");
    }
}

fn page_of_editors() -> String {
    page("schema-authoring.schema.json")
}

/// A word of a command line: quotes hold it together, a `#` between words begins a remark.
pub fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for letter in line.chars().chain([' ']) {
        match (quote, letter) {
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (Some(open), letter) if open == letter => quote = None,
            (None, '#') if word.is_none() => break,
            (None, ' ') => words.extend(word.take()),
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    words
}

/// What the placeholders of the page stand for.
struct Stage<'a> {
    server: &'a Server,
    names: Vec<(&'static str, String)>,
}

impl Stage<'_> {
    fn fill(&self, line: &str) -> String {
        self.names.iter().fold(line.to_owned(), |line, (name, value)| line.replace(name, value))
    }

    /// Runs a line, which has to do what it says.
    #[track_caller]
    fn run(&self, line: &str) {
        let words = words(&self.fill(line));
        match words[0].as_str() {
            "interlink" => {
                let output = self.server.cli(&words[1..]);
                assert!(output.status.success(), "{line}: {}", printed(&output));
            }
            "curl" => {
                let answer = curl(self.server.operator(), &words[1..]);
                assert!((200..300).contains(&answer.status), "{line}: {}", answer.text());
            }
            other => panic!("nobody knows `{other}`"),
        }
    }
}

/// What curl would send.
fn curl(client: &Client, words: &[String]) -> Answer {
    let after = |option: &str| {
        let place = words.iter().position(|word| word == option);
        place.and_then(|place| words.get(place + 1)).map(String::as_str)
    };
    let url = words.iter().find_map(|word| word.strip_prefix("$INTERLINK_SERVER")).expect("a path of the server");
    let ask = Ask::new(after("-X").unwrap_or("GET"), url);
    client.ask(&match after("-d") {
        Some(body) => ask.body("application/json", body),
        None => ask,
    })
}

/// The command lines of a page, with what was broken over two lines put together.
pub fn commands(page: &str) -> Vec<String> {
    let lines = blocks(page, "text").concat().replace("\\\n", " ");
    lines.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

/// Where backups go, and what is restored from them: each command has a name of its own, a restore takes the last backup.
struct Shelf {
    directory: tempfile::TempDir,
    backups: usize,
    restored: usize,
}

impl Shelf {
    fn names(&mut self, line: &str) -> [(&'static str, String); 2] {
        self.backups += usize::from(line.starts_with("interlink backup"));
        self.restored += usize::from(line.starts_with("interlink restore"));
        let below = |name: String| self.directory.path().join(name).to_string_lossy().into_owned();
        let (backup, restored) = (format!("{}.backup", self.backups), format!("again-{}", self.restored));
        [("town.backup", below(backup)), ("/var/lib/interlink-again", below(restored))]
    }
}

/// Whether a command wants a directory that no server has.
fn wants_no_server(line: &str) -> bool {
    ["audit verify", "state rebuild", "offload", "backup town.backup --data", "interlink repair"]
        .iter()
        .any(|words| line.contains(words))
}

/// A registry of OCI artifacts, as the page has it.
const OF_REGISTRY: &str = "localhost:5000";

#[test]
fn every_command_of_the_page_for_operators_does_what_it_says() {
    let mut server = Server::start();
    let operator = server.operator().clone();
    schema(&operator);
    let process = running(&operator, "Of the page");
    complete(&operator, &process, "find-room");
    let ended = running(&operator, "Given up");
    operator.tell(&format!("{ended}/cancel")).is(200);
    operator.send("/v1/schemas", "application/yaml", TOOL_LIBRARY.replace("version: 1.0.0", "version: 1.1.0")).is(201);
    let of_example = std::fs::read(root().join("examples/schemas/participatory-budget.yaml")).expect("it is there");
    operator.send("/v1/schemas", "application/yaml", of_example).is(201);
    let service = root().join("examples/services/playgrounds.yaml").to_string_lossy().into_owned();
    let organization = json!({"name": "Zaragoza", "kind": "public_administration"});
    let organization = text(&operator.post("/v1/organizations", &organization).is(201)["id"]).to_owned();
    let mut incidents = failing(&operator, 3).into_iter().peekable();
    let data = server.data().to_str().expect("a path of letters").to_owned();
    // The ledger of a directory in which nothing was erased.
    std::fs::write(server.place("keys/erased"), "").expect("written");
    let mut shelf = Shelf { directory: tempfile::tempdir().expect("a directory"), backups: 0, restored: 0 };
    let folder = tempfile::tempdir().expect("a directory");
    let exchange = folder.path().to_str().expect("a path of letters").to_owned();
    let slow = tempfile::tempdir().expect("a directory");
    let slow = slow.path().to_str().expect("a path of letters").to_owned();
    let registry = crate::registry::oci::Registry::start(folder.path());
    let address = registry.as_ref().map_or_else(String::new, |registry| registry.address.clone());
    let of_page = commands(&page("operating.md"));
    // Where none is installed, what is said of registries is not run.
    let has_registry = |line: &&String| registry.is_some() || !line.contains(OF_REGISTRY);
    let (offline, online): (Vec<_>, Vec<_>) = of_page
        .iter()
        .filter(|line| !line.starts_with("interlink serve"))
        .filter(has_registry)
        .partition(|line| wants_no_server(line));
    assert!(online.len() > 15 && offline.len() >= 3, "{online:?} with a server, {offline:?} without");
    for line in online {
        let incident = incidents.peek().cloned().unwrap_or_default();
        let of_line = [
            ("/var/lib/interlink", data.clone()),
            ("INCIDENT", incident),
            ("PROCESS", id_of(&process).to_owned()),
            ("ORGANIZATION", organization.clone()),
            ("ENDED", id_of(&ended).to_owned()),
            ("SCHEMA", "tool-library".to_owned()),
            ("/srv/exchange", exchange.clone()),
            ("my-service.yaml", service.clone()),
            (OF_REGISTRY, address.clone()),
        ];
        let names = shelf.names(line).into_iter().chain(of_line).collect();
        Stage { server: &server, names }.run(line);
        if ["retry", "skip", "resolve"].iter().any(|word| line.starts_with(&format!("interlink incident {word}"))) {
            incidents.next();
        }
    }
    server.stop();
    for line in offline {
        let of_line = [("/var/lib/interlink", data.clone()), ("/mnt/slow", slow.clone())];
        let names = shelf.names(line).into_iter().chain(of_line).collect();
        Stage { server: &server, names }.run(line);
    }
}

#[test]
fn every_command_of_the_page_on_schemas_does_what_it_says() {
    let server = Server::start();
    let example = root().join("examples/schemas/school-street.yaml").to_string_lossy().into_owned();
    let lines = commands(&page("writing-schemas.md"));
    assert!(lines.len() >= 3, "{lines:?}");
    for line in lines {
        Stage { server: &server, names: vec![("my-schema.yaml", example.clone())] }.run(&line);
    }
}

#[test]
fn every_command_of_the_page_on_conformance_does_what_it_says() {
    let server = Server::start();
    let poll = root().join("interlinkers/dist/poll.wasm").to_string_lossy().into_owned();
    let names = vec![
        ("http://127.0.0.1:8080", server.address()),
        ("TOKEN", server.operator().token().to_owned()),
        ("dist/street-party.wasm", poll),
    ];
    let stage = Stage { server: &server, names };
    let lines = commands(&page("conformance.md"));
    assert_eq!(lines.len(), 4, "{lines:?}");
    for line in lines {
        // All cases are another test's; the crate's own tests are run with the others.
        match line.strip_prefix("cargo run -p ") {
            Some(line) if line.ends_with("deputy") => {
                let words = words(&stage.fill(line)).into_iter().filter(|word| word != "--");
                let options = Options::try_parse_from(words).expect("the options are there");
                let mut said = Vec::new();
                assert!(options.run(&mut said).expect("it runs"), "{}", String::from_utf8_lossy(&said));
            }
            Some(_) => {}
            None if line.starts_with("cargo test -p ") => {}
            None => stage.run(&line),
        }
    }
}

/// Incidents of processes whose Interlinker is nowhere.
fn failing(client: &Client, count: usize) -> Vec<String> {
    let task = "          - { id: ask, kind: interlinker, interlinker: oracle, retry: { attempts: 1 } }\n";
    for _ in 0..count {
        started(client, "doomed", task);
    }
    let begun = std::time::Instant::now();
    loop {
        let found = client.all("/v1/incidents?status=open", 100);
        if found.len() == count {
            return found.iter().map(|incident| text(&incident["id"]).to_owned()).collect();
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{}", json!(found));
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn every_test_that_the_page_on_guarantees_names_is_there() {
    let sources = sources();
    let is_there = |name: &str| sources.values().any(|source| source.contains(&format!("fn {name}(")));
    let looks_like_a_test = |span: &&str| {
        span.matches('_').count() >= 4
            && span.chars().all(|letter| letter.is_ascii_lowercase() || "_0123456789".contains(letter))
    };
    for (name, least) in [("guarantees.md", 20), ("limits.md", 80)] {
        let page = page(name);
        let named: Vec<_> = spans(&page).filter(looks_like_a_test).collect();
        assert!(named.len() >= least, "{name} names {} tests", named.len());
        for test in named {
            assert!(is_there(test), "{name} names `{test}`, which is nowhere");
        }
    }
}

#[test]
fn links_from_page_to_page_lead_somewhere() {
    let pages =
        std::fs::read_dir(root().join("docs")).expect("a directory").map(|entry| entry.expect("an entry").path());
    let mut links = 0;
    for path in pages.chain(["README.md", "ARCHITECTURE.md"].map(|name| root().join(name))) {
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("it can be read");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") || target.starts_with('#') {
                continue;
            }
            let file = target.split('#').next().unwrap_or_default();
            let there = path.parent().unwrap_or(Path::new(".")).join(file);
            assert!(there.exists(), "{} leads to {target}", path.display());
            links += 1;
        }
    }
    assert!(links > 5, "only {links} links");
}
