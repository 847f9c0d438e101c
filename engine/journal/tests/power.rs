//! Power cuts: a disk that remembers what was written to it and what was synced, and the disks that it could be after the
//! power went at any moment. On each of them the journal opens with all that was acknowledged by then.
//!
//! What a cut may leave is taken at its worst. Of what was written to a file since its last sync, each page of 4 KiB is
//! there or not, in any combination; of what was made, renamed and removed since the last sync of a directory, the first
//! so many are (a file system keeps the order of those). With the syncs of the batches taken out of account the same
//! images must lose something: that is the control, without which a test that holds would say nothing.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use interlink_journal::suite::{commit, stream};
use interlink_journal::{
    Append, Body, Disk, FileJournal, Journal, NewRecord, Options, RealDisk, RecordKind, SEGMENT_BYTES_MIN, verify,
};
use parking_lot::Mutex;

/// What a disk writes whole or not at all.
const PAGE_BYTES: usize = 4096;
/// Moments at which the power goes; `POWER_CUTS` in the environment makes it as many as you like.
const CUTS: u64 = 40;
/// Who appends at the same time.
const WRITERS: u8 = 4;
/// Appends of each of them: together they fill a segment and begin the next.
const APPENDS: u64 = 24;
/// Bytes of a record. Two of them and a small one are an append.
const RECORD_BYTES: usize = 160_000;

/// The number of a file, whatever it is called.
type Inode = u64;

/// One thing that happened, in the order in which it did.
enum Happened {
    /// A file was made, of so many zeros.
    Made(Inode, PathBuf, u64),
    Wrote(Inode, u64, Vec<u8>),
    Length(Inode, u64),
    Synced(Inode),
    Renamed(PathBuf, PathBuf),
    Removed(PathBuf),
    /// A directory was made durable, and by `syncfs` all else with it.
    SyncedAll,
    /// An append was acknowledged: this writer's, with this version.
    Acknowledged(u8, u64),
}

/// Does what [`RealDisk`] does and writes it down.
struct Recorder {
    place: PathBuf,
    log: Mutex<Vec<Happened>>,
}

impl Recorder {
    fn inside(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.place).expect("the journal stays in its directory").to_owned()
    }

    /// Does something and writes down what it was, with nothing of another thread between the two.
    fn record<T>(
        &self,
        act: impl FnOnce() -> std::io::Result<T>,
        happened: impl FnOnce(&T) -> std::io::Result<Happened>,
    ) -> std::io::Result<T> {
        let mut log = self.log.lock();
        let done = act()?;
        log.push(happened(&done)?);
        Ok(done)
    }
}

fn inode(path: &Path) -> std::io::Result<Inode> {
    Ok(fs::metadata(path)?.ino())
}

impl Disk for Recorder {
    fn preallocate(&self, path: &Path, bytes: u64, stop: &AtomicBool) -> std::io::Result<()> {
        self.record(
            || RealDisk.preallocate(path, bytes, stop),
            |()| Ok(Happened::Made(inode(path)?, self.inside(path), bytes)),
        )?;
        self.record(|| Ok(()), |()| Ok(Happened::Synced(inode(path)?)))
    }

    fn create(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        self.record(|| RealDisk.create(path, bytes), |()| Ok(Happened::Made(inode(path)?, self.inside(path), 0)))?;
        let wrote = |(): &()| Ok(Happened::Wrote(inode(path)?, 0, bytes.to_vec()));
        self.record(|| Ok(()), wrote)?;
        self.record(|| Ok(()), |()| Ok(Happened::Synced(inode(path)?)))
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> std::io::Result<usize> {
        let wrote = |taken: &usize| Ok(Happened::Wrote(file.metadata()?.ino(), offset, bytes[..*taken].to_vec()));
        self.record(|| RealDisk.write_at(file, bytes, offset), wrote)
    }

    fn sync_data(&self, file: &File) -> std::io::Result<()> {
        self.record(|| RealDisk.sync_data(file), |()| Ok(Happened::Synced(file.metadata()?.ino())))
    }

    fn sync_all(&self, file: &File) -> std::io::Result<()> {
        self.record(|| RealDisk.sync_all(file), |()| Ok(Happened::Synced(file.metadata()?.ino())))
    }

    fn set_len(&self, file: &File, bytes: u64) -> std::io::Result<()> {
        self.record(|| RealDisk.set_len(file, bytes), |()| Ok(Happened::Length(file.metadata()?.ino(), bytes)))
    }

    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        self.record(|| RealDisk.rename(from, to), |()| Ok(Happened::Renamed(self.inside(from), self.inside(to))))
    }

    fn remove(&self, path: &Path) -> std::io::Result<()> {
        self.record(|| RealDisk.remove(path), |()| Ok(Happened::Removed(self.inside(path))))
    }

    fn make_directory(&self, path: &Path) -> std::io::Result<()> {
        RealDisk.make_directory(path)
    }

    fn sync_directory(&self, path: &Path) -> std::io::Result<()> {
        self.record(|| RealDisk.sync_directory(path), |()| Ok(Happened::SyncedAll))
    }
}

/// Numbers that are the same for the same seed (SplitMix64, Steele, Lea and Flood 2014).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// A file as the disk has it: its pages that are not zero, and what may or may not be there yet.
#[derive(Default, Clone)]
struct Contents {
    length: u64,
    pages: BTreeMap<u64, Vec<u8>>,
    waiting: Vec<Waiting>,
}

#[derive(Clone)]
enum Waiting {
    Bytes(u64, Vec<u8>),
    Length(u64),
}

impl Contents {
    fn apply(&mut self, waiting: &Waiting, mut page_is_there: impl FnMut() -> bool) {
        match waiting {
            Waiting::Length(length) => {
                self.length = *length;
                self.pages.retain(|page, _| page * (PAGE_BYTES as u64) < *length);
            }
            Waiting::Bytes(offset, bytes) => {
                let mut at = 0;
                while at < bytes.len() {
                    let place = *offset as usize + at;
                    let (page, inside) = (place / PAGE_BYTES, place % PAGE_BYTES);
                    let taken = (PAGE_BYTES - inside).min(bytes.len() - at);
                    if page_is_there() {
                        let whole = self.pages.entry(page as u64).or_insert_with(|| vec![0; PAGE_BYTES]);
                        whole[inside..inside + taken].copy_from_slice(&bytes[at..at + taken]);
                        self.length = self.length.max((place + taken) as u64);
                    }
                    at += taken;
                }
            }
        }
    }

    /// What waits is there.
    fn sync(&mut self) {
        for waiting in std::mem::take(&mut self.waiting) {
            self.apply(&waiting, || true);
        }
    }
}

#[derive(Clone)]
enum Naming {
    Made(PathBuf, Inode),
    Renamed(PathBuf, PathBuf),
    Removed(PathBuf),
}

/// The disk after the first so many things that happened.
#[derive(Default)]
struct Image {
    files: HashMap<Inode, Contents>,
    names: BTreeMap<PathBuf, Inode>,
    namings: Vec<Naming>,
    acknowledged: HashMap<u8, u64>,
}

impl Image {
    fn after(log: &[Happened], syncs_count: bool) -> Self {
        let mut image = Self::default();
        for happened in log {
            image.take(happened, syncs_count);
        }
        image
    }

    fn take(&mut self, happened: &Happened, syncs_count: bool) {
        match happened {
            Happened::Made(inode, path, length) => {
                // The number of a file that was removed is given again.
                let contents = Contents { length: *length, ..Contents::default() };
                self.files.insert(*inode, contents);
                self.namings.push(Naming::Made(path.clone(), *inode));
            }
            Happened::Wrote(inode, offset, bytes) => {
                self.files.entry(*inode).or_default().waiting.push(Waiting::Bytes(*offset, bytes.clone()));
            }
            Happened::Length(inode, length) => {
                self.files.entry(*inode).or_default().waiting.push(Waiting::Length(*length));
            }
            Happened::Synced(inode) if syncs_count => self.files.entry(*inode).or_default().sync(),
            Happened::Synced(_) => {}
            Happened::Renamed(from, to) => self.namings.push(Naming::Renamed(from.clone(), to.clone())),
            Happened::Removed(path) => self.namings.push(Naming::Removed(path.clone())),
            Happened::SyncedAll => {
                self.name(usize::MAX);
                self.files.values_mut().for_each(Contents::sync);
            }
            Happened::Acknowledged(writer, version) => {
                self.acknowledged.insert(*writer, *version);
            }
        }
    }

    /// The first so many of the namings that wait are done.
    fn name(&mut self, count: usize) {
        let namings = std::mem::take(&mut self.namings);
        for naming in namings.into_iter().take(count) {
            match naming {
                Naming::Made(path, inode) => {
                    self.names.insert(path, inode);
                }
                Naming::Renamed(from, to) => {
                    let inode = self.names.remove(&from).expect("what is renamed has a name");
                    self.names.insert(to, inode);
                }
                Naming::Removed(path) => {
                    self.names.remove(&path);
                }
            }
        }
    }

    /// One of the disks that this one could be.
    fn settle(&mut self, dice: &mut Dice) {
        let named = dice.below(self.namings.len() as u64 + 1) as usize;
        self.name(named);
        for contents in self.files.values_mut() {
            // All, none or some of the pages: some alone would hardly ever be all or none.
            let some = dice.below(4);
            for waiting in std::mem::take(&mut contents.waiting) {
                contents.apply(&waiting, || match some {
                    0 => true,
                    1 => false,
                    _ => dice.below(2) == 0,
                });
            }
        }
    }

    fn write_to(&self, place: &Path) {
        fs::create_dir_all(place.join("journal/index")).expect("made");
        for (path, inode) in &self.names {
            let (contents, path) = (&self.files[inode], place.join(path));
            fs::create_dir_all(path.parent().expect("inside")).expect("made");
            let file = File::create(path).expect("made");
            file.set_len(contents.length).expect("made as long");
            for (page, bytes) in &contents.pages {
                let (offset, end) = (page * PAGE_BYTES as u64, contents.length);
                let kept = (end.saturating_sub(offset) as usize).min(PAGE_BYTES);
                file.write_all_at(&bytes[..kept], offset).expect("written");
            }
        }
    }
}

fn options(disk: Arc<dyn Disk>) -> Options {
    Options { segment_bytes: SEGMENT_BYTES_MIN, retry_pause: Duration::from_millis(5), disk }
}

/// What each writer's records hold, the same every time: no page of one is like a page of another.
static BODIES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let made = (0..u64::from(WRITERS) * (APPENDS + 1)).map(|seed| {
        let mut dice = Dice(seed);
        (0..RECORD_BYTES / 8).flat_map(|_| dice.below(u64::MAX).to_le_bytes()).collect()
    });
    made.collect()
});

fn body(writer: u8, version: u64) -> &'static [u8] {
    &BODIES[usize::from(writer) * (APPENDS as usize + 1) + version as usize]
}

/// An append to two streams of a writer: the one tells whether the other was made with it.
fn append(writer: u8, version: u64) -> Append {
    let record = |number, body: Vec<u8>| NewRecord {
        stream: stream(number),
        version,
        process: [1; 16],
        kind: RecordKind::Event,
        key: 0,
        body: Body::new(body),
    };
    let small = version.to_le_bytes().to_vec();
    Append { records: vec![record(writer, body(writer, version).to_vec()), record(writer + WRITERS, small)], at_us: 1 }
}

/// A journal under load from several sides, over a change of segment: all that happened to its disk.
fn under_load() -> Vec<Happened> {
    let place = tempfile::tempdir().expect("a temporary directory");
    let recorder = Arc::new(Recorder { place: place.path().to_owned(), log: Mutex::default() });
    let journal = FileJournal::open_on(place.path(), options(recorder.clone())).expect("opens");
    std::thread::scope(|threads| {
        for writer in 0..WRITERS {
            let (journal, recorder) = (&journal, &recorder);
            threads.spawn(move || {
                for version in 0..APPENDS {
                    commit(journal, append(writer, version)).expect("made");
                    recorder.log.lock().push(Happened::Acknowledged(writer, version));
                }
            });
        }
    });
    drop(journal);
    std::mem::take(&mut *recorder.log.lock())
}

/// What is wrong with the journal on a disk, if anything is: what was acknowledged is missing, an append is there in part,
/// a record is not what was written, or nothing can be appended.
fn wrong(image: &Image) -> Option<String> {
    let place = tempfile::tempdir().expect("a temporary directory");
    image.write_to(place.path());
    let journal = match FileJournal::open_on(place.path(), options(Arc::new(RealDisk))) {
        Ok(journal) => journal,
        Err(error) => return Some(format!("does not open: {error}")),
    };
    if let Some(damage) = journal.damage().first() {
        return Some(format!("damage: {damage:?}"));
    }
    for writer in 0..WRITERS {
        let read = |number| journal.read_stream(&stream(number), 0, u64::MAX).map_err(|error| error.to_string());
        let (large, small) = match (read(writer), read(writer + WRITERS)) {
            (Ok(large), Ok(small)) => (large, small),
            (large, small) => return Some(format!("{:?} {:?}", large.err(), small.err())),
        };
        let wanted = image.acknowledged.get(&writer).map_or(0, |version| version + 1);
        if (large.len() as u64) < wanted {
            return Some(format!("writer {writer} has {} of the {wanted} that were acknowledged", large.len()));
        }
        if large.len() != small.len() {
            return Some(format!("writer {writer} has an append in part"));
        }
        if let Some(other) = large.iter().find(|record| record.body != body(writer, record.version)) {
            return Some(format!("writer {writer} has another record at {}", other.version));
        }
        if let Err(error) = commit(&journal, append(writer, large.len() as u64)) {
            return Some(format!("writer {writer} cannot go on: {error}"));
        }
    }
    drop(journal);
    let report = verify(place.path()).expect("readable");
    (!report.damage.is_empty()).then(|| format!("after going on: {:?}", report.damage))
}

/// What is wrong after a cut, if anything is.
fn cut(log: &[Happened], seed: u64, syncs_count: bool) -> Option<String> {
    let mut dice = Dice(seed);
    let moment = dice.below(log.len() as u64 + 1) as usize;
    let mut image = Image::after(&log[..moment], syncs_count);
    image.settle(&mut dice);
    wrong(&image).map(|wrong| format!("cut {seed} at {moment} of {}: {wrong}", log.len()))
}

#[test]
fn after_a_power_cut_at_any_moment_all_that_was_acknowledged_is_there_and_without_syncs_it_is_not() {
    let log = under_load();
    let segments =
        log.iter().filter(|happened| matches!(happened, Happened::Made(_, path, _) if path.starts_with("journal")));
    assert!(segments.count() >= 3, "a change of segment is among what happened");
    let cuts = std::env::var("POWER_CUTS").map_or(CUTS, |cuts| cuts.parse().expect("POWER_CUTS is a number"));
    for seed in 0..cuts {
        assert_eq!(cut(&log, seed, true), None);
    }
    let mut without_syncs = (0..cuts).filter_map(|seed| cut(&log, seed, false));
    let lost = without_syncs.any(|wrong| wrong.contains("that were acknowledged"));
    assert!(lost, "the control loses something, or this test shows nothing");
}
