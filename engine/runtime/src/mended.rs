//! Streams that go on from the state behind damage: the record that says so, and how they are read.
//!
//! A stream with a damaged event takes nothing more, although the state may still have all that its events came to. A record
//! of a kind of its own then takes the next version: it holds that state, sealed as a snapshot is, and says which versions are
//! lost. Whatever folds the stream begins there; what is before the damage, and between it and this record, is still shown.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use interlink_journal::{
    BODY_BYTES_MAX, Body, Damage, DamageKind, Journal, NewRecord, Position, Record, RecordKind, Stream,
};
use interlink_model::asset::Asset;
use interlink_model::event::{Actor, Stamp, Unreadable, envelope};
use interlink_model::id::{AssetId, Micros, ProcessId};
use interlink_model::process::Process;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::catalogue::Catalogue;
use crate::core::Core;
use crate::error::{Outcome, Trouble};

/// Records of a history that are read in one go where they are not all held at once.
pub(crate) const RECORDS_AT_ONCE: usize = 256;

/// What a record of kind [`RecordKind::Repaired`] holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Mended {
    /// When it was written.
    pub at: Micros,
    /// The first version that is lost.
    pub lost_from: u64,
    /// The last version that is lost.
    pub lost_to: u64,
    /// Position of the version before those that are lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Position>,
    /// Positions of what is lost, as far as they are known.
    pub positions: Vec<Position>,
    /// The state at the version of this record; nothing where nothing is folded from the stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ByteBuf>,
    /// Of an asset: its keys, each with its sealed value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, ByteBuf>,
    /// Of a process: the assets that it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assets: Vec<AssetId>,
}

impl Mended {
    /// What a record says, where it is one that says that its stream was mended.
    pub fn of(record: &Record) -> Option<Self> {
        if record.kind == RecordKind::Repaired { rmp_serde::from_slice(&record.body).ok() } else { None }
    }

    /// The record, unless its body is larger than one may be: then how large it is, in bytes.
    pub fn record(&self, stream: Stream, version: u64, process: [u8; 16], key: u64) -> Result<NewRecord, usize> {
        let body = rmp_serde::to_vec_named(self).expect("numbers and bytes encode");
        if body.len() > BODY_BYTES_MAX {
            return Err(body.len());
        }
        Ok(NewRecord { stream, version, process, kind: RecordKind::Repaired, key, body: Body::new(body) })
    }

    /// The process that its stream goes on with.
    pub fn process(&self, catalogue: &Catalogue, id: ProcessId) -> Option<Process> {
        Process::from_row(id, self.state.as_ref()?, |schema| catalogue.plan(&schema.digest))
    }

    /// The head of the asset that its stream goes on with.
    pub fn asset(&self) -> Option<Asset> {
        Asset::from_row(self.state.as_ref()?)
    }

    /// How it is shown: when, and by nobody in particular.
    pub fn stamp(&self) -> Stamp {
        Stamp { at: self.at, actor: Actor::System, correlation: None, causation: None }
    }

    /// Whoever asks for a version that is lost, or for what only such a version could tell.
    pub fn lost(&self, what: &'static str, id: &dyn std::fmt::Display) -> Trouble {
        Trouble::Lost { what, id: id.to_string(), from: self.lost_from, to: self.lost_to }
    }
}

/// The record that says last that a stream was mended, where one does.
pub(crate) fn last(core: &Core, at: &Stream) -> Option<(Record, Mended)> {
    let first = core.journal.read_stream(at, 0, Position::MAX).ok()?.into_iter().next()?;
    let mended = Mended::of(&first)?;
    Some((first, mended))
}

/// All that can be read of a stream, in order, those that say that it was mended among them.
pub(crate) fn whole(core: &Core, at: &Stream, what: &'static str, id: &dyn std::fmt::Display) -> Outcome<Vec<Record>> {
    let mut walk = Backwards::of(&*core.journal, *at, what, id)?;
    let mut pieces = Vec::new();
    while let Some(piece) = walk.page(usize::MAX)? {
        pieces.push(piece);
    }
    Ok(pieces.into_iter().rev().flatten().collect())
}

/// All that can be read of a stream, from its end to its beginning.
pub(crate) struct Backwards<'a> {
    journal: &'a dyn Journal,
    at: Stream,
    what: &'static str,
    id: &'a dyn std::fmt::Display,
    /// What is still to be read, the next at the end.
    left: Vec<Stretch>,
}

/// Records of a stream between which nothing is lost.
struct Stretch {
    from: u64,
    to: u64,
    /// Position of the last of them.
    last: Position,
}

impl<'a> Backwards<'a> {
    pub fn of(
        journal: &'a dyn Journal,
        at: Stream,
        what: &'static str,
        id: &'a dyn std::fmt::Display,
    ) -> Outcome<Self> {
        let head = journal.head(&at).map_err(|error| Trouble::of_read(error, what, id))?;
        let left = head.map(|head| Stretch { from: 0, to: head.version, last: head.position }).into_iter().collect();
        Ok(Self { journal, at, what, id, left })
    }

    /// The next page: at most so many records, in order of their versions, all of them before those of the page before it.
    pub fn page(&mut self, most: usize) -> Outcome<Option<Vec<Record>>> {
        let Some(Stretch { from, to, last }) = self.left.pop() else { return Ok(None) };
        let page_from = from.max(to.saturating_sub(most as u64 - 1));
        let read = self.journal.read_back(&self.at, page_from, last);
        let page = read.map_err(|error| Trouble::of_read(error, self.what, self.id))?;
        let Some(first) = page.first() else { return Ok(None) };
        match Mended::of(first) {
            Some(mended) => {
                if let Some(before) = mended.before {
                    self.left.push(Stretch { from: 0, to: mended.lost_from.saturating_sub(1), last: before });
                }
                let between = first.previous.filter(|_| mended.lost_to + 1 < first.version);
                self.left.extend(between.map(|last| Stretch { from: mended.lost_to + 1, to: first.version - 1, last }));
            }
            None => {
                let rest = first.previous.filter(|_| from < first.version);
                self.left.extend(rest.map(|last| Stretch { from, to: first.version - 1, last }));
            }
        }
        Ok(Some(page))
    }

    /// Who made the events of the next page, of which no more is read.
    pub fn actors(&mut self, most: usize) -> Outcome<Option<Vec<Actor>>> {
        let Some(page) = self.page(most)? else { return Ok(None) };
        let events = page.iter().filter(|record| record.kind != RecordKind::Repaired);
        let actors = events.map(|event| Ok(envelope(&event.body)?.2.actor)).collect::<Result<_, Unreadable>>();
        actors.map(Some).map_err(|_| Trouble::Damaged { what: self.what, id: self.id.to_string() })
    }
}

/// Says which damage is known to be behind streams that go on from their state, and which is not.
pub(crate) fn sort(journal: &dyn Journal, damage: Vec<Damage>) -> (Vec<(Damage, Mended)>, Vec<Damage>) {
    let streams: HashSet<Stream> = damage.iter().filter_map(Damage::stream).collect();
    let mut mended: HashMap<Stream, (u64, Arc<Mended>)> = HashMap::new();
    let mut positions: HashMap<Position, Arc<Mended>> = HashMap::new();
    for stream in streams {
        let records = journal.read_stream(&stream, 0, Position::MAX).unwrap_or_default();
        let Some((first, says)) = records.first().and_then(|first| Some((first, Mended::of(first)?))) else { continue };
        let says = Arc::new(says);
        positions.extend(says.positions.iter().map(|position| (*position, Arc::clone(&says))));
        mended.insert(stream, (first.version, says));
    }
    let known = |damage: &Damage| match &damage.kind {
        DamageKind::Body { stream, version } | DamageKind::Gap { stream, version } => {
            mended.get(stream).filter(|(mended, _)| version < mended).map(|(_, says)| says)
        }
        DamageKind::Head { positions: lost } => {
            let mut all = lost.clone().map(|position| positions.get(&position));
            let first = all.next().flatten();
            first.filter(|_| all.all(|known| known.is_some()))
        }
        _ => None,
    };
    let (mut sorted, mut left) = (Vec::new(), Vec::new());
    for damage in damage {
        match known(&damage) {
            Some(says) => sorted.push((damage, (**says).clone())),
            None => left.push(damage),
        }
    }
    (sorted, left)
}

#[cfg(test)]
mod tests {
    use interlink_journal::Append;
    use interlink_journal::suite::{Durable, MemoryJournal};

    use super::*;

    const AT: Stream = Stream { kind: 1, id: [1; 16] };

    fn append(journal: &MemoryJournal, record: NewRecord) {
        journal.submit(Append { records: vec![record], at_us: 0 }, Box::new(|fate| assert!(fate.is_ok())));
    }

    fn event(version: u64) -> NewRecord {
        NewRecord { stream: AT, version, process: [1; 16], kind: RecordKind::Event, key: 1, body: Body::new(vec![]) }
    }

    #[test]
    fn a_stream_is_read_from_its_end_a_page_at_a_time_and_past_what_is_lost() {
        let journal = MemoryJournal::open_at_once(Durable::new([1; 16]));
        (0..5).for_each(|version| append(&journal, event(version)));
        let before = journal.position_of(&AT, 2).expect("read");
        let mended = Mended {
            at: Micros(0),
            lost_from: 3,
            lost_to: 3,
            before,
            positions: Vec::new(),
            state: None,
            values: BTreeMap::new(),
            assets: Vec::new(),
        };
        append(&journal, mended.record(AT, 5, [1; 16], 1).expect("small"));
        (6..10).for_each(|version| append(&journal, event(version)));
        for most in [1, 2, 3, 100] {
            let mut walk = Backwards::of(&journal, AT, "stream", &"1").expect("a head");
            let mut versions = Vec::new();
            while let Some(page) = walk.page(most).expect("read") {
                assert!(page.len() <= most);
                versions.extend(page.iter().rev().map(|record| record.version));
            }
            assert_eq!(versions, [9, 8, 7, 6, 5, 4, 2, 1, 0], "{most} at a time");
        }
    }
}
