//! `interlink interlinker run`: a component under the host that servers have, with a test for its people and its world.
//!
//! A line of JSON in each direction at a time. The first line says what the component is: `{"manifest": …}`. Then the test
//! asks for one call after the other, `{"do": "instantiate" | "call" | "view" | "ring" | "migrate", "action"?, "name"?,
//! "version"?, "input", "context", "settings"?}`, and is answered with `{"done", "outcome"?, "state", "besides", "logs"}`,
//! `{"refused": {code, detail, pointer?, data?}, "logs"}` or `{"failed": {limit, detail}, "logs"}`. `{"do": "keep", "state"}`
//! sets a state that an earlier version left, `{"do": "blob", "media_type", "content"}` puts a blob there, as a person does.
//! An answer to a call has `fuel` besides: what it used of that, some instructions of WebAssembly.
//! In between it is asked what the component asks: `{"ask": "clock"}`, `{"ask": "random", "count"}`, `{"ask": "secret",
//! "name"}`, `{"ask": "http", "request": {method, url, headers, body}}`, `{"ask": "people"}`, `{"ask": "asset", "asset",
//! "action", "input"}`; it answers `{"answer": …}`: microseconds, bytes, a text or null, `{status, headers, body}` or
//! `{problem}`, a list of `{id, roles}`, `{output}` or `{problem: {code, detail}}`. Bytes are lists of numbers.
//!
//! `besides` is what the call wants besides: `noted`, `messages`, `alarms` (null where one was taken away) and `blobs`.
//!
//! What the manifest asks for is granted. State is kept from call to call, as a server does: not of a call that refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Lines, StdinLock, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use interlink_host::{
    AlarmChange, Ambience, Besides, Blobs, Call, CallContext, Called, Company, Durable, Entry, Failure, Given, Grants,
    Host, HostConfig, HttpRequest, HttpResponse, InputError, Interlinker, Kind, Limits, Outbound, OutboundError,
    Problem, Put, Record, RecordFault,
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
    let (state, alarms, blobs) = (KeyValues::default(), BTreeSet::new(), BTreeMap::new());
    let mut running = Running { host, interlinker, heard, state, alarms, blobs, calls: 0 };
    while let Some(asked) = running.hear()? {
        let answer = match asked["do"].as_str() {
            Some("keep") => running.keep(&asked["state"]),
            Some("blob") => running.put(&asked),
            _ => running.call(&asked)?,
        };
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
    alarms: BTreeSet<String>,
    blobs: BTreeMap<String, Put>,
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
        let given = Given {
            settings: asked["settings"].clone(),
            grants: self.grants(),
            blobs: Some(Arc::new(Kept(self.blobs.clone()))),
            alarms: self.alarms.clone(),
        };
        let call = Call { entry: entry.clone(), state: self.state.clone(), context: context(&asked["context"]), given };
        let told = turns.clone();
        let tell = Box::new(move |called| drop(told.send(Turn::Called(Box::new(called)))));
        match entry {
            Entry::View { .. } | Entry::Migrate { .. } => self.host.call(&self.interlinker, call, tell),
            _ => self.host.call_durably(&self.interlinker, call, self.durable(turns), tell),
        }
        let called = self.answered(&next)?;
        let logs: Vec<_> = called.logs.iter().map(|line| json!([line.level, line.message])).collect();
        let mut answer = match called.result {
            Ok(done) => {
                self.state = done.state;
                if let Entry::Ring { name, .. } = &entry {
                    self.alarms.remove(name);
                }
                let besides = self.take_in(done.besides);
                let (output, outcome) = (done.output, done.outcome);
                let state = shown(&self.state);
                json!({"done": output, "outcome": outcome, "state": state, "besides": besides, "logs": logs})
            }
            Err(Failure::Refused(problem)) => json!({"refused": refused(&problem), "logs": logs}),
            Err(Failure::NotBegun) => json!({"failed": {"limit": "not-begun"}, "logs": logs}),
            Err(Failure::Failed(fault)) => {
                json!({"failed": {"limit": fault.limit(), "detail": fault.to_string()}, "logs": logs})
            }
        };
        answer["fuel"] = json!(called.cost.fuel);
        Ok(answer)
    }

    /// Sets a state.
    fn keep(&mut self, state: &Value) -> Value {
        self.state = KeyValues::default();
        for (key, value) in state.as_object().into_iter().flatten() {
            self.state.set(key, value.to_string().into_bytes());
        }
        json!({"done": null, "state": shown(&self.state), "besides": {}, "logs": []})
    }

    /// Puts a blob.
    fn put(&mut self, asked: &Value) -> Value {
        let media_type = asked["media_type"].as_str().unwrap_or("application/octet-stream").to_owned();
        let put = Put { media_type, content: bytes_of(&asked["content"]) };
        let digest = interlink_host::digest(&put.content);
        self.blobs.insert(digest.clone(), put);
        json!({"done": digest, "state": shown(&self.state), "besides": {}, "logs": []})
    }

    /// Takes in what a call wants besides, and shows it.
    fn take_in(&mut self, besides: Besides) -> Value {
        let Besides { noted, messages, alarms, blobs } = besides;
        let noted: Vec<_> = noted.iter().map(|noted| json!({"word": noted.word, "amount": noted.amount})).collect();
        let messages = messages.iter().map(|told| json!({"to": told.to, "title": told.title, "text": told.text}));
        let messages: Vec<_> = messages.collect();
        let mut rung = serde_json::Map::new();
        for (name, change) in alarms {
            let shown = match change {
                AlarmChange::Set { at, input } => {
                    self.alarms.insert(name.clone());
                    json!({"at": at, "input": input})
                }
                AlarmChange::Cancelled => {
                    self.alarms.remove(&name);
                    Value::Null
                }
            };
            rung.insert(name, shown);
        }
        let kept = blobs.iter().map(|(digest, put)| {
            (digest.clone(), json!({"media_type": put.media_type, "size_bytes": put.content.len()}))
        });
        let kept: serde_json::Map<_, _> = kept.collect();
        self.blobs.extend(blobs);
        json!({"noted": noted, "messages": messages, "alarms": rung, "blobs": kept})
    }

    /// What the manifest asks for, all of it.
    fn grants(&self) -> Grants {
        Grants::default().with(&self.interlinker.manifest().grants)
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
            Entry::Ring { .. } | Entry::Migrate { .. } => Ok(()),
        };
        checked.map_err(|errors| {
            let InputError { pointer, detail } = &errors[0];
            json!({"code": "invalid-input", "detail": detail, "pointer": pointer})
        })
    }

    fn durable(&self, turns: Sender<Turn>) -> Durable {
        let test = Arc::new(Test { turns: Mutex::new(turns) });
        let (ambience, outbound, record) = (Arc::clone(&test), Arc::clone(&test), Arc::clone(&test));
        let (id, grants) = (format!("call-{}", self.calls), self.grants());
        Durable { id, grants, ambience, outbound, company: Some(test), record, recorded: Vec::new() }
    }
}

fn entry(asked: &Value) -> Result<Entry, String> {
    let input = asked["input"].clone();
    match asked["do"].as_str() {
        Some("instantiate") => Ok(Entry::Instantiate { input }),
        Some("call") => Ok(Entry::Action { name: asked["action"].as_str().unwrap_or_default().into(), input }),
        Some("view") => Ok(Entry::View { query: input }),
        Some("ring") => Ok(Entry::Ring { name: asked["name"].as_str().unwrap_or_default().into(), input }),
        Some("migrate") => Ok(Entry::Migrate { version: asked["version"].as_str().unwrap_or_default().into() }),
        _ => Err(format!("{asked}: `do` is `instantiate`, `call`, `view`, `ring`, `migrate`, `keep` or `blob`")),
    }
}

/// Who calls, when, and on what.
pub fn context(given: &Value) -> CallContext {
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
        by: given["by"].as_str().map(str::to_owned),
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

/// Blobs that earlier calls and people put.
struct Kept(BTreeMap<String, Put>);

impl Blobs for Kept {
    fn size(&self, digest: &str) -> Option<u64> {
        self.0.get(digest).map(|put| put.content.len() as u64)
    }

    fn total(&self) -> (usize, u64) {
        (self.0.len(), self.0.values().map(|put| put.content.len() as u64).sum())
    }

    fn read(&self, digest: &str, offset: u64, limit: usize) -> Result<Option<Vec<u8>>, String> {
        let part = |put: &Put| {
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(put.content.len());
            put.content[from..from.saturating_add(limit).min(put.content.len())].to_vec()
        };
        Ok(self.0.get(digest).map(part))
    }
}

impl Company for Test {
    fn people(&self) -> String {
        self.ask(json!({"ask": "people"})).to_string()
    }

    fn act(&self, grants: &Grants, _: u32, asset: &str, action: &str, input: &str) -> Result<String, Problem> {
        if !grants.assets.iter().any(|grant| grant.actions.iter().any(|own| own == action)) {
            return Err(Problem::not_granted(&format!("to run `{action}` of another asset")));
        }
        let input: Value = serde_json::from_str(input).unwrap_or_default();
        let answer = self.ask(json!({"ask": "asset", "asset": asset, "action": action, "input": input}));
        let problem = &answer["problem"];
        if problem.is_null() {
            return Ok(answer["output"].to_string());
        }
        let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
        Err(Problem { code: text("code"), detail: text("detail"), pointer: None, data: None })
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
