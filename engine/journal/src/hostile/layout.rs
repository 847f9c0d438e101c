//! From an input to a segment.

use super::Kept;
use crate::format::{
    BATCH_HEAD_BYTES, BatchHash, BatchHead, DATA_OFFSET, End, RECORD_HEAD_BYTES, RecordHead, Seal, SegmentHeader, put,
    sha256, u32_at, u64_at,
};
use crate::recovery::Chain;

/// A segment with this header, both blocks of it, and these batches behind it, resealed.
pub(super) fn segment(header: &SegmentHeader, batches: &[u8], kept: &mut Kept) -> Vec<u8> {
    let block = header.encode();
    let mut bytes = [&block[..], &block, batches].concat();
    let data = DATA_OFFSET as usize;
    seal_records(&mut bytes[data..], header.seal(), kept);
    seal_batches(&mut bytes[data..], header, kept);
    bytes
}

/// Gives each record that is marked as one, and whose body is there, its checksums and the hash of its body.
fn seal_records(bytes: &mut [u8], seal: Seal, kept: &mut Kept) {
    for at in (0..bytes.len().saturating_sub(RECORD_HEAD_BYTES - 1)).step_by(8) {
        let (head, behind) = bytes[at..].split_at_mut(RECORD_HEAD_BYTES);
        if !seal.marks_record(head) || kept.next() {
            continue;
        }
        if let Some(body) = behind.get(..u32_at(head, 80) as usize) {
            put(head, 84, &crc32c::crc32c(body).to_le_bytes());
            put(head, 88, &sha256(&[body]));
        }
        let sum = seal.sum(&head[..156]);
        put(head, 156, &sum.to_le_bytes());
    }
}

/// Gives each batch that is marked as one its place in the chain, its hash and its checksums.
fn seal_batches(bytes: &mut [u8], header: &SegmentHeader, kept: &mut Kept) {
    let seal = header.seal();
    let mut chain = Chain::before(header).batch;
    for at in (0..bytes.len().saturating_sub(BATCH_HEAD_BYTES - 1)).step_by(8) {
        if !seal.marks_batch(&bytes[at..]) || kept.next() {
            continue;
        }
        let batch = &mut bytes[at..];
        put(batch, 40, &chain);
        seal_frame(batch, seal);
        let trailer = BatchHead::decode(batch, End::Header, seal).map(|head| head.length as usize - BATCH_HEAD_BYTES);
        if let Some(trailer) = trailer.filter(|trailer| trailer + BATCH_HEAD_BYTES <= batch.len()) {
            chain = hash(&batch[..trailer], seal);
            put(batch, trailer + 40, &chain);
            seal_frame(&mut batch[trailer..], seal);
        }
    }
}

fn seal_frame(frame: &mut [u8], seal: Seal) {
    let sum = seal.sum(&frame[..88]);
    put(frame, 88, &sum.to_le_bytes());
}

/// The hash of a batch without its trailer, as far as its records go.
fn hash(batch: &[u8], seal: Seal) -> [u8; 32] {
    let frame: &[u8; BATCH_HEAD_BYTES] = batch.first_chunk().expect("it begins with a header");
    let mut hash = BatchHash::begin(frame);
    let mut at = BATCH_HEAD_BYTES;
    while let Some(head) = batch.get(at..).and_then(|rest| RecordHead::decode(rest, seal)) {
        hash.add(&RecordHead::hash(&batch[at..at + RECORD_HEAD_BYTES]));
        at += head.record_bytes();
    }
    hash.end()
}

/// The batches of a segment that comes behind, in an input for two: how many bytes are the first one's stands in front.
pub(super) fn two(data: &[u8]) -> (&[u8], &[u8]) {
    let (front, rest) = data.split_at_checked(8).unwrap_or_default();
    let first = if front.is_empty() { 0 } else { u64_at(front, 0) };
    rest.split_at(usize::try_from(first).unwrap_or(usize::MAX).min(rest.len()) & !7)
}
