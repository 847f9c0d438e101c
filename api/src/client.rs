//! The command line's side of the API.

use std::time::Duration;

use serde_json::Value;

/// How long a command waits for the server.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A server, and the token to use it with.
pub struct Client {
    server: String,
    token: String,
    agent: ureq::Agent,
}

impl Client {
    /// A client of a server.
    pub fn new(server: &str, token: Option<String>) -> Result<Self, String> {
        let token = token.ok_or("set INTERLINK_TOKEN; `interlink token USER` makes one")?;
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(TIMEOUT)).build();
        Ok(Self { server: server.trim_end_matches('/').into(), token, agent: config.into() })
    }

    /// The server.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// Reads something.
    pub fn get(&self, path: &str) -> Result<Value, String> {
        let url = format!("{}{path}", self.server);
        let sent = self.agent.get(&url).header("authorization", &format!("Bearer {}", self.token)).call();
        self.read(sent)
    }

    /// Changes something.
    pub fn post(&self, path: &str, content_type: &str, body: &[u8]) -> Result<Value, String> {
        let url = format!("{}{path}", self.server);
        let request = self.agent.post(&url).header("authorization", &format!("Bearer {}", self.token));
        self.read(request.header("content-type", content_type).send(body))
    }

    /// Publishes a component, with its signature where it has one.
    pub fn publish(&self, component: &[u8], signature: Option<&str>) -> Result<Value, String> {
        let url = format!("{}/v1/interlinkers", self.server);
        let request = self.agent.post(&url).header("authorization", &format!("Bearer {}", self.token));
        let request = request.header("content-type", "application/wasm");
        self.read(match signature {
            Some(line) => request.header("interlink-signature", line).send(component),
            None => request.send(component),
        })
    }

    /// Puts something in its place.
    pub fn put(&self, path: &str, body: &Value) -> Result<Value, String> {
        let url = format!("{}{path}", self.server);
        let request = self.agent.put(&url).header("authorization", &format!("Bearer {}", self.token));
        self.read(request.header("content-type", "application/json").send(body.to_string()))
    }

    /// Removes something.
    pub fn delete(&self, path: &str) -> Result<Value, String> {
        let url = format!("{}{path}", self.server);
        self.read(self.agent.delete(&url).header("authorization", &format!("Bearer {}", self.token)).call())
    }

    /// Reads something that may be long, and takes as long as it takes: only the connection has a time limit.
    pub fn download(&self, path: &str) -> Result<impl std::io::Read + use<>, String> {
        let url = format!("{}{path}", self.server);
        let request = self.agent.get(&url).header("authorization", &format!("Bearer {}", self.token));
        let request = request.config().timeout_global(None).timeout_connect(Some(TIMEOUT)).build();
        let sent = request.call();
        if sent.as_ref().is_ok_and(|response| response.status().is_success()) {
            return sent.map(|response| response.into_body().into_reader()).map_err(|error| error.to_string());
        }
        self.read(sent).and(Err(format!("{url}: no answer")))
    }

    fn read(&self, sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Value, String> {
        let mut response = sent.map_err(|error| format!("{}: {error}; is `interlink serve` running?", self.server))?;
        let status = response.status();
        let text = response.body_mut().with_config().limit(256 << 20).read_to_string();
        let text = text.map_err(|error| format!("{}: {error}", self.server))?;
        let body: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if status.is_success() { Ok(body) } else { Err(said(&body, status.as_u16())) }
    }
}

/// What a problem document says, for a terminal.
fn said(problem: &Value, status: u16) -> String {
    let mut lines = vec![format!(
        "{} ({status}): {}",
        problem["title"].as_str().unwrap_or("refused"),
        problem["detail"].as_str().unwrap_or_default()
    )];
    for error in problem["errors"].as_array().into_iter().flatten() {
        let text = |field: &str| error[field].as_str().unwrap_or_default();
        lines.push(format!("  {} {}", text("pointer"), text("detail")));
    }
    lines.join("\n")
}
