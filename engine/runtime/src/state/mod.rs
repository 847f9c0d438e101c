//! What the events add up to, kept in sled, written behind.
//!
//! The state may be behind the journal, never ahead of it: a row is put here only after its event is durable. What
//! changed since the last checkpoint is in memory, bounded in bytes; a checkpoint writes it in key order and ends with
//! the position that it includes. On start the rest is replayed. Nothing here is the only copy of anything, so the
//! answer to damage is always the same: make it again.
//!
//! Replay over rows that are newer than the checkpoint's position is harmless, because each row carries the position of
//! the last event in it.

mod checkpoint;
mod row;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use interlink_journal::Position;
use interlink_model::asset::Asset;
use interlink_model::process::Process;
use parking_lot::{Condvar, Mutex, RwLock};

pub use checkpoint::Checkpointer;
pub use row::{Stored, Summary, open_asset, open_process_row};

use crate::keys::SealingKey;

/// What may wait in memory for a checkpoint, in bytes: beyond it commands wait.
pub const DIRTY_BYTES_MAX: usize = 256 << 20;
/// sled's cache, in bytes.
const CACHE_BYTES: u64 = 128 << 20;

/// Rows of each layer in memory that a scan looks at in one go, at least and at most: rows that are gone count too.
const SCANNED_AT_ONCE_MIN: usize = 64;
const SCANNED_AT_ONCE_MAX: usize = 65_536;

/// First byte of a row's key: what the row is.
pub mod table {
    /// A process, by id.
    pub const PROCESS: u8 = b'p';
    /// What adoption counts of a process that is archived, by id: all that is left of it here.
    pub const ARCHIVED: u8 = b'z';
    /// The head of an asset, by id.
    pub const ASSET: u8 = b'a';
    /// A key of an asset's state, by asset and key.
    pub const VALUE: u8 = b'v';
    /// From a login's stream to its person.
    pub const LOGIN: u8 = b'h';
    /// A remembered answer, by its stream.
    pub const ANSWER: u8 = b'k';
    /// A use of an Interlinker, by process and position.
    pub const USE: u8 = b'u';
    /// From a position to the process whose use it is.
    pub const USE_ORDER: u8 = b'g';
    /// When a person was last active.
    pub const ACTIVE: u8 = b'w';
    /// Counters of an Interlinker's uses, by name.
    pub const COUNTERS: u8 = b'n';
    /// Counters of a service's uses, and everybody whom it served, by its name.
    pub const SERVED: u8 = b's';
    /// What assets hold, by their Interlinker's name, by their process and by its organization.
    pub const HELD: u8 = b'q';
    /// The next timer of a process, by instant and process.
    pub const DUE: u8 = b'd';
    /// The oldest effect of a process that can be carried out, by the time it was asked for and process.
    pub const WORK: u8 = b'e';
    /// An incident, by its id.
    pub const INCIDENT: u8 = b'i';
    /// A call that asks the world outside and has not ended, by its id.
    pub const CALL: u8 = b'x';
    /// The next alarm of an asset, by instant and asset.
    pub const ALARM: u8 = b'l';
    /// What somebody was told, by person and position.
    pub const NOTICE: u8 = b't';
    /// What somebody has read of it, by person and position.
    pub const READ: u8 = b'r';
    /// Up to which position somebody has read everything, by person.
    pub const READ_UNTIL: u8 = b'o';
    /// Withdrawn versions of which people have been told.
    pub const TOLD: u8 = b'j';
    /// What the state says of itself.
    pub const META: u8 = b'm';
}

/// A row as it waits in memory; entities are encoded only when they are written, so that repeated changes cost one
/// encoding.
#[derive(Debug, Clone)]
pub enum Value {
    /// Bytes that hold nothing that must be sealed.
    Bytes(Arc<[u8]>),
    /// A process.
    Process(Arc<Process>, SealingKey),
    /// The head of an asset.
    Asset(Arc<Asset>, SealingKey),
    /// The row is gone.
    Gone,
}

impl Value {
    /// Bytes.
    pub fn bytes(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::Bytes(bytes.into())
    }

    /// About how much memory it holds.
    fn weight(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Process(process, _) => {
                let held =
                    process.assets.len() + process.timers.len() + process.effects.len() + process.incidents.len();
                let votes: usize = process.votes.values().map(|vote| vote.cast.len()).sum();
                512 + process.tasks.len() * 120 + held * 96 + votes * 32
            }
            Self::Asset(..) => 1_024,
            Self::Gone => 0,
        }
    }
}

#[derive(Debug, Clone)]
struct Entry {
    position: Position,
    value: Value,
}

type Rows = BTreeMap<Vec<u8>, Entry>;

#[derive(Default)]
struct Layers {
    /// Changed since the last checkpoint began.
    dirty: Rows,
    dirty_bytes: usize,
    /// Being written by a checkpoint.
    flushing: Option<Arc<Rows>>,
    flushing_bytes: usize,
    /// The last position whose changes are all here.
    applied: Position,
}

/// A row that was found.
#[derive(Debug, Clone)]
pub enum Found {
    /// In memory, with its position.
    Live(Position, Value),
    /// In sled.
    Stored(Stored),
}

/// The state of a data directory.
pub struct State {
    layers: RwLock<Layers>,
    db: sled::Db,
    place: PathBuf,
    /// Wakes the checkpoint before its time.
    wake: (Mutex<Wake>, Condvar),
    room: tokio::sync::Notify,
    damaged: AtomicBool,
    /// Where damage is noted for the next start; nowhere for an audit, which changes nothing.
    mark: Option<PathBuf>,
    /// What may wait in memory, in bytes.
    dirty_bytes_max: usize,
    /// Names in sled's directory when it was last synced.
    files: Mutex<BTreeSet<std::ffi::OsString>>,
}

#[derive(Default)]
struct Wake {
    now: bool,
    stop: bool,
}

/// Why a state could not be opened or written. Its only consequence is that it is made again.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// sled refused.
    #[error("the state: {0}")]
    Sled(#[from] sled::Error),
    /// The operating system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was attempted.
        what: String,
        /// The reason.
        source: std::io::Error,
    },
    /// sled could not read what it finds.
    #[error("the state is damaged: {0}")]
    Damaged(String),
}

/// Name of the directory in a data directory.
pub const STATE_DIRECTORY: &str = "state";
/// A file of this name says that the state was found damaged and is to be made again at the next start.
const MARK: &str = "state.damaged";

/// What a checkpoint wrote last of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Included {
    journal: [u8; 16],
    incarnation: u64,
    position: Position,
}

const INCLUDED: &[u8] = &[table::META, b'i'];

/// How long sled may take to let go of its files: it does so behind whoever drops it, and nobody else can have them, because
/// the directory is ours.
const LETS_GO_WITHIN: Duration = Duration::from_secs(5);

fn open_sled(config: &sled::Config) -> Result<sled::Db, StateError> {
    let begun = Instant::now();
    loop {
        // sled panics on some of what a flipped bit can do to it.
        let opened = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| config.open()));
        match opened.map_err(|_| StateError::Damaged("it does not open".into()))? {
            Err(error) if is_held(&error) && begun.elapsed() < LETS_GO_WITHIN => {
                std::thread::sleep(Duration::from_millis(10));
            }
            opened => return Ok(opened?),
        }
    }
}

fn is_held(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(error) if error.to_string().contains("could not acquire lock"))
}

impl State {
    /// Opens the state of a data directory and tells the position that it includes: 0 where there is none, where it
    /// belongs to another journal, or where it was damaged and has been removed.
    pub fn open(
        data: &Path,
        identity: interlink_journal::Identity,
        durable: Position,
    ) -> Result<(Arc<Self>, Position), StateError> {
        let place = data.join(STATE_DIRECTORY);
        let mark = data.join(MARK);
        if mark.exists() {
            tracing::warn!("the state was found damaged; making it again from the journal");
            remove(&place, &mark)?;
        }
        let (db, included) = match Self::try_open(&place, identity, durable) {
            Ok(opened) => opened,
            Err(error) => {
                tracing::warn!(%error, "the state cannot be used; making it again from the journal");
                remove(&place, &mark)?;
                Self::try_open(&place, identity, durable)?
            }
        };
        Ok((Arc::new(Self::of(db, place, included, Some(mark))), included))
    }

    /// Opens the state of a data directory as it is, for an audit: what cannot be used is an error, and nothing is removed.
    /// Where there is no state yet, an empty one that includes nothing stands in.
    pub fn open_as_it_is(
        data: &Path,
        identity: interlink_journal::Identity,
        durable: Position,
    ) -> Result<(Arc<Self>, Position), StateError> {
        if data.join(MARK).exists() {
            return Err(StateError::Damaged("a server found it so; the next start makes it again".into()));
        }
        let place = data.join(STATE_DIRECTORY);
        if !place.exists() {
            return Ok((Arc::new(Self::nothing()?), 0));
        }
        let (db, included) = Self::try_open(&place, identity, durable)?;
        Ok((Arc::new(Self::of(db, place, included, None)), included))
    }

    /// An empty state that is gone when it is dropped.
    pub fn nothing() -> Result<Self, StateError> {
        Ok(Self::of(sled::Config::new().temporary(true).open()?, PathBuf::new(), 0, None))
    }

    fn of(db: sled::Db, place: PathBuf, included: Position, mark: Option<PathBuf>) -> Self {
        Self {
            layers: RwLock::new(Layers { applied: included, ..Layers::default() }),
            db,
            place,
            wake: Default::default(),
            room: tokio::sync::Notify::new(),
            damaged: AtomicBool::new(false),
            mark,
            dirty_bytes_max: DIRTY_BYTES_MAX,
            files: Mutex::default(),
        }
    }

    fn try_open(
        place: &Path,
        identity: interlink_journal::Identity,
        durable: Position,
    ) -> Result<(sled::Db, Position), StateError> {
        let config = sled::Config::new().path(place).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        let db = open_sled(&config)?;
        let row = db.get(INCLUDED)?;
        let Some(row) = row else {
            return if db.is_empty() {
                Ok((db, 0))
            } else {
                Err(StateError::Damaged("a first checkpoint was not finished".into()))
            };
        };
        let stored = Stored::decode(&row).ok_or_else(|| StateError::Damaged("its position".into()))?;
        let included: Included =
            rmp_serde::from_slice(&stored.payload).map_err(|error| StateError::Damaged(error.to_string()))?;
        if included.journal != identity.journal || included.incarnation != identity.incarnation {
            return Err(StateError::Damaged("it belongs to another journal".into()));
        }
        if included.position > durable {
            return Err(StateError::Damaged("it is ahead of the journal".into()));
        }
        Ok((db, included.position))
    }

    /// Puts rows that the event at `position` changed.
    pub fn put(&self, position: Position, rows: impl IntoIterator<Item = (Vec<u8>, Value)>) {
        let mut layers = self.layers.write();
        for (key, value) in rows {
            layers.dirty_bytes += key.len() + value.weight();
            if let Some(before) = layers.dirty.insert(key.clone(), Entry { position, value }) {
                layers.dirty_bytes = layers.dirty_bytes.saturating_sub(key.len() + before.value.weight());
            }
        }
    }

    /// Says that everything up to a position is here.
    pub fn advance(&self, position: Position) {
        let mut layers = self.layers.write();
        layers.applied = layers.applied.max(position);
        let urgent = layers.dirty_bytes > self.dirty_bytes_max / 4;
        drop(layers);
        if urgent {
            self.wake.0.lock().now = true;
            self.wake.1.notify_one();
        }
    }

    /// The last position whose changes are all here.
    pub fn applied(&self) -> Position {
        self.layers.read().applied
    }

    /// Whether so much waits for a checkpoint that commands must wait too.
    pub fn is_full(&self) -> bool {
        let layers = self.layers.read();
        layers.dirty_bytes + layers.flushing_bytes > self.dirty_bytes_max
    }

    /// Waits until there is room again.
    pub async fn room(&self) {
        while self.is_full() {
            let room = self.room.notified();
            if self.is_full() {
                // A checkpoint that ends between the check and the wait has told already: look again after a while.
                let _ = tokio::time::timeout(Duration::from_millis(100), room).await;
            }
        }
    }

    /// A row.
    pub fn get(&self, key: &[u8]) -> Option<Found> {
        {
            let layers = self.layers.read();
            let flushing = layers.flushing.as_ref().and_then(|rows| rows.get(key));
            if let Some(Entry { position, value }) = layers.dirty.get(key).or(flushing) {
                return match value {
                    Value::Gone => None,
                    value => Some(Found::Live(*position, value.clone())),
                };
            }
        }
        // sled panics on some of what a flipped bit can do to it.
        let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.db.get(key)));
        let row = match read {
            Ok(Ok(row)) => row?,
            Ok(Err(error)) => {
                self.mark_damaged(&error.to_string());
                return None;
            }
            Err(_) => {
                self.mark_damaged("a row cannot be read");
                return None;
            }
        };
        let stored = Stored::decode(&row);
        if stored.is_none() {
            self.mark_damaged("a row does not fit its checksum");
        }
        stored.map(Found::Stored)
    }

    /// Rows whose key begins with `prefix`, in order, those after a key, at most `limit`.
    pub fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Vec<(Vec<u8>, Found)> {
        let mut rows = Vec::new();
        let mut from = match after {
            Some(after) => Bound::Excluded(after.to_vec()),
            None => Bound::Included(prefix.to_vec()),
        };
        while rows.len() < limit {
            match self.scan_some(prefix, from, limit, &mut rows) {
                Some(horizon) => from = Bound::Excluded(horizon),
                None => break,
            }
        }
        rows
    }

    /// Adds rows up to `limit`. Only so many of the layers in memory are looked at in one go; where one had more, this
    /// ends at the last key that is known of all layers, and answers it: what is behind would be taken from sled alone,
    /// rows that are gone among it.
    fn scan_some(
        &self,
        prefix: &[u8],
        from: Bound<Vec<u8>>,
        limit: usize,
        rows: &mut Vec<(Vec<u8>, Found)>,
    ) -> Option<Vec<u8>> {
        let at_once = limit.clamp(SCANNED_AT_ONCE_MIN, SCANNED_AT_ONCE_MAX);
        // The layers are taken before sled is read: what a checkpoint moves meanwhile is then seen twice, never lost.
        let mut live: BTreeMap<Vec<u8>, Option<Found>> = BTreeMap::new();
        let mut horizon: Option<Vec<u8>> = None;
        {
            let layers = self.layers.read();
            for layer in layers.flushing.as_deref().into_iter().chain([&layers.dirty]) {
                let below = layer.range((from.clone(), Bound::Unbounded));
                let mut below = below.take_while(|(key, _)| key.starts_with(prefix));
                let mut last = None;
                for (key, entry) in below.by_ref().take(at_once) {
                    let found = match &entry.value {
                        Value::Gone => None,
                        value => Some(Found::Live(entry.position, value.clone())),
                    };
                    live.insert(key.clone(), found);
                    last = Some(key);
                }
                if below.next().is_some() {
                    horizon = horizon.into_iter().chain(last.cloned()).min();
                }
            }
        }
        let end = horizon.clone();
        let merging = || self.merge(prefix, from, limit, live, horizon, rows);
        match std::panic::catch_unwind(std::panic::AssertUnwindSafe(merging)) {
            Ok(()) if rows.len() < limit => end,
            Ok(()) => None,
            Err(_) => {
                self.mark_damaged("rows cannot be read");
                None
            }
        }
    }

    /// Merges rows of memory and sled, in order, up to a horizon.
    fn merge(
        &self,
        prefix: &[u8],
        from: Bound<Vec<u8>>,
        limit: usize,
        live: BTreeMap<Vec<u8>, Option<Found>>,
        horizon: Option<Vec<u8>>,
        rows: &mut Vec<(Vec<u8>, Found)>,
    ) {
        let is_within = |key: &[u8]| horizon.as_deref().is_none_or(|horizon| key <= horizon);
        let mut live = live.into_iter().filter(|(key, _)| is_within(key)).peekable();
        let mut stored = self.db.range((from, Bound::Unbounded)).peekable();
        while rows.len() < limit {
            let next_stored = match stored.peek() {
                Some(Ok((key, _))) if key.starts_with(prefix) && is_within(key) => Some(key.to_vec()),
                Some(Err(error)) => {
                    self.mark_damaged(&error.to_string());
                    None
                }
                _ => None,
            };
            match (live.peek(), next_stored) {
                (None, None) => return,
                (Some((key, _)), next) if next.as_ref().is_none_or(|next| key <= next) => {
                    if next.as_ref() == Some(key) {
                        stored.next();
                    }
                    if let Some((key, Some(found))) = live.next() {
                        rows.push((key, found));
                    }
                }
                (_, Some(_)) => {
                    if let Some(Ok((key, row))) = stored.next() {
                        match Stored::decode(&row) {
                            Some(found) => rows.push((key.to_vec(), Found::Stored(found))),
                            None => self.mark_damaged("a row does not fit its checksum"),
                        }
                    }
                }
                (Some(_), None) => unreachable!("a live row without a stored one is taken above"),
            }
        }
    }

    /// Whether something was found damaged.
    pub fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Notes that the state is damaged: it is made again at the next start.
    pub fn mark_damaged(&self, why: &str) {
        if self.damaged.swap(true, Ordering::Relaxed) {
            return;
        }
        let Some(mark) = &self.mark else { return };
        tracing::error!(why, "the state is damaged; it is made again at the next start");
        if let Err(error) = std::fs::write(mark, why) {
            tracing::error!(%error, "the damage could not be noted");
        }
    }
}

/// Removes the state of a data directory: the journal makes it again.
pub fn remove_state(data: &Path) -> Result<(), StateError> {
    remove(&data.join(STATE_DIRECTORY), &data.join(MARK))
}

fn remove(place: &Path, mark: &Path) -> Result<(), StateError> {
    for removed in [std::fs::remove_dir_all(place), std::fs::remove_file(mark)] {
        match removed {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(StateError::Io { what: "removing the state".into(), source }),
        }
    }
    Ok(())
}

/// A row's key.
pub fn key(table: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    key.push(table);
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}
