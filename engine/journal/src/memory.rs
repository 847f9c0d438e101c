//! A journal in memory, for simulations: nothing happens before the test says what.
//!
//! It has no threads and no files. What is handed over waits until [`MemoryJournal::step`] decides its fate, so that a
//! simulation can drive every order of commits, failures and crashes.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::draft::{Draft, Known};
use crate::format::{BATCH_HEAD_BYTES, Seal};
use crate::queue::{Queue, Waiting};
use crate::recovery::{Chain, Damage};
use crate::segment::Stretch;
use crate::{Append, Done, Head, Identity, Journal, Position, ReadError, Record, RecordKind, Stream};

/// What happens next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The first so many appends that wait become durable as one batch; fewer where they do not fit into one, or where
    /// fewer wait. Those that are refused, for a conflict or a limit, are told so.
    Commit(usize),
    /// A write fails: all that wait are refused. Whatever comes is refused too, by the step that is next, until the
    /// journal goes on.
    Fail(Arc<str>),
    /// After a failure appends are taken again, once everybody has been told of their refusal.
    GoOn,
    /// The process ends: what waits is dropped, and so is whatever comes; nobody is told anything.
    Crash,
}

/// What survives a crash. Clones are the same part.
#[derive(Clone)]
pub struct Durable(Arc<Mutex<Kept>>);

struct Kept {
    identity: Identity,
    records: Vec<Record>,
    /// For each stream which of the records are its own.
    streams: BTreeMap<Stream, Vec<usize>>,
    chain: Chain,
    highest_key: u64,
}

impl Durable {
    /// A journal in which nothing has happened. `journal` is its id.
    pub fn new(journal: [u8; 16]) -> Self {
        let identity = Identity { journal, incarnation: 1 };
        let (records, streams) = (Vec::new(), BTreeMap::new());
        Self(Arc::new(Mutex::new(Kept { identity, records, streams, chain: Chain::default(), highest_key: 0 })))
    }
}

impl Kept {
    fn head(&self, stream: &Stream) -> Option<Head> {
        let last = &self.records[*self.streams.get(stream)?.last()?];
        Some(Head { version: last.version, position: last.position, hash: last.hash })
    }

    /// The records of a stream, in order.
    fn of(&self, stream: &Stream) -> impl Iterator<Item = &Record> {
        let own = self.streams.get(stream).map(Vec::as_slice).unwrap_or_default();
        own.iter().map(|at| &self.records[*at])
    }

    fn keep(&mut self, record: Record) {
        self.streams.entry(record.stream).or_default().push(self.records.len());
        self.highest_key = self.highest_key.max(record.key);
        self.records.push(record);
    }
}

impl Known for Durable {
    fn head(&self, stream: &Stream) -> Result<Option<Head>, ReadError> {
        Ok(self.0.lock().head(stream))
    }

    fn is_damaged(&self, _stream: &Stream) -> bool {
        false
    }
}

/// A journal in memory.
pub struct MemoryJournal {
    durable: Durable,
    queue: Queue,
    /// What was taken from the queue and has no fate yet.
    waiting: Mutex<VecDeque<Waiting>>,
    crashed: AtomicBool,
    /// Whether every append is committed when it is submitted.
    at_once: bool,
    /// Held while somebody commits at once: what is submitted in a `done` waits for its turn.
    committing: Mutex<()>,
}

impl MemoryJournal {
    /// Opens what a crash left, or a new journal.
    pub fn open(durable: Durable) -> Self {
        Self {
            durable,
            queue: Queue::served(None),
            waiting: Mutex::default(),
            crashed: AtomicBool::new(false),
            at_once: false,
            committing: Mutex::default(),
        }
    }

    /// The same, with every append committed as soon as it is submitted: for whoever wants no simulation.
    pub fn open_at_once(durable: Durable) -> Self {
        Self { at_once: true, ..Self::open(durable) }
    }

    /// How many appends wait.
    pub fn waiting(&self) -> usize {
        self.taken().len()
    }

    /// Lets something happen.
    pub fn step(&self, step: Step) {
        match step {
            Step::Commit(most) => self.commit(most),
            Step::Fail(reason) => {
                let waiting = std::mem::take(&mut *self.taken());
                self.queue.refuse(reason, waiting.into_iter().map(|(_, done)| done));
            }
            Step::GoOn => self.queue.accept(),
            Step::Crash => {
                self.crashed.store(true, Ordering::Release);
                self.taken().clear();
                self.queue.forget();
            }
        }
    }

    /// What waits, with what has come since it was last looked at.
    fn taken(&self) -> parking_lot::MutexGuard<'_, VecDeque<Waiting>> {
        let mut waiting = self.waiting.lock();
        waiting.extend(self.queue.take_now());
        waiting
    }

    /// Commits the first that wait as one batch.
    fn commit(&self, most: usize) {
        self.queue.tell();
        let mut waiting = self.taken();
        let most = most.min(waiting.len());
        let behind = waiting.split_off(most);
        let mut first = std::mem::replace(&mut *waiting, behind).into_iter().peekable();
        let (chain, identity) = {
            let kept = self.durable.0.lock();
            (kept.chain, kept.identity)
        };
        let seal = Seal::of_index(&identity.journal);
        let mut draft = Draft::of(&mut first, &self.durable, chain, seal, Vec::new());
        first.rev().for_each(|left| waiting.push_front(left));
        drop(waiting);
        if draft.many > 0 {
            let chain = draft.frame();
            let records = draft.buffer.split_off(BATCH_HEAD_BYTES);
            let mut kept = self.durable.0.lock();
            let sound = Stretch::of(seal, records).records(&mut |record| {
                kept.keep(record);
                true
            });
            assert!(sound, "a batch that was laid out is sound");
            kept.chain = chain;
        }
        draft.fates.into_iter().for_each(|(done, fate)| done(fate));
    }

    /// Commits all that waits. Where somebody is at it already, a `done` that submits among them, it is left to them.
    fn commit_all(&self) {
        while self.waiting() > 0 {
            let Some(_committing) = self.committing.try_lock() else { return };
            self.commit(usize::MAX);
        }
        self.queue.tell();
    }
}

impl Journal for MemoryJournal {
    fn submit(&self, append: Append, done: Done) {
        if self.crashed.load(Ordering::Acquire) {
            return;
        }
        self.queue.submit(append, done);
        if self.at_once {
            self.commit_all();
        }
    }

    fn head(&self, stream: &Stream) -> Result<Option<Head>, ReadError> {
        self.durable.head(stream)
    }

    fn head_at(&self, stream: &Stream, until: Position) -> Result<Option<Head>, ReadError> {
        let kept = self.durable.0.lock();
        let last = kept.of(stream).take_while(|record| record.position <= until).last();
        Ok(last.map(|last| Head { version: last.version, position: last.position, hash: last.hash }))
    }

    fn position_of(&self, stream: &Stream, version: u64) -> Result<Option<Position>, ReadError> {
        let kept = self.durable.0.lock();
        let found = kept.of(stream).find(|record| record.version == version);
        Ok(found.map(|found| found.position))
    }

    fn is_damaged(&self, _stream: &Stream) -> bool {
        false
    }

    fn streams(&self, kind: u8, after: Option<[u8; 16]>, limit: usize) -> Result<Vec<Stream>, ReadError> {
        let from = match after {
            Some(id) => Bound::Excluded(Stream { kind, id }),
            None => Bound::Included(Stream { kind, id: [0; 16] }),
        };
        let until = Bound::Included(Stream { kind, id: [255; 16] });
        Ok(self.durable.0.lock().streams.range((from, until)).take(limit).map(|(stream, _)| *stream).collect())
    }

    fn stream_count(&self, kind: u8) -> usize {
        self.durable.0.lock().streams.keys().filter(|stream| stream.kind == kind).count()
    }

    fn read_stream(&self, stream: &Stream, from: u64, until: Position) -> Result<Vec<Record>, ReadError> {
        let kept = self.durable.0.lock();
        let until = |record: &&Record| record.position <= until;
        let mended = kept.of(stream).take_while(until).filter(|record| record.kind == RecordKind::Repaired).last();
        let from = from.max(mended.map_or(0, |mended| mended.version));
        Ok(kept.of(stream).take_while(until).filter(|record| record.version >= from).cloned().collect())
    }

    fn read_back(&self, stream: &Stream, from: u64, last: Position) -> Result<Vec<Record>, ReadError> {
        self.read_stream(stream, from, last)
    }

    fn read_all(&self, after: Option<Position>, each: &mut dyn FnMut(Record) -> bool) -> Result<(), ReadError> {
        let from = after.map_or(0, |after| after + 1);
        let mut at = self.durable.0.lock().records.partition_point(|record| record.position < from);
        // Not held while `each` runs: it may read as well.
        while let Some(record) = { self.durable.0.lock().records.get(at).cloned() } {
            if !each(record) {
                break;
            }
            at += 1;
        }
        Ok(())
    }

    fn durable(&self) -> Option<Position> {
        self.durable.0.lock().records.last().map(|record| record.position)
    }

    fn last_batch(&self) -> ([u8; 32], i64) {
        let chain = self.durable.0.lock().chain;
        (chain.batch, chain.time_us)
    }

    fn highest_key(&self) -> u64 {
        self.durable.0.lock().highest_key
    }

    fn identity(&self) -> Identity {
        self.durable.0.lock().identity
    }

    fn damage(&self) -> Vec<Damage> {
        Vec::new()
    }

    fn read_only(&self) -> Option<Arc<str>> {
        self.queue.refusal()
    }

    fn close(&self) {
        self.queue.close();
        self.commit_all();
        self.queue.end();
    }
}
