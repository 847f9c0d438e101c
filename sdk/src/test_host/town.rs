//! The world outside a test's asset: a clock that stands, randomness from a seed, and what the test scripts.
//!
//! What the manifest asks for is granted, and nothing else is: a request that an author forgot to ask for fails in the
//! test as it would on a server.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

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
}

impl Town {
    pub(super) fn new(grants: Grants) -> Self {
        let (scripts, secrets) = (BTreeMap::new(), BTreeMap::new());
        Self(Rc::new(RefCell::new(Content { grants, now: 0, seed: 0, scripts, secrets, requests: Vec::new() })))
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
}

impl fmt::Debug for Town {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content = self.0.borrow();
        let mut debug = f.debug_struct("Town");
        debug.field("now", &content.now).field("scripts", &content.scripts.keys()).finish_non_exhaustive()
    }
}
