//! Checkpoints: what changed goes into sled, in key order, and at the end the position that it includes.
//!
//! sled's `flush` does not reach the disk on Linux (`sync_file_range`), so a checkpoint syncs sled's files itself before
//! it writes the position: after a power cut the rows are there whenever the position is.

use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use interlink_journal::sync_directory;

use super::{INCLUDED, Included, State, StateError, Stored, row};
use crate::ambient::Ambient;

/// Time between checkpoints while nothing presses.
const INTERVAL: Duration = Duration::from_secs(2);
/// Rows in one sled batch: a batch holds sled's lock, and readers wait for it.
const BATCH_ROWS: usize = 256;
/// Pause after a batch while nothing presses, so that a checkpoint leaves the disk to the journal.
const PACE: Duration = Duration::from_millis(2);

/// The thread that makes checkpoints.
pub struct Checkpointer {
    state: Arc<State>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts it.
    pub fn start(
        state: Arc<State>,
        identity: interlink_journal::Identity,
        ambient: Arc<dyn Ambient>,
    ) -> std::io::Result<Self> {
        let shared = Arc::clone(&state);
        let thread = std::thread::Builder::new().name("state-checkpoint".into()).spawn(move || {
            loop {
                let stop = shared.wait_for_checkpoint();
                if let Err(error) = shared.checkpoint(identity, &*ambient) {
                    shared.mark_damaged(&error.to_string());
                }
                if stop {
                    return;
                }
            }
        })?;
        Ok(Self { state, thread: Some(thread) })
    }

    /// Makes a last checkpoint and ends the thread.
    pub fn stop(&mut self) {
        self.state.wake.0.lock().stop = true;
        self.state.wake.1.notify_one();
        if let Some(thread) = self.thread.take() {
            // A checkpoint that panicked has left the position where it was.
            let _ = thread.join();
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl State {
    /// Waits for the next checkpoint's time; says whether it is the last.
    fn wait_for_checkpoint(&self) -> bool {
        let until = Instant::now() + INTERVAL;
        let mut wake = self.wake.0.lock();
        while !wake.now && !wake.stop {
            if self.wake.1.wait_until(&mut wake, until).timed_out() {
                break;
            }
        }
        wake.now = false;
        wake.stop
    }

    /// Writes everything that changed, and the position that is included.
    pub fn checkpoint(&self, identity: interlink_journal::Identity, ambient: &dyn Ambient) -> Result<(), StateError> {
        let (rows, position) = {
            let mut layers = self.layers.write();
            let mut rows = std::mem::take(&mut layers.dirty);
            // What a failed checkpoint left goes with this one, where nothing newer is there.
            for (key, entry) in layers.flushing.take().iter().flat_map(|left| left.iter()) {
                rows.entry(key.clone()).or_insert_with(|| entry.clone());
            }
            if rows.is_empty() {
                return Ok(());
            }
            let rows = Arc::new(rows);
            layers.flushing_bytes += std::mem::take(&mut layers.dirty_bytes);
            layers.flushing = Some(Arc::clone(&rows));
            (rows, layers.applied)
        };
        let mut batch = sled::Batch::default();
        let mut many = 0;
        for (key, entry) in rows.iter() {
            match row::encode(ambient, key, entry) {
                Some(encoded) => batch.insert(key.as_slice(), encoded),
                None => batch.remove(key.as_slice()),
            }
            many += 1;
            if many == BATCH_ROWS {
                self.db.apply_batch(std::mem::take(&mut batch))?;
                many = 0;
                if !self.is_pressed() {
                    std::thread::sleep(PACE);
                }
            }
        }
        self.db.apply_batch(batch)?;
        self.sync()?;
        let included = Included { journal: identity.journal, incarnation: identity.incarnation, position };
        let payload = rmp_serde::to_vec(&included).expect("numbers encode");
        self.db.insert(INCLUDED, Stored { position, key: 0, payload }.encode())?;
        self.db.flush()?;
        let mut layers = self.layers.write();
        layers.flushing = None;
        layers.flushing_bytes = 0;
        drop(layers);
        self.room.notify_waiters();
        Ok(())
    }

    fn is_pressed(&self) -> bool {
        let layers = self.layers.read();
        layers.dirty_bytes > self.dirty_bytes_max / 4 || self.wake.0.lock().stop
    }

    /// Brings everything that sled has been told to the disk, really.
    fn sync(&self) -> Result<(), StateError> {
        self.db.flush()?;
        let io = |what: &str| {
            let what = what.to_owned();
            move |source| StateError::Io { what, source }
        };
        for name in ["db", "conf"] {
            let path = self.place.join(name);
            if path.exists() {
                File::open(&path).and_then(|file| file.sync_all()).map_err(io("syncing the state"))?;
            }
        }
        // A directory is synced when something has come or gone in it since it last was.
        let names = std::fs::read_dir(&self.place).map_err(io("listing the state"))?;
        let names: BTreeSet<_> = names.filter_map(|entry| entry.ok().map(|entry| entry.file_name())).collect();
        let mut known = self.files.lock();
        if *known != names {
            sync_directory(&self.place).map_err(io("syncing the state's directory"))?;
            *known = names;
        }
        Ok(())
    }
}
