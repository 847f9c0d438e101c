//! Native code that is kept: loaded where it is ours, compiled again where it is not.
//!
//! Compiling replaces the file, so a file that is still the same one says that its code was loaded.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use interlink_host::{Host, Interlinker};
use interlink_model::keyvalues::KeyValues;
use serde_json::json;
use tempfile::TempDir;

use super::given::{action, call, done, host, small};
use super::guest::Guest;

const SECRET: [u8; 32] = [1; 32];

/// A directory in which native code is kept.
struct Kept(TempDir);

/// Which file it is, and what is in it.
#[derive(Debug, PartialEq)]
struct File {
    inode: u64,
    bytes: Vec<u8>,
}

impl Kept {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn native(&self) -> PathBuf {
        self.0.path().join("native")
    }

    /// A host that has just been started.
    fn host(&self, secret: [u8; 32]) -> Host {
        host(small(), Some(self.native()), secret)
    }

    /// Starts a host, loads the guest and calls it; where its code is kept.
    fn start(&self, secret: [u8; 32], guest: &Guest) -> PathBuf {
        let host = self.host(secret);
        let loaded = host.load(&guest.bytes()).expect("the guest is sound");
        works(&host, &loaded);
        self.path(&loaded)
    }

    fn path(&self, loaded: &Interlinker) -> PathBuf {
        self.native().join(format!("{}.cwasm", loaded.digest().trim_start_matches("sha256:")))
    }
}

fn works(host: &Host, guest: &Arc<Interlinker>) {
    let called = call(host, guest, "ana", action("go", json!({})), &KeyValues::default());
    assert_eq!(done(called).output, json!(null));
}

fn file(path: &Path) -> File {
    let inode = std::fs::metadata(path).expect("the file is there").ino();
    File { inode, bytes: std::fs::read(path).expect("the file is there") }
}

#[test]
fn what_is_kept_is_loaded_at_the_next_start() {
    let (kept, guest) = (Kept::new(), Guest::new());
    let path = kept.start(SECRET, &guest);
    let first = file(&path);
    kept.start(SECRET, &guest);
    assert_eq!(file(&path), first);
    let files = std::fs::read_dir(kept.native()).expect("it is there").count();
    assert_eq!(files, 1, "nothing half written is left");
}

#[test]
fn a_file_with_one_bit_changed_is_compiled_again_and_replaced() {
    let (kept, guest) = (Kept::new(), Guest::new());
    let path = kept.start(SECRET, &guest);
    let sound = file(&path);
    // In the signature, at the beginning of the code, in its middle, at its end.
    let last = sound.bytes.len() - 1;
    for at in [0, 31, 32, last / 2, last] {
        let mut bytes = sound.bytes.clone();
        bytes[at] ^= 1;
        std::fs::write(&path, &bytes).expect("the file can be written");
        let changed = file(&path);
        kept.start(SECRET, &guest);
        let mended = file(&path);
        assert_ne!(mended.inode, changed.inode, "byte {at}");
        assert_ne!(mended.bytes, changed.bytes, "byte {at}");
        kept.start(SECRET, &guest);
        assert_eq!(file(&path), mended, "and that one is loaded");
    }
}

#[test]
fn a_file_that_was_cut_off_is_compiled_again_and_replaced() {
    let (kept, guest) = (Kept::new(), Guest::new());
    let path = kept.start(SECRET, &guest);
    let sound = file(&path);
    for length in [0, 16, 32, sound.bytes.len() - 1] {
        std::fs::write(&path, &sound.bytes[..length]).expect("the file can be written");
        let cut = file(&path);
        kept.start(SECRET, &guest);
        assert_ne!(file(&path).inode, cut.inode, "{length} bytes were left");
    }
}

#[test]
fn what_another_secret_signed_is_not_loaded() {
    let (kept, guest) = (Kept::new(), Guest::new());
    let path = kept.start([2; 32], &guest);
    let theirs = file(&path);
    kept.start(SECRET, &guest);
    let ours = file(&path);
    assert_ne!(ours.inode, theirs.inode);
    assert_ne!(ours.bytes[..32], theirs.bytes[..32]);
}

#[test]
fn what_was_compiled_from_another_component_is_not_loaded() {
    let (kept, guest) = (Kept::new(), Guest::new());
    let path = kept.start(SECRET, &guest);
    let trapping = Guest::calling("unreachable").bytes();
    let other = kept.path(&kept.host(SECRET).load(&trapping).expect("it is sound"));
    std::fs::copy(&other, &path).expect("the file can be written");
    let swapped = file(&path);
    // It would trap if the other one's code were run.
    kept.start(SECRET, &guest);
    assert_ne!(file(&path).inode, swapped.inode);
}

#[test]
fn a_component_is_checked_although_its_code_is_kept() {
    let kept = Kept::new();
    kept.start(SECRET, &Guest::new());
    kept.host(SECRET).load(&Guest::new().with_manifest(None).bytes()).expect_err("it has no manifest");
}

#[test]
fn a_cache_that_cannot_be_written_costs_a_compilation_and_no_more() {
    let kept = Kept::new();
    std::fs::write(kept.native(), "a file where the directory would be").expect("the file can be written");
    kept.start(SECRET, &Guest::new());
}

#[test]
fn a_host_without_a_cache_works() {
    let host = host(small(), None, SECRET);
    works(&host, &host.load(&Guest::new().bytes()).expect("it is sound"));
}
