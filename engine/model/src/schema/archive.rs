//! Opening a zip that a stranger sent.
//!
//! Nothing its headers say is believed: sizes are counted while inflating and inflating stops at the limit, paths
//! that lead out of the archive are refused, and so is what a bundle has no use for, links and encryption.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use super::finding::{Refusal, RefusalKind, quoted};
use super::limits::{
    PATH_BYTES_MAX, ZIP_BYTES_MAX, ZIP_ENTRIES_MAX, ZIP_INFLATED_BYTES_MAX, ZIP_RATIO_FREE_BYTES, ZIP_RATIO_MAX,
};

/// Bytes inflated between two looks at the limits.
const STEP_BYTES: usize = 16 * 1024;

/// A zip of files below a root folder: what a client sends that has a bundle as a directory.
pub fn zip(root: &str, files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (path, bytes) in files {
        let written = archive.start_file(format!("{root}/{path}"), options).map_err(std::io::Error::other);
        // Writing to memory cannot fail.
        let _ = written.and_then(|()| std::io::Write::write_all(&mut archive, bytes));
    }
    archive.finish().map(Cursor::into_inner).unwrap_or_default()
}

/// The files of a zip, by path.
pub fn unzip(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, Refusal> {
    if bytes.len() > ZIP_BYTES_MAX {
        let message = format!("the zip has {} bytes; the limit is {ZIP_BYTES_MAX}", bytes.len());
        return Err(Refusal::of(RefusalKind::TooLarge, message));
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| not_a_zip(&error))?;
    if archive.has_duplicate_names() {
        return Err(Refusal::of(RefusalKind::Invalid, "the zip holds two entries of one name"));
    }
    if archive.len() > ZIP_ENTRIES_MAX {
        let message = format!("the zip has {} entries; the limit is {ZIP_ENTRIES_MAX}", archive.len());
        return Err(Refusal::of(RefusalKind::TooLarge, message));
    }
    let mut files = BTreeMap::new();
    let mut left = ZIP_INFLATED_BYTES_MAX;
    for index in 0..archive.len() {
        let entry = archive.by_index_data(index).map_err(|error| not_a_zip(&error))?;
        let path = entry.name().map_err(|error| not_a_zip(&error))?.into_owned();
        let refuse = |why: &str| Refusal::of(RefusalKind::Invalid, format!("the zip's entry {} {why}", quoted(&path)));
        if let Some(why) = refused_path(&path) {
            return Err(refuse(why));
        }
        if entry.encrypted() {
            return Err(refuse("is encrypted"));
        }
        if entry.is_symlink() {
            return Err(refuse("is a symbolic link"));
        }
        if entry.is_dir() {
            continue;
        }
        let packed_bytes = usize::try_from(entry.compressed_size()).unwrap_or(usize::MAX).min(bytes.len());
        let reader = archive.by_index(index).map_err(|error| match error {
            ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => {
                refuse("is packed in a way that is not read; use deflate, the usual one")
            }
            error => not_a_zip(&error),
        })?;
        let content = inflate(reader, &path, packed_bytes, left)?;
        left -= content.len();
        if files.insert(path.clone(), content).is_some() {
            return Err(refuse("is there twice"));
        }
    }
    Ok(files)
}

fn not_a_zip(error: &ZipError) -> Refusal {
    Refusal::of(RefusalKind::Malformed, format!("this is not a zip, or a damaged one: {error}"))
}

fn inflate(mut reader: impl Read, path: &str, packed_bytes: usize, left: usize) -> Result<Vec<u8>, Refusal> {
    let mut content = Vec::new();
    let mut step = vec![0; STEP_BYTES];
    loop {
        let count = reader.read(&mut step).map_err(|error| {
            let message = format!("the zip's entry {} is damaged: {error}", quoted(path));
            Refusal::of(RefusalKind::Malformed, message)
        })?;
        if count == 0 {
            return Ok(content);
        }
        content.extend_from_slice(&step[..count]);
        if content.len() > left {
            let message = format!("the zip holds more than {ZIP_INFLATED_BYTES_MAX} bytes once it is inflated");
            return Err(Refusal::of(RefusalKind::TooLarge, message));
        }
        if content.len() > ZIP_RATIO_FREE_BYTES && content.len() / ZIP_RATIO_MAX > packed_bytes {
            let message = format!(
                "the zip's entry {} becomes more than {ZIP_RATIO_MAX} times larger than it is packed",
                quoted(path)
            );
            return Err(Refusal::of(RefusalKind::TooLarge, message));
        }
    }
}

/// What is wrong with a path, if something is.
fn refused_path(path: &str) -> Option<&'static str> {
    let parts = path.strip_suffix('/').unwrap_or(path);
    if path.len() > PATH_BYTES_MAX {
        Some("has a path longer than 512 bytes")
    } else if path.contains('\\') || path.chars().any(char::is_control) {
        Some("has a path with a backslash or a control character in it")
    } else if path.starts_with('/') || path.as_bytes().get(1) == Some(&b':') {
        Some("has a path that begins at the root of a disk")
    } else if parts.split('/').any(|part| matches!(part, "" | "." | "..")) {
        Some("has a path with an empty, `.` or `..` part")
    } else {
        None
    }
}
