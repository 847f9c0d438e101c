//! Walking one segment for everything that is in it: where its streams end, where its batches are, what is damaged.

use crate::format::{BatchHead, RecordHead, SegmentHeader};
use crate::index::heads::{Entry, Heads};
use crate::recovery::{self, Damage, DamageKind, Visit, Walked};
use crate::segment::index_batch;
use crate::{Head, Position};

/// Says which version the first record of a stream in a segment should have.
pub(crate) type Expects<'a> = dyn Fn(&RecordHead) -> u64 + 'a;

/// What a segment holds.
pub(crate) struct Survey<'a> {
    pub heads: Heads,
    /// Position and offset of a batch, one for each stretch.
    pub places: Vec<(Position, u64)>,
    pub damage: Vec<Damage>,
    file: String,
    expects: &'a Expects<'a>,
}

impl<'a> Survey<'a> {
    /// Walks the bytes of a segment file, up to the position at which the next segment begins.
    pub fn of(
        bytes: &[u8],
        header: &SegmentHeader,
        name: &str,
        until: Option<Position>,
        expects: &'a Expects<'a>,
    ) -> (Self, Walked) {
        let file = format!("journal/{name}");
        let mut survey = Self { heads: Heads::default(), places: Vec::new(), damage: Vec::new(), file, expects };
        let walked = recovery::walk(bytes, header, until, &mut survey);
        (survey, walked)
    }
}

/// What the segment itself says of a stream's first record in it: that the one before is in an older segment, or that it
/// is missing here.
pub(crate) fn as_it_says(first_of_segment: Position) -> impl Fn(&RecordHead) -> u64 {
    move |head| match head.previous {
        None => 0,
        Some(previous) if previous < first_of_segment => head.version,
        Some(_) => head.version.saturating_sub(1),
    }
}

impl Visit for Survey<'_> {
    fn batch(&mut self, offset: u64, head: &BatchHead) {
        index_batch(&mut self.places, head.first, offset);
    }

    fn record(&mut self, offset: u64, encoded: &[u8], head: &RecordHead, _body: Option<&[u8]>) {
        let known = self.heads.entries.get(&head.stream);
        let expected = known.map_or_else(|| (self.expects)(head), |known| known.head.version.saturating_add(1));
        if head.version != expected {
            self.damage(offset, DamageKind::Gap { stream: head.stream, version: expected });
        }
        let reached = Head { version: head.version, position: head.position, hash: RecordHead::hash(encoded) };
        self.heads.totals.count(&head.stream, head.previous.is_none(), head.key);
        self.heads.entries.insert(head.stream, Entry { head: reached, offset });
    }

    fn damage(&mut self, offset: u64, kind: DamageKind) {
        self.damage.push(Damage { file: self.file.clone(), offset, kind });
    }
}
