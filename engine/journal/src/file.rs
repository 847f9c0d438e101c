//! The journal that needs nothing but a directory.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::committer::Committer;
use crate::disk::{Disk, RealDisk, is_full};
use crate::draft::Known;
use crate::format::{SEGMENT_BYTES, SEGMENT_BYTES_MIN};
use crate::index::keeper::Keeper;
use crate::open::Found;
use crate::prepare::Preparer;
use crate::queue::Queue;
use crate::recovery::Damage;
use crate::segment::io;
use crate::shared::Shared;
use crate::succession::{Succession, random};
use crate::{Append, Done, Head, Identity, Journal, OpenError, Position, ReadError, Record, Stream};

/// Between two tries to go on after a failure: soon enough that nobody waits for a disk that was freed, seldom enough
/// that a broken one is not kept busy.
pub const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// How a journal is opened.
#[derive(Clone)]
pub struct Options {
    /// Size of its segments, bytes; at least [`SEGMENT_BYTES_MIN`], so that an append and its frame fit.
    pub segment_bytes: u64,
    /// Between two tries to go on after a failure, [`RETRY_PAUSE`] but in tests.
    pub retry_pause: Duration,
    /// What changes files, [`RealDisk`] but in tests.
    pub disk: Arc<dyn Disk>,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: SEGMENT_BYTES, retry_pause: RETRY_PAUSE, disk: Arc::new(RealDisk) }
    }
}

/// A journal in a directory: `journal/` holds its segments, `quarantine/` what recovery cut off.
pub struct FileJournal {
    pub(crate) shared: Arc<Shared>,
    /// `journal/`.
    pub(crate) directory: PathBuf,
    /// The committer, then the keeper of the index.
    threads: Mutex<Vec<std::thread::JoinHandle<()>>>,
}

impl FileJournal {
    /// Opens the journal of a data directory, or makes one. What a crash left behind is cut off, what is damaged is
    /// listed, and a new segment is opened. On a full disk it is opened read-only, and takes appends once there is
    /// space.
    ///
    /// The caller makes sure that nobody else has the directory open.
    pub fn open(data: &Path) -> Result<Self, OpenError> {
        Self::open_on(data, Options::default())
    }

    /// The same with segments of another size: an append and its frame must fit into one.
    pub fn open_with(data: &Path, segment_bytes: u64) -> Result<Self, OpenError> {
        Self::open_on(data, Options { segment_bytes, ..Options::default() })
    }

    /// The same with everything that can be chosen.
    pub fn open_on(data: &Path, options: Options) -> Result<Self, OpenError> {
        let Options { segment_bytes, retry_pause, disk } = options;
        let segment_bytes = segment_bytes.max(SEGMENT_BYTES_MIN);
        let directory = data.join("journal");
        let made = !directory.exists();
        disk.make_directory(&directory).map_err(io("making journal/"))?;
        if made {
            disk.sync_directory(data).map_err(io("syncing the data directory"))?;
        }
        let mut found = Found::read(&directory, &disk)?;
        let identity = match &found.header {
            Some(last) => last.identity(),
            None => Identity { journal: random().map_err(io("drawing a journal id"))?, incarnation: 1 },
        };
        let chain = found.chain;
        let preparer = Preparer::start(Arc::clone(&disk), directory.clone(), segment_bytes, retry_pause)
            .map_err(io("starting the preparing thread"))?;
        let mut succession = Succession {
            disk: Arc::clone(&disk),
            data: data.into(),
            maker: Arc::clone(&preparer.maker),
            identity,
            epoch: found.epoch,
            cuts: std::mem::take(&mut found.cuts),
        };
        let (active, queue) = match succession.go_on(chain) {
            Ok(active) => (Some(active), Queue::served(None)),
            Err(OpenError::Io { what, source }) if is_full(&source) => {
                (None, Queue::served(Some(format!("{what}: {source}").into())))
            }
            Err(error) => {
                preparer.end();
                return Err(error);
            }
        };
        preparer.order();
        let shared = Arc::new(Shared::of(found, identity, queue));
        if let Some(active) = &active {
            shared.enter(active, chain);
        }
        let keeper =
            Keeper { shared: Arc::clone(&shared), disk: Arc::clone(&disk), directory: directory.clone(), retry_pause };
        let committer = Committer {
            shared: Arc::clone(&shared),
            disk,
            succession,
            preparer,
            active,
            chain,
            segment_bytes,
            retry_pause,
            buffer: Vec::new(),
        };
        let committing = spawn("journal-commit", move || committer.run())?;
        let journal = Self { shared, directory, threads: Mutex::new(vec![committing]) };
        // From here on an error ends the committer with the journal.
        let keeping = spawn("journal-index", move || keeper.run())?;
        journal.threads.lock().push(keeping);
        Ok(journal)
    }

    /// Opens the journal of a data directory to read it, and changes nothing: what a start would cut off is left out and
    /// stays where it is, and appends are refused.
    pub fn read_only(data: &Path) -> Result<Self, OpenError> {
        let directory = data.join("journal");
        let found = Found::read(&directory, &(Arc::new(RealDisk) as Arc<dyn Disk>))?;
        let identity = found.header.map(|header| header.identity());
        let identity = identity.unwrap_or(Identity { journal: [0; 16], incarnation: 0 });
        let queue = Queue::unserved("the journal was opened to be read".into());
        Ok(Self { shared: Arc::new(Shared::of(found, identity, queue)), directory, threads: Mutex::default() })
    }

    /// Whether this journal may open segments: it was not opened to be read, and is not closed.
    pub(crate) fn is_written(&self) -> bool {
        !self.threads.lock().is_empty()
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<std::thread::JoinHandle<()>, OpenError> {
    std::thread::Builder::new().name(name.into()).spawn(work).map_err(io(format!("starting the thread {name}")))
}

impl Journal for FileJournal {
    fn submit(&self, append: Append, done: Done) {
        self.shared.queue.submit(append, done);
    }

    fn head(&self, stream: &Stream) -> Result<Option<Head>, ReadError> {
        self.shared.head(stream)
    }

    fn head_at(&self, stream: &Stream, until: Position) -> Result<Option<Head>, ReadError> {
        self.shared.head_at(stream, until)
    }

    fn position_of(&self, stream: &Stream, version: u64) -> Result<Option<Position>, ReadError> {
        self.shared.position_of(stream, version)
    }

    fn is_damaged(&self, stream: &Stream) -> bool {
        self.shared.is_damaged(stream)
    }

    fn streams(&self, kind: u8, after: Option<[u8; 16]>, limit: usize) -> Result<Vec<Stream>, ReadError> {
        self.shared.streams(kind, after, limit)
    }

    fn stream_count(&self, kind: u8) -> usize {
        self.shared.index.count(kind) as usize
    }

    fn read_stream(&self, stream: &Stream, from: u64, until: Position) -> Result<Vec<Record>, ReadError> {
        self.shared.read_stream(stream, from, until)
    }

    fn read_back(&self, stream: &Stream, from: u64, last: Position) -> Result<Vec<Record>, ReadError> {
        self.shared.read_back(stream, from, last)
    }

    fn read_all(&self, after: Option<Position>, each: &mut dyn FnMut(Record) -> bool) -> Result<(), ReadError> {
        self.shared.read_all(after, each)
    }

    fn durable(&self) -> Option<Position> {
        self.shared.reached.read().chain.next.checked_sub(1).filter(|position| *position > 0)
    }

    fn last_batch(&self) -> ([u8; 32], i64) {
        let chain = self.shared.reached.read().chain;
        (chain.batch, chain.time_us)
    }

    fn highest_key(&self) -> u64 {
        self.shared.reached.read().highest_key
    }

    fn identity(&self) -> Identity {
        self.shared.identity
    }

    fn damage(&self) -> Vec<Damage> {
        self.shared.damage()
    }

    fn read_only(&self) -> Option<Arc<str>> {
        self.shared.queue.refusal()
    }

    fn close(&self) {
        self.shared.queue.close();
        self.shared.bell.stop();
        for thread in self.threads.lock().drain(..) {
            // A committer that panicked has told nobody that anything is durable; a keeper makes nothing that is needed.
            let _ = thread.join();
        }
    }
}

impl Drop for FileJournal {
    fn drop(&mut self) {
        self.close();
    }
}
