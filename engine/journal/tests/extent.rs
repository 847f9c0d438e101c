//! Copies of a journal: taken while it goes on, whole up to one position, and another life of it where they are opened.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use interlink_journal::suite::{append, commit, stream};
use interlink_journal::{
    Append, Body, DamageKind, Extent, FileJournal, Identity, Journal, NewRecord, RecordKind, SEGMENT_BYTES_MIN,
    renew_incarnation, verify,
};

fn open(place: &Path) -> FileJournal {
    FileJournal::open_with(place, SEGMENT_BYTES_MIN).expect("opens")
}

fn fresh() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

/// Copies what an extent says.
fn copy(from: &Path, extent: &Extent) -> tempfile::TempDir {
    let place = fresh();
    fs::create_dir(place.path().join("journal")).expect("made");
    for file in &extent.files {
        let mut bytes = Vec::new();
        let source = fs::File::open(from.join(&file.path)).expect("it is there");
        source.take(file.bytes).read_to_end(&mut bytes).expect("read");
        assert_eq!(bytes.len() as u64, file.bytes, "{} is shorter than said", file.path);
        fs::write(place.path().join(&file.path), bytes).expect("written");
    }
    place
}

/// An append of one record of 200 KB, so that some sixty fill a segment.
fn large(number: u8, version: u64) -> Append {
    let body = Body::new(vec![number; 200_000]);
    let record = NewRecord { stream: stream(number), version, process: [1; 16], kind: RecordKind::Event, key: 0, body };
    Append { records: vec![record], at_us: 1 }
}

#[test]
fn a_copy_taken_under_load_has_all_that_was_acknowledged_before_and_nothing_in_part() {
    let place = fresh();
    let journal = open(place.path());
    let stop = AtomicBool::new(false);
    let acknowledged = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for number in 0..3 {
            let (journal, stop, acknowledged) = (&journal, &stop, &acknowledged);
            scope.spawn(move || {
                for version in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let made = commit(journal, large(number, version)).expect("made");
                    acknowledged.fetch_max(made.last, Ordering::SeqCst);
                }
            });
        }
        let mut taken = 0;
        while taken < 4 || journal.extent().expect("listed").files.len() < 3 {
            let before = acknowledged.load(Ordering::SeqCst);
            let extent = journal.extent().expect("listed");
            let position = extent.position.unwrap_or(0);
            assert!(position >= before, "{before} was acknowledged, {position} is in the copy");
            let copied = copy(place.path(), &extent);
            let report = verify(copied.path()).expect("read");
            assert!(report.damage.is_empty() && report.torn.is_empty(), "{report:?}");
            let read = FileJournal::read_only(copied.path()).expect("opens");
            assert_eq!(read.durable(), extent.position);
            taken += 1;
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_journal_that_nobody_writes_has_the_same_extent_as_when_it_was_left() {
    let place = fresh();
    let journal = open(place.path());
    for version in 0..70 {
        commit(&journal, large(1, version)).expect("made");
    }
    journal.close();
    let left = journal.extent().expect("listed");
    assert!(left.files.len() > 1, "the test wants a segment that has ended");
    let read = FileJournal::read_only(place.path()).expect("opens");
    assert_eq!(read.extent().expect("listed"), left);
}

#[test]
fn a_segment_whose_header_is_lost_is_copied_whole_and_is_damaged_in_the_copy_too() {
    let place = fresh();
    let journal = open(place.path());
    commit(&journal, append(&[(stream(1), 0)])).expect("made");
    let name = journal.extent().expect("listed").files[0].path.clone();
    drop(journal);
    let mut bytes = fs::read(place.path().join(&name)).expect("read");
    bytes[..8_192].fill(7);
    fs::write(place.path().join(&name), &bytes).expect("written");
    let read = FileJournal::read_only(place.path()).expect("opens").extent().expect("listed");
    let written = open(place.path()).extent().expect("listed");
    assert_eq!(written.files.len(), read.files.len() + 1, "a start opens a segment and leaves the damaged one alone");
    for extent in [read, written] {
        assert_eq!(extent.files[0].bytes, bytes.len() as u64);
        let report = verify(copy(place.path(), &extent).path()).expect("read");
        assert!(report.damage.iter().any(|damage| damage.kind == DamageKind::Header), "{report:?}");
    }
}

#[test]
fn a_renewed_incarnation_is_that_of_every_later_life() {
    let place = fresh();
    let first = open(place.path());
    commit(&first, append(&[(stream(1), 0)])).expect("made");
    let Identity { journal: id, incarnation } = first.identity();
    drop(first);
    let next = renew_incarnation(place.path(), 0).expect("renewed");
    assert_eq!(next, Identity { journal: id, incarnation: incarnation + 1 });
    let far = renew_incarnation(place.path(), 1_000).expect("renewed");
    assert_eq!(far.incarnation, 1_000, "as high as was asked");
    for version in 1..3 {
        let journal = open(place.path());
        assert_eq!(journal.identity(), far);
        commit(&journal, append(&[(stream(1), version)])).expect("what was there is followed");
    }
    let report = verify(place.path()).expect("read");
    assert!(report.damage.is_empty(), "{report:?}");
    assert_eq!(report.records, 3);
}

#[test]
fn where_there_is_no_journal_nothing_is_renewed() {
    let place = fresh();
    assert!(renew_incarnation(place.path(), 0).is_err());
    fs::create_dir(place.path().join("journal")).expect("made");
    let refused = renew_incarnation(place.path(), 0).expect_err("there is no segment");
    assert!(refused.to_string().contains("no segment"), "{refused}");
}
