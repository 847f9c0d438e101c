//! Segment files: made ahead, written by one committer, read by anyone.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use crate::format::{BATCH_HEAD_BYTES, BatchHead, End, RECORD_HEAD_BYTES, RecordHead, Seal, SegmentHeader};
use crate::{OpenError, Position, ReadError, Record};

/// A segment's index has an entry for each stretch of at least this many bytes: what a reader must go through to find
/// a position, against what the index costs in memory (2,048 entries a segment).
const INDEX_STRETCH_BYTES: u64 = 32 << 10;

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
    pub file: File,
    pub name: String,
    pub header: SegmentHeader,
    /// Where the last durable batch ends.
    end: AtomicU64,
    /// Position and offset of a batch, one for each stretch.
    index: RwLock<Vec<(Position, u64)>>,
}

impl Segment {
    /// A segment that was found.
    pub fn found(file: File, name: String, header: SegmentHeader, end: u64, index: Vec<(Position, u64)>) -> Self {
        Self { file, name, header, end: AtomicU64::new(end), index: RwLock::new(index) }
    }

    pub fn seal(&self) -> Seal {
        self.header.seal()
    }

    pub fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// Lets readers see a batch that is durable.
    pub fn extend(&self, first: Position, offset: u64, end: u64) {
        index_batch(&mut self.index.write(), first, offset);
        self.end.store(end, Ordering::Release);
    }

    /// The stretches from the one that holds `position` on: offset and length in bytes.
    fn stretches(&self, position: Position) -> Vec<(u64, u64)> {
        let end = self.end();
        let index = self.index.read();
        let from = index.partition_point(|(first, _)| *first <= position).saturating_sub(1);
        let ends = index.iter().skip(from + 1).map(|(_, offset)| *offset).chain([end]);
        let found = index.iter().skip(from).zip(ends);
        found.map(|((_, offset), end)| (*offset, end.saturating_sub(*offset))).filter(|(_, bytes)| *bytes > 0).collect()
    }

    fn read(&self, offset: u64, bytes: u64) -> Result<Vec<u8>, ReadError> {
        let mut stretch = vec![0; bytes as usize];
        let read = self.file.read_exact_at(&mut stretch, offset);
        read.map_err(|source| ReadError::Io { file: self.name.clone(), source })?;
        Ok(stretch)
    }

    /// The bytes in which the record at `position` is.
    pub fn stretch(&self, position: Position) -> Result<Stretch, ReadError> {
        let found = self.stretches(position).first().copied();
        let (offset, bytes) = found.ok_or_else(|| self.damaged(position))?;
        Ok(Stretch { seal: self.seal(), bytes: self.read(offset, bytes)? })
    }

    /// Calls `each` with the records after a position until it returns false; says whether it never did.
    pub fn read_from(&self, after: Option<Position>, each: &mut dyn FnMut(Record) -> bool) -> Result<bool, ReadError> {
        let from = after.map_or(0, |after| after + 1);
        for (offset, bytes) in self.stretches(from) {
            let stretch = Stretch { seal: self.seal(), bytes: self.read(offset, bytes)? };
            let mut go_on = true;
            stretch.records(&mut |record| {
                if record.position >= from {
                    go_on = each(record);
                }
                go_on
            });
            if !go_on {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub fn damaged(&self, position: Position) -> ReadError {
        ReadError::Damaged { position, file: format!("journal/{}", self.name) }
    }
}

/// Adds a batch to an index, where the last entry is far enough away.
pub(crate) fn index_batch(index: &mut Vec<(Position, u64)>, first: Position, offset: u64) {
    if index.last().is_none_or(|(_, last)| offset - last >= INDEX_STRETCH_BYTES) {
        index.push((first, offset));
    }
}

/// Told of a head, its encoding, and its body where that is sound; says whether to go on.
type EachHead<'a> = dyn FnMut(&RecordHead, &[u8], Option<&[u8]>) -> bool + 'a;

/// Some batches of a segment, in memory.
pub(crate) struct Stretch {
    seal: Seal,
    bytes: Vec<u8>,
}

impl Stretch {
    /// Calls `each` with the sound records until it returns false.
    pub fn records(&self, each: &mut dyn FnMut(Record) -> bool) {
        self.heads(&mut |head, hash, body| {
            let Some(body) = body else { return true };
            each(record(head, hash, body))
        });
    }

    /// The record at a position, if it is here and sound.
    pub fn record(&self, position: Position) -> Option<Record> {
        let mut found = None;
        self.heads(&mut |head, hash, body| {
            if head.position == position {
                found = body.map(|body| record(head, hash, body));
            }
            head.position < position
        });
        found
    }

    /// Goes from record to record; behind damage, from marker to marker.
    fn heads(&self, each: &mut EachHead<'_>) {
        let mut at = 0;
        while at + BATCH_HEAD_BYTES <= self.bytes.len() {
            let rest = &self.bytes[at..];
            if self.seal.marks_batch(rest) && BatchHead::decode(rest, End::Header, self.seal).is_some() {
                at += BATCH_HEAD_BYTES;
                continue;
            }
            let Some(head) = RecordHead::decode(rest, self.seal) else {
                at += 8;
                continue;
            };
            let body = rest[RECORD_HEAD_BYTES..].get(..head.body_bytes as usize);
            let body = body.filter(|body| head.fits(body));
            if !each(&head, &rest[..RECORD_HEAD_BYTES], body) {
                return;
            }
            at += head.record_bytes();
        }
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
