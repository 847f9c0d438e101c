//! Guests that ask for what a host has, step by step, and keep what they got in their state.

use std::fmt::Write;

use super::Guest;

/// Where a step's texts stand, from here on.
const TEXTS: usize = 4_096;
/// An action's input.
const INPUT: &str = "(local.get 2) (local.get 3)";
/// Keeps under `key` what an asset is made with.
pub const KEEP: &str = "(call $set (i32.const 32) (i32.const 3) (local.get 0) (local.get 1)) (call $null)";
/// Where the host writes what it answers.
const ANSWER: &str = "(i32.const 2048)";

/// A guest's action in the making. Each step has a number, from 1, which begins the keys that it sets: `N/name`, or
/// `N/code` of a problem.
#[derive(Debug, Clone)]
pub struct Asking {
    steps: u32,
    next: usize,
    data: String,
    body: String,
}

impl Default for Asking {
    fn default() -> Self {
        Self::new()
    }
}

impl Asking {
    /// Which asks for nothing yet.
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

    /// Sends a request as the action's input has it: as [`http`](Self::http), without a body.
    pub fn http_of_input(mut self) -> Self {
        let response = keep(&self.key("head"), 4) + &keep(&self.key("body"), 12);
        let problem = keep(&self.key("code"), 4);
        self.step(&format!(
            "(call $send {INPUT} (i32.const 0) (i32.const 0) {ANSWER})
            (if (i32.load8_u {ANSWER}) (then {problem}) (else {response}))"
        ))
    }

    /// Reads a key: `N/value`, or `N/none`.
    pub fn get(self, key: &str) -> Self {
        self.gets("get", key)
    }

    /// Reads a key as text: as [`get`](Self::get).
    pub fn get_text(self, key: &str) -> Self {
        self.gets("get_text", key)
    }

    fn gets(mut self, function: &str, key: &str) -> Self {
        let key = self.text(key.as_bytes());
        let (some, none) = (keep(&self.key("value"), 4), set_nothing(&self.key("none")));
        self.step(&format!("(call ${function} {key} {ANSWER}) (if (i32.load8_u {ANSWER}) (then {some}) (else {none}))"))
    }

    /// Sets a key.
    pub fn set(self, key: &str, value: &[u8]) -> Self {
        self.sets("set", key, value)
    }

    /// Sets a key to a text, or to what is none.
    pub fn set_text(self, key: &str, value: &[u8]) -> Self {
        self.sets("set_text", key, value)
    }

    fn sets(mut self, function: &str, key: &str, value: &[u8]) -> Self {
        let (key, value) = (self.text(key.as_bytes()), self.text(value));
        self.step(&format!("(call ${function} {key} {value})"))
    }

    /// Takes a key away.
    pub fn delete(mut self, key: &str) -> Self {
        let key = self.text(key.as_bytes());
        self.step(&format!("(call $delete {key})"))
    }

    /// Counts keys, up to nine: `N/count`, a digit.
    pub fn count(mut self, prefix: &str) -> Self {
        let (prefix, key) = (self.text(prefix.as_bytes()), self.key("count"));
        self.step(&digit(&format!("(i32.wrap_i64 (call $count {prefix}))"), &key))
    }

    /// Goes through keys: `N/first`, the first of them, and `N/many`, a digit.
    pub fn range(self, prefix: &str, after: Option<&str>, limit: u32) -> Self {
        self.ranges("range", prefix, after, limit)
    }

    /// Goes through keys and texts: as [`range`](Self::range).
    pub fn range_texts(self, prefix: &str, after: Option<&str>, limit: u32) -> Self {
        self.ranges("range_texts", prefix, after, limit)
    }

    fn ranges(mut self, function: &str, prefix: &str, after: Option<&str>, limit: u32) -> Self {
        let prefix = self.text(prefix.as_bytes());
        let after = match after {
            Some(after) => format!("(i32.const 1) {}", self.text(after.as_bytes())),
            None => "(i32.const 0) (i32.const 0) (i32.const 0)".into(),
        };
        let (first, many) = (self.key("first"), self.key("many"));
        let first =
            format!("(call $set {first} (i32.load (i32.load {ANSWER})) (i32.load offset=4 (i32.load {ANSWER})))");
        let many = digit(&format!("(i32.load offset=4 {ANSWER})"), &many);
        self.step(&format!(
            "(call ${function} {prefix} {after} (i32.const {limit}) {ANSWER})
            (if (i32.load offset=4 {ANSWER}) (then {first})) {many}"
        ))
    }

    /// Reads the context: `N/context`.
    pub fn context(self) -> Self {
        self.told("context")
    }

    /// Reads its settings: `N/settings`.
    pub fn settings(self) -> Self {
        self.told("settings")
    }

    fn told(mut self, function: &str) -> Self {
        let key = self.key(function);
        self.step(&format!("(call ${function} {ANSWER}) {}", keep(&key, 0)))
    }

    /// Declares an outcome.
    pub fn declare(mut self, outcome: &str) -> Self {
        let outcome = self.text(outcome.as_bytes());
        self.step(&format!("(call $declare {outcome})"))
    }

    /// Logs a line.
    pub fn log(mut self, level: &str, line: &str) -> Self {
        let (level, line) = (self.text(level.as_bytes()), self.text(line.as_bytes()));
        self.step(&format!("(call $log {level} {line})"))
    }

    /// Puts a blob: `N/digest`.
    pub fn put_blob(mut self, media_type: &str, content: &[u8]) -> Self {
        let given = self.text(media_type.as_bytes()) + " " + &self.text(content);
        self.answered("put_blob", &given, Some("digest"))
    }

    /// Puts a blob of so many zeros, of a first byte: `N/digest`.
    pub fn put_large_blob(mut self, bytes: usize, first: u8) -> Self {
        let media_type = self.text(b"text/plain");
        let pages = bytes.div_ceil(65_536);
        let grow = format!("(i32.mul (memory.grow (i32.const {pages})) (i32.const 65536))");
        let begin = format!("(i32.store {ANSWER} {grow}) (i32.store8 (i32.load {ANSWER}) (i32.const {first}))");
        let asked =
            self.result("put_blob", &format!("{media_type} (i32.load {ANSWER}) (i32.const {bytes})"), Some("digest"));
        self.step(&(begin + &asked))
    }

    /// Asks for a blob's size: `N/size`, eight bytes, little-endian, or `N/none`.
    pub fn blob_size(mut self, digest: &str) -> Self {
        let digest = self.text(digest.as_bytes());
        let (size, none) = (self.key("size"), set_nothing(&self.key("none")));
        let some = format!("(call $set {size} (i32.const 2056) (i32.const 8))");
        self.step(&format!(
            "(call $blob_size {digest} {ANSWER}) (if (i32.load8_u {ANSWER}) (then {some}) (else {none}))"
        ))
    }

    /// Reads a part of a blob: `N/part`, or `N/none`.
    pub fn blob(mut self, digest: &str, offset: u64, limit: u32) -> Self {
        let digest = self.text(digest.as_bytes());
        let (some, none) = (keep(&self.key("part"), 4), set_nothing(&self.key("none")));
        let asked = format!("(call $blob {digest} (i64.const {}) (i32.const {limit}) {ANSWER})", offset as i64);
        self.step(&format!("{asked} (if (i32.load8_u {ANSWER}) (then {some}) (else {none}))"))
    }

    /// Asks who takes part: `N/people`.
    pub fn people(self) -> Self {
        self.answered("people", "", Some("people"))
    }

    /// Tells people something, as the message says: `N/done`.
    pub fn notify(mut self, message: &str) -> Self {
        let message = self.text(message.as_bytes());
        self.answered("notify", &message, None)
    }

    /// Tells people something, as the input says: `N/done`.
    pub fn notify_of_input(self) -> Self {
        self.answered("notify", INPUT, None)
    }

    /// Sets an alarm: `N/done`.
    pub fn set_alarm(mut self, name: &str, at: i64, input: &str) -> Self {
        let (name, input) = (self.text(name.as_bytes()), self.text(input.as_bytes()));
        self.answered("set_alarm", &format!("{name} (i64.const {at}) {input}"), None)
    }

    /// Takes an alarm away: `N/was`, a digit.
    pub fn cancel_alarm(mut self, name: &str) -> Self {
        let (name, was) = (self.text(name.as_bytes()), self.key("was"));
        self.step(&digit(&format!("(call $cancel_alarm {name})"), &was))
    }

    /// Notes a word: `N/done`.
    pub fn note(mut self, word: &str, amount: i64) -> Self {
        let word = self.text(word.as_bytes());
        self.answered("note", &format!("{word} (i64.const {amount})"), None)
    }

    /// Runs an action of the asset whose id the input is, a text of JSON: `N/answer`.
    pub fn act_on_input(mut self, action: &str, input: &str) -> Self {
        let (action, input) = (self.text(action.as_bytes()), self.text(input.as_bytes()));
        let within = "(i32.add (local.get 2) (i32.const 1)) (i32.sub (local.get 3) (i32.const 2))";
        self.answered("act", &format!("{within} {action} {input}"), Some("answer"))
    }

    /// Runs an action of an asset: `N/answer`.
    pub fn act(mut self, asset: &str, action: &str, input: &str) -> Self {
        let [asset, action, input] = [asset, action, input].map(|text| self.text(text.as_bytes()));
        self.answered("act", &format!("{asset} {action} {input}"), Some("answer"))
    }

    fn answered(mut self, function: &str, given: &str, text: Option<&str>) -> Self {
        let asked = self.result(function, given, text);
        self.step(&asked)
    }

    /// Calls a function that answers a text, or nothing, or a problem.
    fn result(&mut self, function: &str, given: &str, text: Option<&str>) -> String {
        let done = match text {
            Some(name) => keep(&self.key(name), 4),
            None => set_nothing(&self.key("done")),
        };
        let problem = keep(&self.key("code"), 4);
        format!("(call ${function} {given} {ANSWER}) (if (i32.load8_u {ANSWER}) (then {problem}) (else {done}))")
    }

    /// Goes through instructions of the test's own.
    pub fn then(self, instructions: &str) -> Self {
        self.step(instructions)
    }

    /// The guest, whose action goes through the steps and logs `step N` after each.
    pub fn guest(self) -> Guest {
        Guest::calling(&format!("{} (call $null)", self.body)).with(&self.data).asking_outside()
    }

    /// The guest of the newest world, whose action goes through the steps, whose view shows what it kept, and which
    /// keeps what it is made with under `key`.
    pub fn whole(self) -> Guest {
        let body = format!("{} (call $null)", self.body);
        Guest::calling(&body).with(&self.data).made_by(KEEP).asking_for_all().showing()
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

/// Keeps a number up to nine as a digit.
fn digit(number: &str, key: &str) -> String {
    format!("(i32.store8 {ANSWER} (i32.add (i32.const 48) {number})) (call $set {key} {ANSWER} (i32.const 1))")
}

fn set_nothing(key: &str) -> String {
    format!("(call $set {key} (i32.const 0) (i32.const 0))")
}
