//! A server that speaks the routes of `API.md`, whatever it is made of.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ureq::http;

use crate::subject::{Act, Asked, Came, Need, NotAsked, Place, Subject, Told};

/// Longer than any request takes.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long alarms may take to ring.
const RING: Duration = Duration::from_secs(20);
/// What the processes are made from.
const SCHEMA: &str = "\
name: conformance
version: 1.0.0
title: Conformance
phases:
  - id: phase
    name: Phase
    objectives:
      - id: objective
        name: Objective
        tasks:
          - id: task
            name: Task
";

/// A server.
pub struct Server {
    agent: ureq::Agent,
    url: String,
    token: String,
    /// Paths of the two processes.
    processes: BTreeMap<&'static str, String>,
    me: Option<String>,
    /// Whether it has room for what some cases write.
    has_room: bool,
}

/// What a server answers.
struct Answer {
    status: u16,
    body: Value,
}

impl Answer {
    /// The slug of a refusal.
    fn slug(&self) -> &str {
        self.body["type"].as_str().and_then(|kind| kind.rsplit('/').next()).unwrap_or_default()
    }

    fn is(self, status: &[u16], asked: &str) -> Told<Value> {
        if status.contains(&self.status) {
            return Ok(self.body);
        }
        Err(format!("{asked} was answered with {}: {:.400}", self.status, self.body.to_string()))
    }

    /// What came of a call.
    fn came(self, asked: &str) -> Told<Came> {
        let slug = self.slug().to_owned();
        match self.status {
            200 | 201 => Ok(Came::Done(self.body)),
            // Only what an Interlinker says has a code.
            409 if self.body["code"].is_string() => Ok(Came::Refused(slug)),
            409 => Ok(Came::NotTaken(slug)),
            429 | 502 if self.body["limit"].is_string() => {
                Ok(Came::Failed(self.body["limit"].as_str().unwrap_or_default().into()))
            }
            404 => Ok(Came::NotTaken("no-such-action".into())),
            400 | 413 | 422 => Ok(Came::NotTaken(slug)),
            _ => self.is(&[200], asked).map(Came::Done),
        }
    }
}

impl Server {
    /// The server at an address, as whom a token says: an operator.
    pub fn new(url: &str, token: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(TIMEOUT)).build();
        let (url, token) = (url.trim_end_matches('/').to_owned(), token.to_owned());
        Self { agent: config.into(), url, token, processes: BTreeMap::new(), me: None, has_room: false }
    }

    /// The same, which has room for what some cases write: some hundred megabytes.
    pub fn with_room(self) -> Self {
        Self { has_room: true, ..self }
    }

    fn ask(&self, method: &str, path: &str, content_type: &str, body: Option<Vec<u8>>) -> Told<Answer> {
        let lost = |error: &dyn std::fmt::Display| format!("{method} {path} was not answered: {error}");
        let request = http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        let request = request.header("authorization", format!("Bearer {}", self.token));
        let answered = match body {
            Some(body) => {
                let request = request.header("content-type", content_type).body(body).map_err(|error| lost(&error))?;
                self.agent.run(request)
            }
            None => self.agent.run(request.body(()).map_err(|error| lost(&error))?),
        };
        let mut answered = answered.map_err(|error| lost(&error))?;
        let body = answered.body_mut().with_config().limit(64 << 20).read_to_vec().map_err(|error| lost(&error))?;
        let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Ok(Answer { status: answered.status().as_u16(), body })
    }

    fn get(&self, path: &str) -> Told<Value> {
        self.ask("GET", path, "", None)?.is(&[200], path)
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Told<Answer> {
        self.ask(method, path, "application/json", Some(body.to_string().into_bytes()))
    }

    /// The path of a process, which is made where it is not there yet.
    fn process(&mut self, place: Place) -> Told<String> {
        let name = match place {
            Place::Here => "here",
            Place::Elsewhere => "elsewhere",
        };
        if let Some(path) = self.processes.get(name) {
            return Ok(path.clone());
        }
        let schema = self.ask("POST", "/v1/schemas", "application/yaml", Some(SCHEMA.into()))?;
        schema.is(&[200, 201], "the schema")?;
        let made = self.send("POST", "/v1/processes", &json!({"schema": "conformance", "name": name}))?;
        let made = made.is(&[201], "a process")?;
        let path = format!("/v1/processes/{}", made["id"].as_str().unwrap_or_default());
        self.ask("POST", &format!("{path}/start"), "", None)?.is(&[200], "its start")?;
        self.processes.insert(name, path.clone());
        Ok(path)
    }

    fn acted(&self, Act { asset, action, input }: &Act) -> Told<Came> {
        let path = format!("/v1/assets/{asset}/actions/{}", escaped(action));
        let came = self.send("POST", &path, input)?.came(&path)?;
        Ok(match came {
            Came::Done(body) => Came::Done(body["output"].clone()),
            other => other,
        })
    }

    fn viewed(&self, asset: &str, query: &Value) -> Told<Came> {
        let path = format!("/v1/assets/{asset}/view?query={}", escaped(&query.to_string()));
        self.ask("GET", &path, "", None)?.came(&path)
    }
}

/// A text as a segment of a path.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

impl Subject for Server {
    fn name(&self) -> String {
        format!("the server at {}", self.url)
    }

    fn prepare(&mut self, needs: &[Need]) -> Result<(), NotAsked> {
        let near = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
        let is_near = near.iter().any(|near| self.url.starts_with(near));
        let has = |need: &Need| match need {
            Need::Outside => is_near,
            Need::Room => self.has_room,
            _ => false,
        };
        match needs.iter().find(|need| !has(need)) {
            Some(need) => Err(NotAsked(format!("a server is not asked for {need}"))),
            None => Ok(()),
        }
    }

    fn me(&mut self) -> Told<String> {
        if self.me.is_none() {
            let me = self.get("/v1/me")?;
            self.me = me["id"].as_str().map(str::to_owned);
        }
        self.me.clone().ok_or_else(|| "/v1/me says no id".into())
    }

    fn publish(&mut self, component: &[u8]) -> Told<Option<String>> {
        let answer = self.ask("POST", "/v1/interlinkers", "application/wasm", Some(component.to_vec()))?;
        let reason = answer.body["reason"].as_str().map(str::to_owned);
        match answer.status {
            200 | 201 => Ok(None),
            400 => Ok(Some(reason.unwrap_or_else(|| "not-wasm".into()))),
            413 => Ok(Some(reason.unwrap_or_else(|| "too-large".into()))),
            422 => Ok(Some(reason.unwrap_or_else(|| answer.slug().to_owned()))),
            _ => answer.is(&[201], "a component").map(|_| None),
        }
    }

    fn grant(&mut self, interlinker: &str, grants: &Value) -> Told<()> {
        let path = format!("/v1/interlinkers/{interlinker}/grants");
        self.send("PUT", &path, grants)?.is(&[200], &path).map(drop)
    }

    fn secret(&mut self, name: &str, value: &str) -> Told<()> {
        let path = format!("/v1/secrets/{name}");
        self.send("PUT", &path, &json!({ "value": value }))?.is(&[200], &path).map(drop)
    }

    fn settings(&mut self, interlinker: &str, settings: &Value) -> Told<Came> {
        let path = format!("/v1/interlinkers/{interlinker}/settings");
        self.send("PUT", &path, settings)?.came(&path)
    }

    fn make(&mut self, interlinker: &str, place: Place, input: &Value) -> Told<(String, Came)> {
        let path = format!("{}/tasks/task/assets", self.process(place)?);
        let body = json!({"interlinker": interlinker, "name": interlinker, "input": input});
        let came = self.send("POST", &path, &body)?.came(&path)?;
        let id = match &came {
            Came::Done(asset) => asset["id"].as_str().unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        Ok((id, came))
    }

    fn act(&mut self, act: &Act) -> Told<Came> {
        self.acted(act)
    }

    fn at_once(&mut self, asked: &[Asked]) -> Told<Vec<Came>> {
        let server = &*self;
        let ask = |asked: &Asked| match asked {
            Asked::Act(act) => server.acted(act),
            Asked::View(asset) => server.viewed(asset, &json!({})),
        };
        std::thread::scope(|scope| {
            let asked: Vec<_> = asked.iter().map(|asked| scope.spawn(|| ask(asked))).collect();
            asked.into_iter().map(|asked| asked.join().map_err(|_| "a request panicked".to_owned())?).collect()
        })
    }

    fn view(&mut self, asset: &str, query: &Value) -> Told<Came> {
        self.viewed(asset, query)
    }

    fn asset(&mut self, asset: &str) -> Told<Value> {
        let shown = self.get(&format!("/v1/assets/{asset}"))?;
        let fields = ["state_version", "outcome", "alarms", "blobs"];
        let there = fields.into_iter().filter_map(|field| Some((field.to_owned(), shown.get(field)?.clone())));
        Ok(Value::Object(there.collect()))
    }

    fn put_blob(&mut self, asset: &str, media_type: &str, content: &[u8]) -> Told<Came> {
        let path = format!("/v1/assets/{asset}/blobs");
        let came = self.ask("POST", &path, media_type, Some(content.to_vec()))?.came(&path)?;
        Ok(match came {
            Came::Done(body) => Came::Done(body["digest"].clone()),
            other => other,
        })
    }

    fn upgrade(&mut self, asset: &str, version: &str) -> Told<Came> {
        let path = format!("/v1/assets/{asset}/upgrade");
        self.send("POST", &path, &json!({"version": version, "without_grants": true}))?.came(&path)
    }

    fn ring(&mut self, asset: &str) -> Told<()> {
        let begun = Instant::now();
        loop {
            let shown = self.get(&format!("/v1/assets/{asset}"))?;
            let alarms = shown["alarms"].as_array().cloned().unwrap_or_default();
            if alarms.iter().all(|alarm| alarm["failed"] != json!(0)) {
                return Ok(());
            }
            if begun.elapsed() > RING {
                return Err(format!("alarms do not ring: {alarms:?}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn messages(&mut self) -> Told<Vec<String>> {
        let told = self.get("/v1/me/notifications?limit=20")?;
        let titles = told["items"].as_array().into_iter().flatten().filter_map(|item| item["title"].as_str());
        Ok(titles.map(str::to_owned).collect())
    }

    fn noted(&mut self, asset: &str) -> Told<Vec<(String, i64)>> {
        let uses = self.get(&format!("/v1/usage?asset={asset}&limit=100"))?;
        let mut uses = uses["items"].as_array().cloned().unwrap_or_default();
        uses.sort_by_key(|used| used["at"].as_str().unwrap_or_default().to_owned());
        let noted = uses.iter().flat_map(|used| used["noted"].as_array().cloned().unwrap_or_default());
        let read = |noted: Value| Some((noted["word"].as_str()?.to_owned(), noted["amount"].as_i64()?));
        Ok(noted.filter_map(read).collect())
    }
}
