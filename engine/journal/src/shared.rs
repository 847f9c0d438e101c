//! What committer, readers and the keeper of the index share.

use std::collections::{HashMap, HashSet};
use std::ops::{Bound, Range};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::draft::Known;
use crate::index::bell::Bell;
use crate::index::heads::{Entry, Totals};
use crate::index::merge::Merge;
use crate::index::{Index, Part, Unread, find};
use crate::open::Found;
use crate::queue::Queue;
use crate::recovery::{Chain, Damage};
use crate::segment::Segment;
use crate::{Head, Identity, Position, ReadError, Stream};

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
    /// With each stream the last version that is known to be damaged.
    streams: HashMap<Stream, u64>,
    /// Of those that were asked for or mended here: the version that says last that the stream was mended.
    mended: HashMap<Stream, Option<u64>>,
}

impl KnownDamage {
    fn hurt(&mut self, stream: Stream, version: u64) {
        let last = self.streams.entry(stream).or_default();
        *last = version.max(*last);
    }
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

    /// Where a stream ends. One that would be in a segment of which nothing is left counts as damaged.
    pub fn find(&self, stream: &Stream) -> Result<Option<Entry>, ReadError> {
        loop {
            let parts = match self.index.look(stream) {
                Ok(entry) => return Ok(Some(entry)),
                Err(parts) => parts,
            };
            match find(&parts, stream) {
                Ok(found) => return Ok(found),
                Err(unread) => {
                    if !self.made_again(unread)? {
                        self.note_stream(*stream, u64::MAX);
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Streams of a kind in order of their ids, those after `after`, at most `limit`. Segments of which nothing is left are
    /// left out.
    pub fn streams(&self, kind: u8, after: Option<[u8; 16]>, limit: usize) -> Result<Vec<Stream>, ReadError> {
        let from = match after {
            Some(id) => Bound::Excluded(Stream { kind, id }),
            None => Bound::Included(Stream { kind, id: [0; 16] }),
        };
        let mut left_out: Vec<Arc<Part>> = Vec::new();
        loop {
            let (written, parts) = self.index.written(kind, from, limit);
            let mut parts = parts.to_vec();
            parts.retain(|part| !left_out.iter().any(|left| Arc::ptr_eq(left, part)));
            let rows = Merge::of(&parts, from).map(|row| row.map(|(stream, _)| stream));
            let of_kind = rows.take_while(|row| row.as_ref().is_ok_and(|stream| stream.kind == kind) || row.is_err());
            match of_kind.take(limit).collect::<Result<Vec<_>, _>>() {
                Ok(sealed) => return Ok(united(sealed, written, limit)),
                Err(unread) => {
                    let part = Arc::clone(&unread.part);
                    if !self.made_again(unread)? {
                        left_out.push(part);
                    }
                }
            }
        }
    }

    /// Makes a damaged part of the index again, so that it is looked at once more; says whether there was anything to make it
    /// from, which there is not where a file was cut short. What only cannot be read for now is told.
    fn made_again(&self, unread: Unread) -> Result<bool, ReadError> {
        let file = unread.part.file();
        match self.make_again(unread) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
            Err(source) => Err(ReadError::Io { file, source }),
        }
    }

    /// Remembers damage that was found. It is named once, however often it is met.
    pub fn note(&self, damage: Vec<Damage>) {
        let mut known = self.known_damage.write();
        for damage in damage {
            if let (Some(stream), Some(version)) = (damage.stream(), damage.version()) {
                known.hurt(stream, version);
            }
            if known.listed.insert(damage.clone()) {
                known.list.push(damage);
            }
        }
    }

    /// Remembers that a version of a stream is damaged: it takes no more appends, unless it was mended since.
    pub fn note_stream(&self, stream: Stream, version: u64) {
        self.known_damage.write().hurt(stream, version);
    }

    /// Remembers which version of a stream says last that it was mended, or that none does before the damage.
    pub fn note_mended(&self, stream: Stream, version: Option<u64>) {
        self.known_damage.write().mended.insert(stream, version);
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
    fn head(&self, stream: &Stream) -> Result<Option<Head>, ReadError> {
        Ok(self.find(stream)?.map(|entry| entry.head))
    }

    /// A stream is mended where the last record that says so is behind all that is damaged of it. That record is looked for
    /// once, when it is first asked for: few streams are ever damaged.
    fn is_damaged(&self, stream: &Stream) -> bool {
        let (damaged, mended) = {
            let known = self.known_damage.read();
            let Some(damaged) = known.streams.get(stream) else { return false };
            (*damaged, known.mended.get(stream).copied())
        };
        let mended = match mended {
            Some(mended) => mended,
            None => {
                // Where that cannot be read for now, it is asked again.
                let Ok(mended) = self.last_mended(stream) else { return true };
                self.note_mended(*stream, mended);
                mended
            }
        };
        mended.is_none_or(|mended| mended <= damaged)
    }
}
