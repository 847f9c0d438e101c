//! Old history on another disk: segments that have ended are moved there, and a link stays in their place.
//!
//! Whatever reads a journal follows the link: nothing of it is lost, out of a backup, or read in another way. Only a disk
//! that is not there keeps the journal from being opened, and is named.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::OpenError;
use crate::open::segment_names;
use crate::segment::io;

/// A segment that was moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offloaded {
    /// Where it is now.
    pub to: PathBuf,
    /// How long it is, bytes.
    pub bytes: u64,
}

/// Moves the segments of a journal that nobody has open, but for the last `keep` and at least the one that is written, into
/// a directory. Those that were moved before stay where they are.
///
/// Each is copied, synced and read back before its link is put in its place, in one rename: a crash leaves the segment or
/// the link, and both lead to all of it.
///
/// # Errors
///
/// What could not be read or written, or a file of the same name there that holds something else. The segments before it are
/// moved.
pub fn offload(data: &Path, to: &Path, keep: usize) -> Result<Vec<Offloaded>, OpenError> {
    let directory = data.join("journal");
    let to = to.canonicalize().map_err(io(format!("opening {}", to.display())))?;
    let names = segment_names(&directory)?;
    let old = &names[..names.len().saturating_sub(keep.max(1))];
    let mut moved = Vec::new();
    for name in old {
        let place = directory.join(name);
        let about = fs::symlink_metadata(&place).map_err(io(format!("looking at journal/{name}")))?;
        if about.is_symlink() {
            continue;
        }
        let target = to.join(name);
        copy(&place, &target).map_err(io(format!("copying journal/{name} to {}", to.display())))?;
        link(&directory, name, &target).map_err(io(format!("linking journal/{name} to {}", target.display())))?;
        moved.push(Offloaded { to: target, bytes: about.len() });
    }
    Ok(moved)
}

/// Copies a file so that it would survive a power cut, and reads it back. One that is there already holds the same.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let written = digest(from)?;
    if !to.try_exists()? {
        let part = to.with_extension("part");
        fs::copy(from, &part)?;
        File::open(&part)?.sync_all()?;
        fs::rename(&part, to)?;
        sync_directory(to)?;
    }
    if digest(to)? == written {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{} is there and holds something else", to.display())))
}

/// Puts a link in the place of a segment.
fn link(directory: &Path, name: &str, target: &Path) -> io::Result<()> {
    let (place, fresh) = (directory.join(name), directory.join(format!("{name}.link")));
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        // One that a crash left behind.
        _ => symlink(target, &fresh)?,
    }
    fs::rename(&fresh, &place)?;
    sync_directory(&place)
}

fn sync_directory(of: &Path) -> io::Result<()> {
    of.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

fn digest(path: &Path) -> io::Result<[u8; 32]> {
    let (mut file, mut hasher, mut piece) = (File::open(path)?, Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hasher.finalize().into()),
            read => hasher.update(&piece[..read]),
        }
    }
}
