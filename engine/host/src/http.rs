//! A guest's HTTP request and its answer: as JSON at the boundary, as bytes in the record.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::call::Problem;
use crate::fault::{Fault, HttpPart};
use crate::limits::Limits;
use crate::origin::Origin;
use crate::outbound::{HttpRequest, HttpResponse, OutboundError};
use crate::publish::digest;

/// The header by which a service knows a request that it had before.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Headers that say how a message is carried: they are the client's, as the key above is the host's.
const RESERVED: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "host",
    IDEMPOTENCY_KEY,
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Methods that are no request to an origin: a tunnel, and an echo of credentials.
const NO_METHODS: [&str; 2] = ["CONNECT", "TRACE"];
/// The longest method, in bytes: the longest that is registered has 17.
const METHOD_BYTES_MAX: usize = 20;

/// What the guest writes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    method: String,
    url: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    timeout_ms: Option<u64>,
}

/// A request that can be read and is within the limits.
pub(crate) struct Asked {
    pub method: String,
    pub origin: Origin,
    timeout_ms: Option<u64>,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// The request in the record. Its fields are in alphabetical order and hold nothing but texts and whole numbers: what
/// serde_json writes of it is canonical.
#[derive(Serialize)]
struct Canonical<'a> {
    body_bytes: usize,
    body_digest: String,
    headers: &'a [(String, String)],
    method: &'a str,
    timeout_ms: Option<u64>,
    url: &'a str,
}

impl Asked {
    /// Reads what a guest asks for. The problem is the guest's to see.
    pub fn read(request: &str, body: Vec<u8>, limits: &Limits) -> Result<Result<Self, Problem>, Fault> {
        let written: Written = match serde_json::from_str(request) {
            Ok(written) => written,
            Err(error) => return Ok(Err(invalid(format!("the request cannot be read: {error}")))),
        };
        check_sizes(&written, &body, limits)?;
        Ok(Self::check(written, body))
    }

    fn check(written: Written, body: Vec<u8>) -> Result<Self, Problem> {
        let Written { method, url, headers, timeout_ms } = written;
        if !is_method(&method) {
            return Err(invalid(format!("`{method:.40}` is no method: `GET`, `POST` and the like, in upper case")));
        }
        let origin = Origin::of_url(&url).map_err(|error| invalid(format!("the URL cannot be used: {error}")))?;
        let headers: Vec<_> = headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        if let Some((name, _)) = headers.iter().find(|(name, value)| !is_header(name, value)) {
            return Err(invalid(format!("the header `{name:.100}` has no name or value that can be sent")));
        }
        if let Some((name, _)) = headers.iter().find(|(name, _)| RESERVED.contains(&name.as_str())) {
            return Err(invalid(format!("the header `{name}` is not the Interlinker's to set")));
        }
        if timeout_ms == Some(0) {
            return Err(invalid("a timeout is a millisecond or more".into()));
        }
        Ok(Self { method, origin, timeout_ms, url, headers, body })
    }

    /// How long it may take: what it says, or the most that there is.
    pub fn timeout(&self, limits: &Limits) -> Duration {
        Duration::from_millis(self.timeout_ms.unwrap_or(limits.http_timeout_ms))
    }

    /// The request as it is recorded and compared: as the guest has it, whatever the limits of this host.
    pub fn canonical(&self) -> Vec<u8> {
        let Self { method, timeout_ms, url, headers, body, .. } = self;
        let (body_bytes, body_digest) = (body.len(), digest(body));
        let canonical = Canonical { body_bytes, body_digest, headers, method, timeout_ms: *timeout_ms, url };
        serde_json::to_vec(&canonical).expect("texts and numbers are JSON")
    }

    /// The request as it is sent.
    pub fn to_send(&self, key: String, timeout: Duration, limits: &Limits) -> HttpRequest {
        let mut headers = self.headers.clone();
        headers.push((IDEMPOTENCY_KEY.into(), key));
        let (method, url, body) = (self.method.clone(), self.url.clone(), self.body.clone());
        HttpRequest { method, url, headers, body, timeout, response_bytes_max: limits.http_response_bytes }
    }

    /// What is answered where the request is not granted.
    pub fn not_granted(&self) -> Answer {
        let Self { method, origin, .. } = self;
        let data = json!({ "method": method, "origin": origin }).to_string();
        let detail = format!("{method} to {origin} is not granted to this Interlinker; an operator can grant it");
        Answer::problem("not-granted", detail, Some(data))
    }
}

fn check_sizes(written: &Written, body: &[u8], limits: &Limits) -> Result<(), Fault> {
    let header_bytes = written.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    for (part, wanted, max) in [
        (HttpPart::Body, body.len(), limits.http_request_bytes),
        (HttpPart::Url, written.url.len(), limits.http_url_bytes),
        (HttpPart::Headers, written.headers.len(), limits.http_headers),
        (HttpPart::HeaderBytes, header_bytes, limits.http_header_bytes),
    ] {
        if wanted > max {
            return Err(Fault::Http { part, wanted: wanted as u64, max: max as u64 });
        }
    }
    match written.timeout_ms {
        Some(wanted) if wanted > limits.http_timeout_ms => {
            Err(Fault::Http { part: HttpPart::Timeout, wanted, max: limits.http_timeout_ms })
        }
        _ => Ok(()),
    }
}

/// Whether a text is a method that a request can have.
pub(crate) fn is_method(method: &str) -> bool {
    let letters = method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    letters && (1..=METHOD_BYTES_MAX).contains(&method.len()) && !NO_METHODS.contains(&method)
}

/// Whether a header can be sent without becoming two.
fn is_header(name: &str, value: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty()
        && name.bytes().all(token)
        && value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
}

fn invalid(detail: String) -> Problem {
    Problem { code: "invalid-request".into(), detail, pointer: None, data: None }
}

/// What a request is answered. In the record it is a line of JSON with the response's body behind it.
pub(crate) struct Answer {
    head: Head,
    body: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Head {
    Response { status: u16, headers: Vec<(String, String)> },
    Problem { code: String, detail: String, data: Option<String> },
}

impl Answer {
    fn problem(code: &str, detail: String, data: Option<String>) -> Self {
        Self { head: Head::Problem { code: code.into(), detail, data }, body: Vec::new() }
    }

    /// What came of sending; a response that is over the limits is none.
    pub fn of(sent: Result<HttpResponse, OutboundError>, limits: &Limits) -> Self {
        let failed = |error: OutboundError| Self::problem(error.code(), error.to_string(), None);
        let HttpResponse { status, headers, body } = match sent {
            Ok(response) => response,
            Err(error) => return failed(error),
        };
        let header_bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        for (wanted, max) in [(body.len(), limits.http_response_bytes), (header_bytes, limits.http_header_bytes)] {
            if wanted > max {
                return failed(OutboundError::TooLarge { max });
            }
        }
        let headers = headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
        Self { head: Head::Response { status, headers }, body }
    }

    /// The answer as it is recorded.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(&self.head).expect("texts and numbers are JSON");
        bytes.push(b'\n');
        bytes.extend(&self.body);
        bytes
    }

    /// The answer of a record, if it is one: JSON has no line break but where it is written apart.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let head = serde_json::from_slice(&bytes[..end]).ok()?;
        Some(Self { head, body: bytes[end + 1..].to_vec() })
    }

    /// What the guest gets.
    pub fn given(self) -> Result<(String, Vec<u8>), Problem> {
        match self.head {
            Head::Response { status, headers } => {
                Ok((json!({ "status": status, "headers": headers }).to_string(), self.body))
            }
            Head::Problem { code, detail, data } => Err(Problem { code, detail, pointer: None, data }),
        }
    }
}
