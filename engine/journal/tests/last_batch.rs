//! Damage in the last batch of a segment: it is no torn tail where another segment stands on it, and costs what it hit.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use interlink_journal::suite::{append, commit, stream};
use interlink_journal::{FileJournal, Journal, ReadError, SEGMENT_BYTES_MIN, verify};

/// Streams that are in the last batch.
const STREAMS: u8 = 4;
/// The one whose record is hit.
const HURT: u8 = 2;

fn open(place: &Path) -> FileJournal {
    FileJournal::open_with(place, SEGMENT_BYTES_MIN).expect("opens")
}

/// The first segment, and the size that it has.
fn first_segment(place: &Path) -> (PathBuf, usize) {
    let entries = fs::read_dir(place.join("journal")).expect("listed").map(|entry| entry.expect("listed").path());
    let mut segments: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|found| found == "segment")).collect();
    segments.sort();
    let bytes = fs::metadata(&segments[0]).expect("there").len();
    (segments.remove(0), usize::try_from(bytes).expect("a segment fits into memory"))
}

/// A journal of two lives, the first of which ended with one batch of several streams. Its segment has a footer, or has lost it.
fn two_lives(footer: bool) -> tempfile::TempDir {
    let place = tempfile::tempdir().expect("a temporary directory");
    let all = |version| append(&(0..STREAMS).map(|number| (stream(number), version)).collect::<Vec<_>>());
    let journal = open(place.path());
    commit(&journal, all(0)).expect("made");
    commit(&journal, all(1)).expect("made");
    let written = journal.extent().expect("readable").files[0].bytes;
    drop(journal);
    let journal = open(place.path());
    let begun = Instant::now();
    // The segment is cut to what it holds, and then grows by its footer.
    while !(written + 1..SEGMENT_BYTES_MIN).contains(&(first_segment(place.path()).1 as u64)) {
        assert!(begun.elapsed() < Duration::from_secs(60), "no footer came");
        std::thread::sleep(Duration::from_millis(2));
    }
    drop(journal);
    if !footer {
        let segment = first_segment(place.path()).0;
        fs::File::options().write(true).open(segment).expect("opens").set_len(written).expect("cut");
    }
    place
}

/// Flips a bit in the body of the last record of [`HURT`].
fn hit(place: &Path) {
    let segment = first_segment(place).0;
    let mut bytes = fs::read(&segment).expect("read");
    let body = format!("{} at 1", stream(HURT)).into_bytes();
    let at = bytes.windows(body.len()).position(|window| window == body).expect("the body is there");
    bytes[at] ^= 4;
    fs::write(segment, bytes).expect("written");
}

#[test]
fn a_flipped_bit_in_the_last_batch_of_a_segment_costs_one_record_with_a_footer_or_without() {
    for footer in [true, false] {
        let place = two_lives(footer);
        hit(place.path());
        let report = verify(place.path()).expect("readable");
        let named: Vec<_> = report.damage.iter().map(|damage| damage.stream()).collect();
        assert!(named.contains(&Some(stream(HURT))), "with a footer: {footer}: {report:?}");
        assert!(named.iter().flatten().all(|named| *named == stream(HURT)), "with a footer: {footer}: {report:?}");
        assert!(report.torn.is_empty(), "what was acknowledged counts as torn off");

        for life in 1..=2 {
            let journal = open(place.path());
            let read = journal.read_stream(&stream(HURT), 0, u64::MAX);
            assert!(matches!(read, Err(ReadError::Damaged { .. })), "life {life}, with a footer: {footer}");
            for number in (0..STREAMS).filter(|number| *number != HURT) {
                let known = format!("stream {number} in life {life}, with a footer: {footer}");
                assert_eq!(journal.read_stream(&stream(number), 0, u64::MAX).expect(&known).len(), 1 + life, "{known}");
                assert!(!journal.is_damaged(&stream(number)), "{known}");
                commit(&journal, append(&[(stream(number), 1 + life as u64)])).expect(&known);
            }
        }
    }
}

#[test]
fn a_last_batch_that_is_not_there_is_damage_where_another_segment_stands_on_it() {
    let place = two_lives(false);
    let (segment, bytes) = first_segment(place.path());
    fs::File::options().write(true).open(segment).expect("opens").set_len(bytes as u64 - 1_000).expect("cut");
    let report = verify(place.path()).expect("readable");
    assert!(!report.damage.is_empty() && report.torn.is_empty(), "{report:?}");
    assert!(!open(place.path()).damage().is_empty());
}
