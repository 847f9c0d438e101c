//! Zips, sound and otherwise.

use std::io::{Cursor, Write};

use zip::CompressionMethod::Deflated;
use zip::write::SimpleFileOptions;

/// A zip of files.
pub fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(Deflated)).expect("an entry begins");
        zip.write_all(bytes).expect("an entry is written");
    }
    zip.finish().expect("a zip ends").into_inner()
}
