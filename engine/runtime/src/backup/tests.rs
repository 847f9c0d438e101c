//! Backups of directories that hold what the tests put there: what is refused, what is erased again, how fast it is.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;

use interlink_journal::{Append, Body, Journal, NewRecord, RecordKind, SEGMENT_BYTES_MIN, Stream};
use tempfile::TempDir;

use super::*;
use crate::keys::Keys;

/// A data directory with keys and a journal of one stream, each of whose events is under a key of its own.
struct Place {
    directory: TempDir,
    journal: Arc<FileJournal>,
    keys: Arc<Keys>,
    written: u64,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        for below in ["components", "schemas"] {
            std::fs::create_dir(directory.path().join(below)).expect("made");
        }
        let journal = Arc::new(FileJournal::open_with(directory.path(), SEGMENT_BYTES_MIN).expect("opens"));
        let keys = Keys::open(directory.path(), 0, Arc::new(System)).expect("opens");
        Self { directory, journal, keys, written: 0 }
    }

    /// Appends an event under a new key; answers the key's number.
    fn write(&mut self, bytes: usize) -> u64 {
        let key = self.keys.draw().expect("drawn").number;
        let record = NewRecord {
            stream: Stream { kind: b'p', id: [1; 16] },
            version: self.written,
            process: [1; 16],
            kind: RecordKind::Event,
            key,
            body: Body::new(vec![self.written as u8; bytes]),
        };
        self.written += 1;
        let (tell, told) = channel();
        let done = Box::new(move |fate| tell.send(fate).expect("the test waits"));
        self.journal.submit(Append { records: vec![record], at_us: 1 }, done);
        told.recv().expect("it has a fate").expect("made");
        key
    }

    fn source(&self) -> Source {
        Source { data: self.directory.path().into(), journal: Arc::clone(&self.journal) }
    }

    /// Takes a backup into a directory of its own.
    fn backup(&self) -> (TempDir, Restore) {
        let place = tempfile::tempdir().expect("a directory");
        let (file, keys) = (place.path().join("b"), place.path().join("b.keys"));
        let data = self.source().data(0).expect("packed");
        write(&data, &file);
        write(&self.source().keys(&data.id(), 0).expect("packed"), &keys);
        let data = place.path().join("data");
        (place, Restore { file, keys, data, erasures: None, despite_damage: false })
    }
}

fn write(packed: &Packed, to: &Path) {
    let mut file = File::create(to).expect("made");
    packed.write_to(&mut file).expect("written");
    assert_eq!(file.metadata().expect("there").len(), packed.bytes(), "it is as long as was said");
}

fn run(wanted: &Restore) -> Result<Restored, BackupError> {
    restore(wanted, &mut |_| {})
}

fn key_of(data: &Path, number: u64) -> Result<(), KeyError> {
    Keys::open(data, 1, Arc::new(System)).expect("opens").key(number).map(drop)
}

#[test]
fn what_was_erased_since_a_backup_is_erased_again_by_its_restore() {
    let mut place = Place::new();
    let (gone, kept) = (place.write(100), place.write(100));
    let (kept_in, wanted) = place.backup();
    let later = place.write(100);
    place.keys.destroy(&[gone, later]).expect("destroyed");
    let ledger = place.directory.path().join("keys/erased");
    let restored = run(&Restore { erasures: Some(ledger.clone()), ..wanted.clone() }).expect("restored");
    assert_eq!(restored.erased, 1, "of the later key nothing is in the backup");
    assert!(matches!(key_of(&wanted.data, gone), Err(KeyError::Destroyed(_))));
    assert!(key_of(&wanted.data, kept).is_ok() && key_of(&wanted.data, later).is_ok());
    let ledger = std::fs::read_to_string(wanted.data.join("keys/erased")).expect("it goes on");
    assert_eq!(ledger, format!("{gone}\n"));
    let without = Restore { data: kept_in.path().join("other"), ..wanted };
    assert_eq!(run(&without).expect("restored").erased, 0);
    assert!(key_of(&without.data, gone).is_ok(), "the test would see it");
    assert!(run(&Restore { data: kept_in.path().join("third"), erasures: Some("nowhere".into()), ..without }).is_err());
}

#[test]
fn a_backup_of_a_journal_that_was_damaged_is_restored_only_where_that_is_said() {
    let mut place = Place::new();
    for _ in 0..5 {
        place.write(100);
    }
    let segment = place.journal.extent().expect("listed").files[0].path.clone();
    let path = place.directory.path().join(segment);
    let mut bytes = std::fs::read(&path).expect("read");
    let at = bytes.windows(100).position(|window| window == [2; 100]).expect("the third body");
    bytes[at] ^= 1;
    std::fs::write(&path, bytes).expect("written");
    let (_kept, wanted) = place.backup();
    let refused = run(&wanted).expect_err("damaged");
    assert!(matches!(&refused, BackupError::DamagedJournal(damage) if damage.len() == 1), "{refused}");
    assert!(!wanted.data.exists() && !wanted.data.with_file_name("data.part").exists(), "something half is left");
    let restored = run(&Restore { despite_damage: true, ..wanted.clone() }).expect("restored");
    assert_eq!(restored.damage.len(), 1);
    assert!(wanted.data.join("journal").exists());
}

#[test]
fn what_changes_between_its_checksum_and_its_sending_ends_the_backup() {
    let mut place = Place::new();
    let key = place.write(100);
    let packed = place.source().keys(&"0".repeat(64), 0).expect("packed");
    place.keys.destroy(&[key]).expect("destroyed");
    let refused = packed.write_to(&mut Vec::new()).expect_err("a slot is another");
    assert!(matches!(refused, BackupError::Changed { path } if path.starts_with("keys/slots-")));
}

#[test]
fn a_second_restore_of_one_backup_is_another_life_than_the_first() {
    let mut place = Place::new();
    place.write(100);
    let (kept, wanted) = place.backup();
    let first = run(&wanted).expect("restored");
    let second = run(&Restore { data: kept.path().join("other"), ..wanted.clone() }).expect("restored");
    assert!(place.journal.identity().incarnation < first.incarnation && first.incarnation < second.incarnation);
    let journal = FileJournal::open_with(&wanted.data, SEGMENT_BYTES_MIN).expect("opens");
    assert_eq!(journal.identity().incarnation, first.incarnation);
    assert_eq!(journal.durable(), place.journal.durable());
}

#[test]
fn a_manifest_that_claims_to_be_larger_than_any_is_not_read() {
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("b");
    for (bytes, is_read) in [(MANIFEST_BYTES_MAX, true), (MANIFEST_BYTES_MAX + 1, false)] {
        let mut header = tar::Header::new_ustar();
        header.set_path(pack::MANIFEST).expect("a path");
        header.set_size(bytes);
        header.set_cksum();
        let packed = File::create(&file).expect("made");
        (&packed).write_all(header.as_bytes()).expect("written");
        packed.set_len(512 + bytes + 1_024).expect("made long");
        let refused = check(&file, Part::Data).expect_err("it is no manifest").to_string();
        // Once it was read, what is missed is its checksum.
        assert_eq!(refused.contains(pack::MANIFEST_SUM), is_read, "{refused}");
    }
}
