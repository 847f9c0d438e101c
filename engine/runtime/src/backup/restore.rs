//! From a backup to a data directory: checked, with erasures applied, and as another life of the journal.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use interlink_journal::{FileJournal, Journal, renew_incarnation, sync_directory, verify};

use super::manifest::{Manifest, Member, Part};
use super::unpack::{Take, check, unpack};
use super::{BackupError, io};
use crate::ambient::{Ambient, System};
use crate::engine::lock;
use crate::keys::{Keys, erasures};
use crate::mended::sort;

/// What is to be restored.
#[derive(Debug, Clone)]
pub struct Restore {
    /// The data of the backup.
    pub file: PathBuf,
    /// Its keys.
    pub keys: PathBuf,
    /// The data directory that it becomes: not there, or empty.
    pub data: PathBuf,
    /// The ledger of erasures of the directory that is replaced (`keys/erased`), where there is one: what was erased after
    /// the backup was taken is erased again.
    pub erasures: Option<PathBuf>,
    /// Whether to take a journal that was damaged when the backup was taken.
    pub despite_damage: bool,
}

/// What was restored.
#[derive(Debug, Clone)]
pub struct Restored {
    /// What the data said of itself.
    pub manifest: Manifest,
    /// What was unpacked, in bytes.
    pub bytes: u64,
    /// Records of the journal, each of which was checked.
    pub records: u64,
    /// Keys that were destroyed because the ledger names them.
    pub erased: u64,
    /// The life that the journal goes on with.
    pub incarnation: u64,
    /// What was damaged already.
    pub damage: Vec<String>,
}

/// Restores a backup. Works in a directory beside the one that is wanted, which gets its name when everything is checked and
/// on disk; where anything fails it is removed. `progress` is told how many bytes have been unpacked.
pub fn restore(wanted: &Restore, progress: &mut dyn FnMut(u64)) -> Result<Restored, BackupError> {
    free(&wanted.data)?;
    if !wanted.keys.exists() {
        return Err(BackupError::NoKeys(wanted.keys.clone()));
    }
    let making = beside(&wanted.data)?;
    let parent = parent_of(&making);
    std::fs::create_dir_all(&parent).map_err(io(format!("making {}", parent.display())))?;
    match std::fs::create_dir(&making) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            return Err(BackupError::Unfinished(making));
        }
        made => made.map_err(io(format!("making {}", making.display())))?,
    }
    let restored = restore_into(wanted, &making, progress).and_then(|restored| {
        std::fs::rename(&making, &wanted.data).map_err(io(format!("naming {}", wanted.data.display())))?;
        sync_directory(&parent).map_err(io(format!("syncing {}", parent.display())))?;
        Ok(restored)
    });
    if restored.is_err() && making.exists() {
        // What cannot be removed is named by the next restore, which refuses to work there.
        let _ = std::fs::remove_dir_all(&making);
    }
    restored
}

/// Refuses a directory in which there is anything; one that a server has is said to be in use.
fn free(data: &Path) -> Result<(), BackupError> {
    match std::fs::read_dir(data) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io(format!("reading {}", data.display()))(error)),
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) if data.join("lock").exists() => {
                lock(data)?;
                Err(BackupError::NotEmpty(data.into()))
            }
            Some(_) => Err(BackupError::NotEmpty(data.into())),
        },
    }
}

/// Where a directory is made before it gets its name.
fn beside(data: &Path) -> Result<PathBuf, BackupError> {
    let unnamed =
        || io(format!("{} is no name of a directory", data.display()))(std::io::ErrorKind::InvalidInput.into());
    let mut name = data.file_name().ok_or_else(unnamed)?.to_owned();
    name.push(".part");
    Ok(data.with_file_name(name))
}

fn parent_of(path: &Path) -> PathBuf {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

fn restore_into(wanted: &Restore, making: &Path, progress: &mut dyn FnMut(u64)) -> Result<Restored, BackupError> {
    // Small, and what is most likely to be wrong: before anything that takes long.
    let keys = check(&wanted.keys, Part::Keys)?;
    let mut writing = Writing { place: making, file: None, taken: 0, progress };
    let data = unpack(&wanted.file, Part::Data, &mut writing)?;
    if keys.manifest.of.as_deref() != Some(&data.id) {
        let (keys, file) = (wanted.keys.display().to_string(), wanted.file.display().to_string());
        return Err(BackupError::OtherKeys { keys, file });
    }
    unpack(&wanted.keys, Part::Keys, &mut writing)?;
    let bytes = writing.taken;
    let report = verify(making)?;
    // What is known to be behind streams that go on from their state was so when the backup was taken.
    let damage = match report.damage {
        none if none.is_empty() => none,
        some => sort(&FileJournal::read_only(making)?, some).1,
    };
    let damage: Vec<_> = damage.iter().map(ToString::to_string).collect();
    if !damage.is_empty() && !wanted.despite_damage {
        return Err(BackupError::DamagedJournal(damage));
    }
    let erased = match &wanted.erasures {
        Some(ledger) => erase_again(making, ledger)?,
        None => 0,
    };
    let now_us = u64::try_from(System.now().0).unwrap_or(0);
    let incarnation = renew_incarnation(making, now_us)?.incarnation;
    // Everything below it, in one go.
    sync_directory(making).map_err(io(format!("syncing {}", making.display())))?;
    Ok(Restored { manifest: data.manifest, bytes, records: report.records, erased, incarnation, damage })
}

/// Destroys the keys that a ledger names, and answers how many were there. Keys that the backup's journal does not use are
/// left alone: what they sealed is not in it, and this life will use their numbers for something else.
fn erase_again(data: &Path, ledger: &Path) -> Result<u64, BackupError> {
    let named = erasures::read(ledger)?;
    let highest = FileJournal::read_only(data)?.highest_key();
    let keys = Keys::open(data, highest, Arc::new(System))?;
    let there: Vec<u64> = named.into_iter().filter(|number| *number <= highest && keys.key(*number).is_ok()).collect();
    keys.destroy(&there)?;
    Ok(there.len() as u64)
}

/// Writes members where they belong. Nothing is synced here: all of it is, once, at the end.
struct Writing<'a> {
    place: &'a Path,
    file: Option<File>,
    taken: u64,
    progress: &'a mut dyn FnMut(u64),
}

impl Take for Writing<'_> {
    fn begin(&mut self, member: &Member) -> std::io::Result<()> {
        let path = self.place.join(&member.path);
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let mode = if member.path.starts_with("keys/") { 0o600 } else { 0o644 };
        self.file = Some(OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?);
        Ok(())
    }

    fn piece(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        if let Some(file) = &mut self.file {
            file.write_all(bytes)?;
        }
        self.taken += bytes.len() as u64;
        (self.progress)(self.taken);
        Ok(())
    }
}
