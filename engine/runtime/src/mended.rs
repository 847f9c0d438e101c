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
use interlink_model::event::{Actor, Stamp};
use interlink_model::id::{AssetId, Micros, ProcessId};
use interlink_model::process::Process;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::catalogue::Catalogue;
use crate::core::Core;
use crate::error::{Outcome, Trouble};

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
    let read = |from, last| core.journal.read_back(at, from, last).map_err(|error| Trouble::of_read(error, what, id));
    let records = core.journal.read_stream(at, 0, Position::MAX).map_err(|error| Trouble::of_read(error, what, id))?;
    let mut pieces = vec![records];
    while let Some((record, mended)) =
        pieces.last().and_then(|piece| Some((piece.first()?, Mended::of(piece.first()?)?)))
    {
        let (version, previous) = (record.version, record.previous);
        if let Some(previous) = previous.filter(|_| mended.lost_to + 1 < version) {
            pieces.push(read(mended.lost_to + 1, previous)?);
        }
        let Some(before) = mended.before else { break };
        pieces.push(read(0, before)?);
    }
    Ok(pieces.into_iter().rev().flatten().collect())
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
