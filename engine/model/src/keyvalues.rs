//! The state of an asset: ordered keys with values, and the number of keys below every prefix.
//!
//! Persistent maps, so that a call works on a copy that costs nothing and a view keeps the state it began with. The
//! numbers are kept as keys come and go: asking how many have voted costs the same for ten as for ten thousand.

use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdMap;

/// The longest key, in bytes.
pub const KEY_BYTES_MAX: usize = 256;
/// The longest value, in bytes; larger content goes into several keys.
pub const VALUE_BYTES_MAX: usize = 64 << 10;
/// What one call may change, keys and values together, in bytes.
pub const CHANGES_BYTES_MAX: usize = 256 << 10;
/// What an asset may hold, keys and values together, in bytes: it is in memory while the asset is used.
pub const STATE_BYTES_MAX: usize = 64 << 20;
/// What a range may answer at most, in entries.
pub const RANGE_ENTRIES_MAX: u32 = 1_000;

/// Ordered keys with values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KeyValues {
    entries: OrdMap<Arc<str>, Arc<[u8]>>,
    counts: OrdMap<Arc<str>, u64>,
    bytes: usize,
}

/// Why a text is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Too long.
    #[error("a key of {0} bytes is over the limit of {KEY_BYTES_MAX}")]
    Long(usize),
    /// A segment between two slashes, or at an end, is empty.
    #[error("the key {0:?} has an empty segment; segments are separated by one `/`")]
    EmptySegment(String),
}

/// Whether a text is a key: at most [`KEY_BYTES_MAX`] bytes, segments separated by `/`, none empty.
pub fn check_key(key: &str) -> Result<(), KeyFault> {
    if key.len() > KEY_BYTES_MAX {
        return Err(KeyFault::Long(key.len()));
    }
    if key.split('/').any(str::is_empty) {
        return Err(KeyFault::EmptySegment(key.into()));
    }
    Ok(())
}

/// The prefixes that count a key: empty, and each that ends in a slash.
pub fn prefixes(key: &str) -> impl Iterator<Item = &str> {
    std::iter::once("").chain(key.match_indices('/').map(|(at, _)| &key[..=at]))
}

impl KeyValues {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Arc<[u8]>> {
        self.entries.get(key)
    }

    /// Gives a key a value.
    pub fn set(&mut self, key: &str, value: impl Into<Arc<[u8]>>) {
        let value = value.into();
        self.bytes += value.len();
        match self.entries.insert(key.into(), value) {
            Some(before) => self.bytes -= before.len(),
            None => {
                self.bytes += key.len();
                for prefix in prefixes(key) {
                    *self.counts.entry(prefix.into()).or_insert(0) += 1;
                }
            }
        }
    }

    /// Takes a key away; says whether it was there.
    pub fn delete(&mut self, key: &str) -> bool {
        let Some(before) = self.entries.remove(key) else { return false };
        self.bytes -= before.len() + key.len();
        for prefix in prefixes(key) {
            match self.counts.get(prefix).copied() {
                Some(1) | None => self.counts.remove(prefix),
                Some(many) => self.counts.insert(prefix.into(), many - 1),
            };
        }
        true
    }

    /// How many keys begin with a prefix that is empty or ends in `/`.
    pub fn count(&self, prefix: &str) -> u64 {
        self.counts.get(prefix).copied().unwrap_or(0)
    }

    /// Entries whose key begins with a prefix, in order, those after a key.
    pub fn range<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Arc<str>, &'a Arc<[u8]>)> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        self.entries.range::<_, str>((from, Bound::Unbounded)).take_while(move |(key, _)| key.starts_with(prefix))
    }

    /// All entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<[u8]>)> {
        self.entries.iter()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keys and values together, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_has_segments_and_none_is_empty() {
        assert_eq!(check_key("votes/ana"), Ok(()));
        for bad in ["", "/", "a/", "/a", "a//b"] {
            assert_eq!(check_key(bad), Err(KeyFault::EmptySegment(bad.into())));
        }
        assert_eq!(check_key(&"k".repeat(257)), Err(KeyFault::Long(257)));
    }

    proptest! {
        #[test]
        fn counts_bytes_and_ranges_are_those_of_a_plain_map(
            steps in prop::collection::vec(("[ab](/[ab]){0,2}", prop::option::of(0u8..9)), 0..60),
        ) {
            let mut plain: BTreeMap<String, Vec<u8>> = BTreeMap::new();
            let mut state = KeyValues::default();
            for (key, value) in steps {
                match value {
                    Some(value) => {
                        let value = vec![value; value.into()];
                        plain.insert(key.clone(), value.clone());
                        state.set(&key, value);
                    }
                    None => prop_assert_eq!(state.delete(&key), plain.remove(&key).is_some()),
                }
            }
            prop_assert_eq!(state.bytes(), plain.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>());
            for prefix in ["", "a/", "b/", "a/b/", "c/"] {
                let below: Vec<_> = plain.keys().filter(|key| key.starts_with(prefix)).cloned().collect();
                prop_assert_eq!(state.count(prefix), below.len() as u64);
                let ranged: Vec<_> = state.range(prefix, None).map(|(key, _)| key.to_string()).collect();
                prop_assert_eq!(&ranged, &below);
                if let Some(first) = below.first() {
                    let rest = state.range(prefix, Some(first)).count();
                    prop_assert_eq!(rest, below.len() - 1);
                }
            }
        }
    }
}
