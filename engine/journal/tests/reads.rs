//! Readings that fail: they are told as such and never taken for damage, and when they work again everything does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use interlink_journal::faults::{Fault, FaultyDisk, Operation};
use interlink_journal::suite::{append, commit, stream};
use interlink_journal::{
    AppendError, FileJournal, Journal, OpenError, Options, ReadError, SEGMENT_BYTES_MIN, TIER_TABLES,
};

/// Long enough for anything that a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);
/// More than any start here takes.
const READS_MAX: usize = 500;

fn try_open(place: &Path, disk: &Arc<FaultyDisk>) -> Result<FileJournal, OpenError> {
    let disk: Arc<FaultyDisk> = Arc::clone(disk);
    let retry_pause = Duration::from_millis(5);
    FileJournal::open_on(place, Options { segment_bytes: SEGMENT_BYTES_MIN, retry_pause, disk })
}

fn open(place: &Path, disk: &Arc<FaultyDisk>) -> FileJournal {
    try_open(place, disk).expect("opens")
}

/// So many lives of a journal with two streams, of which the first ones lie in a file of the index.
fn lived() -> tempfile::TempDir {
    let place = tempfile::tempdir().expect("a temporary directory");
    let disk = Arc::default();
    for version in 0..TIER_TABLES as u64 + 3 {
        let journal = open(place.path(), &disk);
        commit(&journal, append(&[(stream(1), version), (stream(2), version)])).expect("made");
    }
    let journal = open(place.path(), &disk);
    let until = Instant::now() + PATIENCE;
    while index_files(place.path()) != 1 {
        assert!(Instant::now() < until, "no file of the index came");
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(journal);
    place
}

fn index_files(place: &Path) -> usize {
    let entries = fs::read_dir(place.join("journal/index")).into_iter().flatten();
    entries
        .filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some_and(|e| e == "index")))
        .count()
}

/// Everything below a directory but the file that waits to become a segment: nothing of it is ever read.
fn held(place: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut held = BTreeMap::new();
    let mut left = vec![place.to_owned()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(fs::read_dir(&path).expect("listed").map(|entry| entry.expect("listed").path()));
        } else if !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("prepared")) {
            held.insert(path.clone(), fs::read(path).expect("read"));
        }
    }
    held
}

fn is_io<T>(read: Result<T, ReadError>) -> bool {
    matches!(read, Err(ReadError::Io { file, .. }) if file.starts_with("journal/"))
}

#[test]
fn a_reading_that_fails_is_told_as_such_and_when_readings_work_again_everything_does() {
    let place = lived();
    let disk = Arc::default();
    let journal = open(place.path(), &disk);
    let versions = TIER_TABLES as u64 + 3;
    disk.fail_always(Operation::Read, Fault::Io);
    for _ in 0..2 {
        assert!(is_io(journal.head(&stream(1))));
        assert!(is_io(journal.head_at(&stream(1), 3)));
        assert!(is_io(journal.position_of(&stream(1), 3)));
        assert!(is_io(journal.read_stream(&stream(1), 0, u64::MAX)));
        assert!(is_io(journal.read_back(&stream(1), 0, 3)));
        assert!(is_io(journal.read_all(None, &mut |_| true)));
        assert!(is_io(journal.streams(b'p', None, 10)));
        let refused = commit(&journal, append(&[(stream(1), versions)]));
        assert!(matches!(&refused, Err(AppendError::Unread { .. })), "{refused:?}");
        assert!(!journal.is_damaged(&stream(1)) && journal.damage().is_empty(), "{:?}", journal.damage());
        assert_eq!(journal.read_only(), None, "nothing was written that could have failed");
    }
    disk.repair();
    for number in [1, 2] {
        let records = journal.read_stream(&stream(number), 0, u64::MAX).expect("readable");
        assert_eq!(records.len() as u64, versions);
    }
    commit(&journal, append(&[(stream(1), versions), (stream(2), versions)])).expect("made");
    assert!(!journal.is_damaged(&stream(1)) && journal.damage().is_empty(), "{:?}", journal.damage());
    assert_eq!(index_files(place.path()), 1, "what could not be read was not thrown away");
}

#[test]
fn a_reading_that_comes_in_pieces_is_whole_in_the_end() {
    let place = lived();
    let disk: Arc<FaultyDisk> = Arc::default();
    (0..READS_MAX).for_each(|_| disk.fail_next(Operation::Read, Fault::Short));
    let journal = open(place.path(), &disk);
    assert!(journal.damage().is_empty(), "{:?}", journal.damage());
    assert_eq!(journal.read_stream(&stream(1), 0, u64::MAX).expect("readable").len(), TIER_TABLES + 3);
}

#[test]
fn a_start_on_which_a_reading_fails_names_the_file_and_changes_nothing() {
    let place = lived();
    let segments = || held(place.path()).into_keys().filter(|path| path.extension().is_some_and(|e| e == "segment"));
    // An end that a crash tore, a bit that flipped: the one is cut by a start, with the other all is looked up.
    let last = segments().next_back().expect("a segment");
    let mut torn = fs::read(&last).expect("read");
    torn[8_300..8_400].fill(7);
    fs::write(&last, torn).expect("written");
    let hurt = segments().nth(TIER_TABLES).expect("a segment");
    let mut bytes = fs::read(&hurt).expect("read");
    bytes[20] ^= 4;
    fs::write(&hurt, bytes).expect("written");
    let before = held(place.path());
    for passing in 0..READS_MAX {
        let disk: Arc<FaultyDisk> = Arc::default();
        (0..passing).for_each(|_| disk.pass_next(Operation::Read));
        disk.fail_next(Operation::Read, Fault::Io);
        let refused = match try_open(place.path(), &disk) {
            Ok(journal) => {
                assert!(passing > 3 * TIER_TABLES, "it opened although its reading {passing} failed");
                assert_eq!(journal.damage().len(), 1, "{:?}", journal.damage());
                return;
            }
            Err(refused) => refused.to_string(),
        };
        assert!(refused.contains("journal/"), "reading {passing}: {refused}");
        assert!(held(place.path()) == before, "reading {passing} failed, and the directory has changed: {refused}");
    }
    panic!("a start takes more than {READS_MAX} readings");
}
