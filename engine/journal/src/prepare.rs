//! The next segment is made ready while this one is filled: a hundred thousand appends later nobody waits for zeros.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::disk::Disk;

/// Name of the file that waits to become a segment.
const PREPARED: &str = "prepared";
/// Name of that file while it is being made.
const MAKING: &str = "prepared.tmp";

/// Makes the files that become segments.
pub(crate) struct Maker {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    segment_bytes: u64,
    stop: AtomicBool,
    /// Held while a file is made: whoever comes second finds it there.
    making: Mutex<()>,
}

impl Maker {
    /// Makes files of `segment_bytes` in `directory`.
    pub fn new(disk: Arc<dyn Disk>, directory: PathBuf, segment_bytes: u64) -> Self {
        Self { disk, directory, segment_bytes, stop: AtomicBool::new(false), making: Mutex::new(()) }
    }

    /// The file that waits, made now where there is none: full of zeros, synced, its directory synced.
    pub fn prepared(&self) -> std::io::Result<PathBuf> {
        let _making = self.making.lock();
        let path = self.directory.join(PREPARED);
        if std::fs::metadata(&path).is_ok_and(|meta| meta.len() == self.segment_bytes) {
            return Ok(path);
        }
        let making = self.directory.join(MAKING);
        self.disk.preallocate(&making, self.segment_bytes, &self.stop)?;
        self.disk.rename(&making, &path)?;
        self.disk.sync_directory(&self.directory)?;
        Ok(path)
    }

    /// Throws the file that waits away, so that none is used on which something failed.
    pub fn discard(&self) -> std::io::Result<()> {
        let _making = self.making.lock();
        match self.disk.remove(&self.directory.join(PREPARED)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

/// The thread that makes them ahead.
pub(crate) struct Preparer {
    pub maker: Arc<Maker>,
    wanted: mpsc::Sender<()>,
    thread: std::thread::JoinHandle<()>,
}

impl Preparer {
    /// Starts the thread. Where a file cannot be made it tries again after `pause`, for as long as it takes: that the
    /// next segment is not ready concerns nobody before this one is full.
    pub fn start(
        disk: Arc<dyn Disk>,
        directory: PathBuf,
        segment_bytes: u64,
        pause: Duration,
    ) -> std::io::Result<Self> {
        let maker = Arc::new(Maker::new(disk, directory, segment_bytes));
        let (wanted, want) = mpsc::channel::<()>();
        let ahead = Arc::clone(&maker);
        let work = move || {
            while let Ok(()) = want.recv() {
                while ahead.prepared().is_err() {
                    if want.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Disconnected) {
                        return;
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("journal-prepare".into()).spawn(work)?;
        Ok(Self { maker, wanted, thread })
    }

    /// Asks for the next file.
    pub fn order(&self) {
        // The thread lives until its sender is dropped: the send cannot fail.
        let _ = self.wanted.send(());
    }

    /// Ends the thread: whoever opens the directory next finds nobody else at work in it.
    pub fn end(self) {
        self.maker.stop.store(true, Ordering::Relaxed);
        drop(self.wanted);
        // A thread that panicked has made nothing that anybody uses.
        let _ = self.thread.join();
    }
}
