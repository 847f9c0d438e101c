//! A client of the API that knows nothing but HTTP.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use serde_json::{Value, json};
use ureq::http;

/// Longer than any request here takes, on a slow machine too.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Somebody with a token, or nobody in particular. Goes on working when the server comes back on another port.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    address: Arc<RwLock<String>>,
    token: Option<String>,
}

/// A request that is not one of the everyday ones.
pub struct Ask<'a> {
    method: &'a str,
    path: &'a str,
    body: Option<(&'a str, Vec<u8>)>,
    headers: Vec<(&'a str, String)>,
}

impl<'a> Ask<'a> {
    /// A request without a body.
    pub fn new(method: &'a str, path: &'a str) -> Self {
        Self { method, path, body: None, headers: Vec::new() }
    }

    /// A command with a JSON body.
    pub fn post(path: &'a str, body: &Value) -> Self {
        Self::new("POST", path).body("application/json", body.to_string())
    }

    /// With a body of a type.
    pub fn body(mut self, content_type: &'a str, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some((content_type, body.into()));
        self
    }

    /// With a header.
    pub fn header(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With an idempotency key.
    pub fn key(self, key: impl Into<String>) -> Self {
        self.header("idempotency-key", key)
    }
}

/// What the server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What was asked, for messages.
    asked: String,
    /// The status.
    pub status: u16,
    /// The headers.
    headers: http::HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("the body is UTF-8")
    }

    /// A header, empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("headers are ASCII"))
    }

    /// The body of an answer that has to have this status.
    #[track_caller]
    pub fn is(&self, status: u16) -> Value {
        let shown = String::from_utf8_lossy(&self.body).chars().take(600).collect::<String>();
        assert_eq!(self.status, status, "{} answered: {shown}", self.asked);
        self.json()
    }

    /// The problem document of a refusal that has to have this status and end in this slug.
    #[track_caller]
    pub fn refused(&self, status: u16, slug: &str) -> Value {
        let problem = self.is(status);
        let asked = &self.asked;
        assert_eq!(self.header("content-type"), "application/problem+json", "{asked}");
        assert_eq!(problem["status"], json!(status), "{asked}: {problem}");
        assert_eq!(problem["type"], json!(format!("/problems/{slug}")), "{asked}: {problem}");
        for field in ["title", "detail"] {
            let says = problem[field].as_str().unwrap_or_default();
            assert!(!says.is_empty(), "{asked}: `{field}` says nothing: {problem}");
        }
        problem
    }

    /// The same, with the pointers of its `errors` in their order.
    #[track_caller]
    pub fn points_at(&self, status: u16, slug: &str, pointers: &[&str]) -> Value {
        let problem = self.refused(status, slug);
        let found: Vec<_> = problem["errors"].as_array().into_iter().flatten().map(|error| &error["pointer"]).collect();
        assert_eq!(json!(found), json!(pointers), "{}: {problem}", self.asked);
        problem
    }
}

impl Client {
    /// A client of whatever listens at the address, with a token or without one.
    pub fn new(address: Arc<RwLock<String>>, token: Option<String>) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(TIMEOUT))
            .build();
        Self { agent: config.into(), address, token }
    }

    /// The same connection settings with another token.
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self::new(Arc::clone(&self.address), token.map(str::to_owned))
    }

    /// The token.
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    /// Sends a request; nothing where no answer came back.
    pub fn try_ask(&self, ask: &Ask<'_>) -> Option<Answer> {
        let url = format!("{}{}", self.address.read(), ask.path);
        let mut request = http::Request::builder().method(ask.method).uri(url);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        let sent = match &ask.body {
            Some((content_type, body)) => {
                let request = request.header("content-type", *content_type).body(body.clone()).expect("a request");
                self.agent.run(request)
            }
            None => self.agent.run(request.body(()).expect("a request")),
        };
        let mut response = sent.ok()?;
        let body = response.body_mut().with_config().limit(256 << 20).read_to_vec().ok()?;
        let asked = format!("{} {}", ask.method, ask.path);
        Some(Answer { asked, status: response.status().as_u16(), headers: response.headers().clone(), body })
    }

    /// Sends a request and has the answer.
    #[track_caller]
    pub fn ask(&self, ask: &Ask<'_>) -> Answer {
        match self.try_ask(ask) {
            Some(answer) => answer,
            None => panic!("{} {} was not answered", ask.method, ask.path),
        }
    }

    /// Reads.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.ask(&Ask::new("GET", path))
    }

    /// Commands.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(&Ask::post(path, body))
    }

    /// Commands with an empty body.
    #[track_caller]
    pub fn tell(&self, path: &str) -> Answer {
        self.ask(&Ask::new("POST", path))
    }

    /// Sends a document of a type.
    #[track_caller]
    pub fn send(&self, path: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.ask(&Ask::new("POST", path).body(content_type, body))
    }

    /// Every entry of a list, page by page.
    #[track_caller]
    pub fn all(&self, path: &str, limit: usize) -> Vec<Value> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("{path}{joint}limit={limit}{cursor}")).is(200);
            let found = page["items"].as_array().expect("a list has items");
            assert!(found.len() <= limit, "{path}: a page of {} where {limit} were asked for", found.len());
            items.extend(found.iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    /// Who the server says this is.
    #[track_caller]
    pub fn id(&self) -> String {
        let me = self.get("/v1/me").is(200);
        me["id"].as_str().expect("a person has an id").to_owned()
    }
}
