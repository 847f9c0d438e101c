//! A whole directory of segments, opened to be read, and audited.

use std::path::Path;

/// What [`interlink_journal::hostile::directory`] asserts, in memory where there is a file system for that.
pub fn run(data: &[u8]) {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    interlink_journal::hostile::directory(place.expect("a directory").path(), data);
}
