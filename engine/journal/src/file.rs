//! The journal that needs nothing but a directory.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::committer::Committer;
use crate::disk::{Disk, RealDisk, is_full};
use crate::draft::Known;
use crate::format::{SEGMENT_BYTES, SEGMENT_BYTES_MIN};
use crate::open::Found;
use crate::prepare::Preparer;
use crate::queue::Queue;
use crate::recovery::Damage;
use crate::segment::{Segment, Stretch, io};
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
    shared: Arc<Shared>,
    identity: Identity,
    damage: Vec<Damage>,
    committer: Mutex<Option<std::thread::JoinHandle<()>>>,
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
        let mut found = Found::read(&directory)?;
        let identity = match &found.header {
            Some(last) => last.identity(),
            None => Identity { journal: random().map_err(io("drawing a journal id"))?, incarnation: 1 },
        };
        let chain = found.chain;
        let preparer = Preparer::start(Arc::clone(&disk), directory, segment_bytes, retry_pause)
            .map_err(io("starting the preparing thread"))?;
        let mut succession = Succession {
            disk: Arc::clone(&disk),
            data: data.into(),
            maker: Arc::clone(&preparer.maker),
            identity,
            epoch: found.header.map_or(0, |last| last.epoch),
            cuts: std::mem::take(&mut found.cuts),
        };
        let (active, queue) = match succession.go_on(chain) {
            Ok(active) => (Some(active), Queue::default()),
            Err(OpenError::Io { what, source }) if is_full(&source) => {
                (None, Queue::refusing(format!("{what}: {source}").into()))
            }
            Err(error) => {
                preparer.end();
                return Err(error);
            }
        };
        found.segments.extend(active.clone());
        preparer.order();
        let damage = found.damage.clone();
        let shared = Arc::new(Shared::of(found, queue));
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
        let thread = std::thread::Builder::new()
            .name("journal-commit".into())
            .spawn(move || committer.run())
            .map_err(io("starting the committer"))?;
        Ok(Self { shared, identity, damage, committer: Mutex::new(Some(thread)) })
    }

    /// Opens the journal of a data directory to read it, and changes nothing: what a start would cut off is left out and
    /// stays where it is, and appends are refused.
    pub fn read_only(data: &Path) -> Result<Self, OpenError> {
        let found = Found::read(&data.join("journal"))?;
        let identity = found.header.map(|header| header.identity());
        let identity = identity.unwrap_or(Identity { journal: [0; 16], incarnation: 0 });
        let damage = found.damage.clone();
        let shared = Arc::new(Shared::of(found, Queue::refusing("the journal was opened to be read".into())));
        Ok(Self { shared, identity, damage, committer: Mutex::new(None) })
    }

    fn lost(position: Position) -> ReadError {
        ReadError::Damaged { position, file: "journal".into() }
    }
}

impl Journal for FileJournal {
    fn submit(&self, append: Append, done: Done) {
        self.shared.queue.submit(append, done);
    }

    fn head(&self, stream: &Stream) -> Option<Head> {
        self.shared.head(stream)
    }

    fn is_damaged(&self, stream: &Stream) -> bool {
        self.shared.is_damaged(stream)
    }

    fn streams(&self, kind: u8, after: Option<[u8; 16]>, limit: usize) -> Vec<Stream> {
        use std::ops::Bound;
        let from = match after {
            Some(id) => Bound::Excluded(Stream { kind, id }),
            None => Bound::Included(Stream { kind, id: [0; 16] }),
        };
        let until = Bound::Included(Stream { kind, id: [255; 16] });
        self.shared.heads.read().range((from, until)).take(limit).map(|(stream, _)| *stream).collect()
    }

    fn stream_count(&self, kind: u8) -> usize {
        let whole = Stream { kind, id: [0; 16] }..=Stream { kind, id: [255; 16] };
        self.shared.heads.read().range(whole).count()
    }

    fn read_stream(&self, stream: &Stream, from: u64, until: Position) -> Result<Vec<Record>, ReadError> {
        let mut records = Vec::new();
        let mut next = self.head(stream).map(|head| head.position);
        let mut near: Option<(Arc<Segment>, Stretch)> = None;
        while let Some(position) = next {
            let here = near.as_ref().and_then(|(_, stretch)| stretch.record(position));
            let record = match here {
                Some(record) => record,
                None => {
                    let segment = self.shared.segment_of(position).ok_or_else(|| Self::lost(position))?;
                    let stretch = segment.stretch(position)?;
                    let found = stretch.record(position).ok_or_else(|| segment.damaged(position))?;
                    near = Some((segment, stretch));
                    found
                }
            };
            if record.version < from {
                break;
            }
            next = record.previous;
            let last = record.version == from;
            if record.position <= until {
                records.push(record);
            }
            if last {
                break;
            }
        }
        records.reverse();
        Ok(records)
    }

    fn read_all(&self, after: Option<Position>, each: &mut dyn FnMut(Record) -> bool) -> Result<(), ReadError> {
        let segments: Vec<_> = self.shared.segments.read().clone();
        let from = after.map_or(0, |after| after + 1);
        let begin = segments.partition_point(|segment| segment.header.first <= from).saturating_sub(1);
        for segment in &segments[begin..] {
            if !segment.read_from(after, each)? {
                break;
            }
        }
        Ok(())
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
        self.identity
    }

    fn damage(&self) -> Vec<Damage> {
        self.damage.clone()
    }

    fn read_only(&self) -> Option<Arc<str>> {
        self.shared.queue.refusal()
    }

    fn close(&self) {
        self.shared.queue.close();
        if let Some(thread) = self.committer.lock().take() {
            // A committer that panicked has told nobody that anything is durable.
            let _ = thread.join();
        }
    }
}

impl Drop for FileJournal {
    fn drop(&mut self) {
        self.close();
    }
}
