//! The bytes of format 2, as `docs/journal-format.md` has them: encoding and decoding, nothing else.

use sha2::{Digest, Sha256};

use crate::{Body, Identity, NewRecord, Position, RecordKind, Stream};

/// Version of the format that this code writes. It reads all from [`FORMAT_VERSION_MIN`] on.
pub const FORMAT_VERSION: u32 = 2;
/// The oldest format that is read: it differs in that its segments were written without footers.
pub const FORMAT_VERSION_MIN: u32 = 1;
/// Size of a segment when it is made: large enough that a change of segments is rare, small enough to be zeroed in
/// the background in a tenth of a second.
pub const SEGMENT_BYTES: u64 = 64 << 20;
/// The smallest that a segment may be made: the largest batch fits.
pub const SEGMENT_BYTES_MIN: u64 = 12 << 20;
/// The largest body of a record; larger content is a file of its own, named by the record.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// The largest append, heads included: what one command may write.
pub const APPEND_BYTES_MAX: usize = 2 << 20;
/// The largest batch: bounds what one sync carries, and what recovery must hold in memory.
pub const BATCH_BYTES_MAX: usize = 8 << 20;

pub(crate) const BLOCK_BYTES: usize = 4096;
pub(crate) const DATA_OFFSET: u64 = 2 * BLOCK_BYTES as u64;
pub(crate) const BATCH_HEAD_BYTES: usize = 96;
pub(crate) const RECORD_HEAD_BYTES: usize = 160;
const MAGIC: &[u8; 8] = b"ILJOURNL";
const BATCH_MARK: u32 = 0x4843_5442;
const TRAILER_MARK: u32 = 0x524c_5254;
const RECORD_MARK: u32 = 0x4443_4552;
/// The one format of bodies that there is: MessagePack with field names. A head that names another is not read.
const BODY_FORMAT: u8 = 1;

pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().into()
}

/// Bytes rounded up to the alignment of the format.
pub(crate) const fn aligned(bytes: usize) -> usize {
    (bytes + 7) & !7
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

pub(crate) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("N bytes")
}

pub(crate) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// What stands at the beginning of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub journal: [u8; 16],
    pub incarnation: u64,
    pub epoch: u64,
    pub salt: [u8; 8],
    pub first: Position,
    pub previous_batch: [u8; 32],
    pub previous_time_us: i64,
}

/// Why a block is not the header of a segment that this code reads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// Not a header, or a damaged one.
    Invalid,
    /// A sound header of another format.
    Version(u32),
}

impl SegmentHeader {
    pub fn encode(&self) -> [u8; BLOCK_BYTES] {
        let mut block = [0; BLOCK_BYTES];
        put(&mut block, 0, MAGIC);
        put(&mut block, 8, &FORMAT_VERSION.to_le_bytes());
        put(&mut block, 16, &self.journal);
        put(&mut block, 32, &self.incarnation.to_le_bytes());
        put(&mut block, 40, &self.epoch.to_le_bytes());
        put(&mut block, 48, &self.salt);
        put(&mut block, 56, &self.first.to_le_bytes());
        put(&mut block, 64, &self.previous_batch);
        put(&mut block, 96, &self.previous_time_us.to_le_bytes());
        let sum = crc32c::crc32c(&block[..BLOCK_BYTES - 4]);
        put(&mut block, BLOCK_BYTES - 4, &sum.to_le_bytes());
        block
    }

    pub fn decode(block: &[u8]) -> Result<Self, HeaderFault> {
        if block.len() < BLOCK_BYTES
            || &block[..8] != MAGIC
            || crc32c::crc32c(&block[..BLOCK_BYTES - 4]) != u32_at(block, BLOCK_BYTES - 4)
        {
            return Err(HeaderFault::Invalid);
        }
        match u32_at(block, 8) {
            FORMAT_VERSION_MIN..=FORMAT_VERSION => Ok(Self {
                journal: array_at(block, 16),
                incarnation: u64_at(block, 32),
                epoch: u64_at(block, 40),
                salt: array_at(block, 48),
                first: u64_at(block, 56),
                previous_batch: array_at(block, 64),
                previous_time_us: u64_at(block, 96) as i64,
            }),
            other => Err(HeaderFault::Version(other)),
        }
    }

    pub fn identity(&self) -> Identity {
        Identity { journal: self.journal, incarnation: self.incarnation }
    }

    pub fn seal(&self) -> Seal {
        let mut seed = [0; 16];
        put(&mut seed, 0, &self.salt);
        put(&mut seed, 8, &self.epoch.to_le_bytes());
        Seal { seed: crc32c::crc32c(&seed), marker: u32_at(&self.salt, 0), epoch: self.epoch }
    }
}

/// What ties a structure to its segment: the seed of its checksums and the salt in its markers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seal {
    seed: u32,
    marker: u32,
    epoch: u64,
}

impl Seal {
    /// What ties a file of the index to its journal.
    pub fn of_index(journal: &[u8; 16]) -> Self {
        Self { seed: crc32c::crc32c(journal), marker: u32_at(journal, 0), epoch: 0 }
    }

    /// The marker of a structure.
    pub fn mark(&self, structure: u32) -> u32 {
        self.marker ^ structure
    }

    pub fn sum(&self, bytes: &[u8]) -> u32 {
        crc32c::crc32c_append(self.seed, bytes)
    }

    /// Whether a record's head could begin here.
    pub fn marks_record(&self, bytes: &[u8]) -> bool {
        bytes.len() >= 4 && u32_at(bytes, 0) == self.marker ^ RECORD_MARK
    }

    /// Whether a batch could begin here.
    pub fn marks_batch(&self, bytes: &[u8]) -> bool {
        bytes.len() >= 4 && u32_at(bytes, 0) == self.marker ^ BATCH_MARK
    }
}

/// Header or trailer of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchHead {
    pub count: u32,
    pub length: u64,
    pub first: Position,
    pub time_us: i64,
    /// In the header the hash of the batch before, in the trailer this batch's.
    pub hash: [u8; 32],
}

/// Which end of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Header,
    Trailer,
}

impl BatchHead {
    pub fn encode(&self, end: End, seal: Seal) -> [u8; BATCH_HEAD_BYTES] {
        let mut bytes = [0; BATCH_HEAD_BYTES];
        let mark = if end == End::Header { BATCH_MARK } else { TRAILER_MARK };
        put(&mut bytes, 0, &(seal.marker ^ mark).to_le_bytes());
        put(&mut bytes, 4, &self.count.to_le_bytes());
        put(&mut bytes, 8, &self.length.to_le_bytes());
        put(&mut bytes, 16, &self.first.to_le_bytes());
        put(&mut bytes, 24, &self.time_us.to_le_bytes());
        put(&mut bytes, 32, &seal.epoch.to_le_bytes());
        put(&mut bytes, 40, &self.hash);
        let sum = seal.sum(&bytes[..88]);
        put(&mut bytes, 88, &sum.to_le_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8], end: End, seal: Seal) -> Option<Self> {
        let mark = if end == End::Header { BATCH_MARK } else { TRAILER_MARK };
        if bytes.len() < BATCH_HEAD_BYTES
            || u32_at(bytes, 0) != seal.marker ^ mark
            || u32_at(bytes, 88) != seal.sum(&bytes[..88])
            || u64_at(bytes, 32) != seal.epoch
        {
            return None;
        }
        let head = Self {
            count: u32_at(bytes, 4),
            length: u64_at(bytes, 8),
            first: u64_at(bytes, 16),
            time_us: u64_at(bytes, 24) as i64,
            hash: array_at(bytes, 40),
        };
        let least = 2 * BATCH_HEAD_BYTES as u64;
        let whole = head.length.is_multiple_of(8) && head.length >= least;
        (whole && head.length <= (BATCH_BYTES_MAX + APPEND_BYTES_MAX) as u64).then_some(head)
    }
}

/// Collects the hash of a batch: bytes 4..88 of its header, then the hashes of its records.
pub(crate) struct BatchHash(Sha256);

impl BatchHash {
    pub fn begin(header: &[u8; BATCH_HEAD_BYTES]) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(&header[4..88]);
        Self(hasher)
    }

    pub fn add(&mut self, record: &[u8; 32]) {
        self.0.update(record);
    }

    pub fn end(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

/// Head of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordHead {
    pub kind: RecordKind,
    pub position: Position,
    pub version: u64,
    pub previous: Option<Position>,
    pub stream: Stream,
    pub process: [u8; 16],
    pub key: u64,
    pub body_bytes: u32,
    pub body_sum: u32,
    pub body_hash: [u8; 32],
    pub previous_hash: [u8; 32],
}

const NO_POSITION: u64 = u64::MAX;

impl RecordHead {
    /// The head of `record` at a position, behind `previous` of its stream.
    pub fn of(record: &NewRecord, position: Position, previous: Option<(Position, [u8; 32])>) -> Self {
        let Body { bytes, hash } = &record.body;
        Self {
            kind: record.kind,
            position,
            version: record.version,
            previous: previous.map(|(position, _)| position),
            stream: record.stream,
            process: record.process,
            key: record.key,
            body_bytes: bytes.len() as u32,
            body_sum: crc32c::crc32c(bytes),
            body_hash: *hash,
            previous_hash: previous.map(|(_, hash)| hash).unwrap_or_default(),
        }
    }

    pub fn encode(&self, seal: Seal) -> [u8; RECORD_HEAD_BYTES] {
        let mut bytes = [0; RECORD_HEAD_BYTES];
        put(&mut bytes, 0, &(seal.marker ^ RECORD_MARK).to_le_bytes());
        bytes[4] = self.kind as u8;
        bytes[5] = BODY_FORMAT;
        put(&mut bytes, 8, &self.position.to_le_bytes());
        put(&mut bytes, 16, &self.version.to_le_bytes());
        put(&mut bytes, 24, &self.previous.unwrap_or(NO_POSITION).to_le_bytes());
        bytes[32] = self.stream.kind;
        put(&mut bytes, 40, &self.stream.id);
        put(&mut bytes, 56, &self.process);
        put(&mut bytes, 72, &self.key.to_le_bytes());
        put(&mut bytes, 80, &self.body_bytes.to_le_bytes());
        put(&mut bytes, 84, &self.body_sum.to_le_bytes());
        put(&mut bytes, 88, &self.body_hash);
        put(&mut bytes, 120, &self.previous_hash);
        let sum = seal.sum(&bytes[..156]);
        put(&mut bytes, 156, &sum.to_le_bytes());
        bytes
    }

    pub fn decode(bytes: &[u8], seal: Seal) -> Option<Self> {
        if bytes.len() < RECORD_HEAD_BYTES
            || !seal.marks_record(bytes)
            || u32_at(bytes, 156) != seal.sum(&bytes[..156])
            || bytes[5] != BODY_FORMAT
        {
            return None;
        }
        let previous = u64_at(bytes, 24);
        Some(Self {
            kind: RecordKind::from_byte(bytes[4])?,
            position: u64_at(bytes, 8),
            version: u64_at(bytes, 16),
            previous: (previous != NO_POSITION).then_some(previous),
            stream: Stream { kind: bytes[32], id: array_at(bytes, 40) },
            process: array_at(bytes, 56),
            key: u64_at(bytes, 72),
            body_bytes: u32_at(bytes, 80),
            body_sum: u32_at(bytes, 84),
            body_hash: array_at(bytes, 88),
            previous_hash: array_at(bytes, 120),
        })
    }

    /// The hash of the record whose encoded head this is.
    pub fn hash(encoded: &[u8]) -> [u8; 32] {
        sha256(&[&encoded[4..152]])
    }

    /// Whether a body is the one that the head was made for, by its checksum.
    pub fn fits(&self, body: &[u8]) -> bool {
        body.len() == self.body_bytes as usize && crc32c::crc32c(body) == self.body_sum
    }

    /// Bytes of the record with its head and padding.
    pub fn record_bytes(&self) -> usize {
        RECORD_HEAD_BYTES + aligned(self.body_bytes as usize)
    }
}

/// Bytes that a new record takes in a batch.
pub(crate) fn bytes_of(record: &NewRecord) -> usize {
    RECORD_HEAD_BYTES + aligned(record.body.bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        SegmentHeader {
            journal: [7; 16],
            incarnation: 1,
            epoch: 3,
            salt: [1, 2, 3, 4, 5, 6, 7, 8],
            first: 42,
            previous_batch: [9; 32],
            previous_time_us: 1_000,
        }
    }

    #[test]
    fn a_segment_header_comes_back_as_it_was_and_one_flipped_bit_is_noticed() {
        let block = header().encode();
        assert_eq!(SegmentHeader::decode(&block), Ok(header()));
        for at in [0, 9, 60, 3000, BLOCK_BYTES - 1] {
            let mut flipped = block;
            flipped[at] ^= 4;
            assert_eq!(SegmentHeader::decode(&flipped), Err(HeaderFault::Invalid));
        }
    }

    #[test]
    fn a_record_head_comes_back_as_it_was_and_every_flipped_bit_is_noticed() {
        let seal = header().seal();
        let record = NewRecord {
            stream: Stream { kind: b'p', id: [5; 16] },
            version: 8,
            process: [6; 16],
            kind: RecordKind::Event,
            key: 12,
            body: Body::new(b"a body".to_vec()),
        };
        let head = RecordHead::of(&record, 99, Some((77, [3; 32])));
        let bytes = head.encode(seal);
        assert_eq!(RecordHead::decode(&bytes, seal), Some(head));
        assert!(head.fits(b"a body") && !head.fits(b"a bodY"));
        for bit in 0..RECORD_HEAD_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RecordHead::decode(&flipped, seal), None, "bit {bit}");
        }
    }

    #[test]
    fn what_another_epoch_wrote_is_not_read() {
        let seal = header().seal();
        let head = BatchHead { count: 1, length: 512, first: 1, time_us: 2, hash: [0; 32] };
        let bytes = head.encode(End::Header, seal);
        assert_eq!(BatchHead::decode(&bytes, End::Header, seal), Some(head));
        assert_eq!(BatchHead::decode(&bytes, End::Trailer, seal), None);
        let later = SegmentHeader { epoch: 4, ..header() }.seal();
        assert_eq!(BatchHead::decode(&bytes, End::Header, later), None);
    }
}
