//! Outgoing HTTP as the host sees it. Who sends is given with the call: the engine has no client.

use std::fmt;
use std::time::Duration;

/// A request that was granted. What is debugged of it is what is not secret.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method, in upper case.
    pub method: String,
    /// The URL: `http` or `https`, printable ASCII, without user name and fragment.
    pub url: String,
    /// Headers, names in lower case; the last is `idempotency-key`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long the whole exchange may take.
    pub timeout: Duration,
    /// The largest body of a response that is of use, in bytes; reading on is a waste.
    pub response_bytes_max: usize,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, url, headers, body, timeout, .. } = self;
        let path = url.split('?').next().unwrap_or_default();
        let (headers, body) = (headers.len(), body.len());
        write!(f, "HttpRequest({method} {path}, {headers} headers, {body} bytes of body, within {timeout:?})")
    }
}

/// What came back. What is debugged of it is its size.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status, a redirect's as well.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, headers, body } = self;
        write!(f, "HttpResponse({status}, {} headers, {} bytes of body)", headers.len(), body.len())
    }
}

/// Why nothing came back. The guest is told as a problem, and the problem is recorded as any answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// It may not go there: a private or loopback address that is not granted by address.
    #[error("the request was not sent: {reason}")]
    Refused {
        /// Why not.
        reason: String,
    },
    /// It took too long; it may have arrived.
    #[error("no response came in time")]
    Timeout,
    /// No connection, or one that broke; it may have arrived.
    #[error("the exchange failed: {reason}")]
    Unreachable {
        /// What happened.
        reason: String,
    },
    /// The response is larger than is of use.
    #[error("the response is larger than {max} bytes")]
    TooLarge {
        /// The limit.
        max: usize,
    },
}

impl OutboundError {
    /// The code of the problem that the guest gets.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "not-sent",
            Self::Timeout => "timeout",
            Self::Unreachable { .. } => "unreachable",
            Self::TooLarge { .. } => "response-too-large",
        }
    }
}

/// Sends requests. A call makes one at a time, on its guest's thread, which is no worker of an asynchronous runtime and
/// may be blocked.
///
/// Whoever implements it resolves names itself and refuses private and loopback addresses that are not granted by
/// address, keeps to the request's timeout, and follows no redirect: a redirect is a response, and what a guest makes
/// of it is another request under its own grants.
pub trait Outbound: Send + Sync {
    /// Sends a request and waits for the whole response.
    ///
    /// # Errors
    ///
    /// When no response came, or one that is too large.
    fn send(&self, request: &HttpRequest) -> Result<HttpResponse, OutboundError>;
}
