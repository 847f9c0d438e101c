//! Segment files: made ahead, written by one committer, read by anyone.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::RwLock;

use crate::disk::OpenFile;
use crate::format::{BATCH_HEAD_BYTES, BatchHead, End, RECORD_HEAD_BYTES, RecordHead, Seal, SegmentHeader};
use crate::index::table::SegmentKey;
use crate::{Head, OpenError, Position, ReadError, Record, Stream};

/// A segment's index has an entry for each stretch of at least this many bytes: what a reader must go through to find
/// a position, against what the index costs in memory (2,048 entries a segment).
const INDEX_STRETCH_BYTES: u64 = 32 << 10;

/// So much is read where a record's offset is known and its length is not: most records fit.
const LOOK_BYTES: u64 = 4 << 10;

pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> OpenError {
    let what = what.into();
    move |source| OpenError::Io { what, source }
}

/// File name of a segment: sorts in the order of epochs and positions.
pub(crate) fn file_name(header: &SegmentHeader) -> String {
    format!("{:020}-{:020}.segment", header.epoch, header.first)
}

/// A segment file, and where its batches are.
#[derive(Debug)]
pub(crate) struct Segment {
    pub file: Arc<OpenFile>,
    pub name: String,
    pub header: SegmentHeader,
    /// Where the last durable batch ends.
    end: AtomicU64,
    /// Position and offset of a batch, one for each stretch.
    places: RwLock<Vec<(Position, u64)>>,
    /// Whether it has been walked, so that all that is damaged in it is known.
    examined: AtomicBool,
}

/// How far a segment was read.
pub(crate) struct ReadOn {
    /// Whether the reader wanted no more.
    pub stopped: bool,
    /// Whether everything was as its checksums say.
    pub sound: bool,
}

impl Segment {
    /// A segment that was found.
    pub fn found(
        file: Arc<OpenFile>,
        name: String,
        header: SegmentHeader,
        end: u64,
        places: Vec<(Position, u64)>,
    ) -> Self {
        let (end, places) = (AtomicU64::new(end), RwLock::new(places));
        Self { file, name, header, end, places, examined: AtomicBool::new(false) }
    }

    /// Its epoch and its first position: what it is known by.
    pub fn key(&self) -> SegmentKey {
        (self.header.epoch, self.header.first)
    }

    pub fn is_examined(&self) -> bool {
        self.examined.load(Ordering::Acquire)
    }

    pub fn set_examined(&self) {
        self.examined.store(true, Ordering::Release);
    }

    /// Position and offset of a batch, one for each stretch.
    pub fn places(&self) -> Vec<(Position, u64)> {
        self.places.read().clone()
    }

    pub fn seal(&self) -> Seal {
        self.header.seal()
    }

    pub fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// Lets readers see a batch that is durable.
    pub fn extend(&self, first: Position, offset: u64, end: u64) {
        index_batch(&mut self.places.write(), first, offset);
        self.end.store(end, Ordering::Release);
    }

    /// The stretches from the one that holds `position` on: offset and length in bytes.
    fn stretches(&self, position: Position) -> Vec<(u64, u64)> {
        let end = self.end();
        let places = self.places.read();
        let from = places.partition_point(|(first, _)| *first <= position).saturating_sub(1);
        let ends = places.iter().skip(from + 1).map(|(_, offset)| *offset).chain([end]);
        let found = places.iter().skip(from).zip(ends);
        found.map(|((_, offset), end)| (*offset, end.saturating_sub(*offset))).filter(|(_, bytes)| *bytes > 0).collect()
    }

    /// Which stretch an offset is in; stretches are numbered from 0.
    pub fn stretch_of(&self, offset: u64) -> usize {
        self.places.read().partition_point(|(_, begin)| *begin <= offset).saturating_sub(1)
    }

    /// A stretch by its number, with its offset.
    pub fn stretch_at(&self, number: usize) -> Result<(u64, Stretch), ReadError> {
        let end = self.end();
        let (offset, until) = {
            let places = self.places.read();
            let begin = |number: usize| places.get(number).map_or(end, |(_, offset)| *offset);
            (begin(number), begin(number + 1))
        };
        Ok((offset, Stretch::of(self.seal(), self.read(offset, until.saturating_sub(offset))?)))
    }

    fn read(&self, offset: u64, bytes: u64) -> Result<Vec<u8>, ReadError> {
        let read = self.file.read(offset, bytes);
        read.map_err(|source| ReadError::Io { file: format!("journal/{}", self.name), source })
    }

    /// The bytes in which the record at `position` is.
    pub fn stretch(&self, position: Position) -> Result<Stretch, ReadError> {
        let found = self.stretches(position).first().copied();
        let (offset, bytes) = found.ok_or_else(|| self.damaged(position))?;
        Ok(Stretch::of(self.seal(), self.read(offset, bytes)?))
    }

    /// The record at an offset, if it is sound and has that position.
    pub fn record_at(&self, offset: u64, position: Position) -> Result<Option<Record>, ReadError> {
        let left = self.end().saturating_sub(offset);
        let mut bytes = self.read(offset, left.min(LOOK_BYTES))?;
        let Some(head) = RecordHead::decode(&bytes, self.seal()).filter(|head| head.position == position) else {
            return Ok(None);
        };
        if head.record_bytes() > bytes.len() {
            bytes = self.read(offset, left.min(head.record_bytes() as u64))?;
        }
        let (encoded, rest) = bytes.split_at(RECORD_HEAD_BYTES);
        let body = rest.get(..head.body_bytes as usize).filter(|body| head.fits(body));
        Ok(body.map(|body| record(&head, encoded, body)))
    }

    /// Calls `each` with the records after a position until it returns false.
    pub fn read_from(
        &self,
        after: Option<Position>,
        each: &mut dyn FnMut(Record) -> bool,
    ) -> Result<ReadOn, ReadError> {
        let from = after.map_or(0, |after| after + 1);
        let mut sound = true;
        for (offset, bytes) in self.stretches(from) {
            let stretch = Stretch::of(self.seal(), self.read(offset, bytes)?);
            let mut go_on = true;
            sound &= stretch.records(&mut |record| {
                if record.position >= from {
                    go_on = each(record);
                }
                go_on
            });
            if !go_on {
                return Ok(ReadOn { stopped: true, sound });
            }
        }
        Ok(ReadOn { stopped: false, sound })
    }

    pub fn damaged(&self, position: Position) -> ReadError {
        ReadError::Damaged { position, version: None, file: format!("journal/{}", self.name) }
    }
}

/// Adds a batch to the places of a segment, where the last entry is far enough away.
pub(crate) fn index_batch(places: &mut Vec<(Position, u64)>, first: Position, offset: u64) {
    if places.last().is_none_or(|(_, last)| offset - last >= INDEX_STRETCH_BYTES) {
        places.push((first, offset));
    }
}

/// Some batches of a segment, in memory.
pub(crate) struct Stretch {
    seal: Seal,
    bytes: Vec<u8>,
    /// Positions and offsets of its records, found when one is first asked for.
    places: OnceLock<Vec<(Position, usize)>>,
}

impl Stretch {
    /// Batches.
    pub fn of(seal: Seal, bytes: Vec<u8>) -> Self {
        Self { seal, bytes, places: OnceLock::new() }
    }

    /// Calls `each` with the sound records until it returns false; says whether everything up to there was sound.
    pub fn records(&self, each: &mut dyn FnMut(Record) -> bool) -> bool {
        let mut bodies_are_sound = true;
        let heads_are_sound = self.heads(&mut |at, head| match self.body(at, head) {
            Some(body) => each(record(head, &self.bytes[at..at + RECORD_HEAD_BYTES], body)),
            None => {
                bodies_are_sound = false;
                true
            }
        });
        heads_are_sound && bodies_are_sound
    }

    /// The record at a position, if it is here and sound.
    pub fn record(&self, position: Position) -> Option<Record> {
        let places = self.places.get_or_init(|| self.places());
        let found = places.binary_search_by_key(&position, |(position, _)| *position).ok()?;
        let (_, at) = places[found];
        let head = RecordHead::decode(&self.bytes[at..], self.seal)?;
        Some(record(&head, &self.bytes[at..at + RECORD_HEAD_BYTES], self.body(at, &head)?))
    }

    /// Where a stream is in these batches: the heads of its records that are sound, each with its offset.
    pub fn of_stream(&self, stream: &Stream) -> Vec<(usize, Head)> {
        let mut found = Vec::new();
        self.heads(&mut |at, head| {
            if head.stream == *stream {
                let hash = RecordHead::hash(&self.bytes[at..at + RECORD_HEAD_BYTES]);
                found.push((at, Head { version: head.version, position: head.position, hash }));
            }
            true
        });
        found
    }

    fn places(&self) -> Vec<(Position, usize)> {
        let mut places = Vec::new();
        self.heads(&mut |at, head| {
            places.push((head.position, at));
            true
        });
        places
    }

    /// The body of the record whose head is at an offset, if it is sound.
    fn body(&self, at: usize, head: &RecordHead) -> Option<&[u8]> {
        let body = self.bytes.get(at + RECORD_HEAD_BYTES..)?.get(..head.body_bytes as usize)?;
        head.fits(body).then_some(body)
    }

    /// Goes from head to head, calling `each` with the offset until it returns false; behind damage, from marker to marker.
    /// Says whether there was none.
    fn heads(&self, each: &mut dyn FnMut(usize, &RecordHead) -> bool) -> bool {
        let mut at = 0;
        let mut sound = true;
        while at + BATCH_HEAD_BYTES <= self.bytes.len() {
            let rest = &self.bytes[at..];
            if [End::Header, End::Trailer].iter().any(|end| BatchHead::decode(rest, *end, self.seal).is_some()) {
                at += BATCH_HEAD_BYTES;
                continue;
            }
            let Some(head) = RecordHead::decode(rest, self.seal) else {
                sound = false;
                at += 8;
                continue;
            };
            if !each(at, &head) {
                return sound;
            }
            at += head.record_bytes();
        }
        sound
    }
}

fn record(head: &RecordHead, encoded: &[u8], body: &[u8]) -> Record {
    Record {
        stream: head.stream,
        version: head.version,
        position: head.position,
        process: head.process,
        kind: head.kind,
        key: head.key,
        previous: head.previous,
        hash: RecordHead::hash(encoded),
        body: body.to_vec(),
    }
}
