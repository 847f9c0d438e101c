//! Requests that an Interlinker makes, and their responses.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::problem::{Problem, Result};

/// The largest body of a request, and of a response, in bytes.
pub const BODY_BYTES_MAX: usize = 512 * 1024;
/// The longest that a request may take, in milliseconds, and what one may take that says nothing.
pub const TIMEOUT_MS_MAX: u64 = 10_000;

/// A request: `Request::post("https://example.org/minutes").json(&minutes)?`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    head: RequestHead,
    body: Vec<u8>,
}

/// The part of a request that goes as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct RequestHead {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
}

impl Request {
    /// A request with a method, in upper case, and a URL.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        let head = RequestHead { method: method.into(), url: url.into(), headers: Vec::new(), timeout_ms: None };
        Self { head, body: Vec::new() }
    }

    /// A `GET`.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A `POST`.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.head.headers.push((name.into(), value.into()));
        self
    }

    /// Gives it a body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Gives it a body in JSON, and says so in a header.
    ///
    /// # Errors
    ///
    /// When the value cannot be JSON.
    pub fn json(self, value: &impl Serialize) -> Result<Self> {
        let body = serde_json::to_vec(value)
            .map_err(|error| Problem::new("invalid-request", format!("the body cannot be JSON: {error}")))?;
        Ok(self.header("content-type", "application/json").body(body))
    }

    /// Waits no longer than this, in milliseconds: at most [`TIMEOUT_MS_MAX`].
    #[must_use]
    pub fn timeout_ms(mut self, timeout_ms: u64) -> Self {
        self.head.timeout_ms = Some(timeout_ms);
        self
    }

    /// Its method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.head.method
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.head.url
    }

    /// Its headers, in order.
    #[must_use]
    pub fn headers(&self) -> &[(String, String)] {
        &self.head.headers
    }

    /// Its body.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.body
    }

    /// Refuses what a host would end the call for.
    pub(crate) fn check(&self) -> Result<()> {
        let bytes = self.body.len();
        if bytes > BODY_BYTES_MAX {
            let detail = format!("the request's body has {bytes} bytes, it may have {BODY_BYTES_MAX}");
            return Err(Problem::new("request-too-large", detail));
        }
        match self.head.timeout_ms {
            Some(timeout_ms) if timeout_ms > TIMEOUT_MS_MAX => {
                let detail = format!("a request may take {TIMEOUT_MS_MAX} ms, and not {timeout_ms}");
                Err(Problem::new("invalid-request", detail))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn head(&self) -> String {
        serde_json::to_string(&self.head).expect("texts and numbers are JSON")
    }

    /// The request that a call has sent.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn sent(head: &str, body: &[u8]) -> Self {
        let head = serde_json::from_str(head).expect("a call writes the head of a request");
        Self { head, body: body.to_vec() }
    }
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    head: ResponseHead,
    body: Vec<u8>,
}

/// The part of a response that comes as JSON. What a later host adds is ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ResponseHead {
    status: u16,
    #[serde(default)]
    headers: Vec<(String, String)>,
}

impl Response {
    /// A response to script a test with.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self { head: ResponseHead { status, headers: Vec::new() }, body: Vec::new() }
    }

    /// With a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.head.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// With a body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// The first header of a name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.headers.iter();
        headers.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// This response, if its status is one of success (200 to 299).
    ///
    /// # Errors
    ///
    /// `http-status` for any other.
    pub fn success(self) -> Result<Self> {
        let status = self.head.status;
        if (200..300).contains(&status) {
            return Ok(self);
        }
        Err(Problem::new("http-status", format!("the service answered with status {status}")).with(status))
    }

    /// The body, read as JSON.
    ///
    /// # Errors
    ///
    /// `response-not-understood` when it is no such JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        let read = serde_json::from_slice(&self.body);
        read.map_err(|error| Problem::new("response-not-understood", format!("the service's answer: {error}")))
    }

    pub(crate) fn read(head: &str, body: Vec<u8>) -> Result<Self> {
        let head = serde_json::from_str(head)
            .map_err(|error| Problem::new("response-not-understood", format!("the host's answer: {error}")))?;
        Ok(Self { head, body })
    }

    /// The response as a host hands it over.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn into_parts(self) -> (String, Vec<u8>) {
        (serde_json::to_string(&self.head).expect("texts and numbers are JSON"), self.body)
    }
}
