//! Where streams end, on disk: a sorted table that is looked up a block at a time.
//!
//! A segment's footer is one, and so is each file of the index that footers are merged into. In memory there is the
//! first stream of every block, and a filter; a look-up reads one block. Every part has a checksum, so that a table
//! which is damaged is noticed when it is read: it can always be made again.

use std::ops::Bound;
use std::sync::Arc;

use crate::disk::OpenFile;
use crate::format::{Seal, array_at, put, u32_at, u64_at};
use crate::index::filter::Filter;
use crate::index::heads::{Entry, Totals};
use crate::recovery::Chain;
use crate::{Head, Position, Stream};

pub(crate) const FRONT_BYTES: u64 = 8;
pub(crate) const BLOCK_BYTES: usize = 4096;
pub(crate) const ENTRY_BYTES: usize = 80;
/// Entries of a block: 51, and room for their number and the checksum.
pub(crate) const BLOCK_ENTRIES: usize = (BLOCK_BYTES - 8) / ENTRY_BYTES;
pub(crate) const KEY_BYTES: usize = 24;
pub(crate) const TAIL_BYTES: usize = 192;
/// Behind each section: its checksum and zeros.
pub(crate) const SUM_BYTES: usize = 8;
const FRONT_MARK: u32 = 0x544f_4f46;
const TAIL_MARK: u32 = 0x4c49_4154;

/// Why a table cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The operating system refused: it may be sound.
    #[error(transparent)]
    Io(std::io::Error),
    /// It is not what its checksums say, or is not there.
    #[error("the table is damaged")]
    Invalid,
}

impl From<std::io::Error> for Fault {
    /// A file that ends too early is not what it was.
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::UnexpectedEof { Self::Invalid } else { Self::Io(error) }
    }
}

impl Fault {
    /// What was read, where it could be: nothing of a table that is damaged or not there.
    pub fn unless_invalid<T>(read: Result<T, Self>) -> std::io::Result<Option<T>> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(Self::Invalid) => Ok(None),
            Err(Self::Io(error)) => Err(error),
        }
    }
}

/// Which segment: its epoch and its first position.
pub(crate) type SegmentKey = (u64, Position);

/// What a table says of itself, in its tail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct About {
    /// 0 for a footer; a file of the index is one above those that it was merged from.
    pub level: u32,
    /// The first segment that it covers, and the last.
    pub from: SegmentKey,
    pub to: SegmentKey,
    /// How many segments it covers.
    pub segments: u64,
    /// Where the chain of batches stands behind the last of them.
    pub chain: Chain,
    /// Streams in it.
    pub streams: u64,
    pub records: u64,
    pub highest_key: u64,
    /// Where it begins in its file: in a segment, where the last batch ends.
    pub base: u64,
    /// Sizes of its sections: blocks of 4096 bytes, places, words of the filter, kinds.
    pub blocks: u64,
    pub places: u64,
    pub words: u64,
    pub kinds: u64,
}

impl About {
    // Numbers that no file can have end at the greatest there is, which is the length of none.

    fn places_at(&self) -> u64 {
        self.base.saturating_add(FRONT_BYTES).saturating_add(self.blocks.saturating_mul(BLOCK_BYTES as u64))
    }

    fn places_bytes(&self) -> u64 {
        self.places.saturating_mul(16).saturating_add(SUM_BYTES as u64)
    }

    fn lookup_bytes(&self) -> u64 {
        let parts = [(self.blocks, KEY_BYTES as u64), (self.words, 8), (self.kinds, 16), (1, SUM_BYTES as u64)];
        parts.iter().fold(0, |sum: u64, (count, bytes)| sum.saturating_add(count.saturating_mul(*bytes)))
    }

    fn file_bytes(&self) -> u64 {
        let parts = [self.places_at(), self.places_bytes(), self.lookup_bytes(), TAIL_BYTES as u64];
        parts.into_iter().fold(0, u64::saturating_add)
    }

    pub fn encode(&self, seal: Seal) -> [u8; TAIL_BYTES] {
        let mut bytes = [0; TAIL_BYTES];
        put(&mut bytes, 0, &seal.mark(TAIL_MARK).to_le_bytes());
        put(&mut bytes, 4, &self.level.to_le_bytes());
        let numbers = [
            self.blocks,
            self.places,
            self.words,
            self.kinds,
            self.streams,
            self.records,
            self.highest_key,
            self.from.0,
            self.from.1,
            self.to.0,
            self.to.1,
            self.segments,
            self.chain.next,
            self.chain.time_us as u64,
            self.base,
        ];
        for (number, value) in numbers.iter().enumerate() {
            put(&mut bytes, 8 + 8 * number, &value.to_le_bytes());
        }
        put(&mut bytes, 128, &self.chain.batch);
        let sum = seal.sum(&bytes[..184]);
        put(&mut bytes, 184, &sum.to_le_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8; TAIL_BYTES], seal: Seal) -> Option<Self> {
        if u32_at(bytes, 0) != seal.mark(TAIL_MARK) || u32_at(bytes, 184) != seal.sum(&bytes[..184]) {
            return None;
        }
        let number = |number: usize| u64_at(bytes, 8 + 8 * number);
        Some(Self {
            level: u32_at(bytes, 4),
            blocks: number(0),
            places: number(1),
            words: number(2),
            kinds: number(3),
            streams: number(4),
            records: number(5),
            highest_key: number(6),
            from: (number(7), number(8)),
            to: (number(9), number(10)),
            segments: number(11),
            chain: Chain { next: number(12), time_us: number(13) as i64, batch: array_at(bytes, 128) },
            base: number(14),
        })
    }

    /// What the table says with which these bytes of a whole file end, if they do.
    pub fn of(bytes: &[u8], seal: Seal) -> Option<Self> {
        let about = Self::decode(bytes.last_chunk()?, seal)?;
        let front = bytes.get(about.base as usize..)?;
        (about.file_bytes() == bytes.len() as u64 && marks_front(front, seal)).then_some(about)
    }

    /// Reads the tail of the table with which a file ends.
    pub fn read(file: &OpenFile, seal: Seal) -> Result<Self, Fault> {
        let length = file.len()?;
        let at = length.checked_sub(TAIL_BYTES as u64).ok_or(Fault::Invalid)?;
        let mut tail = [0; TAIL_BYTES];
        file.read_exact_at(&mut tail, at)?;
        let about = Self::decode(&tail, seal).ok_or(Fault::Invalid)?;
        let mut front = [0; FRONT_BYTES as usize];
        file.read_exact_at(&mut front, about.base)?;
        (about.file_bytes() == length && marks_front(&front, seal)).then_some(about).ok_or(Fault::Invalid)
    }

    /// Reads where the batches of the segment are: position and offset, one for each stretch.
    pub fn read_places(&self, file: &OpenFile, seal: Seal) -> Result<Vec<(Position, u64)>, Fault> {
        let bytes = section(file, seal, self.places_at(), self.places_bytes())?;
        Ok(bytes.chunks_exact(16).map(|place| (u64_at(place, 0), u64_at(place, 8))).collect())
    }
}

/// The bytes with which a table begins.
pub(crate) fn front(seal: Seal) -> [u8; FRONT_BYTES as usize] {
    let mut bytes = [0; FRONT_BYTES as usize];
    put(&mut bytes, 0, &seal.mark(FRONT_MARK).to_le_bytes());
    bytes
}

/// Whether a table could begin here.
pub(crate) fn marks_front(bytes: &[u8], seal: Seal) -> bool {
    bytes.len() >= FRONT_BYTES as usize && bytes[..FRONT_BYTES as usize] == front(seal)
}

/// Reads a section that ends in its checksum, and leaves that away.
fn section(file: &OpenFile, seal: Seal, at: u64, bytes: u64) -> Result<Vec<u8>, Fault> {
    let mut section = file.read(at, bytes)?;
    let content = section.len() - SUM_BYTES;
    if u32_at(&section, content) != seal.sum(&section[..content]) {
        return Err(Fault::Invalid);
    }
    section.truncate(content);
    Ok(section)
}

pub(crate) fn put_stream(bytes: &mut [u8], stream: &Stream) {
    bytes[0] = stream.kind;
    put(bytes, 8, &stream.id);
}

fn stream_at(bytes: &[u8]) -> Stream {
    Stream { kind: bytes[0], id: array_at(bytes, 8) }
}

pub(crate) fn encode_entry(stream: &Stream, entry: &Entry) -> [u8; ENTRY_BYTES] {
    let mut bytes = [0; ENTRY_BYTES];
    put_stream(&mut bytes, stream);
    put(&mut bytes, 24, &entry.head.version.to_le_bytes());
    put(&mut bytes, 32, &entry.head.position.to_le_bytes());
    put(&mut bytes, 40, &entry.offset.to_le_bytes());
    put(&mut bytes, 48, &entry.head.hash);
    bytes
}

fn entry_at(bytes: &[u8]) -> Entry {
    let head = Head { version: u64_at(bytes, 24), position: u64_at(bytes, 32), hash: array_at(bytes, 48) };
    Entry { head, offset: u64_at(bytes, 40) }
}

/// A table that can be looked up.
#[derive(Debug)]
pub(crate) struct Table {
    file: Arc<OpenFile>,
    seal: Seal,
    pub about: About,
    pub totals: Totals,
    /// The first stream of each block.
    firsts: Vec<Stream>,
    filter: Filter,
}

impl Table {
    /// Reads what is kept in memory of a table whose tail has been read.
    pub fn load(file: Arc<OpenFile>, seal: Seal, about: About) -> Result<Self, Fault> {
        let at = about.places_at() + about.places_bytes();
        let bytes = section(&file, seal, at, about.lookup_bytes())?;
        let (firsts, rest) = bytes.split_at(about.blocks as usize * KEY_BYTES);
        let (words, kinds) = rest.split_at(about.words as usize * 8);
        let created = kinds.chunks_exact(16).map(|kind| (kind[0], u64_at(kind, 8))).collect();
        let totals = Totals { records: about.records, highest_key: about.highest_key, created };
        let firsts = firsts.chunks_exact(KEY_BYTES).map(stream_at).collect();
        let filter = Filter::of_words(words.chunks_exact(8).map(|word| u64_at(word, 0)).collect());
        Ok(Self { file, seal, about, totals, firsts, filter })
    }

    /// Where a stream ends, as far as the segments of this table go.
    pub fn find(&self, stream: &Stream) -> Result<Option<Entry>, Fault> {
        let Some(block) = self.block_of(stream).filter(|_| self.filter.may_have(stream)) else { return Ok(None) };
        let bytes = self.block(block)?;
        let entries = entries_of(&bytes);
        let found = entries.binary_search_by(|entry| stream_at(entry).cmp(stream));
        Ok(found.ok().map(|at| entry_at(&entries[at])))
    }

    /// The block in which a stream would be.
    fn block_of(&self, stream: &Stream) -> Option<usize> {
        self.firsts.partition_point(|first| first <= stream).checked_sub(1)
    }

    fn block(&self, number: usize) -> Result<[u8; BLOCK_BYTES], Fault> {
        let mut bytes = [0; BLOCK_BYTES];
        let at = self.about.base + FRONT_BYTES + (number * BLOCK_BYTES) as u64;
        self.file.read_exact_at(&mut bytes, at)?;
        let sum = BLOCK_BYTES - 4;
        let sound = u32_at(&bytes, sum) == self.seal.sum(&bytes[..sum]);
        if sound && entries_of(&bytes).first().map(|first| stream_at(first)) == self.firsts.get(number).copied() {
            Ok(bytes)
        } else {
            Err(Fault::Invalid)
        }
    }

    /// The streams from a bound on, in order; the first fault ends them.
    pub fn from(&self, from: Bound<Stream>) -> Rows<'_> {
        let first = match &from {
            Bound::Included(stream) | Bound::Excluded(stream) => self.block_of(stream).unwrap_or(0),
            Bound::Unbounded => 0,
        };
        Rows { table: self, from, next_block: first, block: Vec::new().into_iter() }
    }
}

/// The entries of a block whose checksum is right.
fn entries_of(block: &[u8; BLOCK_BYTES]) -> &[[u8; ENTRY_BYTES]] {
    let count = u32_at(block, BLOCK_BYTES - 8) as usize;
    block[..count.min(BLOCK_ENTRIES) * ENTRY_BYTES].as_chunks().0
}

/// Goes through a table.
pub(crate) struct Rows<'a> {
    table: &'a Table,
    from: Bound<Stream>,
    next_block: usize,
    block: std::vec::IntoIter<(Stream, Entry)>,
}

impl Rows<'_> {
    fn is_in(&self, stream: &Stream) -> bool {
        match &self.from {
            Bound::Included(from) => stream >= from,
            Bound::Excluded(from) => stream > from,
            Bound::Unbounded => true,
        }
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<(Stream, Entry), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.block.next() {
                return Some(Ok(row));
            }
            if self.next_block == self.table.firsts.len() {
                return None;
            }
            let bytes = match self.table.block(self.next_block) {
                Ok(bytes) => bytes,
                Err(fault) => {
                    self.next_block = self.table.firsts.len();
                    return Some(Err(fault));
                }
            };
            self.next_block += 1;
            let rows = entries_of(&bytes).iter().map(|entry| (stream_at(entry), entry_at(entry)));
            self.block = rows.filter(|(stream, _)| self.is_in(stream)).collect::<Vec<_>>().into_iter();
        }
    }
}
