//! Where streams end, in memory: of the segment that is written, and of those that have no table yet.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::{Head, Stream};

/// Where a stream ends, with the offset of that record in its segment, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub head: Head,
    pub offset: u64,
}

/// What a number of segments hold, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub records: u64,
    pub highest_key: u64,
    /// Streams whose first record is here, by kind.
    pub created: BTreeMap<u8, u64>,
}

impl Totals {
    /// Counts a record of a stream.
    pub fn count(&mut self, stream: &Stream, begins: bool, key: u64) {
        self.records += 1;
        self.highest_key = self.highest_key.max(key);
        if begins {
            *self.created.entry(stream.kind).or_default() += 1;
        }
    }

    pub fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.highest_key = self.highest_key.max(other.highest_key);
        for (kind, created) in &other.created {
            *self.created.entry(*kind).or_default() += created;
        }
    }
}

/// Streams and where they end.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    pub entries: BTreeMap<Stream, Entry>,
    pub totals: Totals,
}

impl Heads {
    /// Those from a bound on, in order.
    pub fn from(&self, from: Bound<Stream>) -> impl Iterator<Item = (Stream, Entry)> + '_ {
        self.entries.range((from, Bound::Unbounded)).map(|(stream, entry)| (*stream, *entry))
    }
}
