//! Reading a stream back along its records' previous positions.

use std::sync::Arc;

use crate::segment::{Segment, Stretch};
use crate::shared::Shared;
use crate::{Position, ReadError, Record, Stream};

/// The stretch of a segment that was read last: the record before is often in it.
type Near = Option<(Arc<Segment>, Stretch)>;

impl Shared {
    /// A stream's records in order of their versions, from version `from`, those at positions up to `until`.
    pub fn read_stream(&self, stream: &Stream, from: u64, until: Position) -> Result<Vec<Record>, ReadError> {
        let Some(entry) = self.find(stream) else { return Ok(Vec::new()) };
        let mut records = Vec::new();
        let mut near = None;
        let mut at = Some((entry.head.position, Some(entry.offset)));
        while let Some((position, offset)) = at {
            let record = match self.record(position, offset, &mut near).and_then(leads_back) {
                Err(ReadError::Damaged { position, file }) => {
                    self.note_damaged(*stream, position);
                    // What is behind `until` need not be sound, but its way back is lost.
                    let behind = position > until;
                    return if behind {
                        self.read_forward(stream, from, until)
                    } else {
                        Err(ReadError::Damaged { position, file })
                    };
                }
                read => read?,
            };
            if record.version < from {
                break;
            }
            at = record.previous.filter(|_| record.version > from).map(|previous| (previous, None));
            if record.position <= until {
                records.push(record);
            }
        }
        records.reverse();
        Ok(records)
    }

    /// The record at a position; `offset` where it is known.
    fn record(&self, position: Position, offset: Option<u64>, near: &mut Near) -> Result<Record, ReadError> {
        if let Some(record) = near.as_ref().and_then(|(_, stretch)| stretch.record(position)) {
            return Ok(record);
        }
        let lost = || ReadError::Damaged { position, file: "journal".into() };
        let segment = self.segment_of(position).ok_or_else(lost)?;
        if let Some(offset) = offset {
            return segment.record_at(offset, position)?.ok_or_else(|| segment.damaged(position));
        }
        let stretch = segment.stretch(position)?;
        let record = stretch.record(position).ok_or_else(|| segment.damaged(position))?;
        *near = Some((segment, stretch));
        Ok(record)
    }

    /// The stream has a damaged record: it takes no more appends, and whatever else is damaged there is looked for.
    fn note_damaged(&self, stream: Stream, position: Position) {
        self.note_stream(stream);
        if let Some(segment) = self.segment_of(position) {
            self.examine(&segment);
        }
    }

    /// The same as [`Shared::read_stream`], from the first record of all on: the way to what is before damage. It ends
    /// with an error at the first record that does not follow.
    fn read_forward(&self, stream: &Stream, from: u64, until: Position) -> Result<Vec<Record>, ReadError> {
        let mut records = Vec::new();
        let mut next = 0;
        let mut lost = None;
        self.read_all(None, &mut |record| {
            if record.position > until {
                return false;
            }
            if record.stream != *stream {
                return true;
            }
            if record.version != next {
                lost = Some(record.previous.unwrap_or(record.position));
                return false;
            }
            next += 1;
            if record.version >= from {
                records.push(record);
            }
            true
        })?;
        match lost {
            Some(position) => Err(ReadError::Damaged { position, file: "journal".into() }),
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
        Err(ReadError::Damaged { position: record.position, file: "journal".into() })
    }
}
