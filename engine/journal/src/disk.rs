//! Every change that the journal makes to a disk, and every reading of a segment or of the index, behind one seam: so that a
//! test can let any of them fail.
//!
//! A reading that fails says nothing about what is on the disk. What was read, wherever it comes from, is held against
//! checksums. `open` is not behind the seam.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Zeros are written in pieces of this size, so that a stop need not wait for a whole segment.
const PIECE_BYTES: usize = 1 << 20;

/// What the journal does to files. Each method fails with what the operating system said; nothing is tried twice.
pub trait Disk: Send + Sync {
    /// Makes a file of `bytes` zeros and syncs it; an older one of that name is emptied first. Fails with
    /// [`std::io::ErrorKind::Interrupted`] once `stop` is set.
    fn preallocate(&self, path: &Path, bytes: u64, stop: &AtomicBool) -> std::io::Result<()>;

    /// Makes a file that holds `bytes` and syncs it; an older one of that name is emptied first.
    fn create(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()>;

    /// Writes at an offset, as `pwrite` does: says how many of the bytes it took.
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> std::io::Result<usize>;

    /// Makes a file's bytes durable, as `fdatasync` does. After a failure it is not known which of them are.
    fn sync_data(&self, file: &File) -> std::io::Result<()>;

    /// Makes a file's bytes and its length durable, as `fsync` does.
    fn sync_all(&self, file: &File) -> std::io::Result<()>;

    /// Cuts a file, or lengthens it with zeros.
    fn set_len(&self, file: &File, bytes: u64) -> std::io::Result<()>;

    /// Gives a file another name; a file that has it already is replaced.
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> std::io::Result<()>;

    /// Makes a directory where there is none.
    fn make_directory(&self, path: &Path) -> std::io::Result<()>;

    /// Makes what was made, renamed or removed in a directory durable: see [`sync_directory`].
    fn sync_directory(&self, path: &Path) -> std::io::Result<()>;

    /// Reads at an offset, as `pread` does: says how many bytes there were, none at the end of the file.
    fn read_at(&self, file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<usize> {
        file.read_at(bytes, offset)
    }
}

/// A file that is open to be read, and the disk that it is on.
pub(crate) struct OpenFile {
    pub file: File,
    disk: Arc<dyn Disk>,
}

impl std::fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.file.fmt(f)
    }
}

impl OpenFile {
    pub fn new(file: File, disk: Arc<dyn Disk>) -> Arc<Self> {
        Arc::new(Self { file, disk })
    }

    /// Opens a file.
    pub fn open(path: &Path, disk: &Arc<dyn Disk>) -> std::io::Result<Arc<Self>> {
        Ok(Self::new(File::open(path)?, Arc::clone(disk)))
    }

    /// Its length, bytes.
    pub fn len(&self) -> std::io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Reads so many bytes from an offset on; fails with [`std::io::ErrorKind::UnexpectedEof`] where there are fewer.
    pub fn read(&self, offset: u64, bytes: u64) -> std::io::Result<Vec<u8>> {
        let mut read = vec![0; bytes as usize];
        self.read_exact_at(&mut read, offset)?;
        Ok(read)
    }

    /// Fills `bytes` from an offset on, however many pieces the disk gives them in.
    pub fn read_exact_at(&self, mut bytes: &mut [u8], mut offset: u64) -> std::io::Result<()> {
        while !bytes.is_empty() {
            match self.disk.read_at(&self.file, bytes, offset) {
                Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    bytes = &mut bytes[read..];
                    offset += read as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Writes all of `bytes` at an offset, however many pieces the disk takes them in.
pub(crate) fn write_all_at(disk: &dyn Disk, file: &File, mut bytes: &[u8], mut offset: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match disk.write_at(file, bytes, offset) {
            Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
            Ok(taken) => {
                bytes = &bytes[taken..];
                offset += taken as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether a failure says that there is no room: it passes by itself when somebody makes some.
pub(crate) fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}

/// Makes what was created, renamed or removed in a directory durable, and the directories above it with it.
///
/// `syncfs` rather than `fsync` of the directory: one call covers a new directory and its own entry in its parent, which
/// two would otherwise be needed for. It writes all that the file system has waiting, so it is for what is rare: a new
/// segment, a block of keys, a published component.
pub fn sync_directory(directory: &Path) -> std::io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(directory)?)?)
}

/// The operating system's files.
#[derive(Debug, Default, Clone, Copy)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn preallocate(&self, path: &Path, bytes: u64, stop: &AtomicBool) -> std::io::Result<()> {
        let file = File::create(path)?;
        let zeros = vec![0; PIECE_BYTES];
        for at in (0..bytes).step_by(PIECE_BYTES) {
            if stop.load(Ordering::Relaxed) {
                return Err(std::io::ErrorKind::Interrupted.into());
            }
            file.write_all_at(&zeros[..PIECE_BYTES.min((bytes - at) as usize)], at)?;
        }
        file.sync_all()
    }

    fn create(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        let file = File::create(path)?;
        file.write_all_at(bytes, 0)?;
        file.sync_all()
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> std::io::Result<usize> {
        file.write_at(bytes, offset)
    }

    fn sync_data(&self, file: &File) -> std::io::Result<()> {
        file.sync_data()
    }

    fn sync_all(&self, file: &File) -> std::io::Result<()> {
        file.sync_all()
    }

    fn set_len(&self, file: &File, bytes: u64) -> std::io::Result<()> {
        file.set_len(bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> std::io::Result<()> {
        std::fs::remove_file(path)
    }

    fn make_directory(&self, path: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(path)
    }

    fn sync_directory(&self, path: &Path) -> std::io::Result<()> {
        sync_directory(path)
    }
}
