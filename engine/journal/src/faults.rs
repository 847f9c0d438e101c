//! A disk that fails as a test tells it to. Everything else it does for real.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;

use crate::disk::{Disk, RealDisk};

/// One kind of thing that a [`Disk`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// [`Disk::preallocate`]: the next segment.
    Preallocate,
    /// [`Disk::create`]: what goes to `quarantine/`.
    Create,
    /// [`Disk::write_at`]: headers, batches, footers.
    Write,
    /// [`Disk::sync_data`]: a batch.
    SyncData,
    /// [`Disk::sync_all`]: a new segment's header, a cut.
    SyncAll,
    /// [`Disk::set_len`].
    SetLen,
    /// [`Disk::rename`].
    Rename,
    /// [`Disk::remove`].
    Remove,
    /// [`Disk::make_directory`].
    MakeDirectory,
    /// [`Disk::sync_directory`].
    SyncDirectory,
    /// [`Disk::read_at`]: segments, footers, the index.
    Read,
}

/// How an operation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It does nothing and says `ENOSPC`.
    NoSpace,
    /// It does nothing and says `EIO`. A sync that does nothing leaves it open what becomes of the bytes: in this run
    /// they stay where they are, as when the kernel had written them after all.
    Io,
    /// A write takes half of its bytes, at least one, and says so; a reading gives half of them.
    Short,
    /// A sync says `EIO`, and what was written to the file since its last sync is gone: as when the kernel dropped the
    /// pages that it could not write. A later sync of the file succeeds all the same.
    SyncLoses,
}

impl Fault {
    fn error(self) -> std::io::Error {
        let number = if self == Self::NoSpace { rustix::io::Errno::NOSPC } else { rustix::io::Errno::IO };
        number.into()
    }
}

/// What a write covered, so that a sync can lose it.
struct Covered {
    offset: u64,
    bytes: Vec<u8>,
}

#[derive(Default)]
struct Plan {
    /// What becomes of the next ones; nothing for one that passes.
    next: HashMap<Operation, VecDeque<Option<Fault>>>,
    always: HashMap<Operation, Fault>,
}

/// Does what [`RealDisk`] does, but for what it was told to fail.
#[derive(Default)]
pub struct FaultyDisk {
    plan: Mutex<Plan>,
    /// For each file, by its number: what the writes since its last sync covered, oldest first.
    unsynced: Mutex<HashMap<u64, Vec<Covered>>>,
}

impl FaultyDisk {
    /// The next operation of a kind fails; several calls plan several in a row.
    pub fn fail_next(&self, operation: Operation, fault: Fault) {
        self.plan.lock().next.entry(operation).or_default().push_back(Some(fault));
    }

    /// The next operation of a kind passes, before what is planned behind it.
    pub fn pass_next(&self, operation: Operation) {
        self.plan.lock().next.entry(operation).or_default().push_back(None);
    }

    /// Every operation of a kind fails, until [`FaultyDisk::repair`].
    pub fn fail_always(&self, operation: Operation, fault: Fault) {
        self.plan.lock().always.insert(operation, fault);
    }

    /// Nothing fails any more.
    pub fn repair(&self) {
        *self.plan.lock() = Plan::default();
    }

    fn fault(&self, operation: Operation) -> Option<Fault> {
        let mut plan = self.plan.lock();
        let next = plan.next.get_mut(&operation).and_then(VecDeque::pop_front);
        next.unwrap_or_else(|| plan.always.get(&operation).copied())
    }

    fn pass(&self, operation: Operation) -> std::io::Result<()> {
        self.fault(operation).map_or(Ok(()), |fault| Err(fault.error()))
    }

    /// Takes back what was written to a file since its last sync.
    fn lose(&self, file: &File) -> std::io::Result<()> {
        let covered = self.unsynced.lock().remove(&file.metadata()?.ino()).unwrap_or_default();
        covered.iter().rev().try_for_each(|covered| file.write_all_at(&covered.bytes, covered.offset))
    }

    fn sync(&self, operation: Operation, file: &File) -> std::io::Result<()> {
        if let Some(fault) = self.fault(operation) {
            if fault == Fault::SyncLoses {
                self.lose(file)?;
            }
            return Err(fault.error());
        }
        self.unsynced.lock().remove(&file.metadata()?.ino());
        RealDisk.sync_all(file)
    }
}

impl Disk for FaultyDisk {
    fn preallocate(&self, path: &Path, bytes: u64, stop: &AtomicBool) -> std::io::Result<()> {
        self.pass(Operation::Preallocate)?;
        RealDisk.preallocate(path, bytes, stop)
    }

    fn create(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        self.pass(Operation::Create)?;
        RealDisk.create(path, bytes)
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> std::io::Result<usize> {
        let taken = match self.fault(Operation::Write) {
            None => bytes.len(),
            Some(Fault::Short) => (bytes.len() / 2).max(1),
            Some(fault) => return Err(fault.error()),
        };
        // What lies behind the end of the file counts as zeros.
        let mut before = vec![0; taken];
        file.read_at(&mut before, offset)?;
        let entry = Covered { offset, bytes: before };
        self.unsynced.lock().entry(file.metadata()?.ino()).or_default().push(entry);
        file.write_all_at(&bytes[..taken], offset)?;
        Ok(taken)
    }

    fn sync_data(&self, file: &File) -> std::io::Result<()> {
        self.sync(Operation::SyncData, file)
    }

    fn sync_all(&self, file: &File) -> std::io::Result<()> {
        self.sync(Operation::SyncAll, file)
    }

    fn set_len(&self, file: &File, bytes: u64) -> std::io::Result<()> {
        self.pass(Operation::SetLen)?;
        RealDisk.set_len(file, bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        self.pass(Operation::Rename)?;
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> std::io::Result<()> {
        self.pass(Operation::Remove)?;
        RealDisk.remove(path)
    }

    fn make_directory(&self, path: &Path) -> std::io::Result<()> {
        self.pass(Operation::MakeDirectory)?;
        RealDisk.make_directory(path)
    }

    fn sync_directory(&self, path: &Path) -> std::io::Result<()> {
        self.pass(Operation::SyncDirectory)?;
        RealDisk.sync_directory(path)
    }

    fn read_at(&self, file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<usize> {
        match self.fault(Operation::Read) {
            None => file.read_at(bytes, offset),
            Some(Fault::Short) => {
                let half = (bytes.len() / 2).max(1);
                file.read_at(&mut bytes[..half], offset)
            }
            Some(fault) => Err(fault.error()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::write_all_at;

    fn file() -> File {
        tempfile::tempfile().expect("a temporary file")
    }

    fn held(file: &File) -> Vec<u8> {
        let mut bytes = vec![0; 8];
        let read = file.read_at(&mut bytes, 0).expect("readable");
        bytes.truncate(read);
        bytes
    }

    #[test]
    fn a_write_that_is_taken_in_halves_is_whole_in_the_end() {
        let (disk, file) = (FaultyDisk::default(), file());
        disk.fail_next(Operation::Write, Fault::Short);
        disk.fail_next(Operation::Write, Fault::Short);
        write_all_at(&disk, &file, b"abcdefgh", 0).expect("written");
        assert_eq!(held(&file), b"abcdefgh");
    }

    #[test]
    fn a_full_disk_leaves_half_of_a_write_behind() {
        let (disk, file) = (FaultyDisk::default(), file());
        disk.fail_next(Operation::Write, Fault::Short);
        disk.fail_next(Operation::Write, Fault::NoSpace);
        let error = write_all_at(&disk, &file, b"abcdefgh", 0).expect_err("no space");
        assert!(crate::disk::is_full(&error), "{error}");
        assert_eq!(held(&file), b"abcd");
    }

    #[test]
    fn a_sync_that_loses_takes_back_what_was_not_synced_and_nothing_else() {
        let (disk, file) = (FaultyDisk::default(), file());
        write_all_at(&disk, &file, b"abcdefgh", 0).expect("written");
        disk.sync_data(&file).expect("synced");
        write_all_at(&disk, &file, b"XY", 2).expect("written");
        disk.fail_next(Operation::SyncData, Fault::SyncLoses);
        assert!(disk.sync_data(&file).is_err());
        assert_eq!(held(&file), b"abcdefgh");
        write_all_at(&disk, &file, b"XY", 2).expect("written");
        disk.fail_next(Operation::SyncData, Fault::Io);
        assert!(disk.sync_data(&file).is_err());
        assert_eq!(held(&file), b"abXYefgh");
    }
}
