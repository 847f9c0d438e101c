//! Streams that go on behind damage: a record says that they were mended, and what is damaged before it counts no more.

use std::fs;
use std::path::{Path, PathBuf};

use interlink_journal::suite::{append, commit, stream};
use interlink_journal::{
    Append, AppendError, DamageKind, FileJournal, Journal, ReadError, RecordKind, SEGMENT_BYTES_MIN, verify,
};

fn open(place: &Path) -> FileJournal {
    FileJournal::open_with(place, SEGMENT_BYTES_MIN).expect("opens")
}

fn mending(version: u64) -> Append {
    let mut append = append(&[(stream(1), version)]);
    append.records[0].kind = RecordKind::Repaired;
    append
}

/// Flips a bit in the body of a version of the first stream, or in its head.
fn flip(place: &Path, version: u64, in_head: bool) {
    let body = format!("{} at {version}", stream(1));
    for segment in segments(place) {
        let mut bytes = fs::read(&segment).expect("read");
        let found = bytes.windows(body.len()).position(|window| window == body.as_bytes());
        if let Some(at) = found {
            bytes[if in_head { at - 100 } else { at }] ^= 4;
            return fs::write(segment, bytes).expect("written");
        }
    }
    panic!("version {version} is nowhere");
}

fn segments(place: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(place.join("journal")).expect("listed").map(|entry| entry.expect("listed").path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "segment")).collect()
}

fn versions(journal: &dyn Journal, until: u64) -> Vec<u64> {
    let records = journal.read_stream(&stream(1), 0, until).expect("readable");
    records.iter().map(|record| record.version).collect()
}

/// A journal of a stream with six records, the third of which is damaged.
fn hurt(in_head: bool) -> tempfile::TempDir {
    let place = tempfile::tempdir().expect("a temporary directory");
    let journal = open(place.path());
    for version in 0..6 {
        commit(&journal, append(&[(stream(1), version)])).expect("made");
    }
    drop(journal);
    flip(place.path(), 2, in_head);
    place
}

#[test]
fn a_stream_takes_appends_again_behind_a_record_that_says_that_it_was_mended() {
    for in_head in [false, true] {
        let place = hurt(in_head);
        let journal = open(place.path());
        assert!(journal.is_damaged(&stream(1)));
        let refused = commit(&journal, append(&[(stream(1), 6)]));
        assert_eq!(refused, Err(AppendError::Damaged { stream: stream(1) }));
        let mut both = mending(6);
        both.records.extend(append(&[(stream(1), 7)]).records);
        commit(&journal, both).expect("and what comes behind it in the same append");
        assert!(!journal.is_damaged(&stream(1)));
        commit(&journal, append(&[(stream(1), 8)])).expect("it goes on");
        for _ in 0..2 {
            assert_eq!(versions(&journal, u64::MAX), [6, 7, 8]);
            assert_eq!(versions(&journal, 2), [0, 1], "what is before the damage is there");
            assert!(matches!(journal.read_stream(&stream(1), 0, 4), Err(ReadError::Damaged { .. })));
            assert_eq!(versions_back(&journal, 3, 6), [3, 4, 5], "and what is behind it");
            assert!(!journal.is_damaged(&stream(1)), "reading what is damaged does not change that");
        }
        drop(journal);
        let journal = open(place.path());
        assert!(!journal.damage().is_empty(), "the damage is still known");
        assert!(!journal.is_damaged(&stream(1)), "a start finds that it was mended");
        commit(&journal, append(&[(stream(1), 9)])).expect("it goes on");
        drop(journal);
        // Behind the record that mended it it can be damaged as any other.
        flip(place.path(), 7, false);
        let journal = open(place.path());
        let refused = commit(&journal, append(&[(stream(1), 10)]));
        assert_eq!(refused, Err(AppendError::Damaged { stream: stream(1) }));
        commit(&journal, mending(10)).expect("mended again");
        assert_eq!(versions(&journal, u64::MAX), [10]);
    }
}

fn versions_back(journal: &dyn Journal, from: u64, last: u64) -> Vec<u64> {
    let records = journal.read_back(&stream(1), from, last).expect("readable");
    records.iter().map(|record| record.version).collect()
}

#[test]
fn a_head_that_is_damaged_is_told_with_the_positions_that_it_may_have_had() {
    let place = hurt(true);
    let report = verify(place.path()).expect("readable");
    let heads: Vec<_> = report.damage.iter().filter(|damage| matches!(damage.kind, DamageKind::Head { .. })).collect();
    assert_eq!(heads.len(), 1, "{report:?}");
    assert_eq!(heads[0].kind, DamageKind::Head { positions: 3..4 });
}
