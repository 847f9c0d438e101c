//! Reading a stream back along its records' previous positions.
//!
//! It begins at a place that a table knows: the last record of all, or, for what is long past, the last one of a segment
//! that is not far behind it. So the way back is never longer than what one segment has of the stream, and what is wanted; of
//! a stream that has much of a segment it is no longer than a few tens of kilobytes, which are found by halving.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::heal::footer;
use crate::index::heads::Entry;
use crate::index::table::Fault;
use crate::segment::{Segment, Stretch};
use crate::shared::Shared;
use crate::{Head, Position, ReadError, Record, RecordKind, Stream};

/// The stretch of a segment that was read last: the record before is often in it.
type Near = Option<(Arc<Segment>, Stretch)>;

/// What is wanted of a stream.
#[derive(Clone, Copy)]
enum Moment {
    Version(u64),
    Position(Position),
}

impl Moment {
    /// How the end of a stream at some time stands to it: before it, at it, or behind it.
    fn order(self, head: &Head) -> Ordering {
        match self {
            Self::Version(version) => head.version.cmp(&version),
            Self::Position(position) => head.position.cmp(&position),
        }
    }
}

/// Goes back through a stream.
struct Back<'a> {
    shared: &'a Shared,
    stream: &'a Stream,
    /// The record that comes next: its position, its offset where that is known, and its version.
    next: Option<(Position, Option<u64>, u64)>,
    near: Near,
}

impl<'a> Back<'a> {
    fn from(shared: &'a Shared, stream: &'a Stream, begin: &Entry) -> Self {
        let next = Some((begin.head.position, Some(begin.offset), begin.head.version));
        Self { shared, stream, next, near: None }
    }

    /// The record that comes next; the stream is known to be damaged where it is. That ends the way back.
    fn step(&mut self) -> Result<Option<Record>, ReadError> {
        let Some((position, offset, version)) = self.next.take() else { return Ok(None) };
        match self.shared.record(position, offset, &mut self.near).and_then(leads_back) {
            Ok(record) => {
                self.next = before(&record);
                Ok(Some(record))
            }
            Err(ReadError::Damaged { position, file, .. }) => {
                self.shared.note_damaged(*self.stream, version, position);
                Err(ReadError::Damaged { position, version: Some(version), file })
            }
            Err(error) => Err(error),
        }
    }
}

/// The record before another of its stream: its position, its offset, which is not known, and its version.
fn before(record: &Record) -> Option<(Position, Option<u64>, u64)> {
    Some((record.previous?, None, record.version.checked_sub(1)?))
}

impl Shared {
    /// A stream's records in order of their versions, from version `from`, those at positions up to `until`; from the last
    /// one on that says that the stream was mended.
    pub fn read_stream(&self, stream: &Stream, from: u64, until: Position) -> Result<Vec<Record>, ReadError> {
        let Some(begin) = self.begin(stream, Moment::Position(until))? else { return Ok(Vec::new()) };
        let mut back = Back::from(self, stream, &begin);
        let mut records = Vec::new();
        loop {
            let record = match back.step() {
                Ok(Some(record)) if record.version >= from => record,
                Ok(_) => break,
                // What is behind `until` need not be sound, but its way back is lost.
                Err(ReadError::Damaged { position, .. }) if position > until => {
                    return self.read_forward(stream, from, until);
                }
                Err(error) => return Err(error),
            };
            if record.position <= until {
                let is_first = record.version == from || record.kind == RecordKind::Repaired;
                records.push(record);
                if is_first {
                    break;
                }
            }
        }
        records.reverse();
        Ok(records)
    }

    /// A stream's records from version `from` to the one at position `last`.
    pub fn read_back(&self, stream: &Stream, from: u64, last: Position) -> Result<Vec<Record>, ReadError> {
        let mut near = None;
        let last = self.record(last, None, &mut near)?;
        if last.stream != *stream {
            return Ok(Vec::new());
        }
        let mut back = Back { shared: self, stream, next: before(&last), near };
        let mut records = vec![last];
        while records.last().is_some_and(|record| record.version > from && record.kind != RecordKind::Repaired) {
            match back.step()? {
                Some(record) => records.push(record),
                None => break,
            }
        }
        records.reverse();
        Ok(records)
    }

    /// Where a stream ended at a position.
    pub fn head_at(&self, stream: &Stream, until: Position) -> Result<Option<Head>, ReadError> {
        let Some(begin) = self.begin(stream, Moment::Position(until))? else { return Ok(None) };
        if begin.head.position <= until {
            return Ok(Some(begin.head));
        }
        let mut back = Back::from(self, stream, &begin);
        while let Some(record) = back.step()? {
            if record.position <= until {
                let Record { version, position, hash, .. } = record;
                return Ok(Some(Head { version, position, hash }));
            }
        }
        Ok(None)
    }

    /// The position of a version of a stream.
    pub fn position_of(&self, stream: &Stream, version: u64) -> Result<Option<Position>, ReadError> {
        let Some(begin) = self.begin(stream, Moment::Version(version))? else { return Ok(None) };
        let mut back = Back::from(self, stream, &begin);
        // What comes next is known by the one behind it, and need not be read.
        while let Some((position, _, next)) = back.next.filter(|(.., next)| *next >= version) {
            if next == version {
                return Ok(Some(position));
            }
            back.step()?;
        }
        Ok(None)
    }

    /// The version that says last that a stream was mended, where nothing is damaged behind it.
    pub fn last_mended(&self, stream: &Stream) -> Result<Option<u64>, ReadError> {
        let Some(head) = self.find(stream)? else { return Ok(None) };
        let mut back = Back::from(self, stream, &head);
        loop {
            match back.step() {
                Ok(Some(record)) if record.kind == RecordKind::Repaired => return Ok(Some(record.version)),
                Ok(Some(_)) => {}
                Ok(None) | Err(ReadError::Damaged { .. }) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// Where to begin to read back: what is wanted, or the oldest record behind it that is found without reading what is
    /// between; the last record where even that is before it.
    fn begin(&self, stream: &Stream, wanted: Moment) -> Result<Option<Entry>, ReadError> {
        let Some(head) = self.find(stream)? else { return Ok(None) };
        if wanted.order(&head.head).is_le() {
            return Ok(Some(head));
        }
        let (mut best, mut within) = (head, None);
        for part in self.index.parts().iter().rev() {
            let unread = |source| ReadError::Io { file: part.file(), source };
            match Fault::unless_invalid(part.find(stream)).map_err(unread)? {
                Some(None) => {}
                Some(Some(entry)) if wanted.order(&entry.head).is_ge() => {
                    (best, within) = (entry, Some(Arc::clone(part)))
                }
                // A table that is damaged is made again by whoever needs it; here the way back is longer without it.
                Some(Some(_)) | None => break,
            }
        }
        let segments = within.map(|part| self.segments_of(&part)).unwrap_or_default();
        // A part of one segment is what was just looked at.
        for segment in segments.iter().rev().filter(|_| segments.len() > 1) {
            let unread = |source| ReadError::Io { file: format!("journal/{}", segment.name), source };
            let found = footer(segment).and_then(|footer| footer.find(stream));
            match Fault::unless_invalid(found).map_err(unread)? {
                Some(None) => {}
                Some(Some(entry)) if wanted.order(&entry.head).is_ge() => best = entry,
                Some(Some(_)) | None => break,
            }
        }
        self.closer(stream, best, wanted).map(Some)
    }

    /// The oldest record of the same segment that is not before what is wanted: the segment's
    /// stretches are halved as long as the stream is in the one in the middle. A stream that is not has little to go back
    /// over.
    fn closer(&self, stream: &Stream, mut best: Entry, wanted: Moment) -> Result<Entry, ReadError> {
        let Some(segment) = self.segment_of(best.head.position) else { return Ok(best) };
        // What is wanted is in the stretches from `least` up to the one that `best` is in.
        let (mut least, mut most) = (0, segment.stretch_of(best.offset));
        while least < most && wanted.order(&best.head).is_gt() {
            let middle = least + (most - least) / 2;
            let (offset, stretch) = segment.stretch_at(middle)?;
            let found = stretch.of_stream(stream);
            let Some((_, last)) = found.last() else { break };
            if wanted.order(last).is_lt() {
                least = middle + 1;
                continue;
            }
            most = middle;
            if let Some((at, head)) = found.into_iter().find(|(_, head)| wanted.order(head).is_ge()) {
                best = Entry { head, offset: offset + at as u64 };
            }
        }
        Ok(best)
    }

    /// The record at a position; `offset` where it is known.
    fn record(&self, position: Position, offset: Option<u64>, near: &mut Near) -> Result<Record, ReadError> {
        if let Some(record) = near.as_ref().and_then(|(_, stretch)| stretch.record(position)) {
            return Ok(record);
        }
        let lost = || ReadError::Damaged { position, version: None, file: "journal".into() };
        let segment = self.segment_of(position).ok_or_else(lost)?;
        if let Some(offset) = offset {
            return segment.record_at(offset, position)?.ok_or_else(|| segment.damaged(position));
        }
        let stretch = segment.stretch(position)?;
        let record = stretch.record(position).ok_or_else(|| segment.damaged(position))?;
        *near = Some((segment, stretch));
        Ok(record)
    }

    /// A version of the stream is damaged: it takes no more appends, and whatever else is damaged there is looked for.
    fn note_damaged(&self, stream: Stream, version: u64, position: Position) {
        self.note_stream(stream, version);
        if let Some(segment) = self.segment_of(position) {
            self.examine(&segment);
        }
    }

    /// The same as [`Shared::read_stream`], from the first record of all on: the way to what is before damage. It ends
    /// with an error where one is missing, unless the stream was mended behind it.
    fn read_forward(&self, stream: &Stream, from: u64, until: Position) -> Result<Vec<Record>, ReadError> {
        let mut records: Vec<Record> = Vec::new();
        let mut next = 0;
        let mut lost = None;
        self.read_all(None, &mut |record| {
            if record.position > until {
                return false;
            }
            if record.stream != *stream {
                return true;
            }
            if record.kind == RecordKind::Repaired {
                (records, lost) = (Vec::new(), None);
            } else if record.version != next && lost.is_none() {
                lost = Some(record.previous.unwrap_or(record.position));
            }
            next = record.version + 1;
            if record.version >= from {
                records.push(record);
            }
            true
        })?;
        match lost {
            Some(position) => Err(ReadError::Damaged { position, version: None, file: "journal".into() }),
            None => Ok(records),
        }
    }

    /// Calls `each` with the records after a position, in order, until it returns false. Those that are damaged are left
    /// out, and known from then on.
    pub fn read_all(&self, after: Option<Position>, each: &mut dyn FnMut(Record) -> bool) -> Result<(), ReadError> {
        let segments: Vec<_> = self.segments.read().clone();
        let from = after.map_or(0, |after| after + 1);
        let begin = segments.partition_point(|segment| segment.header.first <= from).saturating_sub(1);
        for segment in segments.get(begin..).unwrap_or_default() {
            let read = segment.read_from(after, each)?;
            if !read.sound {
                self.examine(segment);
            }
            if read.stopped {
                break;
            }
        }
        Ok(())
    }
}

/// A record whose previous one is before it: whoever follows that comes to an end.
fn leads_back(record: Record) -> Result<Record, ReadError> {
    if record.previous.is_none_or(|previous| previous < record.position) {
        Ok(record)
    } else {
        Err(ReadError::Damaged { position: record.position, version: Some(record.version), file: "journal".into() })
    }
}
