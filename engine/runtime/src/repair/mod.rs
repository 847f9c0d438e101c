//! Mending what the audit finds damaged in the journal, on a directory that no server has.
//!
//! The best mending is a backup's: bytes that are damaged here and sound there are put back, and nothing is lost. Where there
//! is no backup, a stream of which the state has all goes on from that, and what is damaged of its history is given up.

mod from_state;
mod putting_back;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use interlink_journal::{Damage, FileJournal, Stream, verify};

use self::from_state::Verdicts;
use crate::backup::BackupError;
use crate::engine::{OpenError, lock};
use crate::mended::sort;

/// What is to be mended, and with what.
#[derive(Debug, Clone)]
pub struct Repair {
    /// The data directory.
    pub data: PathBuf,
    /// The data of a backup of the same journal; its keys are not wanted.
    pub from: Option<PathBuf>,
    /// Whether streams that are damaged still go on from the state.
    pub from_state: bool,
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
    /// How many places are damaged still.
    pub fn left(&self) -> usize {
        self.places.iter().filter(|place| matches!(place.fate, Fate::Left(_))).count()
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
    /// Its stream goes on from the state; these versions are lost, the first and the last.
    GoesOn([u64; 2]),
    /// Its stream went on from the state before.
    Known([u64; 2]),
    /// It is damaged still. Where its stream could go on from the state, the versions that would be lost; or why it could not.
    Left(Result<[u64; 2], String>),
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

/// Mends a data directory. Where nothing is given to mend it with, it only says what each would do, and changes nothing.
pub fn repair(wanted: &Repair) -> Result<Mended, RepairError> {
    let Repair { data, from, from_state } = wanted;
    if !data.join("journal").is_dir() {
        return Err(io(format!("{} holds no journal", data.display()))(std::io::ErrorKind::NotFound.into()));
    }
    let _lock = lock(data)?;
    let before = verify(data)?;
    let found_before = Found::of(data, before.damage.clone())?;
    let is_plan = from.is_none() && !from_state;
    let unused = if is_plan { Vec::new() } else { putting_back::put_back(data, from.as_deref(), &before)? };
    let between = if is_plan { found_before.clone() } else { Found::of(data, verify(data)?.damage)? };
    let streams: BTreeSet<Stream> = between.left.iter().filter_map(Damage::stream).collect();
    let verdicts = match from_state {
        _ if streams.is_empty() => Verdicts::new(),
        true => from_state::go_on(data, &streams)?,
        false => from_state::plan(data, &streams)?,
    };
    let goes_on = *from_state && verdicts.values().any(Result::is_ok);
    let after = if goes_on { Found::of(data, verify(data)?.damage)? } else { between };
    let new = after.left.iter().filter(|damage| !before.damage.contains(damage)).cloned();
    let damage = before.damage.iter().cloned().chain(new);
    let fate = |damage: &Damage| match (find(&after.known, damage), after.left.contains(damage)) {
        (Some(lost), _) if find(&found_before.known, damage).is_some() => Fate::Known(lost),
        (Some(lost), _) => Fate::GoesOn(lost),
        (None, true) => Fate::Left(verdict(&verdicts, damage)),
        (None, false) => Fate::PutBack,
    };
    let places = damage.map(|damage| Place { fate: fate(&damage), damage }).collect();
    Ok(Mended { places, unused })
}

/// Damage, sorted by whether it is known to be behind a stream that goes on from its state.
#[derive(Clone)]
struct Found {
    known: Vec<(Damage, [u64; 2])>,
    left: Vec<Damage>,
}

impl Found {
    fn of(data: &Path, damage: Vec<Damage>) -> Result<Self, RepairError> {
        if damage.is_empty() {
            return Ok(Self { known: Vec::new(), left: damage });
        }
        let journal = FileJournal::read_only(data)?;
        let (known, left) = sort(&journal, damage);
        let known = known.into_iter().map(|(damage, says)| (damage, [says.lost_from, says.lost_to]));
        Ok(Self { known: known.collect(), left })
    }
}

fn find(known: &[(Damage, [u64; 2])], damage: &Damage) -> Option<[u64; 2]> {
    known.iter().find(|(known, _)| known == damage).map(|(_, lost)| *lost)
}

fn verdict(verdicts: &Verdicts, damage: &Damage) -> Result<[u64; 2], String> {
    let unknown = || Err("whose it was cannot be told from it".into());
    damage.stream().and_then(|stream| verdicts.get(&stream).cloned()).unwrap_or_else(unknown)
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
