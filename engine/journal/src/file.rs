//! The journal that needs nothing but a directory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex, RwLock};

use crate::committer::Committer;
use crate::format::{HeaderFault, RecordHead, SEGMENT_BYTES, SEGMENT_BYTES_MIN, SegmentHeader};
use crate::recovery::{self, Chain, Damage, DamageKind, Visit};
use crate::segment::{Segment, Stretch, index_batch, io, sync_directory};
use crate::{Append, AppendError, Done, Head, Identity, Journal, OpenError, Position, ReadError, Record, Stream};

/// Random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(bytes)
}

/// What waits for the committer.
#[derive(Default)]
pub(crate) struct Queue {
    inner: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Default)]
struct Waiting {
    appends: Vec<(Append, Done)>,
    closed: bool,
    failed: Option<Arc<str>>,
}

impl Queue {
    fn submit(&self, append: Append, done: Done) {
        let refused = {
            let mut waiting = self.inner.lock();
            match (&waiting.failed, waiting.closed) {
                (Some(reason), _) => Some(Arc::clone(reason)),
                (None, true) => Some("the server is stopping".into()),
                (None, false) => {
                    waiting.appends.push((append, done));
                    self.wake.notify_one();
                    return;
                }
            }
        };
        if let Some(reason) = refused {
            done(Err(AppendError::Unavailable { reason }));
        }
    }

    /// All that waits, as soon as something does; `None` when the queue is closed and empty.
    pub fn take(&self) -> Option<Vec<(Append, Done)>> {
        let mut waiting = self.inner.lock();
        while waiting.appends.is_empty() {
            if waiting.closed {
                return None;
            }
            self.wake.wait(&mut waiting);
        }
        Some(std::mem::take(&mut waiting.appends))
    }

    /// Refuses everything from now on, what already waits included.
    pub fn fail(&self, reason: Arc<str>) {
        let waiting = {
            let mut waiting = self.inner.lock();
            waiting.failed = Some(Arc::clone(&reason));
            std::mem::take(&mut waiting.appends)
        };
        for (_, done) in waiting {
            done(Err(AppendError::Unavailable { reason: Arc::clone(&reason) }));
        }
    }

    fn close(&self) {
        self.inner.lock().closed = true;
        self.wake.notify_all();
    }
}

/// What committer and readers share.
pub(crate) struct Shared {
    pub queue: Queue,
    pub segments: RwLock<Vec<Arc<Segment>>>,
    heads: RwLock<BTreeMap<Stream, Head>>,
    damaged: HashSet<Stream>,
    reached: RwLock<Reached>,
}

struct Reached {
    chain: Chain,
    highest_key: u64,
}

impl Shared {
    fn of(found: Found, damage: &[Damage]) -> Self {
        Self {
            queue: Queue::default(),
            segments: RwLock::new(found.segments),
            heads: RwLock::new(found.heads),
            damaged: damage.iter().filter_map(Damage::stream).collect(),
            reached: RwLock::new(Reached { chain: found.chain, highest_key: found.highest_key }),
        }
    }

    pub fn head(&self, stream: &Stream) -> Option<Head> {
        self.heads.read().get(stream).copied()
    }

    pub fn is_damaged(&self, stream: &Stream) -> bool {
        !self.damaged.is_empty() && self.damaged.contains(stream)
    }

    /// Lets readers see what has become durable.
    pub fn publish(&self, heads: HashMap<Stream, Head>, highest_key: u64, chain: Chain) {
        self.heads.write().extend(heads);
        let mut reached = self.reached.write();
        reached.chain = chain;
        reached.highest_key = reached.highest_key.max(highest_key);
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
    /// listed, and a new segment is opened.
    ///
    /// The caller makes sure that nobody else has the directory open.
    pub fn open(data: &Path) -> Result<Self, OpenError> {
        Self::open_with(data, SEGMENT_BYTES)
    }

    /// The same with segments of another size: an append and its frame must fit into one.
    pub fn open_with(data: &Path, segment_bytes: u64) -> Result<Self, OpenError> {
        let segment_bytes = segment_bytes.max(SEGMENT_BYTES_MIN);
        let directory = data.join("journal");
        let made = !directory.exists();
        std::fs::create_dir_all(&directory).map_err(io("making journal/"))?;
        if made {
            sync_directory(data).map_err(io("syncing the data directory"))?;
        }
        let mut found = Found::default();
        let names = segment_names(&directory)?;
        for (number, name) in names.iter().enumerate() {
            found.segment(data, &directory, name, names.get(number + 1))?;
        }
        let (journal, incarnation, epoch) = match &found.header {
            Some(last) => (last.journal, last.incarnation, last.epoch + 1),
            None => (random().map_err(io("drawing a journal id"))?, 1, 1),
        };
        let header = SegmentHeader {
            journal,
            incarnation,
            epoch,
            salt: random().map_err(io("drawing a salt"))?,
            first: found.chain.next,
            previous_batch: found.chain.batch,
            previous_time_us: found.chain.time_us,
        };
        let active = Segment::create(&directory, header, segment_bytes).map_err(io("opening a new segment"))?;
        let active = Arc::new(active);
        found.segments.push(Arc::clone(&active));
        let chain = found.chain;
        let damage = std::mem::take(&mut found.damage);
        let shared = Arc::new(Shared::of(found, &damage));
        let committer = Committer::new(Arc::clone(&shared), directory, active, chain, segment_bytes)
            .map_err(io("starting the preparing thread"))?;
        let thread = std::thread::Builder::new()
            .name("journal-commit".into())
            .spawn(move || committer.run())
            .map_err(io("starting the committer"))?;
        let identity = Identity { journal, incarnation };
        Ok(Self { shared, identity, damage, committer: Mutex::new(Some(thread)) })
    }

    /// Opens the journal of a data directory to read it, and changes nothing: what a start would cut off is left out and
    /// stays where it is, and appends are refused.
    pub fn read_only(data: &Path) -> Result<Self, OpenError> {
        let directory = data.join("journal");
        let mut found = Found { leave: true, ..Found::default() };
        let names = segment_names(&directory)?;
        for (number, name) in names.iter().enumerate() {
            found.segment(data, &directory, name, names.get(number + 1))?;
        }
        let identity = found.header.map(|header| Identity { journal: header.journal, incarnation: header.incarnation });
        let identity = identity.unwrap_or(Identity { journal: [0; 16], incarnation: 0 });
        let damage = std::mem::take(&mut found.damage);
        let shared = Arc::new(Shared::of(found, &damage));
        shared.queue.close();
        Ok(Self { shared, identity, damage, committer: Mutex::new(None) })
    }

    /// The segment that holds a position.
    fn segment_of(&self, position: Position) -> Option<Arc<Segment>> {
        let segments = self.shared.segments.read();
        let behind = segments.partition_point(|segment| segment.header.first <= position);
        behind.checked_sub(1).map(|at| Arc::clone(&segments[at]))
    }

    fn lost(position: Position) -> ReadError {
        ReadError::Damaged { position, file: "journal".into() }
    }
}

/// The names of the segments in a directory, in order.
pub(crate) fn segment_names(directory: &Path) -> Result<Vec<String>, OpenError> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(io("listing journal/"))? {
        let entry = entry.map_err(io("listing journal/"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".segment") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The position with which a segment's name says that it begins.
fn first_of(name: &str) -> Option<Position> {
    name.strip_suffix(".segment")?.split_once('-')?.1.parse().ok()
}

/// What opening has found so far.
#[derive(Default)]
struct Found {
    segments: Vec<Arc<Segment>>,
    heads: BTreeMap<Stream, Head>,
    damage: Vec<Damage>,
    header: Option<SegmentHeader>,
    chain: Chain,
    highest_key: u64,
    /// Whether what is invalid is left where it is.
    leave: bool,
}

impl Default for Chain {
    /// Before anything was written. Positions begin at 1, so that 0 can mean "nothing".
    fn default() -> Self {
        Self { next: 1, batch: [0; 32], time_us: 0 }
    }
}

impl Found {
    /// Reads one segment, cuts its torn tail, and adds what it holds.
    fn segment(&mut self, data: &Path, directory: &Path, name: &str, next: Option<&String>) -> Result<(), OpenError> {
        let path = directory.join(name);
        let bytes = std::fs::read(&path).map_err(io(format!("reading journal/{name}")))?;
        let file_name = format!("journal/{name}");
        let header = match recovery::header(&bytes) {
            Ok((header, damaged)) => {
                if damaged {
                    self.damage.push(Damage { file: file_name.clone(), offset: 0, kind: DamageKind::Header });
                }
                header
            }
            Err(HeaderFault::Version(found)) => return Err(OpenError::Format { file: file_name, found }),
            // A segment without batches whose header did not reach the disk before the power went.
            Err(HeaderFault::Invalid) => {
                let rest = bytes.get(crate::format::DATA_OFFSET as usize..).unwrap_or_default();
                if rest.iter().all(|byte| *byte == 0) {
                    if self.leave {
                        return Ok(());
                    }
                    return quarantine(data, name, 0, &bytes).map_err(io("moving a torn segment to quarantine/"));
                }
                self.damage.push(Damage { file: file_name, offset: 0, kind: DamageKind::Header });
                return Ok(());
            }
        };
        if header.first != self.chain.next || header.previous_batch != self.chain.batch {
            self.damage.push(Damage { file: file_name.clone(), offset: 0, kind: DamageKind::Chain });
        }
        let mut scan = Scan { found: self, file: &file_name, index: Vec::new() };
        let walked = recovery::walk(&bytes, &header, &mut scan);
        let index = scan.index;
        if walked.torn {
            let follows = next.and_then(|next| first_of(next)).is_none_or(|first| first == walked.chain.next);
            if !follows {
                self.damage.push(Damage { file: file_name, offset: walked.end, kind: DamageKind::Batch });
            } else if !self.leave {
                quarantine(data, name, walked.end, &bytes).map_err(io("moving a torn tail to quarantine/"))?;
            }
        }
        let file =
            File::options().read(true).write(!self.leave).open(&path).map_err(io(format!("opening journal/{name}")))?;
        if !self.leave && bytes.len() as u64 > walked.end && (!walked.torn || next.is_none()) {
            file.set_len(walked.end).map_err(io(format!("cutting journal/{name}")))?;
            file.sync_all().map_err(io(format!("syncing journal/{name}")))?;
        }
        self.chain = walked.chain;
        self.header = Some(header);
        self.segments.push(Arc::new(Segment::found(file, name.into(), header, walked.end, index)));
        Ok(())
    }
}

/// Copies what is cut off to `quarantine/`, durably, and cuts it. A segment of which nothing is left is removed.
fn quarantine(data: &Path, name: &str, from: u64, bytes: &[u8]) -> std::io::Result<()> {
    let used = bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count();
    let place = data.join("quarantine");
    std::fs::create_dir_all(&place)?;
    let torn: PathBuf = place.join(format!("{}-{from}.torn", name.trim_end_matches(".segment")));
    std::fs::write(&torn, &bytes[from as usize..used.max(from as usize)])?;
    File::open(&torn)?.sync_all()?;
    sync_directory(&place)?;
    let path = data.join("journal").join(name);
    if from == 0 {
        std::fs::remove_file(path)?;
        return sync_directory(&data.join("journal"));
    }
    let file = File::options().write(true).open(path)?;
    file.set_len(from)?;
    file.sync_all()
}

/// Takes heads and index from a walk.
struct Scan<'a> {
    found: &'a mut Found,
    file: &'a str,
    index: Vec<(Position, u64)>,
}

impl Visit for Scan<'_> {
    fn batch(&mut self, offset: u64, head: &crate::format::BatchHead) {
        index_batch(&mut self.index, head.first, offset);
    }

    fn record(&mut self, offset: u64, encoded: &[u8], head: &RecordHead, _body: Option<&[u8]>) {
        let known = self.found.heads.get(&head.stream);
        if head.version != known.map_or(0, |known| known.version + 1) {
            let version = known.map_or(0, |known| known.version + 1);
            self.damage(offset, DamageKind::Gap { stream: head.stream, version });
        }
        let hash = RecordHead::hash(encoded);
        let reached = Head { version: head.version, position: head.position, hash };
        self.found.heads.insert(head.stream, reached);
        self.found.highest_key = self.found.highest_key.max(head.key);
    }

    fn damage(&mut self, offset: u64, kind: DamageKind) {
        self.found.damage.push(Damage { file: self.file.into(), offset, kind });
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
                    let segment = self.segment_of(position).ok_or_else(|| Self::lost(position))?;
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
