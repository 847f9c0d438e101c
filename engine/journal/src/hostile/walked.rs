//! What a walk may say of a segment.

use super::{Kept, header, layout};
use crate::Position;
use crate::format::{
    BATCH_HEAD_BYTES, BatchHead, DATA_OFFSET, End, RECORD_HEAD_BYTES, RecordHead, Seal, SegmentHeader,
};
use crate::recovery::{DamageKind, Visit, Walked, walk};
use crate::segment::Stretch;

/// Walks the batches of an input: what is claimed is there as it is claimed, and what a start leaves is the same to the next.
pub fn segment(data: &[u8]) {
    let (mut kept, batches) = Kept::of(data);
    let header = header();
    let bytes = layout::segment(&header, batches, &mut kept);
    let (walked, claims) = examine(&bytes, &header, None);
    let (_, claimed_before) = examine(&bytes, &header, Some(walked.chain.next / 2));
    assert!(claims.records.starts_with(&claimed_before.records), "where it ends changes what is before");

    // A start cuts behind the last batch and opens a segment that begins there; the next finds the same.
    let left = &bytes[..walked.end as usize];
    let (again, same) = examine(left, &header, Some(walked.chain.next));
    // Batches that were never in one chain have no order to keep.
    if !claims.is_out_of_order {
        assert_eq!(again.chain.next, walked.chain.next, "the chain ends elsewhere after a cut");
        let found = |record: &(u64, bool)| same.records.contains(record) || same.records.contains(&(record.0, true));
        let lost = claims.records.iter().find(|record| !found(record));
        assert_eq!(lost, None, "a record is lost with a cut");
        assert!(!again.torn, "there is something to cut again");
        assert_eq!(same.damaged == 0, claims.damaged == 0, "damage comes or goes with a cut");
    }
    let stretch = Stretch::of(header.seal(), left[DATA_OFFSET as usize..].to_vec());
    stretch.records(&mut |record| {
        assert!(record.hash != [0; 32]);
        true
    });
}

fn examine(bytes: &[u8], header: &SegmentHeader, until: Option<Position>) -> (Walked, Claims) {
    let mut claims = Claims::default();
    let mut visit = Examiner { bytes, seal: header.seal(), claims: &mut claims };
    let walked = walk(bytes, header, until, &mut visit);
    let end = walked.end as usize;
    assert!((DATA_OFFSET as usize..=bytes.len()).contains(&end), "it ends at {end} of {}", bytes.len());
    assert!(walked.torn || bytes[end..].iter().all(|byte| *byte == 0), "what is behind the end is not nothing");
    (walked, claims)
}

/// What a walk said, in order.
#[derive(Default)]
struct Claims {
    /// Where each record is, and whether its body is sound.
    records: Vec<(u64, bool)>,
    damaged: usize,
    /// Whether a batch is whole and does not follow the one before it: nothing that a disk does makes such.
    is_out_of_order: bool,
}

/// Holds each claim against the bytes.
struct Examiner<'a> {
    bytes: &'a [u8],
    seal: Seal,
    claims: &'a mut Claims,
}

impl Visit for Examiner<'_> {
    fn batch(&mut self, offset: u64, head: &BatchHead) {
        let at = offset as usize;
        let encoded = &self.bytes[at..at + BATCH_HEAD_BYTES];
        let again = head.encode(End::Header, self.seal);
        assert_eq!(encoded[..72], again[..72], "a batch is not what was claimed");
        assert_eq!(BatchHead::decode(encoded, End::Header, self.seal).as_ref(), Some(head));
    }

    fn record(&mut self, offset: u64, encoded: &[u8], head: &RecordHead, body: Option<&[u8]>) {
        let at = offset as usize;
        assert_eq!(&self.bytes[at..at + RECORD_HEAD_BYTES], encoded, "a head from elsewhere");
        assert!(self.claims.records.last().is_none_or(|(last, _)| *last < offset), "records are not in order");
        assert_eq!(RecordHead::decode(encoded, self.seal).as_ref(), Some(head), "a checksum does not hold");
        let again = head.encode(self.seal);
        // What is reserved is covered by the checksum and means nothing.
        for meant in [0..6, 8..33, 40..152] {
            assert_eq!(encoded[meant.clone()], again[meant], "a head is not what was claimed");
        }
        if let Some(body) = body {
            assert!(head.fits(body), "a checksum does not hold");
            assert_eq!(&self.bytes[at + RECORD_HEAD_BYTES..][..body.len()], body, "a body from elsewhere");
        }
        self.claims.records.push((offset, body.is_some()));
    }

    fn damage(&mut self, offset: u64, kind: DamageKind) {
        assert!(offset as usize <= self.bytes.len(), "{kind:?} behind the end");
        self.claims.damaged += 1;
        self.claims.is_out_of_order |= kind == DamageKind::Chain;
    }
}
