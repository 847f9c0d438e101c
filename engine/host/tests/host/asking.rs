//! Guests that ask for the outside, step by step, and keep what they got in their state.

use std::fmt::Write;

use super::guest::Guest;

/// Where a step's texts stand, from here on.
const TEXTS: usize = 4_096;
/// Where the host writes what it answers.
const ANSWER: &str = "(i32.const 2048)";

/// A guest's action in the making. Each step has a number, from 1, which begins the keys that it sets.
pub struct Asking {
    steps: u32,
    next: usize,
    data: String,
    body: String,
}

impl Asking {
    pub fn new() -> Self {
        Self { steps: 0, next: TEXTS, data: String::new(), body: String::new() }
    }

    /// Reads the clock: `N/now`, eight bytes, little-endian.
    pub fn now(mut self) -> Self {
        let key = self.key("now");
        self.step(&format!("(i64.store {ANSWER} (call $now)) (call $set {key} {ANSWER} (i32.const 8))"))
    }

    /// Takes random bytes: `N/random`.
    pub fn random(mut self, count: u32) -> Self {
        let key = self.key("random");
        let keep = keep(&key, 0);
        self.step(&format!("(call $random (i32.const {count}) {ANSWER}) {keep}"))
    }

    /// Reads a secret: `N/secret`, or `N/none`.
    pub fn secret(mut self, name: &str) -> Self {
        let name = self.text(name.as_bytes());
        let (some, none) = (keep(&self.key("secret"), 4), set_nothing(&self.key("none")));
        self.step(&format!("(call $secret {name} {ANSWER}) (if (i32.load8_u {ANSWER}) (then {some}) (else {none}))"))
    }

    /// Sends a request: `N/head` and `N/body`, or `N/code` and `N/detail`.
    pub fn http(mut self, request: &str, body: &[u8]) -> Self {
        let (request, body) = (self.text(request.as_bytes()), self.text(body));
        let response = keep(&self.key("head"), 4) + &keep(&self.key("body"), 12);
        let problem = keep(&self.key("code"), 4) + &keep(&self.key("detail"), 12);
        self.step(&format!(
            "(call $send {request} {body} {ANSWER}) (if (i32.load8_u {ANSWER}) (then {problem}) (else {response}))"
        ))
    }

    /// Sends a request with a body of so many zeros: `N/head` and nothing of the body, which no value has room for.
    pub fn http_large(mut self, request: &str, bytes: usize) -> Self {
        let (request, head) = (self.text(request.as_bytes()), self.key("head"));
        let pages = bytes.div_ceil(65_536);
        let body = format!("(i32.mul (memory.grow (i32.const {pages})) (i32.const 65536)) (i32.const {bytes})");
        let keep = keep(&head, 4);
        self.step(&format!("(call $send {request} {body} {ANSWER}) {keep}"))
    }

    /// Goes through instructions of the test's own.
    pub fn then(self, instructions: &str) -> Self {
        self.step(instructions)
    }

    /// The guest, whose action goes through the steps and logs `step N` after each.
    pub fn guest(self) -> Guest {
        Guest::calling(&format!("{} (call $null)", self.body)).with(&self.data).asking_outside()
    }

    /// The same steps as a view, which asks without keeping.
    pub fn view(self) -> Guest {
        Guest::viewing(&format!("{} (call $null)", self.body)).with(&self.data).asking_outside()
    }

    /// The same steps again and again.
    pub fn repeated(self) -> Guest {
        Guest::repeating(&self.body).with(&self.data).asking_outside()
    }

    fn step(mut self, instructions: &str) -> Self {
        self.steps += 1;
        let (level, line) = (self.text(b"info"), format!("step {}", self.steps));
        let line = self.text(line.as_bytes());
        writeln!(self.body, "{instructions} (call $log {level} {line})").expect("a text takes text");
        self
    }

    /// A key of the step that is being made.
    fn key(&mut self, name: &str) -> String {
        let key = format!("{}/{name}", self.steps + 1);
        self.text(key.as_bytes())
    }

    /// Puts bytes into the guest's memory: their address and their length.
    fn text(&mut self, bytes: &[u8]) -> String {
        let (at, escaped) = (self.next, bytes.iter().map(|byte| format!("\\{byte:02x}")).collect::<String>());
        self.next += bytes.len();
        assert!(self.next < 32_768, "the page has room for the texts");
        writeln!(self.data, "(data (i32.const {at}) \"{escaped}\")").expect("a text takes text");
        format!("(i32.const {at}) (i32.const {})", bytes.len())
    }
}

/// Keeps the bytes whose address and length stand so far into the answer.
fn keep(key: &str, offset: u32) -> String {
    format!("(call $set {key} (i32.load offset={offset} {ANSWER}) (i32.load offset={} {ANSWER}))", offset + 4)
}

fn set_nothing(key: &str) -> String {
    format!("(call $set {key} (i32.const 0) (i32.const 0))")
}
