//! What committer, readers and the keeper of the index share.

use std::collections::{HashMap, HashSet};
use std::ops::{Bound, Range};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::draft::Known;
use crate::index::bell::Bell;
use crate::index::heads::{Entry, Totals};
use crate::index::merge::Merge;
use crate::index::{Index, find};
use crate::open::Found;
use crate::queue::Queue;
use crate::recovery::{Chain, Damage};
use crate::segment::Segment;
use crate::{Head, Identity, Position, Stream};

pub(crate) struct Shared {
    pub queue: Queue,
    pub segments: RwLock<Vec<Arc<Segment>>>,
    pub index: Index,
    pub identity: Identity,
    /// Calls the keeper of the index.
    pub bell: Bell,
    pub reached: RwLock<Reached>,
    /// Held while a part of the index is made again.
    pub healing: Mutex<()>,
    known_damage: RwLock<KnownDamage>,
    /// Files of the index that nobody reads any more.
    useless: Mutex<Vec<String>>,
}

/// How far the journal is durable.
#[derive(Clone, Copy)]
pub(crate) struct Reached {
    pub chain: Chain,
    pub highest_key: u64,
    /// Where that is in the last segment, bytes.
    pub end: u64,
}

/// What is known to be damaged: found by the start, or noticed since.
#[derive(Default)]
struct KnownDamage {
    /// In the order in which it was found.
    list: Vec<Damage>,
    /// The same, to name nothing twice: a ruined segment may cost a hundred thousand streams something.
    listed: HashSet<Damage>,
    streams: HashSet<Stream>,
}

impl Shared {
    pub fn of(found: Found, identity: Identity, queue: Queue) -> Self {
        let end = found.segments.last().map_or(0, |segment| segment.end());
        let reached = Reached { chain: found.chain, highest_key: found.highest_key, end };
        let shared = Self {
            queue,
            segments: RwLock::new(found.segments),
            index: Index::of(found.parts),
            identity,
            bell: Bell::default(),
            reached: RwLock::new(reached),
            healing: Mutex::default(),
            known_damage: RwLock::default(),
            useless: Mutex::new(found.useless),
        };
        shared.note(found.damage);
        shared
    }

    /// Lets readers see a batch that has become durable, and takes these `bytes` of the segment that is written.
    pub fn publish(&self, heads: HashMap<Stream, Entry>, totals: &Totals, bytes: Range<u64>, chain: Chain) {
        self.index.publish(heads, totals, bytes.start);
        let mut reached = self.reached.write();
        reached.chain = chain;
        reached.end = bytes.end;
        reached.highest_key = reached.highest_key.max(totals.highest_key);
    }

    /// A new segment is written, and the one before may get its footer.
    pub fn enter(&self, next: &Arc<Segment>, chain: Chain) {
        {
            // Together: who copies the journal must not take the end of one segment for that of another.
            let mut reached = self.reached.write();
            self.segments.write().push(Arc::clone(next));
            reached.end = next.end();
        }
        self.index.enter(Arc::clone(next), chain);
        self.bell.begin();
    }

    /// The segment that holds a position.
    pub fn segment_of(&self, position: Position) -> Option<Arc<Segment>> {
        let segments = self.segments.read();
        let behind = segments.partition_point(|segment| segment.header.first <= position);
        behind.checked_sub(1).map(|at| Arc::clone(&segments[at]))
    }

    /// Where a stream ends. One for which that cannot be read counts as damaged.
    pub fn find(&self, stream: &Stream) -> Option<Entry> {
        let mut parts = match self.index.look(stream) {
            Ok(entry) => return Some(entry),
            Err(parts) => parts,
        };
        loop {
            let unread = match find(&parts, stream) {
                Ok(found) => return found,
                Err(part) => part,
            };
            if self.heal(&unread).is_err() {
                self.note_stream(*stream);
                return None;
            }
            parts = match self.index.look(stream) {
                Ok(entry) => return Some(entry),
                Err(parts) => parts,
            };
        }
    }

    /// Streams of a kind in order of their ids, those after `after`, at most `limit`. A part of the index that can be
    /// neither read nor made again is left out.
    pub fn streams(&self, kind: u8, after: Option<[u8; 16]>, limit: usize) -> Vec<Stream> {
        let from = match after {
            Some(id) => Bound::Excluded(Stream { kind, id }),
            None => Bound::Included(Stream { kind, id: [0; 16] }),
        };
        let mut left_out = Vec::new();
        loop {
            let (written, parts) = self.index.written(kind, from, limit);
            let mut parts = parts.to_vec();
            parts.retain(|part| !left_out.iter().any(|left| Arc::ptr_eq(left, part)));
            let rows = Merge::of(&parts, from).map(|row| row.map(|(stream, _)| stream));
            let of_kind = rows.take_while(|row| row.as_ref().is_ok_and(|stream| stream.kind == kind) || row.is_err());
            match of_kind.take(limit).collect::<Result<Vec<_>, _>>() {
                Ok(sealed) => return united(sealed, written, limit),
                Err(part) => {
                    if self.heal(&part).is_err() {
                        left_out.push(part);
                    }
                }
            }
        }
    }

    /// Remembers damage that was found. It is named once, however often it is met.
    pub fn note(&self, damage: Vec<Damage>) {
        let mut known = self.known_damage.write();
        for damage in damage {
            known.streams.extend(damage.stream());
            if known.listed.insert(damage.clone()) {
                known.list.push(damage);
            }
        }
    }

    /// Remembers that a stream takes no more appends.
    pub fn note_stream(&self, stream: Stream) {
        self.known_damage.write().streams.insert(stream);
    }

    pub fn damage(&self) -> Vec<Damage> {
        self.known_damage.read().list.clone()
    }

    pub fn note_useless(&self, file: String) {
        self.useless.lock().push(file);
        self.bell.ring();
    }

    pub fn take_useless(&self) -> Vec<String> {
        std::mem::take(&mut self.useless.lock())
    }
}

/// Two ordered lists as one, each stream once, at most `limit`.
fn united(mut one: Vec<Stream>, other: Vec<Stream>, limit: usize) -> Vec<Stream> {
    if !other.is_empty() {
        one.extend(other);
        one.sort_unstable();
        one.dedup();
        one.truncate(limit);
    }
    one
}

impl Known for Shared {
    fn head(&self, stream: &Stream) -> Option<Head> {
        self.find(stream).map(|entry| entry.head)
    }

    fn is_damaged(&self, stream: &Stream) -> bool {
        let known = self.known_damage.read();
        !known.streams.is_empty() && known.streams.contains(stream)
    }
}
