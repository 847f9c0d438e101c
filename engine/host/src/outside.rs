//! The world outside an asset, as one call sees it: asked, recorded, or fed from the record.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::call::Problem;
use crate::durable::{Durable, Kind, Recorded};
use crate::fault::Fault;
use crate::http::{Answer, Asked};
use crate::limits::Limits;
use crate::publish::digest;
use crate::queue::Place;

/// What `http.send` answers: a head in JSON and a body, or why not.
pub(crate) type Sent = Result<(String, Vec<u8>), Problem>;

/// The outside of one call.
pub(crate) struct Outside {
    durable: Durable,
    /// Host calls of these kinds so far, fed ones included.
    calls: u32,
    random_bytes: usize,
    /// How long requests took so far, each up to its own timeout.
    http_time: Duration,
    away: Duration,
    place: Arc<Place>,
}

impl Outside {
    pub fn new(durable: Durable, place: Arc<Place>) -> Self {
        Self { durable, calls: 0, random_bytes: 0, http_time: Duration::ZERO, away: Duration::ZERO, place }
    }

    /// Whether there are recorded answers that the guest has not had yet.
    pub fn is_feeding(&self) -> bool {
        (self.calls as usize) < self.durable.recorded.len()
    }

    /// How long the call was away so far: for requests, each up to its own timeout, for its record, and for a place to
    /// come back to.
    pub fn away(&self) -> Duration {
        self.away
    }

    /// The time, in microseconds since 1970.
    pub fn now(&mut self, limits: &Limits) -> Result<i64, Fault> {
        let answer =
            self.answer(Kind::Clock, b"{}", limits, |durable, _| Ok(durable.ambience.now().to_string().into_bytes()))?;
        self.read(serde_json::from_slice(&answer).ok())
    }

    /// So many random bytes.
    pub fn random(&mut self, count: usize, limits: &Limits) -> Result<Vec<u8>, Fault> {
        self.random_bytes = self.random_bytes.saturating_add(count);
        let (wanted, max) = (self.random_bytes, limits.random_bytes);
        if wanted > max {
            return Err(Fault::RandomBytes { wanted, max });
        }
        let request = json!({ "count": count }).to_string();
        let answer = self.answer(Kind::Random, request.as_bytes(), limits, |durable, _| {
            let mut bytes = vec![0; count];
            durable.ambience.random(&mut bytes);
            Ok(bytes)
        })?;
        self.read(Some(answer).filter(|answer| answer.len() == count))
    }

    /// A secret, where it is granted and set.
    pub fn secret(&mut self, name: &str, limits: &Limits) -> Result<Option<String>, Fault> {
        let (wanted, max) = (name.len(), limits.secret_name_bytes);
        if wanted > max {
            return Err(Fault::SecretName { wanted, max });
        }
        let request = json!({ "name": name }).to_string();
        let answer = self.answer(Kind::Secret, request.as_bytes(), limits, |durable, _| {
            let granted = durable.grants.allow_secret(name);
            Ok(json!(granted.then(|| durable.ambience.secret(name)).flatten()).to_string().into_bytes())
        })?;
        self.read(serde_json::from_slice(&answer).ok())
    }

    /// Who takes part in the process, where that is granted.
    pub fn people(&mut self, limits: &Limits) -> Result<Result<String, Problem>, Fault> {
        let answer = self.answer(Kind::People, b"{}", limits, |durable, _| {
            let company = durable.company.as_ref().filter(|_| durable.grants.people);
            let people = company.map(|company| company.people());
            Ok(told(&people.ok_or_else(|| Problem::not_granted("to know who takes part in the process"))))
        })?;
        self.read(given_back(&answer))
    }

    /// Runs an action of another asset.
    pub fn asset(
        &mut self,
        asset: &str,
        action: &str,
        input: &str,
        limits: &Limits,
    ) -> Result<Result<String, Problem>, Fault> {
        // What an answer may be, an input may be, and both fit into one record.
        let (wanted, max) = (asset.len() + action.len() + input.len(), limits.output_bytes);
        if wanted > max {
            return Err(Fault::Transfer { max });
        }
        let request = json!({ "asset": asset, "action": action, "input": input }).to_string();
        let answer = self.answer(Kind::Asset, request.as_bytes(), limits, |durable, number| {
            let acted = match &durable.company {
                Some(company) => company.act(&durable.grants, number, asset, action, input),
                None => Err(Problem::not_granted("to run actions of other assets")),
            };
            Ok(told(&acted))
        })?;
        self.read(given_back(&answer))
    }

    /// Sends a request.
    pub fn http(&mut self, request: &str, body: Vec<u8>, limits: &Limits) -> Result<Sent, Fault> {
        let asked = match Asked::read(request, body, limits)? {
            Ok(asked) => asked,
            Err(problem) => return Ok(Err(problem)),
        };
        let before = self.http_time;
        let (mut took, mut overran) = (Duration::ZERO, Duration::ZERO);
        let answer = self.answer(Kind::Http, &asked.canonical(), limits, |durable, number| {
            if !durable.grants.allow(&asked.method, &asked.origin) {
                return Ok(asked.not_granted().to_bytes());
            }
            let timeout = timeout(&asked, before, limits)?;
            let key = format!("{}-{number}", durable.id);
            let began = Instant::now();
            let sent = durable.outbound.send(&asked.to_send(key, timeout, limits));
            let spent = began.elapsed();
            took = spent.min(timeout);
            overran = spent - took;
            Ok(Answer::of(sent, limits).to_bytes())
        })?;
        self.http_time += took;
        self.away = self.away.saturating_sub(overran);
        self.read(Answer::from_bytes(&answer)).map(Answer::given)
    }

    /// Checks that the guest had all that was recorded.
    pub fn finish(&self) -> Result<(), Fault> {
        match self.durable.recorded.get(self.calls as usize) {
            None => Ok(()),
            Some(left) => {
                let expected = described(left.kind, &left.request);
                Err(Fault::Diverged { position: self.calls + 1, expected, found: "the end of the call".into() })
            }
        }
    }

    /// The recorded answer, or one from outside, which is recorded before anybody sees it.
    fn answer(
        &mut self,
        kind: Kind,
        request: &[u8],
        limits: &Limits,
        ask: impl FnOnce(&Durable, u32) -> Result<Vec<u8>, Fault>,
    ) -> Result<Vec<u8>, Fault> {
        if self.calls >= limits.durable_calls {
            return Err(Fault::DurableCalls { max: limits.durable_calls });
        }
        let number = self.calls + 1;
        let durable = &self.durable;
        let answer = match durable.recorded.get(self.calls as usize) {
            Some(recorded) => fed(recorded, number, kind, request)?,
            None => {
                let since = Instant::now();
                let left = self.place.left();
                if number == 1 {
                    durable.record.started().map_err(Fault::NotRecorded)?;
                }
                let answer = ask(durable, number)?;
                durable.record.answered(number, kind, request, &answer).map_err(Fault::NotRecorded)?;
                drop(left);
                self.away += since.elapsed();
                answer
            }
        };
        self.calls = number;
        Ok(answer)
    }

    /// What an answer says; one that says nothing came from a record that was damaged.
    fn read<T>(&self, answer: Option<T>) -> Result<T, Fault> {
        answer.ok_or(Fault::RecordUnreadable { position: self.calls })
    }
}

/// An answer that may be a problem, as it is recorded.
fn told(answer: &Result<String, Problem>) -> Vec<u8> {
    let told = match answer {
        Ok(answer) => json!({ "answer": answer }),
        Err(Problem { code, detail, pointer, data }) => {
            json!({"problem": {"code": code, "detail": detail, "pointer": pointer, "data": data}})
        }
    };
    told.to_string().into_bytes()
}

/// The same, read from a record.
fn given_back(recorded: &[u8]) -> Option<Result<String, Problem>> {
    let read: Value = serde_json::from_slice(recorded).ok()?;
    let text = |of: &Value| of.as_str().map(str::to_owned);
    if let Some(answer) = text(&read["answer"]) {
        return Some(Ok(answer));
    }
    let problem = read.get("problem")?;
    let (code, detail) = (text(&problem["code"])?, text(&problem["detail"])?);
    Some(Err(Problem { code, detail, pointer: text(&problem["pointer"]), data: text(&problem["data"]) }))
}

fn fed(recorded: &Recorded, number: u32, kind: Kind, request: &[u8]) -> Result<Vec<u8>, Fault> {
    if recorded.kind == kind && recorded.request == request {
        return Ok(recorded.answer.clone());
    }
    let (expected, found) = (described(recorded.kind, &recorded.request), described(kind, request));
    Err(Fault::Diverged { position: number, expected, found })
}

/// How long a request may take: its own timeout, or what the call has left.
fn timeout(asked: &Asked, spent: Duration, limits: &Limits) -> Result<Duration, Fault> {
    let left = Duration::from_millis(limits.http_total_ms).saturating_sub(spent);
    match left.min(asked.timeout(limits)) {
        Duration::ZERO => Err(Fault::HttpTime { max_ms: limits.http_total_ms }),
        timeout => Ok(timeout),
    }
}

/// A request in words, for whoever operates or writes the Interlinker. Headers, the query of a URL and bodies may be
/// secret or personal: the digest of the whole tells two requests apart that read the same.
fn described(kind: Kind, request: &[u8]) -> String {
    let request_json: Value = serde_json::from_slice(request).unwrap_or_default();
    let text = |name: &str| request_json[name].as_str().unwrap_or_default();
    match kind {
        Kind::Clock | Kind::People => kind.to_string(),
        Kind::Random => format!("{} random bytes", request_json["count"]),
        Kind::Secret => format!("the secret `{}`", text("name")),
        Kind::Asset => format!("`{}` of asset {} ({})", text("action"), text("asset"), digest(request)),
        Kind::Http => {
            let url = text("url").split('?').next().unwrap_or_default();
            format!("{} {url:.200} ({})", text("method"), digest(request))
        }
    }
}
