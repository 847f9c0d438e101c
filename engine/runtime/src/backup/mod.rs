//! Backups: a consistent copy of a data directory, taken while the server goes on, and the way back.
//!
//! A backup is two files, each a tar file that begins with a manifest (`docs/backup-format.md`): the *data*, and the *keys*
//! that open what people wrote in it. They are apart so that each can be kept for its own time: whoever must forget
//! throws old keys away and keeps the history. State and caches are in neither; they are made again.
//!
//! Nothing is stopped for it. The journal says how far each of its segments is durable ([`FileJournal::extent`]), and is
//! only ever written behind that; components and schemas are never changed; keys are durable before they are used.

mod manifest;
mod pack;
mod restore;
#[cfg(test)]
mod tests;
mod unpack;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use interlink_journal::FileJournal;

pub(crate) use manifest::hex;
pub use manifest::{FORMAT, MANIFEST_BYTES_MAX, Manifest, Member, Part, is_id};
pub use pack::Packed;
pub(crate) use pack::Source;
pub use restore::{Restore, Restored, restore};
pub(crate) use unpack::unpack_segments;
pub use unpack::{Checked, check};

use crate::ambient::{Ambient, System};
use crate::engine::{Engine, OpenError, lock};
use crate::keys::KeyError;

/// Why a backup was not taken, or not restored. Nothing half is left behind.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The operating system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: String,
        /// The reason.
        source: std::io::Error,
    },
    /// The journal.
    #[error(transparent)]
    Journal(#[from] interlink_journal::OpenError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The data directory.
    #[error(transparent)]
    Directory(#[from] OpenError),
    /// A file has a name that no file of a data directory has.
    #[error("{path} is in the data directory and does not belong there; move it away")]
    Strange {
        /// The file.
        path: String,
    },
    /// A file is not what it was when the backup began, as when a key was destroyed meanwhile.
    #[error("{path} changed while it was copied; take the backup again")]
    Changed {
        /// The file.
        path: String,
    },
    /// A file that is no backup, or not the one that was wanted.
    #[error("{file} is no backup that can be used: {reason}")]
    NotOne {
        /// The file.
        file: String,
        /// Why.
        reason: String,
    },
    /// A member's checksum does not hold.
    #[error("{file} is damaged: {member} is not what it was when the backup was taken")]
    Damaged {
        /// The backup.
        file: String,
        /// What of it.
        member: String,
    },
    /// A file does not end where it should.
    #[error("{file} is not whole: {member} is missing, or something hangs on behind it")]
    Cut {
        /// The backup.
        file: String,
        /// Where it stops.
        member: String,
    },
    /// The keys belong to another backup.
    #[error("{keys} has the keys of another backup than {file}")]
    OtherKeys {
        /// The file of the keys.
        keys: String,
        /// The file of the data.
        file: String,
    },
    /// The keys are not there.
    #[error("{0} is not there: without its keys nothing that people wrote in a backup can be read. Say where they are")]
    NoKeys(PathBuf),
    /// Something is where the data directory is to be.
    #[error("{0} is not empty: restore into a directory that is not there, and give it its name afterwards")]
    NotEmpty(PathBuf),
    /// Another restore works there, or was interrupted.
    #[error("{0} is there: another restore works in it or was interrupted; remove it if none runs")]
    Unfinished(PathBuf),
    /// The journal was damaged already when the backup was taken.
    #[error("the journal in the backup was damaged when it was taken; what is whole can be had all the same:\n{}", .0.join("\n"))]
    DamagedJournal(Vec<String>),
}

fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> BackupError {
    let what = what.into();
    move |source| BackupError::Io { what, source }
}

impl Engine {
    fn source(&self) -> Result<&Source, BackupError> {
        let none = || BackupError::Io {
            what: "the journal has no files".into(),
            source: std::io::ErrorKind::Unsupported.into(),
        };
        self.source.as_ref().ok_or_else(none)
    }

    /// The data of a backup: everything that was acknowledged before this was called is in it. It reads all of the
    /// journal: call it off the asynchronous workers.
    pub fn backup_data(&self) -> Result<Packed, BackupError> {
        self.source()?.data(self.now().0)
    }

    /// The keys of a backup whose data has this id. Take them after the data.
    pub fn backup_keys(&self, of: &str) -> Result<Packed, BackupError> {
        self.source()?.keys(of, self.now().0)
    }
}

/// A data directory that no server has, to take a backup of.
pub struct Directory {
    source: Source,
    /// Held as long as this lives.
    _lock: File,
}

impl Directory {
    /// Takes the directory. Fails where a server has it, or where it is none.
    pub fn open(data: &Path) -> Result<Self, BackupError> {
        if !data.join("journal").is_dir() {
            let source = std::io::ErrorKind::NotFound.into();
            return Err(BackupError::Io { what: format!("{} holds no journal", data.display()), source });
        }
        let lock = lock(data)?;
        let journal = Arc::new(FileJournal::read_only(data)?);
        Ok(Self { source: Source { data: data.into(), journal }, _lock: lock })
    }

    /// The same as [`Engine::backup_data`].
    pub fn backup_data(&self) -> Result<Packed, BackupError> {
        self.source.data(System.now().0)
    }

    /// The same as [`Engine::backup_keys`].
    pub fn backup_keys(&self, of: &str) -> Result<Packed, BackupError> {
        self.source.keys(of, System.now().0)
    }
}
