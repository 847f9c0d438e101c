//! What every request has in common: who asks, in which language, on which version, under which idempotency key; and
//! how it is answered.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use interlink_model::asset::BLOB_BYTES_MAX;
use interlink_model::id::AssetId;
use interlink_runtime::{Answer, Caller, Entry, Permit, Request as KeyedRequest};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::identity::Known;
use crate::language::Wanted;
use crate::problem::{Misfit, Problem};
use crate::visits::AtDoor;

/// The largest body of a command: with what an Interlinker answers and changes it fits into one record of the journal.
pub const BODY_BYTES_MAX: usize = 256 << 10;
/// The largest body of a schema: a zip of one, in fact; the schema in it has limits of its own.
pub const SCHEMA_BYTES_MAX: usize = 8 << 20;
/// The largest component.
pub const COMPONENT_BYTES_MAX: usize = 32 << 20;
/// What is read of a body that is refused for its size, in bytes: whoever sends more is cut off.
const DISCARDED_BYTES_MAX: usize = 64 << 20;
/// How long that may take.
const DISCARD_TIME: Duration = Duration::from_secs(5);
/// The longest idempotency key.
pub const KEY_BYTES_MAX: usize = 255;

/// What a request says beside its body.
pub struct Asked {
    /// Whose token it carries.
    pub known: Arc<Known>,
    /// The languages that it wants.
    pub wanted: Wanted,
    /// Its query.
    pub query: BTreeMap<String, String>,
    headers: HeaderMap,
}

impl Asked {
    fn of(app: &App, parts: &Parts) -> Result<Self, Problem> {
        let now_s = u64::try_from(app.engine.now().0 / 1_000_000).unwrap_or(0);
        let known = app.identities.of(&parts.headers, now_s);
        Self::by(known.map_err(|problem| app.doors.refusal(&parts.headers).unwrap_or(problem))?, parts)
    }

    /// What a request says of somebody who is known.
    pub fn by(known: Arc<Known>, parts: &Parts) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let query: BTreeMap<String, String> = serde_urlencoded(query)?;
        let header = parts.headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let wanted = Wanted::of(query.get("lang").map(String::as_str), header);
        Ok(Self { known, wanted, query, headers: parts.headers.clone() })
    }

    /// The version that the caller saw, of `If-Match`. What does not name a version matches none.
    pub fn expected(&self) -> Option<u64> {
        let value = self.headers.get(header::IF_MATCH)?.to_str().unwrap_or_default();
        if value.trim() == "*" {
            return None;
        }
        Some(version_in(value).unwrap_or(u64::MAX))
    }

    /// Answers a read: an entity tag, 304 where the caller has it already.
    pub fn show(&self, body: &impl Serialize, version: Option<u64>, language: Option<&str>) -> Response {
        let bytes = serde_json::to_vec(body).expect("what the API shows encodes");
        let digest = Sha256::digest(&bytes);
        let digest: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let tag = match version {
            Some(version) => format!("\"{version}-{digest}\""),
            None => format!("\"{digest}\""),
        };
        let seen = self.headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let fresh = seen.is_some_and(|seen| {
            seen.split(',').any(|one| one.trim().trim_start_matches("W/") == tag || one.trim() == "*")
        });
        let mut response = if fresh {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            ([(header::CONTENT_TYPE, "application/json")], bytes).into_response()
        };
        put_header(&mut response, header::ETAG, &tag);
        if let Some(language) = language {
            put_header(&mut response, header::CONTENT_LANGUAGE, language);
        }
        response
    }

    /// `limit` of a list: 1 to 1000, 100 where it is not said.
    pub fn limit(&self) -> Result<usize, Problem> {
        match self.query.get("limit").map(|limit| limit.parse::<usize>()) {
            None => Ok(100),
            Some(Ok(limit @ 1..=1000)) => Ok(limit),
            Some(_) => Err(Problem::malformed("`limit` is a number from 1 to 1000")),
        }
    }

    /// A header of ours, as text; nothing where it is not there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap_or_default())
    }

    /// A query value.
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }
}

fn put_header(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The version that an entity tag names: `"7-…"` or `"7"`.
fn version_in(tag: &str) -> Option<u64> {
    let inner = tag.trim().strip_prefix('"')?.strip_suffix('"')?;
    inner.split('-').next()?.parse().ok()
}

fn serde_urlencoded(query: &str) -> Result<BTreeMap<String, String>, Problem> {
    let decoded = axum::extract::Query::<BTreeMap<String, String>>::try_from_uri(
        &format!("/?{query}").parse().map_err(|_| Problem::malformed("the query cannot be read"))?,
    );
    decoded.map(|query| query.0).map_err(|_| Problem::malformed("the query cannot be read"))
}

impl FromRequestParts<App> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Self::of(app, parts)
    }
}

/// A request that changes something.
pub struct Command {
    /// What it says beside its body.
    pub asked: Asked,
    /// Who asks.
    pub caller: Caller,
    /// Its body.
    pub body: Bytes,
    /// Type of its body.
    pub content_type: String,
    /// Its right to be answered.
    pub permit: Permit,
}

impl FromRequest<App> for Command {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let asked = Asked::of(app, &parts).map_err(Problem::into_response)?;
        Self::read(app, asked, &parts, body, None).await
    }
}

/// A request that changes something, at the door of a service.
pub struct DoorCommand {
    /// The service.
    pub service: String,
    /// The command.
    pub command: Command,
}

impl FromRequest<App> for DoorCommand {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let at_door = AtDoor::from_request_parts(&mut parts, app).await;
        let AtDoor { asked, service, place } = at_door.map_err(Problem::into_response)?;
        let place = place.map(|place| place.to_string());
        let command = Command::read(app, asked, &parts, body, place.as_deref()).await?;
        Ok(Self { service, command })
    }
}

impl Command {
    /// Reads a command of somebody who is known. `place` tells the requests of those apart who share one person.
    async fn read(app: &App, asked: Asked, parts: &Parts, body: Body, place: Option<&str>) -> Result<Self, Response> {
        let read = async {
            let limit = match parts.uri.path() {
                "/v1/schemas" => SCHEMA_BYTES_MAX,
                "/v1/interlinkers" => COMPONENT_BYTES_MAX,
                path if path.starts_with("/v1/assets/") && path.ends_with("/blobs") => BLOB_BYTES_MAX,
                _ => BODY_BYTES_MAX,
            };
            let too_large = || {
                let detail = format!("a body here is at most {limit} bytes");
                Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "This is too large", detail)
            };
            let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
            if let Some(length) = length.filter(|length: &usize| *length > limit) {
                // Who waits for a word before sending, or would send without end, has it at once.
                if length <= DISCARDED_BYTES_MAX && !parts.headers.contains_key(header::EXPECT) {
                    discard(body).await;
                }
                return Err(too_large());
            }
            let body = axum::body::to_bytes(body, limit).await.map_err(|_| too_large())?;
            app.engine.room().await?;
            let caller = asked.known.caller(&app.engine).await?.clone();
            Ok((caller, body))
        };
        let (caller, body) = read.await.map_err(Problem::into_response)?;
        let permit = enter(app, &caller, parts, &body, place).await?;
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_owned();
        Ok(Self { asked, caller, body, content_type, permit })
    }
}

/// Reads and forgets a body, so that its sender gets to read why it is refused: an answer before that closes the
/// connection on what is still being sent, and the sender sees nothing else.
async fn discard(mut body: Body) {
    let mut left = DISCARDED_BYTES_MAX;
    let reading = async {
        while let Some(Ok(frame)) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { return };
            left = rest;
        }
    };
    // Whoever is slower than that is cut off.
    let _ = tokio::time::timeout(DISCARD_TIME, reading).await;
}

/// Lets a request with an idempotency key in, or answers it as it was answered before.
async fn enter(
    app: &App,
    caller: &Caller,
    parts: &Parts,
    body: &Bytes,
    place: Option<&str>,
) -> Result<Permit, Response> {
    let Some(key) = parts.headers.get("idempotency-key") else { return Ok(Permit::default()) };
    let printable =
        |key: &&str| (1..=KEY_BYTES_MAX).contains(&key.len()) && key.bytes().all(|byte| (32..127).contains(&byte));
    let Some(key) = key.to_str().ok().filter(printable) else {
        let detail = format!("an Idempotency-Key is 1 to {KEY_BYTES_MAX} printable ASCII characters");
        return Err(Problem::malformed(detail).into_response());
    };
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let placed = place.map(|place| format!("{path} from {place}"));
    let path = placed.as_deref().unwrap_or(path);
    let request = KeyedRequest { method: parts.method.as_str(), path, key, body };
    let pseudonym = pseudonym(app, caller, parts.uri.path());
    match app.engine.enter(pseudonym.as_ref().unwrap_or(caller), request).await {
        Ok(Entry::New(permit)) => Ok(permit),
        Ok(Entry::Answered(answer)) => {
            let mut response = respond(answer);
            put_header(&mut response, HeaderName::from_static("idempotent-replayed"), "true");
            Err(response)
        }
        Ok(Entry::OtherBody) => {
            let detail = "this Idempotency-Key was used with another body; take a new key for a new request";
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            Err(Problem::new(status, "key-reused", "This key was used", detail).into_response())
        }
        Err(trouble) => Err(Problem::from(trouble).into_response()),
    }
}

/// Whom an answer is remembered for, where the path is that of an anonymous action: what that leaves names no person.
fn pseudonym(app: &App, caller: &Caller, path: &str) -> Option<Caller> {
    let segments: Vec<_> = path.split('/').collect();
    let (asset, action) = match segments[..] {
        ["", "v1", "assets", asset, "actions", action] => (AssetId::parse(asset)?, action),
        ["", "v1", "services", service, asset, "actions", action] => {
            let service = app.engine.open_service(service).ok()?;
            (app.engine.opened_at(&service, asset, Some(action)).ok()?.0, action)
        }
        _ => return None,
    };
    app.engine.remembered_as(caller, asset, action)
}

impl Command {
    /// The body as JSON; an empty one is an empty object.
    pub fn json(&self) -> Result<Value, Problem> {
        if self.body.is_empty() {
            return Ok(Value::Object(Default::default()));
        }
        serde_json::from_slice(&self.body).map_err(|error| Problem::malformed(format!("the body is not JSON: {error}")))
    }

    /// The fields of the body.
    pub fn fields(&self) -> Result<Fields, Problem> {
        match self.json()? {
            Value::Object(fields) => Ok(Fields { fields, errors: Vec::new() }),
            _ => Err(Problem::invalid(vec![Misfit::new("", "the body is an object")])),
        }
    }

    /// Answers, and remembers under the request's key what no append has remembered yet: a refusal, or that everything
    /// was so already.
    pub async fn finish(app: &App, permit: Permit, result: Result<Answer, Problem>) -> Response {
        let status = result.as_ref().map_or_else(|problem| problem.status, |answer| answer.status);
        if permit.is_open() && matches!(status, 200..=299 | 409 | 422) {
            let answer = result.as_ref().map_or_else(Problem::answer, Answer::clone);
            if let Err(trouble) = app.engine.remember(permit, &answer).await {
                return Problem::from(trouble).into_response();
            }
        }
        match result {
            Ok(answer) => respond(answer),
            Err(problem) => problem.into_response(),
        }
    }
}

/// An answer as HTTP has it.
pub fn respond(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, answer.body).into_response();
    put_header(&mut response, header::CONTENT_TYPE, &answer.content_type);
    for (name, value) in [(header::LOCATION, &answer.location), (header::ETAG, &answer.etag)] {
        if let Some(value) = value {
            put_header(&mut response, name, value);
        }
    }
    response
}

/// An answer of JSON.
pub fn answer(status: StatusCode, body: &impl Serialize) -> Answer {
    Answer {
        status: status.as_u16(),
        content_type: "application/json".into(),
        body: serde_json::to_vec(body).expect("what the API shows encodes"),
        location: None,
        etag: None,
    }
}

/// The fields of a body, taken one by one; what does not fit is collected with its pointer.
pub struct Fields {
    fields: serde_json::Map<String, Value>,
    errors: Vec<Misfit>,
}

impl Fields {
    /// A text that must be there.
    pub fn text(&mut self, name: &str, bytes_max: usize) -> String {
        match self.optional_text(name, bytes_max) {
            Some(text) if text.trim().is_empty() => self.misfit(name, "is empty"),
            Some(text) => return text,
            None if self.errors.iter().any(|error| error.pointer == format!("/{name}")) => {}
            None => self.misfit(name, "is missing"),
        }
        String::new()
    }

    /// A text that may be there.
    pub fn optional_text(&mut self, name: &str, bytes_max: usize) -> Option<String> {
        match self.fields.remove(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.len() <= bytes_max => Some(text),
            Some(Value::String(_)) => {
                self.misfit(name, &format!("is longer than {bytes_max} bytes"));
                None
            }
            Some(_) => {
                self.misfit(name, "is a text");
                None
            }
        }
    }

    /// Anything.
    pub fn value(&mut self, name: &str) -> Option<Value> {
        self.fields.remove(name)
    }

    /// A whole number that may be there, from 0 on.
    pub fn optional_number(&mut self, name: &str) -> Option<u64> {
        let value = self.fields.remove(name)?;
        let number = value.as_u64();
        if number.is_none() && !value.is_null() {
            self.misfit(name, "is a whole number, from 0 on");
        }
        number
    }

    /// Notes that a field does not fit.
    pub fn misfit(&mut self, name: &str, detail: &str) {
        self.errors.push(Misfit::new(format!("/{name}"), format!("`{name}` {detail}")));
    }

    /// What is left must be nothing.
    pub fn end(mut self) -> Result<(), Problem> {
        let unknown: Vec<_> = self.fields.keys().cloned().collect();
        for name in unknown {
            self.errors.push(Misfit::new(format!("/{name}"), format!("`{name}` is not known here")));
        }
        if self.errors.is_empty() { Ok(()) } else { Err(Problem::invalid(self.errors)) }
    }
}
