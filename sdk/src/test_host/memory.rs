//! The state of a test's asset: changes apply at once, and can be undone until they are committed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::rc::Rc;

use serde_json::Value as Json;

use crate::session::Host;

/// The memory, shared between the test's host and the call that runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory(Rc<RefCell<Content>>);

#[derive(Debug, Default)]
struct Content {
    entries: BTreeMap<String, Vec<u8>>,
    /// What each key that this call changed was before.
    before: BTreeMap<String, Option<Vec<u8>>>,
    outcomes: Vec<Json>,
}

impl Memory {
    pub(super) fn commit(&self) {
        self.0.borrow_mut().before.clear();
    }

    pub(super) fn roll_back(&self) {
        let content = &mut *self.0.borrow_mut();
        for (key, value) in std::mem::take(&mut content.before) {
            match value {
                Some(value) => content.entries.insert(key, value),
                None => content.entries.remove(&key),
            };
        }
    }

    pub(super) fn changed_keys(&self) -> Vec<String> {
        self.0.borrow().before.keys().cloned().collect()
    }

    pub(super) fn take_outcomes(&self) -> Vec<Json> {
        std::mem::take(&mut self.0.borrow_mut().outcomes)
    }

    pub(super) fn entries(&self) -> BTreeMap<String, Json> {
        let content = self.0.borrow();
        let json = |bytes| serde_json::from_slice(bytes).expect("a session writes JSON");
        content.entries.iter().map(|(key, bytes)| (key.clone(), json(bytes))).collect()
    }

    /// Takes over what a call somewhere else came to.
    pub(super) fn taken_over(&self, state: Option<BTreeMap<String, Json>>, outcome: Option<Json>) {
        let content = &mut *self.0.borrow_mut();
        if let Some(state) = state {
            content.entries = state.into_iter().map(|(key, value)| (key, value.to_string().into_bytes())).collect();
        }
        content.outcomes.extend(outcome);
    }

    fn change(&self, key: &str, value: Option<&[u8]>) {
        assert!(key.split('/').all(|segment| !segment.is_empty()), "`{key}` has an empty segment");
        let content = &mut *self.0.borrow_mut();
        let old = match value {
            Some(value) => content.entries.insert(key.to_owned(), value.to_owned()),
            None => content.entries.remove(key),
        };
        content.before.entry(key.to_owned()).or_insert(old);
    }
}

impl Host for Memory {
    fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.0.borrow().entries.get(key).cloned()
    }

    fn set(&self, key: &str, value: &[u8]) {
        self.change(key, Some(value));
    }

    fn delete(&self, key: &str) {
        self.change(key, None);
    }

    fn range(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<(String, Vec<u8>)> {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let content = self.0.borrow();
        let entries = content.entries.range::<str, _>((start, Bound::Unbounded));
        let of_prefix = entries.take_while(|(key, _)| key.starts_with(prefix));
        of_prefix.take(limit as usize).map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    fn count(&self, prefix: &str) -> u64 {
        let content = self.0.borrow();
        let entries = content.entries.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        entries.take_while(|(key, _)| key.starts_with(prefix)).count() as u64
    }

    fn declare_outcome(&self, outcome: &str) {
        let outcome = serde_json::from_str(outcome).expect("a session writes JSON");
        self.0.borrow_mut().outcomes.push(outcome);
    }
}
