//! From the state: a stream whose state is whole goes on from it behind what is damaged, and what is damaged is given up.
//!
//! The state is believed where it is sound and at the very version that the journal has last: a row has a checksum and is
//! sealed, and its version is counted by the events that it took in. It is brought up to the journal first, as a start does.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use interlink_journal::{
    BODY_BYTES_MAX, FileJournal, Head, Journal, NewRecord, Position, ReadError, Record, RecordKind, Stream,
};
use interlink_model::asset::Asset;
use interlink_model::id::{AssetId, ProcessId, StreamKind};
use interlink_model::process::Process;
use serde_bytes::ByteBuf;

use super::RepairError;
use crate::ambient::System;
use crate::archive;
use crate::assets::rows::sealed_rows;
use crate::audit::{core_on, read_only};
use crate::catalogue::Catalogue;
use crate::core::Core;
use crate::engine::OpenError;
use crate::history::from_row;
use crate::keys::SealingKey;
use crate::mended::Mended;
use crate::recover::{put_asset, put_process, replay};
use crate::state::{Checkpointer, Found, STATE_DIRECTORY, State, Value, key, table};
use crate::usage::position_of;

/// Of each stream the versions that are lost when it goes on from its state, the first and the last, or why it does not.
pub(super) type Verdicts = BTreeMap<Stream, Result<[u64; 2], String>>;

/// Says what would go on from the state as it is on disk, and changes nothing.
pub(super) fn plan(data: &Path, streams: &BTreeSet<Stream>) -> Result<Verdicts, RepairError> {
    let mut differences = Vec::new();
    let (core, _) = read_only(data, &mut differences)?;
    if let Some(difference) = differences.into_iter().next() {
        return Ok(streams.iter().map(|stream| (*stream, Err(difference.clone()))).collect());
    }
    let catalogue = catalogue_of(data, &core)?;
    let planned = Plans::of(&core, streams)?;
    Ok(planned.0.into_iter().map(|(stream, lost)| (stream, verdict(&core, &catalogue, stream, lost))).collect())
}

fn verdict(core: &Core, catalogue: &Catalogue, stream: Stream, lost: Result<Lost, String>) -> Result<[u64; 2], String> {
    let lost = lost?;
    let versions = [lost.from, lost.to];
    Going::of(core, catalogue, stream, lost).map(|_| versions)
}

/// Lets every stream go on that can.
pub(super) fn go_on(data: &Path, streams: &BTreeSet<Stream>) -> Result<Verdicts, RepairError> {
    let none = |reason: String| Ok(streams.iter().map(|stream| (*stream, Err(reason.clone()))).collect());
    if !data.join(STATE_DIRECTORY).is_dir() {
        return none("there is no state".into());
    }
    let journal = Arc::new(FileJournal::open(data)?);
    let identity = journal.identity();
    let (state, included) = match State::open_as_it_is(data, identity, journal.durable().unwrap_or(0)) {
        Ok(opened) => opened,
        Err(error) => return none(error.to_string()),
    };
    let checkpointer = Checkpointer::start(Arc::clone(&state), identity, Arc::new(System));
    let mut checkpointer = checkpointer.map_err(super::io("starting checkpoints"))?;
    let core = Arc::new(core_on(data, journal, state)?);
    let catalogue = catalogue_of(data, &core)?;
    replay(&core, &catalogue, included, &mut |_| {}).map_err(OpenError::from)?;
    let mut verdicts = Verdicts::new();
    for (stream, lost) in Plans::of(&core, streams)?.0 {
        let going = lost.and_then(|lost| {
            let versions = [lost.from, lost.to];
            let going = Going::of(&core, &catalogue, stream, lost)?;
            going.write(&core).map(|()| versions)
        });
        verdicts.insert(stream, going);
    }
    core.journal.close();
    checkpointer.stop();
    Ok(verdicts)
}

fn catalogue_of(data: &Path, core: &Core) -> Result<Catalogue, RepairError> {
    let catalogue = Catalogue::new(data).map_err(super::io("reading components/"))?;
    // What of it is damaged is told by the audit, and costs what needs it.
    catalogue.read(core).map_err(OpenError::from)?;
    Ok(catalogue)
}

/// What is lost of a stream.
struct Lost {
    from: u64,
    to: u64,
    /// Position of the version before.
    before: Option<Position>,
    positions: Vec<Position>,
}

/// What is lost of each stream, or why that cannot be told.
struct Plans(BTreeMap<Stream, Result<Lost, String>>);

/// The end of what can be read of a stream from its beginning on, or from where it was mended.
#[derive(Default)]
struct Prefix {
    last: Option<(u64, Position)>,
    /// Positions of what was lost before, where it was mended.
    positions: Vec<Position>,
    has_ended: bool,
}

impl Prefix {
    fn take(&mut self, record: &Record) {
        let next = self.last.map_or(0, |(version, _)| version + 1);
        if record.kind == RecordKind::Repaired {
            self.positions = Mended::of(record).map(|mended| mended.positions).unwrap_or_default();
            self.has_ended = false;
        } else if record.version != next {
            self.has_ended = true;
        }
        if !self.has_ended {
            self.last = Some((record.version, record.position));
        }
    }
}

impl Plans {
    /// Goes through the journal once, for all of them.
    fn of(core: &Core, streams: &BTreeSet<Stream>) -> Result<Self, RepairError> {
        let last_lost: HashMap<Stream, Result<(u64, Position), String>> =
            streams.iter().map(|stream| (*stream, last_lost(core, stream))).collect();
        let mut prefixes: HashMap<Stream, Prefix> = streams.iter().map(|stream| (*stream, Prefix::default())).collect();
        let read = core.journal.read_all(None, &mut |record| {
            if let Some(prefix) = prefixes.get_mut(&record.stream) {
                prefix.take(&record);
            }
            true
        });
        read.map_err(OpenError::from)?;
        let planned = last_lost.into_iter().map(|(stream, lost)| {
            let Prefix { last, mut positions, .. } = prefixes.remove(&stream).unwrap_or_default();
            let lost = lost.map(|(to, position)| {
                positions.push(position);
                Lost { from: last.map_or(0, |(version, _)| version + 1), to, before: last.map(|(_, at)| at), positions }
            });
            (stream, lost)
        });
        Ok(Self(planned.collect()))
    }
}

/// The last version of a stream that is damaged, and its position.
fn last_lost(core: &Core, stream: &Stream) -> Result<(u64, Position), String> {
    match core.journal.read_stream(stream, 0, Position::MAX) {
        Err(ReadError::Damaged { position, version: Some(version), .. }) => Ok((version, position)),
        Err(error) => Err(error.to_string()),
        Ok(_) => Err("nothing of it that is read is damaged".into()),
    }
}

/// A stream that can go on, with all that it goes on with.
struct Going {
    record: NewRecord,
    rows: Rows,
}

/// What the state has of it, at the version with which it goes on.
enum Rows {
    Process(Arc<Process>, SealingKey),
    Asset(Box<Asset>, BTreeMap<String, ByteBuf>, SealingKey),
    /// Nothing is folded from the stream.
    Nothing,
}

impl Going {
    fn of(core: &Core, catalogue: &Catalogue, stream: Stream, lost: Lost) -> Result<Self, String> {
        let head = core.head(&stream).map_err(|trouble| trouble.to_string())?;
        let head = head.ok_or("where it ends is not known")?;
        let rows = match StreamKind::from_byte(stream.kind) {
            Some(StreamKind::Process) => process_rows(core, catalogue, ProcessId::from_bytes(stream.id), &head)?,
            Some(StreamKind::Asset) => asset_rows(core, AssetId::from_bytes(stream.id), &head)?,
            Some(StreamKind::Snapshot | StreamKind::Usage | StreamKind::Answer) => Rows::Nothing,
            _ => return Err("nothing of it is kept in the state".into()),
        };
        let Lost { from: lost_from, to: lost_to, before, positions } = lost;
        let (state, values, assets) = match &rows {
            Rows::Process(process, _) => {
                (Some(process.to_snapshot()), BTreeMap::new(), process.assets.keys().copied().collect())
            }
            Rows::Asset(asset, values, _) => (Some(asset.to_row()), values.clone(), Vec::new()),
            Rows::Nothing => (None, BTreeMap::new(), Vec::new()),
        };
        let state = state.map(ByteBuf::from);
        let mended = Mended { at: core.now(), lost_from, lost_to, before, positions, state, values, assets };
        let (process, number) = match &rows {
            Rows::Process(process, key) => (process.id.bytes(), key.number),
            Rows::Asset(asset, _, key) => (asset.process.bytes(), key.number),
            Rows::Nothing => ([0; 16], 0),
        };
        let too_large = |bytes| format!("its state of {bytes} bytes is more than a record holds ({BODY_BYTES_MAX})");
        let record = mended.record(stream, head.version + 1, process, number).map_err(too_large)?;
        Ok(Self { record, rows })
    }

    /// Writes the record, and puts what it says into the state.
    fn write(self, core: &Arc<Core>) -> Result<(), String> {
        let Self { record, rows } = self;
        let shared = Arc::clone(core);
        let fate = core.commit(&[], Some(record), move |position| match (position, rows) {
            (None, _) | (_, Rows::Nothing) => {}
            (Some(position), Rows::Process(process, key)) => put_process(&shared, position, &process, &key),
            (Some(position), Rows::Asset(asset, values, key)) => put_asset(&shared, position, *asset, &values, key),
        });
        match fate.blocking_recv() {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the journal was closed".into()),
        }
    }
}

/// Why a row is not what its stream goes on with.
fn not_at(version: u64, head: &Head) -> String {
    format!("the state has it at version {version}, and the journal at {}", head.version)
}

fn process_rows(core: &Core, catalogue: &Catalogue, id: ProcessId, head: &Head) -> Result<Rows, String> {
    let row_key = key(table::PROCESS, &[&id.bytes()]);
    let found = core.state.get(&row_key).ok_or_else(|| match archive::row(&core.state, id) {
        Some(_) => "it is archived, and the state has only numbers of it",
        None => "the state does not have it",
    })?;
    let position = position_of(&found);
    let (process, key) = match found {
        Found::Live(_, Value::Process(process, key)) => (process, key),
        Found::Stored(stored) => from_row(core, catalogue, id, &row_key, &stored).ok_or("its row does not open")?,
        Found::Live(..) => return Err("its row is none of a process".into()),
    };
    if process.version != head.version || position < head.position {
        return Err(not_at(process.version, head));
    }
    let next = Process { version: head.version + 1, ..(*process).clone() };
    Ok(Rows::Process(Arc::new(next), key))
}

fn asset_rows(core: &Core, id: AssetId, head: &Head) -> Result<Rows, String> {
    let (asset, values, key) = sealed_rows(core, id).ok_or("the state does not have all of it")?;
    if asset.version != head.version {
        return Err(not_at(asset.version, head));
    }
    let next = Asset { version: head.version + 1, ..asset };
    let values = values.into_iter().map(|(name, sealed)| (name, ByteBuf::from(sealed))).collect();
    Ok(Rows::Asset(Box::new(next), values, key))
}
