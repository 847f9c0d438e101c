//! `interlink interlinker run`: a component under the host that servers have, with a test for its people and its world.
//!
//! A line of JSON in each direction at a time. The first line says what the component is: `{"manifest": …}`. Then the test
//! asks for one call after the other, `{"do": "instantiate" | "call" | "view", "action"?, "input", "context"}`, and is
//! answered with `{"done", "outcome"?, "state", "logs"}`, `{"refused": {code, detail, pointer?, data?}, "logs"}` or
//! `{"failed": {limit, detail}, "logs"}`. In between it is asked what the component asks: `{"ask": "clock"}`, `{"ask": "random",
//! "count"}`, `{"ask": "secret", "name"}`, `{"ask": "http", "request": {method, url, headers, body}}`; it answers
//! `{"answer": …}`: microseconds, bytes, a text or null, `{status, headers, body}` or `{problem}`. Bytes are lists of numbers.
//!
//! What the manifest asks for is granted. State is kept from call to call, as a server does: not of a call that refuses.

use std::io::{BufRead, Lines, StdinLock, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use interlink_host::{
    Ambience, Call, CallContext, Called, Durable, Entry, Failure, Grants, Host, HostConfig, HttpGrant, HttpRequest,
    HttpResponse, InputError, Interlinker, Kind, Limits, Outbound, OutboundError, Problem, Record, RecordFault,
};
use interlink_model::keyvalues::KeyValues;
use parking_lot::Mutex;
use serde_json::{Value, json};

/// The environment variable that says where native code is kept from one run to the next.
const CACHE_VARIABLE: &str = "INTERLINK_TEST_CACHE";
/// How long a test may take over an answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs calls of a component until the test has no more.
pub fn run(component: &Path) -> Result<(), String> {
    let bytes = std::fs::read(component).map_err(|error| format!("{}: {error}", component.display()))?;
    // Native code lies in the author's own folder, who may run what they like: there is nothing to sign it against.
    let cache = std::env::var_os(CACHE_VARIABLE).map(PathBuf::from);
    let config = HostConfig { threads: 2, cache, secret: [0; 32], limits: Limits::default() };
    let host = Host::new(config).map_err(|error| error.to_string())?;
    let interlinker = host.load(&bytes).map_err(|error| format!("{}: {error}", component.display()))?;
    say(&json!({"manifest": interlinker.manifest()}));
    let heard = std::io::stdin().lock().lines();
    let mut running = Running { host, interlinker, heard, state: KeyValues::default(), calls: 0 };
    while let Some(asked) = running.hear()? {
        let answer = running.call(&asked)?;
        say(&answer);
    }
    Ok(())
}

/// Writes a line. Whoever reads may be gone: then there is nothing left to do.
fn say(value: &Value) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{value}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

struct Running {
    host: Host,
    interlinker: Arc<Interlinker>,
    /// What the test says.
    heard: Lines<StdinLock<'static>>,
    state: KeyValues,
    calls: u64,
}

/// What a call hands to the thread that speaks with the test.
enum Turn {
    Ask(Value, Sender<Value>),
    Called(Box<Called>),
}

impl Running {
    /// The next line of the test; nothing at its end.
    fn hear(&mut self) -> Result<Option<Value>, String> {
        let Some(line) = self.heard.next() else { return Ok(None) };
        let line = line.map_err(|error| format!("standard input: {error}"))?;
        serde_json::from_str(&line).map(Some).map_err(|error| format!("{line:?} is no line of JSON: {error}"))
    }

    fn call(&mut self, asked: &Value) -> Result<Value, String> {
        let entry = entry(asked)?;
        if let Err(problem) = self.check(&entry) {
            return Ok(json!({"refused": problem, "logs": []}));
        }
        self.calls += 1;
        let (turns, next) = channel();
        let call = Call { entry: entry.clone(), state: self.state.clone(), context: context(&asked["context"]) };
        let told = turns.clone();
        let tell = Box::new(move |called| drop(told.send(Turn::Called(Box::new(called)))));
        match entry {
            Entry::View { .. } => self.host.call(&self.interlinker, call, tell),
            _ => self.host.call_durably(&self.interlinker, call, self.durable(turns), tell),
        }
        let called = self.answered(&next)?;
        let logs: Vec<_> = called.logs.iter().map(|line| json!([line.level, line.message])).collect();
        Ok(match called.result {
            Ok(done) => {
                self.state = done.state;
                json!({"done": done.output, "outcome": done.outcome, "state": shown(&self.state), "logs": logs})
            }
            Err(Failure::Refused(problem)) => json!({"refused": refused(&problem), "logs": logs}),
            Err(Failure::NotBegun) => json!({"failed": {"limit": "not-begun"}, "logs": logs}),
            Err(Failure::Failed(fault)) => {
                json!({"failed": {"limit": fault.limit(), "detail": fault.to_string()}, "logs": logs})
            }
        })
    }

    /// Hands what the component asks to the test, until the call has ended.
    fn answered(&mut self, next: &Receiver<Turn>) -> Result<Called, String> {
        loop {
            match next.recv_timeout(PATIENCE).map_err(|error| format!("the call does not end: {error}"))? {
                Turn::Called(called) => return Ok(*called),
                Turn::Ask(question, answer) => {
                    say(&question);
                    let read = self.hear()?.ok_or("the test is gone, and the call waits for an answer")?;
                    // The call may have met its deadline meanwhile.
                    let _ = answer.send(read["answer"].clone());
                }
            }
        }
    }

    /// Checks an input as a server does before it runs anything.
    fn check(&self, entry: &Entry) -> Result<(), Value> {
        let checked = match entry {
            Entry::Instantiate { input } => self.interlinker.check_instantiate(input),
            Entry::Action { name, .. } if self.interlinker.action(name).is_none() => {
                return Err(json!({"code": "no-such-action", "detail": format!("there is no action `{name}`")}));
            }
            Entry::Action { name, input } => self.interlinker.check_action(name, input),
            Entry::View { query } => self.interlinker.check_view(query),
        };
        checked.map_err(|errors| {
            let InputError { pointer, detail } = &errors[0];
            json!({"code": "invalid-input", "detail": detail, "pointer": pointer})
        })
    }

    fn durable(&self, turns: Sender<Turn>) -> Durable {
        let asked = &self.interlinker.manifest().grants;
        let http = asked
            .http
            .iter()
            .filter_map(|http| Some(HttpGrant { methods: http.methods.clone(), origin: http.origin.parse().ok()? }));
        let secrets = asked.secrets.iter().map(|secret| secret.name.clone()).collect();
        let test = Arc::new(Test { turns: Mutex::new(turns) });
        let (ambience, outbound, record) = (Arc::clone(&test), Arc::clone(&test), test);
        let (id, grants) = (format!("call-{}", self.calls), Grants { http: http.collect(), secrets });
        Durable { id, grants, ambience, outbound, record, recorded: Vec::new() }
    }
}

fn entry(asked: &Value) -> Result<Entry, String> {
    let input = asked["input"].clone();
    match asked["do"].as_str() {
        Some("instantiate") => Ok(Entry::Instantiate { input }),
        Some("call") => Ok(Entry::Action { name: asked["action"].as_str().unwrap_or_default().into(), input }),
        Some("view") => Ok(Entry::View { query: input }),
        _ => Err(format!("{asked}: `do` is `instantiate`, `call` or `view`")),
    }
}

fn context(given: &Value) -> CallContext {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let roles = given["person"]["roles"].as_array().into_iter().flatten();
    CallContext {
        person: given["person"]["id"].as_str().map(str::to_owned),
        roles: roles.map(text).collect(),
        process: text(&given["process"]),
        task: text(&given["task"]),
        asset: text(&given["asset"]),
        language: text(&given["language"]),
        at: text(&given["at"]),
    }
}

/// A state as tests look at it: values that are JSON as such, others as bytes.
fn shown(state: &KeyValues) -> Value {
    let value = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap_or_else(|_| json!(bytes));
    Value::Object(state.iter().map(|(key, bytes)| (key.to_string(), value(bytes))).collect())
}

fn refused(problem: &Problem) -> Value {
    let data: Option<Value> = problem.data.as_ref().and_then(|data| serde_json::from_str(data).ok());
    json!({"code": problem.code, "detail": problem.detail, "pointer": problem.pointer, "data": data})
}

/// The world outside: the test.
struct Test {
    turns: Mutex<Sender<Turn>>,
}

impl Test {
    fn ask(&self, question: Value) -> Value {
        let (answer, answered) = channel();
        // A test that is gone answers nothing.
        let _ = self.turns.lock().send(Turn::Ask(question, answer));
        answered.recv_timeout(PATIENCE).unwrap_or(Value::Null)
    }
}

fn bytes_of(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.as_bytes().to_vec(),
        value => {
            value.as_array().into_iter().flatten().filter_map(|byte| byte.as_u64().map(|byte| byte as u8)).collect()
        }
    }
}

impl Ambience for Test {
    fn now(&self) -> i64 {
        self.ask(json!({"ask": "clock"})).as_i64().unwrap_or(0)
    }

    fn random(&self, bytes: &mut [u8]) {
        let drawn = bytes_of(&self.ask(json!({"ask": "random", "count": bytes.len()})));
        bytes.iter_mut().zip(drawn).for_each(|(byte, drawn)| *byte = drawn);
    }

    fn secret(&self, name: &str) -> Option<String> {
        self.ask(json!({"ask": "secret", "name": name})).as_str().map(str::to_owned)
    }
}

impl Outbound for Test {
    fn send(&self, request: &HttpRequest) -> Result<HttpResponse, OutboundError> {
        let HttpRequest { method, url, headers, body, .. } = request;
        let asked = json!({"method": method, "url": url, "headers": headers, "body": body});
        let answer = self.ask(json!({"ask": "http", "request": asked}));
        match answer["problem"].as_str() {
            Some("timeout") => return Err(OutboundError::Timeout),
            Some("not-sent") => return Err(OutboundError::Refused { reason: "the test has it so".into() }),
            Some(_) => return Err(OutboundError::Unreachable { reason: "the test has it so".into() }),
            None => {}
        }
        let headers = answer["headers"].as_array().into_iter().flatten();
        let header = |pair: &Value| Some((pair[0].as_str()?.to_owned(), pair[1].as_str()?.to_owned()));
        Ok(HttpResponse {
            status: answer["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(0),
            headers: headers.filter_map(header).collect(),
            body: bytes_of(&answer["body"]),
        })
    }
}

impl Record for Test {
    fn started(&self) -> Result<(), RecordFault> {
        Ok(())
    }

    fn answered(&self, _: u32, _: Kind, _: &[u8], _: &[u8]) -> Result<(), RecordFault> {
        Ok(())
    }
}
