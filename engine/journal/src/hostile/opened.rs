//! What a journal may say of a directory.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Kept, header, layout};
use crate::format::SegmentHeader;
use crate::recovery::{self, DamageKind, Visit};
use crate::segment::file_name;
use crate::{FileJournal, Head, Journal, Position, ReadError, Record, Stream, verify};

/// Puts the two segments of an input into a directory, opens it to be read, and has it audited: every stream is read to its
/// end or told to be damaged, and what the audit finds nothing in is read whole.
pub fn directory(place: &Path, data: &[u8]) {
    write(place, data).expect("the directory can be written");
    let journal = FileJournal::read_only(place).expect("hostile bytes are damage, not an error");
    let mut records = Vec::new();
    let read = journal.read_all(None, &mut |record| {
        records.push(record);
        true
    });
    read.expect("the directory can be read");
    let streams = streams(&journal, &records);
    let unread: Vec<_> = streams.iter().filter(|stream| !is_read_to_its_end(&journal, stream)).collect();
    let report = verify(place).expect("hostile bytes are damage, not an error");
    if report.damage.is_empty() {
        assert!(unread.is_empty(), "the audit is content, and these cannot be read: {unread:?}");
        assert_eq!(records.len() as u64, report.records, "the audit counts other records");
        assert_eq!(streams.len() as u64, report.streams, "the audit counts other streams");
        assert!(journal.damage().is_empty(), "the audit is content, and a reader is not: {:?}", journal.damage());
    }
}

fn write(place: &Path, data: &[u8]) -> std::io::Result<()> {
    let (mut kept, batches) = Kept::of(data);
    let (first, second) = layout::two(batches);
    let directory = place.join("journal");
    std::fs::create_dir(&directory)?;
    let header = header();
    let bytes = layout::segment(&header, first, &mut kept);
    let walked = recovery::walk(&bytes, &header, None, &mut Unseen);
    std::fs::write(directory.join(file_name(&header)), bytes)?;
    let chain = walked.chain;
    let next = SegmentHeader {
        epoch: header.epoch + 1,
        first: chain.next,
        previous_batch: chain.batch,
        previous_time_us: chain.time_us,
        ..header
    };
    let bytes = layout::segment(&next, second, &mut kept);
    std::fs::write(directory.join(file_name(&next)), bytes)
}

/// Walks without looking.
struct Unseen;

impl Visit for Unseen {
    fn record(&mut self, _: u64, _: &[u8], _: &crate::format::RecordHead, _: Option<&[u8]>) {}
    fn damage(&mut self, _: u64, _: DamageKind) {}
}

/// Every stream that a record or the journal names.
fn streams(journal: &FileJournal, records: &[Record]) -> BTreeSet<Stream> {
    let mut streams: BTreeSet<_> = records.iter().map(|record| record.stream).collect();
    let kinds: BTreeSet<_> = streams.iter().map(|stream| stream.kind).collect();
    for kind in kinds {
        streams.extend(journal.streams(kind, None, records.len() + 1).expect("it can be read"));
    }
    streams
}

/// Whether a stream can be read from its first version to its head; one that cannot is known to be damaged.
fn is_read_to_its_end(journal: &FileJournal, stream: &Stream) -> bool {
    match journal.read_stream(stream, 0, Position::MAX) {
        Ok(records) => {
            let last =
                records.last().map(|last| Head { version: last.version, position: last.position, hash: last.hash });
            let head = journal.head(stream).expect("it can be read");
            assert_eq!(last, head, "{stream} ends elsewhere than its head");
            assert!(records.is_sorted_by_key(|record| record.position), "{stream} goes back");
            last.is_some() && records.iter().enumerate().all(|(version, record)| record.version == version as u64)
        }
        Err(ReadError::Damaged { .. }) => {
            assert!(journal.is_damaged(stream), "{stream} cannot be read and is not known to be damaged");
            false
        }
        Err(error) => panic!("{error}"),
    }
}
