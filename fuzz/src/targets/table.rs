//! Footers of segments and files of the index.

use std::fs::File;
use std::io::Write;

use rustix::fs::{MemfdFlags, memfd_create};

/// What [`interlink_journal::hostile::table`] asserts, of a file that is in memory only.
pub fn run(data: &[u8]) {
    let file = memfd_create("table", MemfdFlags::empty()).expect("there is room for a file");
    let mut file = File::from(file);
    file.write_all(&interlink_journal::hostile::resealed_table(data)).expect("and for what it holds");
    interlink_journal::hostile::table(file);
}
