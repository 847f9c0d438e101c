//! A field of a state that holds many values, one key each.

use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::interlinker::Field;
use crate::key::{MapKey, OwnedMapKey};
use crate::problem::{Problem, Result};
use crate::session::Session;

/// How many entries [`Map::iter`] asks the host for at once.
pub const PAGE_ENTRIES: u32 = 64;

/// Values by key, each under a key of its own, `FIELD/KEY`, in order of their keys.
///
/// Reading or changing an entry costs the same however many there are, and so does [`len`](Self::len), a number that
/// the host keeps. A key of two parts, `Map<(A, B), V>`, counts and lists those of one `A` at the same cost.
pub struct Map<K, V> {
    session: Session,
    prefix: String,
    content: PhantomData<fn() -> (K, V)>,
}

impl<K: OwnedMapKey, V: Serialize + DeserializeOwned> Map<K, V> {
    /// The value of a key.
    #[must_use]
    pub fn get<Q: MapKey + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.session.get(&self.host_key(key))
    }

    /// Whether there is a value for a key.
    #[must_use]
    pub fn contains<Q: MapKey + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.session.contains(&self.host_key(key))
    }

    /// Adds an entry.
    ///
    /// # Errors
    ///
    /// `already-there` when the key has a value, which then stays as it was; else as [`set`](Self::set).
    pub fn insert<Q: MapKey + ?Sized>(&mut self, key: &Q, value: V) -> Result<()>
    where
        K: Borrow<Q>,
    {
        let host_key = self.host_key(key);
        if self.session.contains(&host_key) {
            return Err(Problem::new("already-there", format!("`{host_key}` is there already")));
        }
        self.session.set(&host_key, &value)
    }

    /// Sets the value of a key, whether it had one or not.
    ///
    /// # Errors
    ///
    /// When the key or the value is too large, or the call has changed too much.
    pub fn set<Q: MapKey + ?Sized>(&mut self, key: &Q, value: V) -> Result<()>
    where
        K: Borrow<Q>,
    {
        self.session.set(&self.host_key(key), &value)
    }

    /// Removes an entry, and says whether it was there.
    ///
    /// # Errors
    ///
    /// When the call has changed too much.
    pub fn remove<Q: MapKey + ?Sized>(&mut self, key: &Q) -> Result<bool>
    where
        K: Borrow<Q>,
    {
        let host_key = self.host_key(key);
        let was_there = self.session.contains(&host_key);
        if was_there {
            self.session.delete(&host_key)?;
        }
        Ok(was_there)
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.session.count(&self.prefix)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All entries in order of their keys, read from the host page by page.
    #[must_use]
    pub fn iter(&self) -> Entries<'_, K, V> {
        self.entries(self.prefix.clone(), None)
    }

    /// The entries after a key, which need not be there.
    #[must_use]
    pub fn iter_after<Q: MapKey + ?Sized>(&self, key: &Q) -> Entries<'_, K, V>
    where
        K: Borrow<Q>,
    {
        self.entries(self.prefix.clone(), Some(self.host_key(key)))
    }

    fn entries(&self, prefix: String, after: Option<String>) -> Entries<'_, K, V> {
        Entries { map: self, prefix, after, page: Vec::new().into_iter(), exhausted: false }
    }

    fn host_key<Q: MapKey + ?Sized>(&self, key: &Q) -> String {
        let mut host_key = self.prefix.clone();
        key.write(&mut host_key);
        host_key
    }
}

impl<A: OwnedMapKey, B: OwnedMapKey, V: Serialize + DeserializeOwned> Map<(A, B), V> {
    /// How many entries there are whose key begins with `first`.
    #[must_use]
    pub fn len_under(&self, first: &A) -> u64 {
        self.session.count(&self.prefix_under(first))
    }

    /// The entries whose key begins with `first`, in order of their keys.
    #[must_use]
    pub fn iter_under(&self, first: &A) -> Entries<'_, (A, B), V> {
        self.entries(self.prefix_under(first), None)
    }

    fn prefix_under(&self, first: &A) -> String {
        let mut prefix = self.prefix.clone();
        first.write(&mut prefix);
        prefix.push('/');
        prefix
    }
}

impl<K, V> Field for Map<K, V> {
    fn bind(session: Session, name: &'static str) -> Self {
        Self { session, prefix: format!("{name}/"), content: PhantomData }
    }
}

impl<K, V> fmt::Debug for Map<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// The entries of a [`Map`], in order of their keys.
pub struct Entries<'map, K, V> {
    map: &'map Map<K, V>,
    prefix: String,
    after: Option<String>,
    page: std::vec::IntoIter<(String, V)>,
    exhausted: bool,
}

impl<K: OwnedMapKey, V: Serialize + DeserializeOwned> Iterator for Entries<'_, K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.as_slice().is_empty() && !self.exhausted {
            let page = self.map.session.range(&self.prefix, self.after.as_deref(), PAGE_ENTRIES);
            self.exhausted = page.len() < PAGE_ENTRIES as usize;
            self.page = page.into_iter();
        }
        let (host_key, value) = self.page.next()?;
        let key = K::read(&host_key[self.map.prefix.len()..])
            .unwrap_or_else(|| panic!("the state's `{host_key}` is not a key of its map"));
        self.after = Some(host_key);
        Some((key, value))
    }
}

impl<'map, K: OwnedMapKey, V: Serialize + DeserializeOwned> IntoIterator for &'map Map<K, V> {
    type Item = (K, V);
    type IntoIter = Entries<'map, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K, V> fmt::Debug for Entries<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entries").field("prefix", &self.prefix).field("after", &self.after).finish_non_exhaustive()
    }
}
