//! A moment of a stream that is long past is found without reading what came after it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use interlink_journal::suite::{append, commit, stream};
use interlink_journal::{Disk, FileJournal, Journal, Options, RealDisk, SEGMENT_BYTES_MIN, TIER_TABLES};

/// Versions of the stream in each life of the journal, which is a segment each.
const OF_LIFE: u64 = 400;
const LIVES: u64 = TIER_TABLES as u64 * 2 + 3;
/// Long enough for anything that a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Counts what is read.
#[derive(Default)]
struct Counting {
    bytes: AtomicU64,
}

impl Counting {
    /// Bytes read while something was done.
    fn during<T>(&self, act: impl FnOnce() -> T) -> (T, u64) {
        let before = self.bytes.load(Ordering::SeqCst);
        let done = act();
        (done, self.bytes.load(Ordering::SeqCst) - before)
    }
}

impl Disk for Counting {
    fn preallocate(&self, path: &Path, bytes: u64, stop: &AtomicBool) -> std::io::Result<()> {
        RealDisk.preallocate(path, bytes, stop)
    }

    fn create(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        RealDisk.create(path, bytes)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> std::io::Result<usize> {
        RealDisk.write_at(file, bytes, offset)
    }

    fn sync_data(&self, _file: &File) -> std::io::Result<()> {
        Ok(())
    }

    fn sync_all(&self, file: &File) -> std::io::Result<()> {
        RealDisk.sync_all(file)
    }

    fn set_len(&self, file: &File, bytes: u64) -> std::io::Result<()> {
        RealDisk.set_len(file, bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> std::io::Result<()> {
        RealDisk.remove(path)
    }

    fn make_directory(&self, path: &Path) -> std::io::Result<()> {
        RealDisk.make_directory(path)
    }

    fn sync_directory(&self, path: &Path) -> std::io::Result<()> {
        RealDisk.sync_directory(path)
    }

    fn read_at(&self, file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<usize> {
        self.bytes.fetch_add(bytes.len() as u64, Ordering::SeqCst);
        file.read_at(bytes, offset)
    }
}

fn open(place: &Path, disk: &Arc<Counting>) -> FileJournal {
    let disk: Arc<Counting> = Arc::clone(disk);
    let options = Options { segment_bytes: SEGMENT_BYTES_MIN, disk, ..Options::default() };
    FileJournal::open_on(place, options).expect("opens")
}

#[test]
fn a_moment_long_past_is_found_within_one_segment_by_version_and_by_position() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let disk: Arc<Counting> = Arc::default();
    let mut positions = Vec::new();
    for life in 0..LIVES {
        let journal = open(place.path(), &disk);
        for version in life * OF_LIFE..(life + 1) * OF_LIFE {
            let made = commit(&journal, append(&[(stream(2), version), (stream(1), version)])).expect("made");
            positions.push(made.last);
        }
    }
    drop(open(place.path(), &disk));
    let journal = open(place.path(), &disk);
    let until = Instant::now() + PATIENCE;
    let merged = || std::fs::read_dir(place.path().join("journal/index")).map_or(0, Iterator::count) >= 2;
    while !merged() {
        assert!(Instant::now() < until, "no files of the index came");
        std::thread::sleep(Duration::from_millis(5));
    }
    // What one life holds, in its segment.
    let (all, whole) = disk.during(|| journal.read_stream(&stream(1), 0, u64::MAX).expect("readable").len());
    assert_eq!(all as u64, LIVES * OF_LIFE);
    let bound = whole / LIVES * 2;
    let versions: Vec<u64> = (0..LIVES * OF_LIFE).step_by(173).chain([0, OF_LIFE - 1, OF_LIFE]).collect();
    for version in versions {
        let position = positions[version as usize];
        let (found, read) = disk.during(|| journal.position_of(&stream(1), version).expect("readable"));
        assert_eq!(found, Some(position));
        assert!(read < bound, "version {version} took {read} bytes, all of it {whole}");
        let (head, read) = disk.during(|| journal.head_at(&stream(1), position).expect("readable"));
        assert_eq!(head.map(|head| (head.version, head.position)), Some((version, position)));
        assert!(read < bound, "position {position} took {read} bytes, all of it {whole}");
        let from = version.saturating_sub(5);
        let (some, read) = disk.during(|| journal.read_stream(&stream(1), from, position).expect("readable"));
        assert_eq!(some.len() as u64, version - from + 1);
        assert!(read < bound, "reading up to {position} took {read} bytes, all of it {whole}");
    }
}

#[test]
fn in_a_segment_of_which_a_stream_has_much_a_moment_is_found_by_halving() {
    const VERSIONS: u64 = 12_000;
    const OF_APPEND: u64 = 200;
    let place = tempfile::tempdir().expect("a temporary directory");
    let disk: Arc<Counting> = Arc::default();
    let journal = open(place.path(), &disk);
    let mut positions = Vec::new();
    for first in (0..VERSIONS).step_by(OF_APPEND as usize) {
        let versions: Vec<_> = (first..first + OF_APPEND).map(|version| (stream(1), version)).collect();
        let made = commit(&journal, append(&versions)).expect("made");
        positions.extend(made.first..=made.last);
    }
    let (_, whole) = disk.during(|| journal.read_stream(&stream(1), 0, u64::MAX).expect("readable"));
    for version in (0..VERSIONS).step_by(997).chain([VERSIONS - 1]) {
        let position = positions[version as usize];
        let (found, read) = disk.during(|| journal.position_of(&stream(1), version).expect("readable"));
        assert_eq!(found, Some(position));
        assert!(read < whole / 4, "version {version} took {read} bytes, all of it {whole}");
        let (head, read) = disk.during(|| journal.head_at(&stream(1), position).expect("readable"));
        assert_eq!(head.map(|head| (head.version, head.position)), Some((version, position)));
        assert!(read < whole / 4, "position {position} took {read} bytes, all of it {whole}");
    }
    // Of one that has hardly anything of it as well.
    commit(&journal, append(&[(stream(2), 0)])).expect("made");
    assert_eq!(journal.head_at(&stream(2), positions[0]).expect("readable"), None);
    assert_eq!(journal.position_of(&stream(2), 0).expect("readable"), Some(positions[VERSIONS as usize - 1] + 1));
}
