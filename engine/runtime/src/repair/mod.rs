//! Mending what the audit finds damaged in the journal, on a directory that no server has.
//!
//! The best mending is a backup's: bytes that are damaged here and sound there are put back, and nothing is lost.

mod putting_back;

use std::path::{Path, PathBuf};

use interlink_journal::{Damage, Report, verify};

use crate::backup::BackupError;
use crate::engine::{OpenError, lock};

/// What is to be mended, and with what.
#[derive(Debug, Clone)]
pub struct Repair {
    /// The data directory.
    pub data: PathBuf,
    /// The data of a backup of the same journal; its keys are not wanted.
    pub from: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug)]
pub struct Mended {
    /// Every damaged place, with what was done about it.
    pub places: Vec<Place>,
    /// Segments of the backup that do not fit those that are here, each with the reason.
    pub unused: Vec<(String, &'static str)>,
}

impl Mended {
    /// Whether nothing that is damaged is left.
    pub fn is_whole(&self) -> bool {
        self.places.iter().all(|place| !matches!(place.fate, Fate::Left))
    }
}

/// A damaged place.
#[derive(Debug, Clone)]
pub struct Place {
    /// Where, and what.
    pub damage: Damage,
    /// What was done about it.
    pub fate: Fate,
}

/// What was done about damage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is as it was before.
    PutBack,
    /// It is damaged still.
    Left,
}

/// Why nothing was mended.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// The directory.
    #[error(transparent)]
    Directory(#[from] OpenError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] interlink_journal::OpenError),
    /// The backup.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// The backup is of something else.
    #[error("{file} is a backup of journal {there}, and {data} has journal {here}")]
    OtherJournal {
        /// The backup.
        file: String,
        /// Id of the journal in it, as hexadecimal digits.
        there: String,
        /// The data directory.
        data: String,
        /// Id of its journal.
        here: String,
    },
    /// The operating system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: String,
        /// The reason.
        source: std::io::Error,
    },
}

fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> RepairError {
    let what = what.into();
    move |source| RepairError::Io { what, source }
}

/// Mends a data directory. Where nothing is given to mend it with, it only says what is damaged and changes nothing.
pub fn repair(wanted: &Repair) -> Result<Mended, RepairError> {
    let Repair { data, from } = wanted;
    if !data.join("journal").is_dir() {
        return Err(io(format!("{} holds no journal", data.display()))(std::io::ErrorKind::NotFound.into()));
    }
    let _lock = lock(data)?;
    let before = verify(data)?;
    let unused = match from {
        Some(file) => putting_back::put_back(data, file, &before)?,
        None => Vec::new(),
    };
    let after =
        if from.is_some() { verify(data)? } else { Report { damage: before.damage.clone(), ..Report::default() } };
    Ok(Mended { places: places(before.damage, &after.damage), unused })
}

/// What was damaged, and what still is.
fn places(before: Vec<Damage>, after: &[Damage]) -> Vec<Place> {
    let new = after.iter().filter(|damage| !before.contains(damage)).cloned();
    let new: Vec<_> = new.map(|damage| Place { damage, fate: Fate::Left }).collect();
    let fate = |damage: &Damage| if after.contains(damage) { Fate::Left } else { Fate::PutBack };
    before.into_iter().map(|damage| Place { fate: fate(&damage), damage }).chain(new).collect()
}

/// A directory of its own below the data directory, gone when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    /// Makes it; what an earlier one left is removed.
    fn make(data: &Path) -> Result<Self, RepairError> {
        let place = data.join("repair.part");
        let making = || io(format!("making {}", place.display()));
        if place.exists() {
            std::fs::remove_dir_all(&place).map_err(making())?;
        }
        std::fs::create_dir(&place).map_err(making())?;
        Ok(Self(place))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is removed by the next repair.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
