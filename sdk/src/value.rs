//! A field of a state that holds one value.

use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::interlinker::Field;
use crate::problem::Result;
use crate::session::Session;

/// One value, kept as JSON under the name of its field.
///
/// A value that was never set reads as its type's *nothing*: `false`, `0`, `""`, `None`, an empty list or map, a struct whose
/// fields all have defaults. A type that has no such value panics, which says that `#[instantiate]` forgot to set it.
pub struct Value<T> {
    session: Session,
    key: &'static str,
    content: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> Value<T> {
    /// The value.
    ///
    /// # Panics
    ///
    /// When it was never set and its type has no value for nothing.
    #[must_use]
    #[track_caller]
    pub fn get(&self) -> T {
        match self.stored().or_else(nothing) {
            Some(value) => value,
            None => panic!("`{}` was never set: set it in #[instantiate]", self.key),
        }
    }

    /// The value, if it was set.
    #[must_use]
    pub fn stored(&self) -> Option<T> {
        self.session.get(self.key)
    }

    /// Sets the value.
    ///
    /// # Errors
    ///
    /// When it is larger than [`VALUE_BYTES_MAX`](crate::session::VALUE_BYTES_MAX).
    pub fn set(&mut self, value: T) -> Result<()> {
        self.session.set(self.key, &value)
    }

    /// Changes the value in place.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    ///
    /// # Panics
    ///
    /// As [`get`](Self::get).
    #[track_caller]
    pub fn update(&mut self, change: impl FnOnce(&mut T)) -> Result<()> {
        let mut value = self.get();
        change(&mut value);
        self.set(value)
    }
}

/// The first of JSON's empty values that is a `T`.
fn nothing<T: DeserializeOwned>() -> Option<T> {
    ["null", "false", "0", "\"\"", "[]", "{}"].iter().find_map(|json| serde_json::from_str(json).ok())
}

impl<T> Field for Value<T> {
    fn bind(session: Session, name: &'static str) -> Self {
        Self { session, key: name, content: PhantomData }
    }
}

impl<T> fmt::Debug for Value<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value").field("key", &self.key).finish_non_exhaustive()
    }
}
