//! Walking the bytes of a segment: what is whole, what was torn off, what is damaged.
//!
//! The rule that tells a torn tail from damage follows from how the committer writes: batch n+1 is not written before
//! the sync of batch n returned. So an invalid batch with a valid one behind it was durable once and is damaged; an
//! invalid end was never acknowledged. Where a segment was left after a failed sync, the next one's beginning decides:
//! what the disk holds of the old one from there on was never acknowledged either.

use std::ops::Range;

use crate::format::{
    BATCH_HEAD_BYTES, BatchHash, BatchHead, DATA_OFFSET, End, RECORD_HEAD_BYTES, RecordHead, Seal, SegmentHeader,
};
use crate::{Position, Stream};

/// Something that was durable once and is not what its checksum says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Damage {
    /// File name within the data directory.
    pub file: String,
    /// Where in the file, bytes.
    pub offset: u64,
    /// What is damaged.
    pub kind: DamageKind,
}

/// What is damaged.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DamageKind {
    /// A record's body; its head says whose it is.
    Body {
        /// The stream.
        stream: Stream,
        /// The version.
        version: u64,
    },
    /// The heads of records: whose they were cannot be told from them.
    Head {
        /// Their positions.
        positions: Range<Position>,
    },
    /// A batch's header or trailer.
    Batch,
    /// A batch does not follow the one before it.
    Chain,
    /// A segment's header.
    Header,
    /// A record does not follow the last one of its stream: one between them is missing.
    Gap {
        /// The stream.
        stream: Stream,
        /// The version that is missing, or whose hash does not fit.
        version: u64,
    },
}

impl Damage {
    /// The stream that was hit, where it can be told.
    pub fn stream(&self) -> Option<Stream> {
        match &self.kind {
            DamageKind::Body { stream, .. } | DamageKind::Gap { stream, .. } => Some(*stream),
            _ => None,
        }
    }

    /// The version in that stream.
    pub fn version(&self) -> Option<u64> {
        match &self.kind {
            DamageKind::Body { version, .. } | DamageKind::Gap { version, .. } => Some(*version),
            _ => None,
        }
    }
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, offset, kind } = self;
        match kind {
            DamageKind::Body { stream, version } => {
                write!(f, "{file} at {offset}: the body of stream {stream}, version {version} is damaged")
            }
            DamageKind::Head { positions } => {
                let (first, last) = (positions.start, positions.end.saturating_sub(1));
                write!(f, "{file} at {offset}: the head of a record is damaged (positions {first} to {last})")
            }
            DamageKind::Batch => write!(f, "{file} at {offset}: the frame of a batch is damaged"),
            DamageKind::Chain => write!(f, "{file} at {offset}: the batch does not follow the one before it"),
            DamageKind::Header => write!(f, "{file} at {offset}: the segment's header is damaged"),
            DamageKind::Gap { stream, version } => {
                write!(f, "{file} at {offset}: stream {stream} lacks version {version}")
            }
        }
    }
}

/// What a walk meets, in order.
pub(crate) trait Visit {
    /// A batch whose header is sound, at an offset.
    fn batch(&mut self, _offset: u64, _head: &BatchHead) {}
    /// A record whose head is sound; `body` is absent where it is damaged.
    fn record(&mut self, offset: u64, encoded_head: &[u8], head: &RecordHead, body: Option<&[u8]>);
    /// Something damaged.
    fn damage(&mut self, offset: u64, kind: DamageKind);
}

/// Where the chain of batches stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chain {
    /// Position that the next record takes.
    pub next: Position,
    /// Hash of the last batch.
    pub batch: [u8; 32],
    /// Its time.
    pub time_us: i64,
}

impl Default for Chain {
    /// Before anything was written. Positions begin at 1, so that 0 can mean "nothing".
    fn default() -> Self {
        Self { next: 1, batch: [0; 32], time_us: 0 }
    }
}

impl Chain {
    pub fn before(header: &SegmentHeader) -> Self {
        Self { next: header.first, batch: header.previous_batch, time_us: header.previous_time_us }
    }
}

/// What a walk found at its end.
#[derive(Debug)]
pub(crate) struct Walked {
    /// Where the last valid batch ends.
    pub end: u64,
    /// The chain behind it.
    pub chain: Chain,
    /// Whether something other than zeros stands behind the end.
    pub torn: bool,
}

impl Walked {
    /// A walk that ended there, with nothing behind it.
    fn at(end: usize, chain: Chain) -> Self {
        Self { end: end as u64, chain, torn: false }
    }
}

/// Reads the segment's header from either of its blocks; says whether the first was damaged.
pub(crate) fn header(bytes: &[u8]) -> Result<(SegmentHeader, bool), crate::format::HeaderFault> {
    use crate::format::{BLOCK_BYTES, HeaderFault};
    match SegmentHeader::decode(bytes) {
        Ok(header) => Ok((header, false)),
        Err(HeaderFault::Version(version)) => Err(HeaderFault::Version(version)),
        Err(HeaderFault::Invalid) => {
            let second = bytes.get(BLOCK_BYTES..).unwrap_or_default();
            SegmentHeader::decode(second).map(|header| (header, true))
        }
    }
}

/// Walks a segment's batches from its header on, up to the position `until` at which the next segment begins: whatever
/// stands there was never acknowledged, be it whole.
pub(crate) fn walk(bytes: &[u8], header: &SegmentHeader, until: Option<Position>, visit: &mut dyn Visit) -> Walked {
    let seal = header.seal();
    let mut chain = Chain::before(header);
    let mut at = (DATA_OFFSET as usize).min(bytes.len());
    loop {
        let rest = &bytes[at..];
        // What the next segment stands on was acknowledged, be it here or not.
        let lacking = until.filter(|until| chain.next < *until);
        if rest.iter().all(|byte| *byte == 0) {
            if lacking.is_some() {
                visit.damage(at as u64, DamageKind::Batch);
            }
            return Walked::at(at, Chain { next: lacking.unwrap_or(chain.next), ..chain });
        }
        if until.is_some() && lacking.is_none() {
            return Walked { torn: true, ..Walked::at(at, chain) };
        }
        if let Some((head, hash)) = whole_batch(rest, seal) {
            if head.hash != chain.batch || head.first != chain.next {
                visit.damage(at as u64, DamageKind::Chain);
            }
            visit.batch(at as u64, &head);
            records(rest, head.length as usize, at, seal, visit);
            chain = Chain { next: head.first + u64::from(head.count), batch: hash, time_us: head.time_us };
            at += head.length as usize;
        } else if let Some((length, behind)) = next_batch(rest, chain.next, seal) {
            salvage(rest, length, at, seal, chain.next..behind.first, visit);
            chain = Chain { next: behind.first, batch: behind.hash, time_us: behind.time_us };
            at += length;
        } else if let Some(next) = lacking {
            salvage(rest, rest.len(), at, seal, chain.next..next, visit);
            return Walked::at(bytes.len(), Chain { next, ..chain });
        } else {
            return Walked { torn: true, ..Walked::at(at, chain) };
        }
    }
}

/// The batch at the beginning of `bytes`, if it is whole, with its hash. Its records take the positions from its first on.
pub(crate) fn whole_batch(bytes: &[u8], seal: Seal) -> Option<(BatchHead, [u8; 32])> {
    let head = BatchHead::decode(bytes, End::Header, seal)?;
    let length = head.length as usize;
    let batch = bytes.get(..length)?;
    let trailer = BatchHead::decode(&batch[length - BATCH_HEAD_BYTES..], End::Trailer, seal)?;
    let frame: &[u8; BATCH_HEAD_BYTES] = batch[..BATCH_HEAD_BYTES].try_into().ok()?;
    let mut hash = BatchHash::begin(frame);
    let mut at = BATCH_HEAD_BYTES;
    let behind = head.first.checked_add(u64::from(head.count))?;
    for position in head.first..behind {
        let record = RecordHead::decode(&batch[at..], seal)?;
        let body = batch.get(at + RECORD_HEAD_BYTES..)?.get(..record.body_bytes as usize)?;
        if !record.fits(body) || record.position != position {
            return None;
        }
        hash.add(&RecordHead::hash(&batch[at..at + RECORD_HEAD_BYTES]));
        at += record.record_bytes();
    }
    let hash = hash.end();
    (at + BATCH_HEAD_BYTES == length && trailer.hash == hash).then_some((head, hash))
}

/// Visits the records of a batch that is whole.
fn records(bytes: &[u8], length: usize, base: usize, seal: Seal, visit: &mut dyn Visit) {
    let end = length - BATCH_HEAD_BYTES;
    let mut at = BATCH_HEAD_BYTES;
    while at < end {
        let Some(head) = RecordHead::decode(&bytes[at..], seal) else { return };
        let from = at + RECORD_HEAD_BYTES;
        let body = &bytes[from..from + head.body_bytes as usize];
        visit.record((base + at) as u64, &bytes[at..from], &head, Some(body));
        at += head.record_bytes();
    }
}

/// The next sound batch header behind the beginning of `bytes`, where a batch that takes positions from `least` on was: how far
/// it is, and what it says of the chain.
pub(crate) fn next_batch(bytes: &[u8], least: Position, seal: Seal) -> Option<(usize, BatchHead)> {
    (8..(bytes.len() + 1).saturating_sub(BATCH_HEAD_BYTES)).step_by(8).find_map(|at| {
        let candidate = &bytes[at..];
        if !seal.marks_batch(candidate) {
            return None;
        }
        let head = BatchHead::decode(candidate, End::Header, seal)?;
        (head.first > least).then_some((at, head))
    })
}

/// Visits what is sound in a stretch that is not: each record has a marker and a checksum of its own. `positions` are those
/// of its records.
fn salvage(bytes: &[u8], length: usize, base: usize, seal: Seal, positions: Range<Position>, visit: &mut dyn Visit) {
    let framed = BatchHead::decode(bytes, End::Header, seal);
    if let Some(head) = &framed {
        visit.batch(base as u64, head);
    }
    let trailer = length
        .checked_sub(BATCH_HEAD_BYTES)
        .and_then(|from| BatchHead::decode(&bytes[from..length], End::Trailer, seal));
    let is_framed = framed.is_some() && trailer.is_some();
    let end = length.saturating_sub(BATCH_HEAD_BYTES);
    let mut at = BATCH_HEAD_BYTES;
    let mut next = positions.start;
    let (mut lost, mut all_sound) = (None, true);
    let tell = |lost: &mut Option<usize>, positions: Range<Position>, visit: &mut dyn Visit| {
        if let Some(at) = lost.take() {
            visit.damage((base + at) as u64, DamageKind::Head { positions });
        }
    };
    while at < end {
        let Some(head) = RecordHead::decode(&bytes[at..end], seal) else {
            lost.get_or_insert(at);
            all_sound = false;
            at += 8;
            continue;
        };
        tell(&mut lost, next..head.position, visit);
        next = head.position.saturating_add(1);
        let from = at + RECORD_HEAD_BYTES;
        let body = bytes[..end].get(from..from + head.body_bytes as usize).filter(|body| head.fits(body));
        if body.is_none() {
            visit.damage((base + at) as u64, DamageKind::Body { stream: head.stream, version: head.version });
            all_sound = false;
        }
        visit.record((base + at) as u64, &bytes[at..from], &head, body);
        at += head.record_bytes();
    }
    tell(&mut lost, next..positions.end, visit);
    // Where everything in it is sound the frame is what is not.
    if !is_framed || all_sound {
        visit.damage(base as u64, DamageKind::Batch);
    }
}
