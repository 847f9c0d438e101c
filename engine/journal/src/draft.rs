//! A batch as it is laid out: which appends are in it, which are refused, and what will have changed.

use std::collections::HashMap;
use std::iter::Peekable;

use crate::format::{
    APPEND_BYTES_MAX, BATCH_BYTES_MAX, BATCH_HEAD_BYTES, BODY_BYTES_MAX, BatchHash, BatchHead, End, RECORD_HEAD_BYTES,
    RecordHead, Seal, aligned, bytes_of,
};
use crate::index::heads::{Entry, Totals};
use crate::queue::Waiting;
use crate::recovery::Chain;
use crate::{Append, AppendError, Committed, Done, Head, ReadError, RecordKind, Stream};

/// What a draft asks of what is durable.
pub(crate) trait Known {
    fn head(&self, stream: &Stream) -> Result<Option<Head>, ReadError>;
    fn is_damaged(&self, stream: &Stream) -> bool;
}

/// A batch that has not been written.
pub(crate) struct Draft {
    /// Room for the header, then the records.
    pub buffer: Vec<u8>,
    /// How many records are in it.
    pub many: u32,
    /// Where their streams will end; offsets are those in the batch.
    pub heads: HashMap<Stream, Entry>,
    /// What is to be said, to whom, once the batch is durable.
    pub fates: Vec<(Done, Result<Committed, AppendError>)>,
    /// What is in it, counted.
    pub totals: Totals,
    /// Streams that it mends, and the versions that do.
    pub mended: Vec<(Stream, u64)>,
    /// What was asked of the journal: most streams are asked for twice.
    asked: HashMap<Stream, Option<Head>>,
    record_hashes: Vec<[u8; 32]>,
    chain: Chain,
    time_us: i64,
    seal: Seal,
}

impl Draft {
    /// Lays out what waits, up to the limit of a batch, to follow `chain`. `buffer` is only to be used again.
    pub fn of<W: Iterator<Item = Waiting>>(
        waiting: &mut Peekable<W>,
        known: &dyn Known,
        chain: Chain,
        seal: Seal,
        mut buffer: Vec<u8>,
    ) -> Self {
        buffer.clear();
        buffer.resize(BATCH_HEAD_BYTES, 0);
        let mut draft = Self {
            buffer,
            many: 0,
            heads: HashMap::new(),
            fates: Vec::new(),
            totals: Totals::default(),
            mended: Vec::new(),
            asked: HashMap::new(),
            record_hashes: Vec::new(),
            chain,
            time_us: chain.time_us,
            seal,
        };
        while let Some((append, done)) = waiting.next_if(|(append, _)| draft.has_room_for(append)) {
            let fate = admit(&append, &mut |stream| draft.head(stream, known), &|stream| known.is_damaged(stream));
            let fate = fate.map(|()| draft.add(&append));
            draft.fates.push((done, fate));
        }
        draft
    }

    fn has_room_for(&self, append: &Append) -> bool {
        let bytes: usize = append.records.iter().map(bytes_of).sum();
        self.many == 0 || self.buffer.len() + bytes <= BATCH_BYTES_MAX
    }

    fn head(&mut self, stream: &Stream, known: &dyn Known) -> Result<Option<Head>, ReadError> {
        if let Some(head) = self.known_head(stream) {
            return Ok(head);
        }
        let head = known.head(stream)?;
        self.asked.insert(*stream, head);
        Ok(head)
    }

    /// Where a stream ends that is in this batch, or was asked for.
    fn known_head(&self, stream: &Stream) -> Option<Option<Head>> {
        self.heads.get(stream).map(|entry| Some(entry.head)).or_else(|| self.asked.get(stream).copied())
    }

    fn add(&mut self, append: &Append) -> Committed {
        self.time_us = self.time_us.max(append.at_us);
        let first = self.chain.next + u64::from(self.many);
        for record in &append.records {
            let position = self.chain.next + u64::from(self.many);
            let before = self.known_head(&record.stream).expect("an append is admitted before it is added");
            let head = RecordHead::of(record, position, before.map(|head| (head.position, head.hash)));
            let encoded = head.encode(self.seal);
            let hash = RecordHead::hash(&encoded);
            let offset = self.buffer.len() as u64;
            self.buffer.extend_from_slice(&encoded);
            self.buffer.extend_from_slice(&record.body.bytes);
            self.buffer.resize(aligned(self.buffer.len()), 0);
            let head = Head { version: record.version, position, hash };
            self.heads.insert(record.stream, Entry { head, offset });
            self.record_hashes.push(hash);
            self.totals.count(&record.stream, before.is_none(), record.key);
            if record.kind == RecordKind::Repaired {
                self.mended.push((record.stream, record.version));
            }
            self.many += 1;
        }
        Committed { first, last: self.chain.next + u64::from(self.many) - 1 }
    }

    /// Bytes of the batch with header and trailer.
    pub fn batch_bytes(&self) -> u64 {
        (self.buffer.len() + BATCH_HEAD_BYTES) as u64
    }

    /// Gives the records the seal of another segment. Their hashes leave the seal out.
    pub fn reseal(&mut self, seal: Seal) {
        let mut at = BATCH_HEAD_BYTES;
        for _ in 0..self.many {
            let head = RecordHead::decode(&self.buffer[at..], self.seal).expect("the buffer holds what was laid out");
            self.buffer[at..at + RECORD_HEAD_BYTES].copy_from_slice(&head.encode(seal));
            at += head.record_bytes();
        }
        self.seal = seal;
    }

    /// Puts header and trailer around the records; says where the chain stands behind them.
    pub fn frame(&mut self) -> Chain {
        let Chain { next: first, batch, .. } = self.chain;
        let mut frame =
            BatchHead { count: self.many, length: self.batch_bytes(), first, time_us: self.time_us, hash: batch };
        let header = frame.encode(End::Header, self.seal);
        let mut hash = BatchHash::begin(&header);
        self.record_hashes.iter().for_each(|record| hash.add(record));
        frame.hash = hash.end();
        self.buffer[..BATCH_HEAD_BYTES].copy_from_slice(&header);
        self.buffer.extend_from_slice(&frame.encode(End::Trailer, self.seal));
        Chain { next: first + u64::from(self.many), batch: frame.hash, time_us: self.time_us }
    }
}

/// Whether an append may be made: its size, and the versions that it saw.
pub(crate) fn admit(
    append: &Append,
    head: &mut dyn FnMut(&Stream) -> Result<Option<Head>, ReadError>,
    is_damaged: &dyn Fn(&Stream) -> bool,
) -> Result<(), AppendError> {
    let mut bytes = 0;
    let mut versions: Vec<(Stream, u64)> = Vec::with_capacity(append.records.len());
    for record in &append.records {
        let body = record.body.bytes.len();
        if body > BODY_BYTES_MAX {
            return Err(AppendError::TooLarge { what: "a record", bytes: body, max: BODY_BYTES_MAX });
        }
        bytes += bytes_of(record);
        let own = versions.iter().rev().find(|(stream, _)| *stream == record.stream).map(|(_, version)| *version);
        let found = match own {
            Some(own) => Some(own),
            None => {
                let unread = |error: ReadError| AppendError::Unread { reason: error.to_string().into() };
                let found = head(&record.stream).map_err(unread)?.map(|head| head.version);
                // A stream that goes on from its state takes the record that says so, and what comes behind it.
                if record.kind != RecordKind::Repaired && is_damaged(&record.stream) {
                    return Err(AppendError::Damaged { stream: record.stream });
                }
                found
            }
        };
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
