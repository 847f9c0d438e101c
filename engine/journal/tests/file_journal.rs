//! The file journal: the suite, and what only files can suffer.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use interlink_journal::suite::{Place, append, commit, run, stream};
use interlink_journal::{AppendError, DamageKind, FileJournal, Journal, SEGMENT_BYTES_MIN, verify};
use proptest::prelude::*;

struct Directory(tempfile::TempDir);

impl Place for Directory {
    fn open(&self) -> Arc<dyn Journal> {
        Arc::new(open(self.0.path()))
    }
}

/// Small segments, so that a test writes few zeros.
fn open(place: &Path) -> FileJournal {
    FileJournal::open_with(place, SEGMENT_BYTES_MIN).expect("opens")
}

fn fresh() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

#[test]
fn the_file_journal_keeps_the_promises_of_the_trait() {
    run(|| Box::new(Directory(fresh())));
}

/// A journal of one life with `appends` batches of one record each, closed; its only segment with batches.
fn written(appends: u64) -> (tempfile::TempDir, PathBuf) {
    let place = fresh();
    let journal = open(place.path());
    for version in 0..appends {
        commit(&journal, append(&[(stream((version % 5) as u8), version / 5)])).expect("made");
    }
    drop(journal);
    let segment = fs::read_dir(place.path().join("journal"))
        .expect("listed")
        .map(|entry| entry.expect("listed").path())
        .find(|path| path.extension().is_some_and(|extension| extension == "segment"))
        .expect("a segment");
    (place, segment)
}

fn used(segment: &Path) -> usize {
    let bytes = fs::read(segment).expect("read");
    bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count()
}

fn change(segment: &Path, at: usize, with: impl Fn(u8) -> u8) {
    let mut bytes = fs::read(segment).expect("read");
    bytes[at] = with(bytes[at]);
    fs::write(segment, bytes).expect("written");
}

#[test]
fn a_torn_tail_is_cut_off_and_kept_aside() {
    let (place, segment) = written(20);
    let end = used(&segment);
    let mut bytes = fs::read(&segment).expect("read");
    bytes.truncate(end - 50);
    fs::write(&segment, &bytes).expect("written");
    let journal = open(place.path());
    assert_eq!(journal.durable(), Some(19));
    assert!(journal.damage().is_empty(), "{:?}", journal.damage());
    assert_eq!(fs::read_dir(place.path().join("quarantine")).expect("listed").count(), 1);
    commit(&journal, append(&[(stream(4), 3)])).expect("the version that was torn off is free again");
    drop(journal);
    let report = verify(place.path()).expect("readable");
    assert!(report.damage.is_empty() && report.torn.is_empty(), "{report:?}");
    assert_eq!(report.records, 20);
}

#[test]
fn a_flipped_bit_in_a_body_costs_its_record_and_is_named() {
    let (place, segment) = written(50);
    let bytes = fs::read(&segment).expect("read");
    let body = b"p:03030303030303030303030303030303 at 4";
    let at = bytes.windows(body.len()).position(|window| window == body).expect("the body is there");
    change(&segment, at + 5, |byte| byte ^ 1);
    let report = verify(place.path()).expect("readable");
    assert_eq!(report.damage.len(), 1, "{report:?}");
    assert_eq!(report.damage[0].kind, DamageKind::Body { stream: stream(3), version: 4 });
    let journal = open(place.path());
    assert!(journal.is_damaged(&stream(3)) && !journal.is_damaged(&stream(2)));
    assert!(journal.read_stream(&stream(3), 0, u64::MAX).is_err());
    assert_eq!(journal.read_stream(&stream(2), 0, u64::MAX).expect("readable").len(), 10);
    assert!(commit(&journal, append(&[(stream(3), 10)])).is_err(), "a damaged stream is read-only");
    commit(&journal, append(&[(stream(2), 10)])).expect("nothing else stops");
}

#[test]
fn a_lost_stretch_in_the_middle_is_damage_and_no_torn_tail() {
    let (place, segment) = written(50);
    let mut bytes = fs::read(&segment).expect("read");
    bytes[10_000..10_700].fill(0);
    fs::write(&segment, &bytes).expect("written");
    let journal = open(place.path());
    assert!(!journal.damage().is_empty());
    assert_eq!(journal.durable(), Some(50));
    assert!(!place.path().join("quarantine").exists());
}

#[test]
fn a_segment_header_that_is_damaged_once_is_read_from_its_other_block() {
    let (place, segment) = written(5);
    change(&segment, 20, |byte| byte ^ 8);
    let journal = open(place.path());
    assert_eq!(journal.durable(), Some(5));
    assert_eq!(journal.damage()[0].kind, DamageKind::Header);
}

#[test]
fn a_full_segment_is_followed_by_another_of_the_same_life() {
    let place = fresh();
    let journal = open(place.path());
    let body = interlink_journal::Body::new(vec![7; 1 << 20]);
    for version in 0..15 {
        let mut large = append(&[(stream(1), version)]);
        large.records[0].body = body.clone();
        commit(&journal, large).expect("made");
    }
    assert_eq!(journal.read_stream(&stream(1), 0, u64::MAX).expect("readable").len(), 15);
    drop(journal);
    let report = verify(place.path()).expect("readable");
    assert_eq!((report.segments, report.records), (2, 15));
    assert!(report.damage.is_empty(), "{report:?}");
    let journal = open(place.path());
    assert_eq!(journal.head(&stream(1)).expect("readable").map(|head| head.version), Some(14));
}

#[test]
fn many_writers_share_their_syncs_and_no_append_is_lost() {
    let place = fresh();
    let journal = open(place.path());
    std::thread::scope(|scope| {
        for writer in 0..16 {
            let journal = &journal;
            scope.spawn(move || {
                for version in 0..100 {
                    commit(journal, append(&[(stream(writer), version)])).expect("made");
                }
            });
        }
    });
    drop(journal);
    let report = verify(place.path()).expect("readable");
    assert_eq!((report.records, report.streams), (1_600, 16));
    assert!(report.batches < 1_600, "{} batches", report.batches);
}

#[test]
fn without_its_directory_the_journal_is_read_only_and_what_was_acknowledged_is_read() {
    let place = fresh();
    let journal = open(place.path());
    let body = interlink_journal::Body::new(vec![7; 1 << 20]);
    let large = |version| {
        let mut large = append(&[(stream(1), version)]);
        large.records[0].body = body.clone();
        large
    };
    commit(&journal, large(0)).expect("made");
    // The segment that is open stays usable; the next one cannot be made.
    fs::remove_dir_all(place.path().join("journal")).expect("removed");
    let (tell, told) = std::sync::mpsc::channel();
    for version in 1..40 {
        let tell = tell.clone();
        journal.submit(large(version), Box::new(move |fate| tell.send((version, fate)).expect("waiting")));
    }
    let mut fates: Vec<_> = told.iter().take(39).collect();
    fates.sort_by_key(|(version, _)| *version);
    let made = fates.iter().take_while(|(_, fate)| fate.is_ok()).count() as u64;
    let refused = |(_, fate): &(u64, Result<_, AppendError>)| matches!(fate, Err(AppendError::Unavailable { .. }));
    assert!((1..39).contains(&made) && fates[made as usize..].iter().all(refused), "{fates:?}");
    assert!(matches!(commit(&journal, large(made + 1)), Err(AppendError::Unavailable { .. })));
    assert_eq!(journal.head(&stream(1)).expect("readable").map(|head| head.version), Some(made));
    assert_eq!(journal.read_stream(&stream(1), 0, u64::MAX).expect("readable").len() as u64, made + 1);
}

/// A journal that holds nothing but a golden file: a segment with twelve records of five streams.
fn golden(name: &str) -> (tempfile::TempDir, PathBuf) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let place = fresh();
    let journal = place.path().join("journal");
    fs::create_dir(&journal).expect("made");
    let segment = journal.join(format!("{:020}-{:020}.segment", 1, 1));
    fs::copy(golden, &segment).expect("copied");
    (place, segment)
}

fn the_golden_journal_is_whole(place: &Path) {
    let report = verify(place).expect("readable");
    assert!(report.damage.is_empty() && report.torn.is_empty(), "{report:?}");
    assert_eq!((report.records, report.streams, report.batches), (12, 5, 12));
    let opened = open(place);
    assert!(opened.damage().is_empty(), "{:?}", opened.damage());
    let records = opened.read_stream(&stream(1), 0, u64::MAX).expect("readable");
    assert_eq!(records.len(), 3);
    assert_eq!(records[2].body, format!("{} at 2", stream(1)).as_bytes());
    assert_eq!((opened.durable(), opened.stream_count(b'p')), (Some(12), 5));
}

/// Format 1 as it was first written. A format that changes gets a new number and a file of its own.
#[test]
fn the_golden_file_of_format_1_is_read_and_gets_a_footer() {
    let (place, segment) = golden("format-1.segment");
    let before = fs::read(&segment).expect("read");
    the_golden_journal_is_whole(place.path());
    let journal = open(place.path());
    let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while fs::metadata(&segment).expect("there").len() < before.len() as u64 + 4096 {
        assert!(std::time::Instant::now() < until, "no footer came");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    drop(journal);
    the_golden_journal_is_whole(place.path());
    assert_eq!(fs::read(&segment).expect("read")[..before.len()], before, "what was written stays as it is");
}

/// Format 2 as it was first written: with a footer.
#[test]
fn the_golden_file_of_format_2_is_read_and_not_changed() {
    let (place, segment) = golden("format-2.segment");
    let before = fs::read(&segment).expect("read");
    assert_eq!(before[8..12], 2u32.to_le_bytes());
    the_golden_journal_is_whole(place.path());
    the_golden_journal_is_whole(place.path());
    assert_eq!(fs::read(&segment).expect("read"), before);
}

#[test]
fn a_format_that_is_not_known_is_refused() {
    let (place, segment) = golden("format-2.segment");
    let mut bytes = fs::read(&segment).expect("read");
    for block in bytes[..8192].chunks_exact_mut(4096) {
        block[8..12].copy_from_slice(&3u32.to_le_bytes());
        let sum = crc32c::crc32c(&block[..4092]);
        block[4092..].copy_from_slice(&sum.to_le_bytes());
    }
    fs::write(&segment, bytes).expect("written");
    let error = FileJournal::open_with(place.path(), SEGMENT_BYTES_MIN).err().expect("refused");
    assert!(error.to_string().ends_with("is of journal format 3; this server reads formats 1 to 2"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Cut anywhere: what was acknowledged before the cut is there, and the journal goes on.
    #[test]
    fn a_file_cut_anywhere_opens_with_a_prefix(cut in 0usize..12_000) {
        let (place, segment) = written(30);
        let bytes = fs::read(&segment).expect("read");
        let cut = cut.min(bytes.len());
        fs::write(&segment, &bytes[..cut]).expect("written");
        let journal = open(place.path());
        let durable = journal.durable().unwrap_or(0);
        prop_assert!(durable <= 30);
        let mut seen = 0;
        journal.read_all(None, &mut |_| { seen += 1; true }).expect("readable");
        prop_assert_eq!(seen, durable);
    }

    /// One flipped bit anywhere: it opens, loses at most one record, and says so unless it was the unacknowledged end.
    #[test]
    fn a_flipped_bit_anywhere_costs_at_most_one_record(place_of_bit in 0.0f64..1.0, bit in 0u8..8) {
        let (place, segment) = written(40);
        let at = (place_of_bit * (used(&segment) - 1) as f64) as usize;
        change(&segment, at, |byte| byte ^ (1 << bit));
        let journal = open(place.path());
        let mut seen = 0u64;
        journal.read_all(None, &mut |_| { seen += 1; true }).expect("readable");
        prop_assert!(seen >= 39, "{} of 40 are left", seen);
        prop_assert!(seen == 40 || !journal.damage().is_empty() || place.path().join("quarantine").exists());
    }
}
