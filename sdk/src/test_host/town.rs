//! The world outside a test's asset: a clock that stands, randomness from a seed, and what the test scripts.
//!
//! What the manifest asks for is granted, and nothing else is: a request that an author forgot to ask for fails in the
//! test as it would on a server.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::call::{Participant, PersonId};
use crate::http::{Request, Response};
use crate::manifest::Grants;
use crate::outside::Outside;
use crate::problem::{Problem, Result};

type Script = Box<dyn FnMut(&Request) -> Result<Response>>;

/// The outside, shared between the test's host and the call that runs.
#[derive(Clone)]
pub(super) struct Town(Rc<RefCell<Content>>);

struct Content {
    grants: Grants,
    now: i64,
    seed: u64,
    /// What answers, by `METHOD URL`, the URL without its query.
    scripts: BTreeMap<String, Script>,
    secrets: BTreeMap<String, String>,
    requests: Vec<Request>,
    settings: Json,
    people: Vec<Participant>,
    /// What answers for other assets, by asset and action.
    others: BTreeMap<(String, String), Other>,
    /// Whether alarms can be set.
    rings: bool,
    kept: Kept,
    /// What the call that runs wants, until it is committed.
    wanted: Kept,
}

type Other = Box<dyn FnMut(&Json) -> Result<Json>>;

/// A message that was sent to people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Whom it is for.
    pub to: Vec<PersonId>,
    /// In a line.
    pub title: String,
    /// What is to be said.
    pub text: String,
}

/// What calls wanted besides changing the state.
#[derive(Debug, Clone, Default)]
pub(super) struct Kept {
    pub messages: Vec<Message>,
    pub noted: Vec<(String, i64)>,
    /// Alarms with their time and input; those that were taken away have nothing.
    pub alarms: BTreeMap<String, Option<(i64, Json)>>,
    pub blobs: BTreeMap<String, Vec<u8>>,
}

impl Town {
    pub(super) fn new(grants: Grants, rings: bool) -> Self {
        Self(Rc::new(RefCell::new(Content {
            grants,
            now: 0,
            seed: 0,
            scripts: BTreeMap::new(),
            secrets: BTreeMap::new(),
            requests: Vec::new(),
            settings: json!({}),
            people: Vec::new(),
            others: BTreeMap::new(),
            rings,
            kept: Kept::default(),
            wanted: Kept::default(),
        })))
    }

    pub(super) fn set_settings(&self, settings: Json) {
        self.0.borrow_mut().settings = settings;
    }

    pub(super) fn set_people(&self, people: Vec<Participant>) {
        self.0.borrow_mut().people = people;
    }

    pub(super) fn other(&self, asset: &str, action: &str, answer: impl FnMut(&Json) -> Result<Json> + 'static) {
        self.0.borrow_mut().others.insert((asset.to_owned(), action.to_owned()), Box::new(answer));
    }

    pub(super) fn put(&self, content: &[u8]) -> String {
        let digest = digest(content);
        self.0.borrow_mut().kept.blobs.insert(digest.clone(), content.to_vec());
        digest
    }

    /// What calls wanted that are committed.
    pub(super) fn kept(&self) -> Kept {
        self.0.borrow().kept.clone()
    }

    pub(super) fn take_alarm(&self, name: &str) {
        self.0.borrow_mut().kept.alarms.remove(name);
    }

    pub(super) fn commit(&self) {
        let content = &mut *self.0.borrow_mut();
        let Kept { messages, noted, alarms, blobs } = std::mem::take(&mut content.wanted);
        content.kept.messages.extend(messages);
        content.kept.noted.extend(noted);
        content.kept.alarms.extend(alarms);
        content.kept.alarms.retain(|_, alarm| alarm.is_some());
        content.kept.blobs.extend(blobs);
    }

    pub(super) fn roll_back(&self) {
        self.0.borrow_mut().wanted = Kept::default();
    }

    /// Takes over what a call somewhere else wanted.
    pub(super) fn taken_over(&self, wanted: Kept) {
        self.0.borrow_mut().wanted = wanted;
    }

    pub(super) fn set_now(&self, now: i64) {
        self.0.borrow_mut().now = now;
    }

    pub(super) fn seed(&self, seed: u64) {
        self.0.borrow_mut().seed = seed;
    }

    pub(super) fn script(&self, request: &str, script: impl FnMut(&Request) -> Result<Response> + 'static) {
        self.0.borrow_mut().scripts.insert(request.to_owned(), Box::new(script));
    }

    pub(super) fn set_secret(&self, name: &str, secret: &str) {
        self.0.borrow_mut().secrets.insert(name.to_owned(), secret.to_owned());
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.0.borrow().requests.clone()
    }
}

fn not_granted(what: &str) -> Problem {
    Problem::new("not-granted", format!("`{what}` is not among what `grants(…)` of this Interlinker asks for"))
}

impl Content {
    fn check_granted(&self, request: &Request) -> Result<()> {
        let (method, url) = (request.method(), request.url());
        let granted = self.grants.http.iter().any(|grant| {
            let rest = url.strip_prefix(grant.origin.as_str());
            let below = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
            below && grant.methods.iter().any(|own| own == method)
        });
        if granted {
            return Ok(());
        }
        let detail = format!("`{method} {url}` is not among what `grants(…)` of this Interlinker asks for");
        Err(Problem::new("not-granted", detail))
    }

    /// The next number of the seed's sequence (splitmix64).
    fn next(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Outside for Town {
    fn now(&self) -> i64 {
        self.0.borrow().now
    }

    fn random(&self, count: u32) -> Vec<u8> {
        let mut content = self.0.borrow_mut();
        let mut bytes = Vec::new();
        while bytes.len() < count as usize {
            bytes.extend(content.next().to_le_bytes());
        }
        bytes.truncate(count as usize);
        bytes
    }

    fn http(&self, request: &str, body: &[u8]) -> Result<(String, Vec<u8>)> {
        let request = Request::sent(request, body);
        let content = &mut *self.0.borrow_mut();
        content.check_granted(&request)?;
        content.requests.push(request.clone());
        let path = request.url().split('?').next().unwrap_or_default();
        let asked = format!("{} {path}", request.method());
        match content.scripts.get_mut(&asked) {
            Some(script) => script(&request).map(Response::into_parts),
            None => panic!("nobody answers `{asked}`: say what does with `host.http(\"{asked}\", |request| …)`"),
        }
    }

    fn secret(&self, name: &str) -> Option<String> {
        let content = self.0.borrow();
        let granted = content.grants.secrets.iter().any(|grant| grant.name == name);
        content.secrets.get(name).filter(|_| granted).cloned()
    }

    fn settings(&self) -> String {
        self.0.borrow().settings.to_string()
    }

    fn people(&self) -> Result<String> {
        let content = self.0.borrow();
        content.grants.people.as_ref().ok_or_else(|| not_granted("people"))?;
        Ok(serde_json::to_string(&content.people).expect("ids and roles are JSON"))
    }

    fn act_on(&self, asset: &str, action: &str, input: &str) -> Result<String> {
        let granted = {
            let content = self.0.borrow();
            content.grants.assets.iter().any(|grant| grant.actions.iter().any(|own| own == action))
        };
        if !granted {
            return Err(not_granted("assets"));
        }
        let input: Json = serde_json::from_str(input).expect("a call writes JSON");
        let key = (asset.to_owned(), action.to_owned());
        let taken = self.0.borrow_mut().others.remove(&key);
        let Some(mut other) = taken else {
            panic!(
                "nobody answers `{action}` of `{asset}`: say what does with `host.asset(\"{asset}\", \"{action}\", |input| …)`"
            )
        };
        let answer = other(&input);
        self.0.borrow_mut().others.insert(key, other);
        answer.map(|output| output.to_string())
    }

    fn notify(&self, message: &str) -> Result<()> {
        let content = &mut *self.0.borrow_mut();
        content.grants.notify.as_ref().ok_or_else(|| not_granted("notify"))?;
        let read: Json = serde_json::from_str(message).expect("a call writes JSON");
        let to = read["to"].as_array().into_iter().flatten().filter_map(Json::as_str).map(PersonId::new).collect();
        let text = |name: &str| read[name].as_str().unwrap_or_default().to_owned();
        content.wanted.messages.push(Message { to, title: text("title"), text: text("text") });
        Ok(())
    }

    fn note(&self, word: &str, amount: i64) -> Result<()> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if word.is_empty() || !word.bytes().all(is_word) {
            return Err(Problem::new("not-a-word", format!("{word:?} is no word: letters, digits, `-`, `_` and `.`")));
        }
        self.0.borrow_mut().wanted.noted.push((word.to_owned(), amount));
        Ok(())
    }

    fn set_alarm(&self, name: &str, at: i64, input: &str) -> Result<()> {
        let content = &mut *self.0.borrow_mut();
        if !content.rings {
            return Err(Problem::new("no-alarms", "this Interlinker has no method marked `#[alarm]`"));
        }
        let input = serde_json::from_str(input).expect("a call writes JSON");
        content.wanted.alarms.insert(name.to_owned(), Some((at, input)));
        Ok(())
    }

    fn cancel_alarm(&self, name: &str) -> bool {
        let content = &mut *self.0.borrow_mut();
        let known = content.wanted.alarms.get(name).or_else(|| content.kept.alarms.get(name));
        let was_set = known.is_some_and(Option::is_some);
        content.wanted.alarms.insert(name.to_owned(), None);
        was_set
    }

    fn put_blob(&self, _: &str, bytes: &[u8]) -> Result<String> {
        let digest = digest(bytes);
        self.0.borrow_mut().wanted.blobs.insert(digest.clone(), bytes.to_vec());
        Ok(digest)
    }

    fn blob_size(&self, digest: &str) -> Option<u64> {
        self.blob(digest, 0, u32::MAX).map(|bytes| bytes.len() as u64)
    }

    fn blob(&self, digest: &str, offset: u64, limit: u32) -> Option<Vec<u8>> {
        let content = self.0.borrow();
        let bytes = content.wanted.blobs.get(digest).or_else(|| content.kept.blobs.get(digest))?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        Some(bytes[from..from.saturating_add(limit as usize).min(bytes.len())].to_vec())
    }
}

/// What a blob is known by.
fn digest(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold(String::from("sha256:"), |text, byte| text + &format!("{byte:02x}"))
}

impl fmt::Debug for Town {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = self.0.borrow();
        let mut debug = f.debug_struct("Town");
        debug.field("now", &content.now).field("scripts", &content.scripts.keys()).finish_non_exhaustive()
    }
}
