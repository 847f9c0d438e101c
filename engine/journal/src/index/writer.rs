//! Writing a table: streams in order, a piece at a time.

use std::sync::Arc;

use crate::disk::{Disk, OpenFile, write_all_at};
use crate::format::{Seal, put};
use crate::index::filter::Filter;
use crate::index::heads::{Entry, Totals};
use crate::index::table::{
    About, BLOCK_BYTES, BLOCK_ENTRIES, Fault, KEY_BYTES, SUM_BYTES, SegmentKey, Table, encode_entry, front, put_stream,
};
use crate::recovery::Chain;
use crate::{Position, Stream};

/// So much is written at a time.
const PIECE_BYTES: usize = 256 << 10;

/// What a table is about, before it is written.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub level: u32,
    pub from: SegmentKey,
    pub to: SegmentKey,
    pub segments: u64,
    pub chain: Chain,
    pub totals: Totals,
    /// Where the batches of a footer's segment are.
    pub places: Vec<(Position, u64)>,
}

/// Told before each piece, so that it can take its time, or stop the writing by failing.
pub(crate) type Pace<'a> = dyn Fn() -> std::io::Result<()> + 'a;

/// Writes one table.
pub(crate) struct Writer<'a> {
    disk: &'a dyn Disk,
    file: Arc<OpenFile>,
    pace: &'a Pace<'a>,
    seal: Seal,
    base: u64,
    /// Where the piece will go.
    at: u64,
    piece: Vec<u8>,
    block: Vec<u8>,
    firsts: Vec<u8>,
    filter: Filter,
    streams: u64,
}

impl<'a> Writer<'a> {
    /// Begins a table at `base` of a file, of at most so many streams.
    pub fn begin(
        disk: &'a dyn Disk,
        file: Arc<OpenFile>,
        base: u64,
        seal: Seal,
        streams_max: u64,
        pace: &'a Pace<'a>,
    ) -> Self {
        let filter = Filter::with_room_for(streams_max);
        let (block, firsts, piece) = (Vec::with_capacity(BLOCK_BYTES), Vec::new(), front(seal).to_vec());
        Self { disk, file, pace, seal, base, at: base, piece, block, firsts, filter, streams: 0 }
    }

    /// Adds a stream, which comes behind all that were added before.
    pub fn add(&mut self, stream: &Stream, entry: &Entry) -> std::io::Result<()> {
        if self.block.is_empty() {
            let mut first = [0; KEY_BYTES];
            put_stream(&mut first, stream);
            self.firsts.extend_from_slice(&first);
        }
        self.block.extend_from_slice(&encode_entry(stream, entry));
        self.filter.add(stream);
        self.streams += 1;
        if self.streams.is_multiple_of(BLOCK_ENTRIES as u64) { self.end_block() } else { Ok(()) }
    }

    fn end_block(&mut self) -> std::io::Result<()> {
        let entries = self.block.len() / crate::index::table::ENTRY_BYTES;
        self.block.resize(BLOCK_BYTES, 0);
        put(&mut self.block, BLOCK_BYTES - 8, &(entries as u32).to_le_bytes());
        let sum = self.seal.sum(&self.block[..BLOCK_BYTES - 4]);
        put(&mut self.block, BLOCK_BYTES - 4, &sum.to_le_bytes());
        self.piece.append(&mut self.block);
        if self.piece.len() >= PIECE_BYTES { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> std::io::Result<()> {
        (self.pace)()?;
        write_all_at(self.disk, &self.file.file, &self.piece, self.at)?;
        self.at += self.piece.len() as u64;
        self.piece.clear();
        Ok(())
    }

    fn section(&mut self, content: &[u8]) {
        let mut sum = [0; SUM_BYTES];
        put(&mut sum, 0, &self.seal.sum(content).to_le_bytes());
        self.piece.extend_from_slice(content);
        self.piece.extend_from_slice(&sum);
    }

    /// Writes what is left, and syncs all; gives the table to look up.
    pub fn end(mut self, subject: Subject) -> Result<Table, Fault> {
        if !self.block.is_empty() {
            self.end_block()?;
        }
        let blocks = (self.firsts.len() / KEY_BYTES) as u64;
        let numbers = subject.places.iter().flat_map(|(position, offset)| [*position, *offset]);
        let places: Vec<u8> = numbers.flat_map(u64::to_le_bytes).collect();
        self.section(&places);
        let mut lookup = std::mem::take(&mut self.firsts);
        lookup.extend(self.filter.words().iter().flat_map(|word| word.to_le_bytes()));
        for (kind, created) in &subject.totals.created {
            lookup.extend_from_slice(&u64::from(*kind).to_le_bytes());
            lookup.extend_from_slice(&created.to_le_bytes());
        }
        self.section(&lookup);
        let about = About {
            level: subject.level,
            from: subject.from,
            to: subject.to,
            segments: subject.segments,
            chain: subject.chain,
            streams: self.streams,
            records: subject.totals.records,
            highest_key: subject.totals.highest_key,
            base: self.base,
            blocks,
            places: subject.places.len() as u64,
            words: self.filter.words().len() as u64,
            kinds: subject.totals.created.len() as u64,
        };
        self.piece.extend_from_slice(&about.encode(self.seal));
        self.write()?;
        self.disk.sync_all(&self.file.file)?;
        Table::load(self.file, self.seal, about)
    }
}
