//! The one writer: takes everything that waits, writes it as one batch, syncs once, wakes all.
//!
//! A thread of its own rather than a task: it spends its life in `write` and `fdatasync`, which would hold up an
//! asynchronous worker.

use std::collections::HashMap;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use crate::file::Shared;
use crate::format::{
    APPEND_BYTES_MAX, BATCH_BYTES_MAX, BATCH_HEAD_BYTES, BODY_BYTES_MAX, BatchHash, BatchHead, End, RECORD_HEAD_BYTES,
    RecordHead, SegmentHeader, aligned, bytes_of,
};
use crate::recovery::Chain;
use crate::segment::{self, Segment};
use crate::{Append, AppendError, Committed, Done, Head, Stream};

pub(crate) struct Committer {
    shared: Arc<Shared>,
    directory: PathBuf,
    active: Arc<Segment>,
    chain: Chain,
    /// Where the next batch goes in the active segment.
    offset: u64,
    buffer: Vec<u8>,
    segment_bytes: u64,
    next: Preparer,
}

/// Makes the next segment ready while this one is filled.
struct Preparer {
    wanted: mpsc::Sender<()>,
    ready: mpsc::Receiver<std::io::Result<()>>,
    stop: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<()>,
}

impl Preparer {
    fn start(directory: PathBuf, segment_bytes: u64) -> std::io::Result<Self> {
        let (wanted, want) = mpsc::channel();
        let (tell, ready) = mpsc::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("journal-prepare".into()).spawn(move || {
            for () in want {
                let made = segment::prepare(&directory, segment_bytes, &stopped).map(|_| ());
                if tell.send(made).is_err() {
                    return;
                }
            }
        })?;
        let preparer = Self { wanted, ready, stop, thread };
        preparer.order();
        Ok(preparer)
    }

    fn order(&self) {
        // The thread lives until its sender is dropped: the send cannot fail.
        let _ = self.wanted.send(());
    }

    fn wait(&self) -> std::io::Result<()> {
        self.ready.recv().map_err(|_| std::io::Error::other("the preparing thread has ended"))?
    }

    /// Ends the thread: whoever opens the directory next finds nobody else at work in it.
    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.wanted);
        let _ = self.thread.join();
    }
}

/// What a batch will have changed when it is durable.
#[derive(Default)]
struct Draft {
    heads: HashMap<Stream, Head>,
    fates: Vec<(Done, Result<Committed, AppendError>)>,
    record_hashes: Vec<[u8; 32]>,
    highest_key: u64,
    time_us: i64,
}

impl Committer {
    pub fn new(
        shared: Arc<Shared>,
        directory: PathBuf,
        active: Arc<Segment>,
        chain: Chain,
        segment_bytes: u64,
    ) -> std::io::Result<Self> {
        let next = Preparer::start(directory.clone(), segment_bytes)?;
        let offset = active.end();
        Ok(Self { shared, directory, active, chain, offset, buffer: Vec::new(), segment_bytes, next })
    }

    /// Runs until the queue is closed and empty.
    pub fn run(mut self) {
        while let Some(waiting) = self.shared.queue.take() {
            let mut waiting = waiting.into_iter().peekable();
            while waiting.peek().is_some() {
                let (many, draft) = self.draft(&mut waiting);
                let written = if many > 0 { self.commit(&draft, many) } else { Ok(()) };
                if let Some(reason) = self.settle(draft, many, written) {
                    // After a failed write nothing is written any more, what waits in this turn included.
                    waiting.by_ref().for_each(|(_, done)| refuse(done, &reason));
                    self.shared.queue.fail(reason);
                }
            }
        }
        self.next.end();
    }

    /// Lays out a batch of what waits, up to its limit, in the buffer.
    fn draft(&mut self, waiting: &mut std::iter::Peekable<impl Iterator<Item = (Append, Done)>>) -> (u32, Draft) {
        let seal = self.active.seal();
        let mut draft = Draft { time_us: self.chain.time_us, ..Draft::default() };
        let mut many = 0;
        self.buffer.clear();
        self.buffer.resize(BATCH_HEAD_BYTES, 0);
        while let Some((append, done)) = waiting.next_if(|(append, _)| {
            let bytes: usize = append.records.iter().map(bytes_of).sum();
            many == 0 || self.buffer.len() + bytes <= BATCH_BYTES_MAX
        }) {
            if let Err(refused) = self.admit(&append, &draft) {
                draft.fates.push((done, Err(refused)));
                continue;
            }
            draft.time_us = draft.time_us.max(append.at_us);
            let first = self.chain.next + u64::from(many);
            for record in &append.records {
                let position = self.chain.next + u64::from(many);
                let before = self.head_of(&record.stream, &draft);
                let head = RecordHead::of(record, position, before.map(|head| (head.position, head.hash)));
                let encoded = head.encode(seal);
                let hash = RecordHead::hash(&encoded);
                self.buffer.extend_from_slice(&encoded);
                self.buffer.extend_from_slice(&record.body.bytes);
                self.buffer.resize(aligned(self.buffer.len()), 0);
                draft.heads.insert(record.stream, Head { version: record.version, position, hash });
                draft.record_hashes.push(hash);
                draft.highest_key = draft.highest_key.max(record.key);
                many += 1;
            }
            draft.fates.push((done, Ok(Committed { first, last: self.chain.next + u64::from(many) - 1 })));
        }
        (many, draft)
    }

    fn head_of(&self, stream: &Stream, draft: &Draft) -> Option<Head> {
        draft.heads.get(stream).copied().or_else(|| self.shared.head(stream))
    }

    /// Whether an append may be made: its size, and the versions that it saw.
    fn admit(&self, append: &Append, draft: &Draft) -> Result<(), AppendError> {
        let mut bytes = 0;
        let mut versions: Vec<(Stream, u64)> = Vec::with_capacity(append.records.len());
        for record in &append.records {
            let body = record.body.bytes.len();
            if body > BODY_BYTES_MAX {
                return Err(AppendError::TooLarge { what: "a record", bytes: body, max: BODY_BYTES_MAX });
            }
            bytes += bytes_of(record);
            if self.shared.is_damaged(&record.stream) {
                return Err(AppendError::Damaged { stream: record.stream });
            }
            let own = versions.iter().rev().find(|(stream, _)| *stream == record.stream).map(|(_, version)| *version);
            let found = own.or_else(|| self.head_of(&record.stream, draft).map(|head| head.version));
            if record.version != found.map_or(0, |version| version + 1) {
                return Err(AppendError::Conflict { stream: record.stream, wanted: record.version, found });
            }
            versions.push((record.stream, record.version));
        }
        if append.records.is_empty() || bytes > APPEND_BYTES_MAX {
            return Err(AppendError::TooLarge { what: "an append", bytes, max: APPEND_BYTES_MAX });
        }
        Ok(())
    }

    /// Writes the buffer as a batch and syncs it.
    fn commit(&mut self, draft: &Draft, many: u32) -> std::io::Result<()> {
        if self.offset + (self.buffer.len() + BATCH_HEAD_BYTES) as u64 > self.segment_bytes {
            self.roll()?;
            self.reseal(draft);
        }
        let seal = self.active.seal();
        let length = (self.buffer.len() + BATCH_HEAD_BYTES) as u64;
        let mut frame =
            BatchHead { count: many, length, first: self.chain.next, time_us: draft.time_us, hash: self.chain.batch };
        let header = frame.encode(End::Header, seal);
        let mut hash = BatchHash::begin(&header);
        draft.record_hashes.iter().for_each(|record| hash.add(record));
        frame.hash = hash.end();
        self.buffer[..BATCH_HEAD_BYTES].copy_from_slice(&header);
        self.buffer.extend_from_slice(&frame.encode(End::Trailer, seal));
        self.active.file.write_all_at(&self.buffer, self.offset)?;
        self.active.file.sync_data()?;
        self.active.extend(frame.first, self.offset, self.offset + length);
        self.offset += length;
        self.chain = Chain { next: frame.first + u64::from(many), batch: frame.hash, time_us: draft.time_us };
        Ok(())
    }

    /// Goes on in the next segment of this epoch; the full one is cut to what it holds.
    fn roll(&mut self) -> std::io::Result<()> {
        self.next.wait()?;
        let header = SegmentHeader {
            salt: crate::file::random()?,
            first: self.chain.next,
            previous_batch: self.chain.batch,
            previous_time_us: self.chain.time_us,
            ..self.active.header
        };
        let next = Arc::new(Segment::create(&self.directory, header, self.segment_bytes)?);
        self.active.file.set_len(self.active.end())?;
        self.active.file.sync_all()?;
        self.shared.segments.write().push(Arc::clone(&next));
        self.active = next;
        self.offset = self.active.end();
        self.next.order();
        Ok(())
    }

    /// Heads that were laid out for the segment before take the seal of this one. Their hashes leave the seal out.
    fn reseal(&mut self, draft: &Draft) {
        let old = self.shared.segments.read().iter().rev().nth(1).map(|segment| segment.seal());
        let old = old.expect("a segment was followed by another");
        let new = self.active.seal();
        let mut at = BATCH_HEAD_BYTES;
        for _ in &draft.record_hashes {
            let head = RecordHead::decode(&self.buffer[at..], old).expect("the buffer holds what was laid out");
            let from = at + RECORD_HEAD_BYTES;
            self.buffer[at..from].copy_from_slice(&head.encode(new));
            at += head.record_bytes();
        }
    }

    /// Publishes what is durable, or says that nothing more will be and why, and tells everyone.
    fn settle(&mut self, draft: Draft, many: u32, written: std::io::Result<()>) -> Option<Arc<str>> {
        match written {
            Ok(()) => {
                if many > 0 {
                    self.shared.publish(draft.heads, draft.highest_key, self.chain);
                }
                draft.fates.into_iter().for_each(|(done, fate)| done(fate));
                None
            }
            Err(error) => {
                let reason: Arc<str> = format!("a write to {} failed: {error}", self.active.name).into();
                // A conflict that was found on events which are lost is as unknown as they are.
                draft.fates.into_iter().for_each(|(done, _)| refuse(done, &reason));
                Some(reason)
            }
        }
    }
}

fn refuse(done: Done, reason: &Arc<str>) {
    done(Err(AppendError::Unavailable { reason: Arc::clone(reason) }));
}
