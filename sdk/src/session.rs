//! One call of an Interlinker, and the host that serves it.
//!
//! The fields of a state hold a [`Session`] rather than reach for a global, so that the same code runs against the
//! server's imports and against the memory of a test. The session refuses what would cross a limit *before* the host
//! does: the host can only stop the call, while a refusal tells a person what to do about it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::outside::Outside;
use crate::problem::{Problem, Result};

/// A key's longest length, in bytes.
pub const KEY_BYTES_MAX: usize = 256;
/// A value's largest size, in bytes of JSON. Larger content does not belong into a state.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;
/// What one call may change, in bytes: the keys that it touched, and the values that they have in the end.
pub const CHANGES_BYTES_MAX: usize = 256 * 1024;

/// What an Interlinker's code can reach: the imports of its world.
pub trait Host {
    /// The value of a key.
    fn get(&self, key: &str) -> Option<Vec<u8>>;
    /// Gives a key a value.
    fn set(&self, key: &str, value: &[u8]);
    /// Removes a key, if it is there.
    fn delete(&self, key: &str);
    /// Entries whose key begins with `prefix`, in order of their keys, those after the key `after`, at most `limit`.
    fn range(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<(String, Vec<u8>)>;
    /// How many keys begin with `prefix`, which is empty or ends in `/`.
    fn count(&self, prefix: &str) -> u64;
    /// Says that the task has what it needed.
    fn declare_outcome(&self, outcome: &str);
}

/// A call that is running: its host, and what it has changed so far.
#[derive(Clone)]
pub struct Session(Rc<Inner>);

struct Inner {
    host: Box<dyn Host>,
    #[cfg(not(target_arch = "wasm32"))]
    outside: Option<Box<dyn Outside>>,
    changed_bytes: RefCell<BTreeMap<String, usize>>,
    outcome_declared: Cell<bool>,
}

impl Session {
    /// Begins a call.
    pub fn new(host: impl Host + 'static) -> Self {
        Self(Rc::new(Inner {
            host: Box::new(host),
            #[cfg(not(target_arch = "wasm32"))]
            outside: None,
            changed_bytes: RefCell::default(),
            outcome_declared: Cell::new(false),
        }))
    }

    /// Begins a call that may ask the outside.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn with_outside(host: impl Host + 'static, outside: impl Outside + 'static) -> Self {
        Self(Rc::new(Inner {
            host: Box::new(host),
            outside: Some(Box::new(outside)),
            changed_bytes: RefCell::default(),
            outcome_declared: Cell::new(false),
        }))
    }

    /// The outside, if this call has one.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn outside(&self) -> Result<&dyn Outside> {
        self.0.outside.as_deref().ok_or_else(|| Problem::new("no-outside", "this call has no outside to ask"))
    }

    /// The outside: the component's imports, called by name. Through a table of functions, each component would import
    /// all of them, whether it calls them or not.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn outside(&self) -> Result<impl Outside> {
        Ok(crate::guest::Imports)
    }

    /// Reads a key. One that is too long to be there is not there: the host would stop the call.
    ///
    /// # Panics
    ///
    /// When its content is not a `T`: an earlier version of the Interlinker wrote another type.
    pub(crate) fn get<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        self.bytes(key).map(|bytes| decode(key, &bytes))
    }

    pub(crate) fn contains(&self, key: &str) -> bool {
        self.bytes(key).is_some()
    }

    fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        if key.len() <= KEY_BYTES_MAX { self.0.host.get(key) } else { None }
    }

    pub(crate) fn set<T: Serialize>(&self, key: &str, value: &T) -> Result<()> {
        let bytes = serde_json::to_vec(value)
            .map_err(|error| Problem::new("value-not-json", format!("`{key}` cannot be kept as JSON: {error}")))?;
        if bytes.len() > VALUE_BYTES_MAX {
            let detail = format!("this takes {} bytes as JSON, a value holds {VALUE_BYTES_MAX}", bytes.len());
            return Err(Problem::new("value-too-large", detail));
        }
        self.note_change(key, bytes.len())?;
        self.0.host.set(key, &bytes);
        Ok(())
    }

    pub(crate) fn delete(&self, key: &str) -> Result<()> {
        self.note_change(key, 0)?;
        self.0.host.delete(key);
        Ok(())
    }

    pub(crate) fn range<T: DeserializeOwned>(&self, prefix: &str, after: Option<&str>, limit: u32) -> Vec<(String, T)> {
        let entries = self.0.host.range(prefix, after, limit);
        entries
            .into_iter()
            .map(|(key, bytes)| {
                let value = decode(&key, &bytes);
                (key, value)
            })
            .collect()
    }

    pub(crate) fn count(&self, prefix: &str) -> u64 {
        self.0.host.count(prefix)
    }

    pub(crate) fn declare_outcome(&self, outcome: &impl Serialize) -> Result<()> {
        let json = serde_json::to_string(outcome)
            .map_err(|error| Problem::new("outcome-not-json", format!("the outcome cannot be JSON: {error}")))?;
        if self.0.outcome_declared.replace(true) {
            return Err(Problem::new("outcome-declared-twice", "one call declares one outcome"));
        }
        self.0.host.declare_outcome(&json);
        Ok(())
    }

    fn note_change(&self, key: &str, value_bytes: usize) -> Result<()> {
        if key.len() > KEY_BYTES_MAX {
            let detail = format!("`{key}` takes {} bytes as a key, which holds {KEY_BYTES_MAX}", key.len());
            return Err(Problem::new("key-too-long", detail));
        }
        let mut changed_bytes = self.0.changed_bytes.borrow_mut();
        let others: usize =
            changed_bytes.iter().filter(|(other, _)| *other != key).map(|(key, size)| key.len() + size).sum();
        let total = others + key.len() + value_bytes;
        if total > CHANGES_BYTES_MAX {
            let detail = format!("this call changes {total} bytes, a call may change {CHANGES_BYTES_MAX}");
            return Err(Problem::new("changes-too-large", detail));
        }
        changed_bytes.insert(key.to_owned(), value_bytes);
        Ok(())
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("changed_bytes", &self.0.changed_bytes.borrow()).finish_non_exhaustive()
    }
}

fn decode<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> T {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|error| panic!("the state's `{key}` is not what its field says: {error}"))
}
