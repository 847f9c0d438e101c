//! Finding a stream: which of them there are, and where each ends.
//!
//! The segment that is written has its streams in memory. A segment that was followed by another ends in a footer, a
//! sorted table of its streams; eight tables are merged into a file of the index, eight of those into one of the next
//! level. So memory holds little of each stream, a look-up asks few tables, and a start reads no sealed segment.
//! All of it can be made again from the records, and is as soon as something of it turns out to be damaged.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::Stream;
use crate::recovery::Chain;
use crate::segment::Segment;

pub(crate) mod bell;
pub(crate) mod files;
pub(crate) mod filter;
pub(crate) mod heads;
pub(crate) mod keeper;
pub(crate) mod merge;
pub(crate) mod table;
pub(crate) mod writer;

use heads::{Entry, Heads, Totals};
use table::{Fault, SegmentKey, Table};

/// The streams of a segment that is followed by another and has no sound footer yet.
#[derive(Debug)]
pub(crate) struct Unsealed {
    pub segment: Arc<Segment>,
    pub heads: Heads,
    /// Where the chain stands behind the segment.
    pub chain: Chain,
    /// Whether something in the segment is damaged. It gets no footer then, so that every start finds the damage.
    pub damaged: bool,
}

/// The streams of one segment, or of several in a row.
#[derive(Debug)]
pub(crate) enum Part {
    Memory(Unsealed),
    Table(Table),
}

impl Part {
    pub fn find(&self, stream: &Stream) -> Result<Option<Entry>, Fault> {
        match self {
            Self::Memory(unsealed) => Ok(unsealed.heads.entries.get(stream).copied()),
            Self::Table(table) => table.find(stream),
        }
    }

    /// The streams from a bound on, in order.
    pub fn from(&self, from: Bound<Stream>) -> Box<dyn Iterator<Item = Result<(Stream, Entry), Fault>> + '_> {
        match self {
            Self::Memory(unsealed) => Box::new(unsealed.heads.from(from).map(Ok)),
            Self::Table(table) => Box::new(table.from(from)),
        }
    }

    pub fn totals(&self) -> &Totals {
        match self {
            Self::Memory(unsealed) => &unsealed.heads.totals,
            Self::Table(table) => &table.totals,
        }
    }

    /// The file that it is in, within the data directory.
    pub fn file(&self) -> String {
        match self {
            Self::Memory(unsealed) => format!("journal/{}", unsealed.segment.name),
            Self::Table(Table { about, .. }) if about.level == 0 => {
                let (epoch, first) = about.from;
                format!("journal/{epoch:020}-{first:020}.segment")
            }
            Self::Table(Table { about, .. }) => {
                let name = files::file_name(about.level, about.from, about.segments);
                format!("journal/{}/{name}", files::DIRECTORY)
            }
        }
    }

    /// The first segment that it covers, and the last.
    pub fn covers(&self) -> (SegmentKey, SegmentKey) {
        match self {
            Self::Memory(unsealed) => (unsealed.segment.key(), unsealed.segment.key()),
            Self::Table(table) => (table.about.from, table.about.to),
        }
    }
}

/// A part that could not be read, and why.
#[derive(Debug)]
pub(crate) struct Unread {
    pub part: Arc<Part>,
    pub fault: Fault,
}

/// Parts from the oldest segments to the newest.
pub(crate) type Parts = Arc<Vec<Arc<Part>>>;

#[derive(Default)]
struct Inner {
    /// The segment that is written, and its streams.
    active: Option<Arc<Segment>>,
    heads: Heads,
    parts: Parts,
}

/// Where all streams end.
#[derive(Default)]
pub(crate) struct Index {
    inner: RwLock<Inner>,
}

impl Index {
    pub fn of(parts: Vec<Part>) -> Self {
        let parts = Arc::new(parts.into_iter().map(Arc::new).collect());
        Self { inner: RwLock::new(Inner { parts, ..Inner::default() }) }
    }

    /// A new segment is written; the one before, where there was one, has ended at `chain`.
    pub fn enter(&self, next: Arc<Segment>, chain: Chain) {
        let mut inner = self.inner.write();
        if let Some(segment) = inner.active.replace(next) {
            let heads = std::mem::take(&mut inner.heads);
            let ended = Part::Memory(Unsealed { segment, heads, chain, damaged: false });
            let parts = inner.parts.iter().cloned().chain([Arc::new(ended)]).collect();
            inner.parts = Arc::new(parts);
        }
    }

    /// Lets readers see the records of a batch, which begins at `offset` in the segment that is written.
    pub fn publish(&self, heads: HashMap<Stream, Entry>, totals: &Totals, offset: u64) {
        let mut inner = self.inner.write();
        let placed =
            heads.into_iter().map(|(stream, entry)| (stream, Entry { offset: entry.offset + offset, ..entry }));
        inner.heads.entries.extend(placed);
        inner.heads.totals.add(totals);
    }

    /// Where a stream ends in the segment that is written, or else the parts in which to look.
    pub fn look(&self, stream: &Stream) -> Result<Entry, Parts> {
        let inner = self.inner.read();
        inner.heads.entries.get(stream).copied().ok_or_else(|| Arc::clone(&inner.parts))
    }

    pub fn parts(&self) -> Parts {
        Arc::clone(&self.inner.read().parts)
    }

    /// At most `limit` streams of a kind in the segment that is written, and the parts that have others.
    pub fn written(&self, kind: u8, from: Bound<Stream>, limit: usize) -> (Vec<Stream>, Parts) {
        let inner = self.inner.read();
        let streams = inner.heads.from(from).map(|(stream, _)| stream).take_while(|stream| stream.kind == kind);
        (streams.take(limit).collect(), Arc::clone(&inner.parts))
    }

    /// How many streams of a kind there are.
    pub fn count(&self, kind: u8) -> u64 {
        let inner = self.inner.read();
        let created = |created: &BTreeMap<u8, u64>| created.get(&kind).copied().unwrap_or_default();
        let parts = inner.parts.iter().map(|part| created(&part.totals().created));
        parts.sum::<u64>() + created(&inner.heads.totals.created)
    }

    /// Puts other parts in the place of some that stand in a row; says whether those were still there.
    pub fn replace(&self, old: &[Arc<Part>], new: Vec<Part>) -> bool {
        let mut inner = self.inner.write();
        let is_old = |parts: &[Arc<Part>]| parts.iter().zip(old).all(|(part, old)| Arc::ptr_eq(part, old));
        let Some(at) = inner.parts.windows(old.len()).position(is_old) else { return false };
        let mut parts = inner.parts.to_vec();
        parts.splice(at..at + old.len(), new.into_iter().map(Arc::new));
        inner.parts = Arc::new(parts);
        true
    }
}

/// Where a stream ends, in the newest part that has it; or the part that could not be read.
pub(crate) fn find(parts: &[Arc<Part>], stream: &Stream) -> Result<Option<Entry>, Unread> {
    for part in parts.iter().rev() {
        match part.find(stream) {
            Ok(None) => {}
            Ok(found) => return Ok(found),
            Err(fault) => return Err(Unread { part: Arc::clone(part), fault }),
        }
    }
    Ok(None)
}
