//! Damage that a copy mends: byte for byte, whole batches or nothing, and never a directory that is worse than before.

use std::fs;
use std::path::{Path, PathBuf};

use interlink_journal::faults::{Fault, FaultyDisk, Operation};
use interlink_journal::suite::{append, commit, stream};
use interlink_journal::{
    Append, Body, FileJournal, Journal, Mended, NewRecord, RealDisk, RecordKind, SEGMENT_BYTES_MIN, mend, verify,
};

fn open(place: &Path) -> FileJournal {
    FileJournal::open_with(place, SEGMENT_BYTES_MIN).expect("opens")
}

/// A journal of three lives, all of it in a copy.
struct Lived {
    place: tempfile::TempDir,
    copy: tempfile::TempDir,
}

/// An append of three records of 20 KB.
fn large(version: u64) -> Append {
    let record = |number| NewRecord {
        stream: stream(number),
        version,
        process: [1; 16],
        kind: RecordKind::Event,
        key: 0,
        body: Body::new(vec![number; 20_000]),
    };
    Append { records: (1..=3).map(record).collect(), at_us: 1 }
}

fn lived() -> Lived {
    let (place, copy) = (fresh(), fresh());
    for life in 0..3 {
        let journal = open(place.path());
        for version in life * 4..life * 4 + 4 {
            commit(&journal, large(version)).expect("made");
        }
    }
    // A last life, in which nothing happens, so that each of the others has ended.
    drop(open(place.path()));
    for segment in segments(place.path()) {
        fs::copy(&segment, copy.path().join(segment.file_name().expect("a name"))).expect("copied");
    }
    Lived { place, copy }
}

fn fresh() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn segments(place: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(place.join("journal")).expect("listed").map(|entry| entry.expect("listed").path());
    let mut paths: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "segment")).collect();
    paths.sort();
    paths
}

fn flip(file: &Path, at: usize) {
    let mut bytes = fs::read(file).expect("read");
    bytes[at] ^= 4;
    fs::write(file, bytes).expect("written");
}

fn damage(place: &Path) -> usize {
    verify(place).expect("readable").damage.len()
}

impl Lived {
    fn mend(&self) -> Mended {
        mend(self.place.path(), self.copy.path(), &RealDisk).expect("readable")
    }

    /// The segment of a life, and what it holds.
    fn segment(&self, life: usize) -> (PathBuf, Vec<u8>) {
        let path = segments(self.place.path()).remove(life);
        let bytes = fs::read(&path).expect("read");
        (path, bytes)
    }

    fn kept(&self) -> usize {
        fs::read_dir(self.place.path().join("quarantine")).map_or(0, Iterator::count)
    }

    #[track_caller]
    fn is_whole(&self) {
        assert_eq!(damage(self.place.path()), 0);
        let journal = open(self.place.path());
        for number in 1..=3 {
            let records = journal.read_stream(&stream(number), 0, u64::MAX).expect("readable");
            assert_eq!(records.len(), 12);
        }
        commit(&journal, large(12)).expect("it goes on");
    }
}

#[test]
fn a_bit_that_flipped_anywhere_in_a_segment_is_put_back_and_nothing_else_is_touched() {
    let lived = lived();
    let (path, sound) = lived.segment(1);
    // Both blocks of the header, the frame of the first batch, a head, bodies, the trailer of the last batch.
    let places = [20, 4_100, 8_200, 8_300, 9_000, 30_000, 100_000, 200_000];
    for (flipped, at) in places.into_iter().enumerate() {
        flip(&path, at);
        let mended = lived.mend();
        assert_eq!(mended.put.len(), 1, "{at}: {mended:?}");
        assert!(mended.put[0].bytes.contains(&(at as u64)), "{at}: {mended:?}");
        assert_eq!(fs::read(&path).expect("read"), sound, "{at}");
        assert_eq!(lived.kept(), flipped + 1, "what was there is kept");
        assert!(lived.mend().put.is_empty(), "there is nothing more to mend");
    }
    lived.is_whole();
}

#[test]
fn a_header_that_is_lost_twice_over_a_file_cut_short_and_one_that_is_gone_are_put_back() {
    let lived = lived();
    let (path, sound) = lived.segment(0);
    flip(&path, 20);
    flip(&path, 4_100);
    assert!(damage(lived.place.path()) > 0);
    assert_eq!(lived.mend().put.len(), 2);
    assert_eq!(fs::read(&path).expect("read"), sound);
    fs::write(&path, &sound[..100_000]).expect("written");
    assert!(damage(lived.place.path()) > 0);
    assert!(!lived.mend().put.is_empty());
    assert_eq!(damage(lived.place.path()), 0);
    let (middle, _) = lived.segment(1);
    for gone in [vec![&path], vec![&middle], vec![&path, &middle]] {
        gone.iter().for_each(|path| fs::remove_file(path).expect("removed"));
        assert!(damage(lived.place.path()) > 0);
        let mended = lived.mend();
        assert_eq!(mended.put.len(), gone.len(), "{mended:?}");
    }
    lived.is_whole();
}

#[test]
fn what_the_copy_does_not_have_stays_as_it_is() {
    let lived = lived();
    let (path, sound) = lived.segment(1);
    // The copy ends in the middle of the segment, and has damage of its own.
    let copy = lived.copy.path().join(path.file_name().expect("a name"));
    fs::write(&copy, &sound[..150_000]).expect("written");
    flip(&copy, 20_000);
    // The last two in batches that stand in a row, of which the second has no header either.
    let third = 8_192 + 2 * (192 + 3 * (160 + 20_000));
    for at in [20_500, third + 20, third + 1_000, 100_000] {
        flip(&path, at);
    }
    let before = damage(lived.place.path());
    let mended = lived.mend();
    assert_eq!(mended.put.len(), 1, "{mended:?}");
    assert!(mended.put[0].bytes.contains(&100_000));
    assert!(damage(lived.place.path()) < before);
    assert!(lived.mend().put.is_empty(), "there is nothing more to mend");
    fs::write(&copy, &sound).expect("written");
    lived.mend();
    lived.is_whole();
}

#[test]
fn a_segment_of_another_life_is_not_used_whatever_its_name() {
    let (lived, other) = (lived(), lived());
    let (path, _) = lived.segment(1);
    flip(&path, 100_000);
    let hurt = fs::read(&path).expect("read");
    let mended = mend(lived.place.path(), other.copy.path(), &RealDisk).expect("readable");
    assert!(mended.put.is_empty(), "{mended:?}");
    assert!(mended.unused.iter().all(|(_, reason)| reason.contains("another life")), "{mended:?}");
    assert_eq!(fs::read(&path).expect("read"), hurt);
    // Nor where nothing is left that could say whose it is.
    flip(&path, 20);
    flip(&path, 4_100);
    let mended = mend(lived.place.path(), other.copy.path(), &RealDisk).expect("readable");
    assert!(mended.put.is_empty(), "{mended:?}");
    fs::remove_file(&path).expect("removed");
    let mended = mend(lived.place.path(), other.copy.path(), &RealDisk).expect("readable");
    assert!(mended.put.is_empty() && !path.exists(), "{mended:?}");
}

#[test]
fn a_header_or_a_frame_of_which_the_other_end_is_left_is_mended_without_a_copy() {
    let lived = lived();
    let (path, sound) = lived.segment(1);
    let nothing = fresh();
    // Batches of three records: each has a header of 96 bytes and a trailer of as many.
    let batch = 192 + 3 * (160 + 20_000);
    for at in [20, 4_100, 8_192 + 20, 8_192 + batch - 50, 8_192 + batch + 8] {
        flip(&path, at);
        assert_eq!(mend(lived.place.path(), nothing.path(), &RealDisk).expect("readable").put.len(), 1);
        assert_eq!(fs::read(&path).expect("read"), sound);
    }
}

#[test]
fn a_mending_that_fails_at_any_step_leaves_the_segment_as_it_was_and_is_done_again() {
    let lived = lived();
    let (path, sound) = lived.segment(1);
    let steps = [Operation::MakeDirectory, Operation::Create, Operation::SyncDirectory, Operation::Rename];
    for step in steps {
        for passing in 0..2 {
            let disk = FaultyDisk::default();
            flip(&path, 100_000);
            let hurt = fs::read(&path).expect("read");
            (0..passing).for_each(|_| disk.pass_next(step));
            disk.fail_next(step, Fault::Io);
            let mended = mend(lived.place.path(), lived.copy.path(), &disk);
            let now = fs::read(&path).expect("read");
            match mended {
                // The directory that was to be synced last: the segment has its name, and may lose it again.
                Err(_) if now == sound => assert_eq!((step, passing), (Operation::SyncDirectory, 1)),
                Err(_) => assert!(now == hurt, "{step:?}: neither as it was nor mended"),
                Ok(_) => assert_eq!(passing, 1, "{step:?} is done twice at most"),
            }
            lived.mend();
            assert_eq!(fs::read(&path).expect("read"), sound, "{step:?}");
        }
    }
    lived.is_whole();
}

#[test]
fn the_last_batch_of_all_is_put_back_before_a_start_takes_it_for_torn() {
    let (place, copy) = (fresh(), fresh());
    let journal = open(place.path());
    for version in 0..3 {
        commit(&journal, append(&[(stream(1), version)])).expect("made");
    }
    drop(journal);
    let path = segments(place.path()).remove(0);
    let sound = fs::read(&path).expect("read");
    fs::write(copy.path().join(path.file_name().expect("a name")), &sound).expect("written");
    let used = sound.len() - sound.iter().rev().take_while(|byte| **byte == 0).count();
    flip(&path, used - 20);
    assert_eq!(verify(place.path()).expect("readable").torn.len(), 1);
    assert_eq!(mend(place.path(), copy.path(), &RealDisk).expect("readable").put.len(), 1);
    assert_eq!(open(place.path()).read_stream(&stream(1), 0, u64::MAX).expect("readable").len(), 3);
}

#[test]
fn however_many_bits_flipped_wherever_a_copy_puts_all_of_them_back() {
    let lived = lived();
    let sound: Vec<_> = (0..3).map(|life| lived.segment(life).1).collect();
    let batches_end = 8_192 + 4 * (192 + 3 * (160 + 20_000));
    let mut seed: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for _ in 0..6 {
        for _ in 0..30 {
            // Half of them in the heads of records: those are a hundredth of the bytes, and the harder part.
            let (life, at) = (next(3), next(batches_end));
            let in_head = (at - at % 20_160 + at % 160).min(batches_end - 1);
            let at = if next(2) == 0 { at } else { in_head };
            flip(&lived.segment(life).0, at);
        }
        lived.mend();
        for (life, sound) in sound.iter().enumerate() {
            assert!(lived.segment(life).1 == *sound, "the segment of life {life} is not as it was");
        }
    }
    lived.is_whole();
}
