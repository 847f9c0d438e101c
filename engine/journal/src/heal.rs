//! What is done about damage that is noticed while the journal is open.
//!
//! A table of the index that is damaged is put aside, and what it covered is read again: from the segments' footers, and
//! where one of those is damaged from the records. A record that is damaged stays where it is; its whole segment is
//! walked once, as a start would have done, so that all that is damaged in it is known.

use std::ops::Bound;
use std::sync::Arc;

use crate::index::files::file_name;
use crate::index::heads::Entry;
use crate::index::table::{About, Fault, Table};
use crate::index::{Part, Unread, Unsealed};
use crate::recovery::{Damage, DamageKind};
use crate::segment::Segment;
use crate::shared::Shared;
use crate::survey::{Survey, as_it_says};
use crate::{Head, Position, Stream};

impl Shared {
    /// Makes a part of the index again that is damaged. One that only cannot be read for now stays as it is, and so does one
    /// whose segments cannot be read: that is the error.
    pub fn make_again(&self, unread: Unread) -> std::io::Result<()> {
        match unread.fault {
            Fault::Io(error) => Err(error),
            Fault::Invalid => self.heal(&unread.part),
        }
    }

    fn heal(&self, part: &Arc<Part>) -> std::io::Result<()> {
        let _healing = self.healing.lock();
        let Part::Table(table) = &**part else { return Ok(()) };
        if !self.index.parts().iter().any(|present| Arc::ptr_eq(present, part)) {
            return Ok(());
        }
        let segments = self.segments_of(part);
        let parts = if table.about.level == 0 {
            segments.iter().map(|segment| self.walked(segment)).collect::<Result<Vec<_>, _>>()?
        } else {
            let footer_or_walked = |segment: &Arc<Segment>| match Fault::unless_invalid(footer(segment))? {
                Some(footer) => Ok(Part::Table(footer)),
                None => self.walked(segment),
            };
            let parts = segments.iter().map(footer_or_walked).collect::<std::io::Result<Vec<_>>>()?;
            self.note_useless(file_name(table.about.level, table.about.from, table.about.segments));
            parts
        };
        self.index.replace(std::slice::from_ref(part), parts);
        self.bell.ring();
        Ok(())
    }

    /// The segments that a part covers, in order.
    pub fn segments_of(&self, part: &Part) -> Vec<Arc<Segment>> {
        let (from, to) = part.covers();
        let segments = self.segments.read();
        segments.iter().filter(|segment| (from..=to).contains(&segment.key())).cloned().collect()
    }

    /// The streams of a segment, from its records.
    fn walked(&self, segment: &Arc<Segment>) -> std::io::Result<Part> {
        let bytes = written_bytes(segment)?;
        let expects = as_it_says(segment.header.first);
        let until = Some(self.behind(segment));
        let (survey, walked) = Survey::of(&bytes, &segment.header, &segment.name, until, &expects);
        let damaged = !survey.damage.is_empty();
        self.note(survey.damage);
        Ok(Part::Memory(Unsealed { segment: Arc::clone(segment), heads: survey.heads, chain: walked.chain, damaged }))
    }

    /// Walks a segment in which something that was read is damaged, once, and remembers all that is. What cannot be read
    /// for now is walked when it is met again.
    pub fn examine(&self, segment: &Segment) {
        if segment.is_examined() {
            return;
        }
        let (Ok(bytes), Ok(footer)) = (written_bytes(segment), Fault::unless_invalid(footer(segment))) else { return };
        segment.set_examined();
        let expects = as_it_says(segment.header.first);
        let until = Some(self.behind(segment));
        let (survey, _) = Survey::of(&bytes, &segment.header, &segment.name, until, &expects);
        let mut damage = survey.damage;
        if let Some(footer) = footer {
            let heads = survey.heads.entries;
            let rows = footer.from(Bound::Unbounded).map_while(Result::ok);
            let lost =
                rows.filter(|(stream, entry)| heads.get(stream).is_none_or(|found| is_behind(&found.head, entry)));
            damage.extend(lost.map(|(stream, entry)| lost_record(&segment.name, stream, &entry)));
        }
        self.note(damage);
    }

    /// The position behind the last record of a segment: all before it was acknowledged. Asked for once its bytes have been
    /// read, so that nothing in them is behind it.
    fn behind(&self, segment: &Segment) -> Position {
        let reached = self.reached.read().chain.next;
        let segments = self.segments.read();
        let next = segments.iter().skip_while(|other| other.name != segment.name).nth(1);
        next.map_or(reached, |next| next.header.first)
    }
}

/// What a segment holds up to its last batch, with the header.
fn written_bytes(segment: &Segment) -> std::io::Result<Vec<u8>> {
    segment.file.read(0, segment.end())
}

/// The footer of a segment that has ended.
pub(crate) fn footer(segment: &Segment) -> Result<Table, Fault> {
    let about = About::read(&segment.file, segment.seal())?;
    let fits = about.level == 0 && about.from == segment.key() && about.base == segment.end();
    if fits { Table::load(Arc::clone(&segment.file), segment.seal(), about) } else { Err(Fault::Invalid) }
}

/// Whether the last record of a stream that was found in a segment is older than the one that the footer knows.
pub(crate) fn is_behind(found: &Head, entry: &Entry) -> bool {
    found.position < entry.head.position
}

/// A record that a footer knows and that is not in its segment.
pub(crate) fn lost_record(name: &str, stream: Stream, entry: &Entry) -> Damage {
    let kind = DamageKind::Gap { stream, version: entry.head.version };
    Damage { file: format!("journal/{name}"), offset: entry.offset, kind }
}
