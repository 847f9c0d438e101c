//! The component that is made of the code under test, in a program that has the host of servers.
//!
//! `interlink interlinker test` runs tests a second time so: it says in the environment which component and which program. The
//! two speak line by line, as `interlink interlinker run` has it: what the component asks the world outside is asked here.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value as Json, json};

use super::town::{Kept, Message, Town};
use crate::call::PersonId;
use crate::interlinker::Request;
use crate::log::Level;
use crate::outside::Outside;
use crate::problem::{Problem, Result};

/// The environment variable that names the component.
const COMPONENT_VARIABLE: &str = "INTERLINK_TEST_COMPONENT";
/// The environment variable that names the program.
const PROGRAM_VARIABLE: &str = "INTERLINK_TEST_BINARY";

/// A component that runs.
#[derive(Debug)]
pub(super) struct Component {
    program: Child,
    /// Absent once it was told that there is no more.
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

/// What came of a call.
pub(super) struct Called {
    /// Its answer.
    pub answer: Result<String>,
    /// What it declared.
    pub outcome: Option<Json>,
    /// The state afterwards, where it was done.
    pub state: Option<BTreeMap<String, Json>>,
    /// What it wanted besides.
    pub wanted: Kept,
    /// What it logged.
    pub logs: Vec<(Level, String)>,
}

impl Component {
    /// The component that the environment names, where it is of this Interlinker.
    pub(super) fn named(name: &str) -> Option<Self> {
        let (component, program) = (std::env::var_os(COMPONENT_VARIABLE)?, std::env::var_os(PROGRAM_VARIABLE)?);
        let mut command = Command::new(&program);
        command.args(["interlinker", "run"]).arg(component).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut program = command.spawn().unwrap_or_else(|error| panic!("{} does not run: {error}", program.display()));
        let (to, from) = (program.stdin.take(), program.stdout.take().expect("it was asked for"));
        let mut running = Self { program, to, from: BufReader::new(from) };
        let manifest = running.hear();
        (manifest["manifest"]["name"] == name).then_some(running)
    }

    /// Runs a call; `town` answers what it asks.
    pub(super) fn call(&mut self, context: &str, request: &Request<'_>, town: &Town) -> Called {
        let read = |text: &str| -> Json { serde_json::from_str(text).expect("a test writes JSON") };
        let context = read(context);
        let mut asked = match request {
            Request::Instantiate(input) => json!({"do": "instantiate", "input": read(input), "context": context}),
            Request::Call { action, input } => {
                json!({"do": "call", "action": action, "input": read(input), "context": context})
            }
            Request::View(query) => json!({"do": "view", "input": read(query), "context": context}),
            Request::Ring { name, input } => {
                json!({"do": "ring", "name": name, "input": read(input), "context": context})
            }
            Request::Migrate(version) => json!({"do": "migrate", "version": version, "context": context}),
        };
        asked["settings"] = read(&town.settings());
        self.say(&asked);
        loop {
            let said = self.hear();
            match said["ask"].as_str() {
                Some(what) => self.say(&json!({"answer": answer(what, &said, town)})),
                None => return called(&said),
            }
        }
    }

    /// Gives it a state that an earlier version left.
    pub(super) fn keep(&mut self, state: &BTreeMap<String, Json>) {
        self.say(&json!({"do": "keep", "state": state}));
        self.hear();
    }

    /// Puts a blob there, as a person does; answers what it is known by.
    pub(super) fn put(&mut self, media_type: &str, content: &[u8]) -> String {
        self.say(&json!({"do": "blob", "media_type": media_type, "content": content}));
        self.hear()["done"].as_str().unwrap_or_default().to_owned()
    }

    fn say(&mut self, line: &Json) {
        let to = self.to.as_mut().expect("it is told to end when this goes");
        writeln!(to, "{line}").expect("the component's host has gone: what it said stands above");
    }

    fn hear(&mut self) -> Json {
        let mut line = String::new();
        self.from.read_line(&mut line).expect("the component's host speaks UTF-8");
        assert!(!line.is_empty(), "the component's host has gone: what it said stands above");
        serde_json::from_str(&line).expect("the component's host speaks JSON")
    }
}

impl Drop for Component {
    fn drop(&mut self) {
        // It ends with what it is told.
        self.to = None;
        let _ = self.program.wait();
    }
}

/// What the test's world answers.
fn answer(what: &str, said: &Json, town: &Town) -> Json {
    match what {
        "clock" => json!(town.now()),
        "random" => json!(town.random(said["count"].as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or(0))),
        "people" => match town.people() {
            Ok(people) => serde_json::from_str(&people).expect("a list of people is JSON"),
            Err(_) => json!([]),
        },
        "asset" => {
            let text = |name: &str| said[name].as_str().unwrap_or_default();
            match town.act_on(text("asset"), text("action"), &said["input"].to_string()) {
                Ok(output) => json!({"output": serde_json::from_str::<Json>(&output).expect("an output is JSON")}),
                Err(problem) => json!({"problem": {"code": problem.code, "detail": problem.detail}}),
            }
        }
        "secret" => json!(town.secret(said["name"].as_str().unwrap_or_default())),
        _ => exchanged(&said["request"], town),
    }
}

fn exchanged(request: &Json, town: &Town) -> Json {
    // What the host adds names the call, which no test knows.
    let headers = request["headers"].as_array().into_iter().flatten();
    let headers: Vec<_> = headers.filter(|header| header[0] != "idempotency-key").collect();
    let head = json!({"method": request["method"], "url": request["url"], "headers": headers});
    let body: Vec<u8> = serde_json::from_value(request["body"].clone()).unwrap_or_default();
    match town.http(&head.to_string(), &body) {
        Ok((head, body)) => {
            let head: Json = serde_json::from_str(&head).expect("a response's head is JSON");
            json!({"status": head["status"], "headers": head["headers"], "body": body})
        }
        Err(problem) => json!({"problem": problem.code}),
    }
}

/// # Panics
///
/// When the call failed, as its panic would here.
fn called(said: &Json) -> Called {
    let level = |name: &Json| match name.as_str() {
        Some("debug") => Level::Debug,
        Some("warn") => Level::Warn,
        Some("error") => Level::Error,
        _ => Level::Info,
    };
    let text = |value: &Json| value.as_str().map(str::to_owned);
    let logs = said["logs"].as_array().into_iter().flatten();
    let logs = logs.map(|line| (level(&line[0]), text(&line[1]).unwrap_or_default())).collect();
    if let Some(failed) = said["failed"].as_object() {
        panic!("the call failed: {}", failed["detail"]);
    }
    let (refused, data) = (&said["refused"], &said["refused"]["data"]);
    let answer = match text(&refused["code"]) {
        Some(code) => Err(Problem {
            code,
            detail: text(&refused["detail"]).unwrap_or_default(),
            pointer: text(&refused["pointer"]),
            data: (!data.is_null()).then(|| data.clone()),
        }),
        None => Ok(said["done"].to_string()),
    };
    let outcome = (!said["outcome"].is_null()).then(|| said["outcome"].clone());
    let state = said.get("state").and_then(|state| serde_json::from_value(state.clone()).ok());
    let wanted = wanted(&said["besides"]);
    Called { answer, outcome, state, wanted, logs }
}

/// What a call wanted besides. The bytes of a blob stay with the component's host, which gives them to the component.
fn wanted(besides: &Json) -> Kept {
    let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
    let list = |name: &str| besides[name].as_array().cloned().unwrap_or_default();
    let messages = list("messages").into_iter().map(|told| {
        let to = told["to"].as_array().into_iter().flatten().map(|id| PersonId::new(text(id))).collect();
        Message { to, title: text(&told["title"]), text: text(&told["text"]) }
    });
    let noted = list("noted").into_iter().map(|noted| (text(&noted["word"]), noted["amount"].as_i64().unwrap_or(0)));
    let alarms = besides["alarms"].as_object().into_iter().flatten().map(|(name, alarm)| {
        let set = alarm["at"].as_i64().map(|at| (at, alarm["input"].clone()));
        (name.clone(), set)
    });
    Kept { messages: messages.collect(), noted: noted.collect(), alarms: alarms.collect(), blobs: BTreeMap::new() }
}
