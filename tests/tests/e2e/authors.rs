//! The author's way, in each language: an empty folder, three commands, and a mistake that is found.
//!
//! Where a language's tools cannot be had, its test says so and is skipped.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::client::{Ask, Client};
use crate::given::{asset, becomes, library, running, text};
use crate::handbook::{commands, page, words};
use crate::server::{BINARY, Server, printed};

/// An author at work in a folder.
struct Author<'a> {
    folder: tempfile::TempDir,
    server: &'a Server,
    language: &'static str,
}

impl<'a> Author<'a> {
    fn new(server: &'a Server, language: &'static str) -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), server, language }
    }

    fn project(&self) -> PathBuf {
        self.folder.path().join("river-day")
    }

    /// Runs a command of the author's. What is fetched and compiled is kept from run to run.
    fn run(&self, within: &Path, arguments: &[&str]) -> Output {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder").join("author");
        let mut command = Command::new(BINARY);
        command.arg("interlinker").args(arguments).current_dir(within).stdin(Stdio::null());
        command.env("INTERLINK_TOOLS_DIR", target.join("tools")).env("CARGO_TARGET_DIR", target.join("cargo"));
        command.env("INTERLINK_SERVER", self.server.address()).env("INTERLINK_TOKEN", self.server.operator().token());
        command.output().expect("the binary runs")
    }

    /// The same, which has to do what it says; nothing where the language's tools cannot be had.
    #[track_caller]
    fn does(&self, within: &Path, arguments: &[&str]) -> Option<String> {
        let output = self.run(within, arguments);
        let said = printed(&output);
        if !output.status.success() && said.contains("is not here") {
            eprintln!("skipped: {said}");
            return None;
        }
        assert!(output.status.success(), "{} {arguments:?}: {said}", self.language);
        Some(said)
    }

    fn change(&self, file: &str, from: &str, to: &str) {
        let path = self.project().join(file);
        let source = std::fs::read_to_string(&path).expect("the file is there");
        assert!(source.contains(from), "{file} has no {from:?}");
        std::fs::write(&path, source.replace(from, to)).expect("written");
    }
}

/// What a language has different.
struct Different {
    language: &'static str,
    file: &'static str,
    /// A mistake in a type, and what is said of it.
    mistyped: [&'static str; 2],
    misfit: &'static str,
    /// What is a mistake in a component only, in place of the first of `crash`.
    only_there: &'static str,
    /// A mistake that shows when it runs, and what the author is told: function and place.
    crash: [&'static str; 2],
    told: [&'static str; 2],
}

fn joined(client: &Client, asset: &str) -> u16 {
    client.post(&format!("{asset}/actions/join"), &json!({})).status
}

/// New, test, publish; used by people; a mistake that does not build; a mistake that fails in a call.
fn goes_its_way(of: &Different) {
    let server = library();
    let author = Author::new(&server, of.language);
    author.does(author.folder.path(), &["new", "river-day", "--lang", of.language]).expect("it needs nothing");
    let project = author.project();
    if author.does(&project, &["test"]).is_none() {
        return;
    }
    let said = author.does(&project, &["publish"]).expect("its tools are here");
    assert!(said.contains("published river-day 0.1.0"), "{said}");
    // Its own module, and two small ones that give it what it imports: whatever it was linked of is in the one.
    let component = std::fs::read(project.join("dist/river-day.wasm")).expect("it was built");
    let modules = component.windows(8).filter(|bytes| bytes == b"\0asm\x01\0\0\0").count();
    assert!((1..=3).contains(&modules), "{modules} modules, each of which is made for every call");
    // What the templates make is good whatever it is given.
    author.does(&project, &["check", "dist/river-day.wasm"]).expect("it needs nothing");
    let listed = author.does(&project, &["list"]).expect("it needs nothing");
    assert!(listed.contains("river-day"), "{listed}");

    let (ana, boris) = (server.member("ana"), server.member("boris"));
    let process = running(&ana, "By the river");
    let form = server.operator().get("/v1/interlinkers/river-day/actions").is(200);
    let note = &form["items"][0]["input"]["properties"]["note"];
    assert_eq!((&note["maxLength"], &note["description"]), (&json!(500), &json!("A word to the others.")), "{form}");
    let new = |places: Value| json!({"interlinker": "river-day", "input": {"title": "Cleaning", "places": places}});
    let path = format!("{process}/tasks/find-room/assets");
    ana.post(&path, &new(json!(0))).points_at(422, "invalid-input", &["/input/places"]);
    let list = asset(&ana, &process, "find-room", "river-day", &json!({"title": "Cleaning", "places": 2}));
    assert_eq!([joined(&ana, &list), joined(&ana, &list), joined(&boris, &list)], [200, 409, 200]);
    assert_eq!(ana.get(&list).is(200)["outcome"], json!({"people": 2}));
    assert_eq!(ana.get(&format!("{list}/view")).is(200)["notes"], json!(["", ""]));

    author.change(of.file, of.mistyped[0], of.mistyped[1]);
    let refused = author.run(&project, &["build"]);
    assert!(!refused.status.success() && printed(&refused).contains(of.misfit), "{}", printed(&refused));
    author.change(of.file, of.mistyped[1], of.mistyped[0]);
    author.change(of.file, of.crash[0], of.only_there);
    let failed = author.run(&project, &["test"]);
    assert!(!failed.status.success() && printed(&failed).contains("failed in the component"), "{}", printed(&failed));
    author.change(of.file, of.only_there, of.crash[0]);
    author.change(of.file, of.crash[0], of.crash[1]);
    author.change(of.file, "0.1.0", "0.1.1");
    author.does(&project, &["publish"]).expect("its tools are here");
    let list = asset(&ana, &process, "find-room", "river-day", &json!({"title": "Cleaning", "places": 2}));
    let failed = ana.post(&format!("{list}/actions/join"), &json!({}));
    assert!(failed.status >= 500, "{}", failed.text());
    for told in of.told {
        assert!(failed.text().contains(told), "{} does not say {told:?}", failed.text());
    }
    assert_eq!(ana.get(&format!("{list}/view")).is(200)["notes"], json!([]), "nothing was changed");
}

#[test]
fn an_interlinker_in_rust_goes_from_an_empty_folder_to_a_server_in_three_commands() {
    goes_its_way(&Different {
        language: "rust",
        file: "src/lib.rs",
        mistyped: ["places: u64,\n    notes", "places: &'static Open,\n    notes"],
        misfit: "src/lib.rs:",
        only_there: "let places = self.open.get().places; assert!(!cfg!(target_arch = \"wasm32\"));",
        crash: [
            "let places = self.open.get().places;",
            "let places = self.open.get().places; if places > 1 { panic!(\"one too many\") }",
        ],
        told: ["one too many", "src/lib.rs:"],
    });
}

#[test]
fn an_interlinker_in_javascript_goes_from_an_empty_folder_to_a_server_in_three_commands() {
    goes_its_way(&Different {
        language: "js",
        file: "river-day.js",
        mistyped: ["this.joined.size < places", "this.jioned.size < places"],
        misfit: "river-day.js:",
        only_there: "const { places } = this.state.get(\"process\" in globalThis ? \"open\" : \"opened\");",
        crash: ["const { places } = this.state.get(\"open\");", "const { places } = this.state.get(\"opened\");"],
        told: ["at join", "river-day.js:"],
    });
}

#[test]
fn an_interlinker_in_python_goes_from_an_empty_folder_to_a_server_in_three_commands() {
    goes_its_way(&Different {
        language: "python",
        file: "river_day.py",
        mistyped: ["places: int\n    notes", "places: set\n    notes"],
        misfit: "river_day.py:",
        only_there: "places = self.state.get(\"opened\" if __import__(\"sys\").platform == \"wasi\" else \"open\", Open).places",
        crash: ["places = self.state.get(\"open\", Open).places", "places = self.state.get(\"opened\", Open).places"],
        told: ["at RiverDay.join", "river_day.py:"],
    });
}

#[test]
fn every_command_of_the_page_for_authors_does_what_it_says() {
    let server = Server::start();
    let author = Author::new(&server, "js");
    let mut within = author.folder.path().to_owned();
    let lines = commands(&page("writing-interlinkers.md"));
    assert!(lines.len() >= 5, "{lines:?}");
    for line in lines {
        let words = words(&line);
        match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["cd", folder] => within.push(folder),
            ["interlink", "interlinker", arguments @ ..] => {
                if author.does(&within, arguments).is_none() {
                    return;
                }
            }
            _ => panic!("nobody knows `{line}`"),
        }
    }
    let published = server.operator().get("/v1/interlinkers/street-party").is(200);
    assert_eq!((&published["version"], &published["signed_by"]["key"]), (&json!("0.1.0"), &json!("town-2027")));
    assert_eq!(published["provenance"]["build"], "componentize-qjs 0.4.5");
}

/// An example of the repository in a folder of its own, tested and published; nothing where its language's tools cannot be had.
fn published_example<'a>(server: &'a Server, example: &str, language: &'static str) -> Option<Author<'a>> {
    published_from(server, &format!("../examples/{example}"), language)
}

/// The same of any folder.
fn published_from<'a>(server: &'a Server, folder: &str, language: &'static str) -> Option<Author<'a>> {
    let author = Author::new(server, language);
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    std::fs::create_dir(author.project()).expect("made");
    for file in std::fs::read_dir(from).expect("the example is there").flatten() {
        if file.path().is_file() {
            std::fs::copy(file.path(), author.project().join(file.file_name())).expect("copied");
        }
    }
    author.does(&author.project(), &["test"])?;
    author.does(&author.project(), &["publish"]).expect("its tools are here");
    Some(author)
}

/// People, other assets, blobs that are read, alarms, migration, anonymous actions and examples: by the code itself, in its
/// component, and on a server.
fn runs_its_errands(language: &'static str, file: &str, codes: [&str; 3], example: [&str; 4]) {
    let server = library();
    let Some(author) = published_from(&server, &format!("fixtures/authors/{language}"), language) else { return };
    let form = server.operator().get("/v1/interlinkers/errands/actions").is(200);
    let of = |name: &str| form["items"].as_array().into_iter().flatten().find(|one| one["name"] == name).cloned();
    let wait = of("wait").expect("it is there");
    let expected = json!({"title": "A minute", "input": {"seconds": 60}, "output": {"name": "chime"}});
    assert_eq!((&wait["examples"][0], &wait["anonymous"]), (&expected, &json!(false)), "{wait}");
    assert_eq!(of("cast").expect("it is there")["anonymous"], json!(true));
    assert_eq!(form["instantiate"]["examples"][0]["title"], json!("Begin"));

    let ana = server.member("ana");
    let process = running(&ana, "Errands");
    let made = asset(&ana, &process, "find-room", "errands", &json!({}));
    let shown = ana.get(&format!("{made}/view?rendered=true")).is(200);
    assert_eq!(shown["output"]["papers"], json!([{"text": "*a*", "page": "<b>a</b>"}]), "the page is safe");
    let output = &shown["output"];
    assert_eq!((&output["asides"], &output["pages"]), (&json!(["<b>a</b>", null]), &json!({"first": "<b>a</b>"})));
    assert_eq!(shown["rendered"], json!({"/papers/0/text": "<p><em>a</em></p>\n"}));

    let [code, no_code, made_up] = codes;
    author.change(file, code, no_code);
    let refused = author.run(&author.project(), &["build"]);
    let (said, place) = (printed(&refused), format!("{file}:"));
    let told = said.lines().find(|line| line.starts_with(&place)).unwrap_or_default();
    assert!(!refused.status.success() && told.contains("Twice") && told.contains("is no code"), "{said}");
    author.change(file, no_code, made_up);
    let failed = author.run(&author.project(), &["test"]);
    let said = printed(&failed);
    assert!(!failed.status.success() && said.contains("TWICE") && said.contains("which is no code"), "{said}");
    author.change(file, made_up, code);

    let [right, wrong, unfit, misanswered] = example;
    author.change(file, right, wrong);
    let failed = author.run(&author.project(), &["test"]);
    let said = printed(&failed);
    let told = "the example \"A minute\" of `wait` was to answer";
    assert!(!failed.status.success() && said.contains(told) && said.contains("and it answered"), "{said}");
    author.change(file, wrong, right);
    author.change(file, right, unfit);
    let refused = author.run(&author.project(), &["build"]);
    let said = printed(&refused);
    assert!(!refused.status.success() && said.contains("\"A minute\"") && said.contains("own form refuses"), "{said}");
    author.change(file, unfit, misanswered);
    let refused = author.run(&author.project(), &["build"]);
    let said = printed(&refused);
    assert!(
        !refused.status.success() && said.contains("\"A minute\"") && said.contains("schema of its output"),
        "{said}"
    );
}

#[test]
fn all_that_a_class_in_javascript_can_do_is_tested_in_the_class_and_in_its_component() {
    runs_its_errands(
        "js",
        "errands.js",
        ["{ code: \"twice\" }", "{ code: \"Twice\" }", "{ code: \"twice\".toUpperCase() }"],
        [
            "input: { seconds: 60 }, output: { name: \"chime\" }",
            "input: { seconds: 60 }, output: { name: \"gong\" }",
            "input: { seconds: 0 }, output: { name: \"chime\" }",
            "input: { seconds: 60 }, output: { name: 7 }",
        ],
    );
}

#[test]
fn all_that_a_class_in_python_can_do_is_tested_in_the_class_and_in_its_component() {
    runs_its_errands(
        "python",
        "errands.py",
        ["code=\"twice\"", "code=\"Twice\"", "code=\"twice\".upper()"],
        [
            "Later(60), output=Set(\"chime\")",
            "Later(60), output=Set(\"gong\")",
            "Later(0), output=Set(\"chime\")",
            "Later(60), output=Set(7)",
        ],
    );
}

/// What `build` says of an Interlinker in JavaScript with this class body, line by line; nothing where its tools cannot be had.
fn refused_in_javascript(body: &str) -> Option<String> {
    let server = Server::start();
    let author = Author::new(&server, "js");
    author.does(author.folder.path(), &["new", "river-day", "--lang", "js"]).expect("it needs nothing");
    let (imports, about) = (
        "import { Interlinker } from \"./.interlink/js/index.js\";\n",
        "static about = { name: \"river-day\", version: \"0.1.0\", actions: { join: {} }, alarms: [\"ring\"] };\n",
    );
    let source = format!("{imports}export default class Day extends Interlinker {{\n{about}{body}}}\n");
    std::fs::write(author.project().join("river-day.js"), source).expect("written");
    let output = author.run(&author.project(), &["build"]);
    let said = printed(&output);
    if said.contains("is not here") {
        eprintln!("skipped: {said}");
        return None;
    }
    assert!(!output.status.success(), "{said}");
    Some(said)
}

/// The methods that a class needs besides `join`. What comes next begins in line 8.
const AROUND_JOIN: &str = "instantiate() {}\n/** @returns {string} */\nview() { return \"\"; }\nring() {}\n";

#[test]
fn a_mistake_in_an_example_above_a_method_is_told_with_its_place() {
    let tags = [
        ("join(", "9:18: the example is no JavaScript"),
        ("", "10:12: an example is a call of its method: `join({…})`"),
        ("leave()", "11:13: an example is a call of its method: `join({…})`"),
        ("join({}, 1)", "12:22: "),
        ("join({ at: new Date() })", "13:24: `new Date()` is no value that is written out"),
        ("join({ ...all })", "14:20: `...all` is no value"),
        ("join({}) join", "15:22: "),
        ("join({})\n * join({})", "17:4: an example is a call of its method: `join({…})`, and one alone"),
        ("join({}) // it works", "18:25: behind the call stands what comes of it"),
        ("join({}) // => [1, x]", "19:32: `x` is no value"),
        ("join({}) // problem: Is Full", "20:25: `Is Full` is no code"),
        ("join({}) // => {\n * // }", "sound"),
        ("<caption>A word</caption> join({ note: -1.5, \"b\": [true, null, `c`] }); // problem: is-full", "sound"),
    ];
    let written: String = tags.iter().map(|(example, _)| format!(" * @example {example}\n")).collect();
    let body = format!("{AROUND_JOIN}/**\n{written} */\njoin() {{}}\n");
    let Some(said) = refused_in_javascript(&body) else { return };
    let told: Vec<&str> = said.lines().filter(|line| line.starts_with("river-day.js:")).collect();
    let wanted: Vec<_> = tags.iter().filter(|(_, told)| *told != "sound").collect();
    assert_eq!(told.len(), wanted.len(), "{said}");
    for ((example, wanted), told) in wanted.into_iter().zip(told) {
        assert!(told.starts_with(&format!("river-day.js:{wanted}")), "{example}: {told}");
    }
}

#[test]
fn an_example_above_a_method_is_held_to_the_forms_and_stands_where_something_runs_it() {
    let unfit = |example: &str| {
        let types = "/** @param {{places: number}} input @returns {{left: number}}\n";
        refused_in_javascript(&format!(
            "{AROUND_JOIN}{types} * @example\n * {example} */\njoin(input) {{ return {{ left: input.places }}; }}\n"
        ))
    };
    let Some(said) = unfit("join({ places: \"two\" })") else { return };
    for word in ["river-day.js:9:4: ", "`join`", "own form refuses", "/places", "number"] {
        assert!(said.contains(word), "{said} does not say {word:?}");
    }
    let said = unfit("join({ places: 2 }) // => { left: \"two\" }").expect("its tools are here");
    for word in ["river-day.js:9:4: ", "\"join({ places: 2 })\"", "schema of its output refuses", "/left", "number"] {
        assert!(said.contains(word), "{said} does not say {word:?}");
    }
    let elsewhere = "instantiate() {}\n/** @returns {string}\n * @example view() */\nview() { return \"\"; }\n/** @example ring() */\nring() {}\njoin() {}\n";
    let said = refused_in_javascript(elsewhere).expect("its tools are here");
    for told in ["river-day.js:6:4: `view` has no examples", "river-day.js:8:5: `ring` has no examples"] {
        assert!(said.contains(told), "{said}");
    }
}

/// What a call of an Interlinker that is measured uses.
struct Used {
    fuel: u64,
    /// Pages of memory that its process asks the kernel for.
    pages: f64,
}

/// What a call uses that reads and writes its state, with a kibibyte of it. Nothing where its language's tools cannot be had.
fn used_by_a_measured_call(language: &'static str) -> Option<Used> {
    const CALLS: u64 = 200;
    let server = library();
    let author = Author::new(&server, language);
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../xtask/measured").join(language);
    std::fs::create_dir(author.project()).expect("made");
    for file in std::fs::read_dir(from).expect("it is there").flatten() {
        std::fs::copy(file.path(), author.project().join(file.file_name())).expect("copied");
    }
    author.does(&author.project(), &["build"])?;
    let component = author.project().join(format!("dist/ledger-{language}.wasm"));
    let mut running = Command::new(BINARY);
    running.args(["interlinker", "run"]).arg(component).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut running = running.spawn().expect("the binary runs");
    let mut asks = running.stdin.take().expect("it is asked");
    let mut answers = BufReader::new(running.stdout.take().expect("it answers")).lines();
    let mut said = || -> Value {
        let line = answers.next().expect("it goes on").expect("it answers");
        serde_json::from_str(&line).expect("in JSON")
    };
    said();
    let context = json!({"person": {"id": "ana", "roles": []}, "process": "p", "task": "t", "asset": "a",
        "language": "en", "at": "2026-01-01T09:00:00Z"});
    let call = |action: &str, input: Value| json!({"do": "call", "action": action, "input": input, "context": context});
    let mut ask = |what: Value| {
        writeln!(asks, "{what}").expect("it listens");
        said()
    };
    let pages = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", running.id())).expect("it runs");
        let (_, fields) = stat.rsplit_once(')').expect("as proc(5) has it");
        fields.split_whitespace().nth(7).and_then(|minor| minor.parse::<u64>().ok()).expect("a number")
    };
    ask(json!({"do": "instantiate", "input": {}, "context": context}));
    ask(call("fill", json!({"entries": 1})));
    // The first ones are at places that nobody was at.
    (0..CALLS / 10).for_each(|_| drop(ask(call("touch", json!({})))));
    let before = pages();
    let last = (0..CALLS).map(|_| ask(call("touch", json!({})))).last().expect("calls were made");
    let pages = (pages() - before) as f64 / CALLS as f64;
    assert_eq!(last["done"], json!({"entries": 1, "touched": CALLS + CALLS / 10}), "{last}");
    drop(asks);
    assert!(running.wait().expect("it ends").success());
    Some(Used { fuel: last["fuel"].as_u64().expect("it says so"), pages })
}

/// Looking for garbage alone takes a call in JavaScript some 13,000,000 of fuel, one in Python 2,000,000; reading a text of a
/// kibibyte letter by letter takes 400,000 in JavaScript.
#[test]
fn a_call_does_not_look_for_garbage_and_does_not_read_its_state_letter_by_letter() {
    for (language, most) in [("js", 300_000), ("python", 500_000)] {
        if let Some(Used { fuel, .. }) = used_by_a_measured_call(language) {
            assert!((10_000..most).contains(&fuel), "{language}: {fuel}");
        }
    }
}

/// A call in JavaScript writes to 50 pages of memory, which take longer than all else of it where each is asked for.
#[test]
fn all_that_a_call_in_javascript_writes_to_is_kept_where_the_next_finds_it() {
    if let Some(Used { pages, .. }) = used_by_a_measured_call("js") {
        assert!(pages < 5.0, "{pages}");
    }
}

fn told(client: &Client) -> Value {
    client.get("/v1/me/notifications").is(200)["items"].clone()
}

#[test]
fn the_example_in_javascript_tells_people_of_the_answer_to_what_they_suggested() {
    let server = library();
    if published_example(&server, "suggestions-js", "js").is_none() {
        return;
    }
    let (operator, ana, boris) = (server.operator(), server.member("ana"), server.member("boris"));
    let ask = Ask::new("PUT", "/v1/interlinkers/suggestions/grants");
    operator.ask(&ask.body("application/json", json!({"notify": true}).to_string())).is(200);
    let process = running(operator, "The square");
    let made = asset(operator, &process, "find-room", "suggestions", &json!({"title": "The square"}));
    let act = |client: &Client, action: &str, input: Value| client.post(&format!("{made}/actions/{action}"), &input);
    act(&ana, "send", json!({"category": "moon", "text": "A bench"})).points_at(
        409,
        "no-such-category",
        &["/category"],
    );
    act(&ana, "send", json!({"category": "parks", "text": "A bench"})).is(200);
    act(&boris, "support", json!({"number": 1})).is(200);
    act(&boris, "support", json!({"number": 1})).refused(409, "already-supported");
    act(operator, "answer", json!({"number": 1, "text": "In May"})).is(200);
    assert_eq!(told(&ana)[0]["text"], "In May");
    assert_eq!(told(&boris), json!([]));
    let words = operator.get("/v1/adoption").is(200)["uses"]["by_word"]["suggestions"].clone();
    assert_eq!(words, json!({"suggestion-sent": 1, "suggestion-supported": 1}));
}

#[test]
fn the_example_in_python_reminds_people_by_an_alarm_and_keeps_its_list_as_a_blob() {
    let server = library();
    if published_example(&server, "rota-py", "python").is_none() {
        return;
    }
    let (operator, ana) = (server.operator(), server.member("ana"));
    let ask = Ask::new("PUT", "/v1/interlinkers/rota/grants");
    operator.ask(&ask.body("application/json", json!({"notify": true}).to_string())).is(200);
    let process = running(operator, "A soup kitchen");
    // Its reminder is due already: it rings as soon as somebody takes the shift.
    let shifts = json!([{"id": "opening", "starts_at": "2020-05-01T10:00:00Z", "people": 2}]);
    let made = asset(operator, &process, "find-room", "rota", &json!({"title": "Soup", "shifts": shifts}));
    ana.post(&format!("{made}/actions/take"), &json!({"shift": "opening"})).is(200);
    assert!(becomes(|| told(&ana)[0]["title"] == "Your shift: opening"), "nobody was reminded: {}", told(&ana));
    let listed = operator.post(&format!("{made}/actions/write_list"), &json!({})).is(200);
    let blob = operator.get(&format!("{made}/blobs/{}", text(&listed["output"]["digest"])));
    assert_eq!(blob.text(), format!("shift,starts_at,person\nopening,2020-05-01T10:00:00Z,{}\n", ana.id()));
}
