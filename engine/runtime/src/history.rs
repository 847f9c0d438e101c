//! Processes from their streams: as they are, and as they were.
//!
//! Every [`SNAPSHOT_EVERY`] events a snapshot of the process goes into a stream beside its own, in the same append. A process
//! is folded from the last one before the moment that is wanted, so that loading is bounded however long its history; one
//! that is damaged only costs the way back to the beginning.

use std::sync::Arc;

use interlink_journal::{Body, NewRecord, Position, RecordKind};
use interlink_model::event::Stamp;
use interlink_model::event::decode;
use interlink_model::facts::ProcessEvent;
use interlink_model::id::{ProcessId, StreamKind};
use interlink_model::process::Process;
use serde::{Deserialize, Serialize};

use crate::catalogue::Catalogue;
use crate::core::Core;
use crate::draft::stream;
use crate::error::{Outcome, Trouble};
use crate::keys::SealingKey;
use crate::mended::{self, Mended};
use crate::state::Stored;

/// Events of a process between snapshots: what loading one folds at most, against a row of history each.
pub const SNAPSHOT_EVERY: u64 = 1_000;

/// A process that was folded.
pub(crate) struct Folded {
    pub process: Arc<Process>,
    pub key: SealingKey,
}

#[derive(Serialize, Deserialize)]
struct Snapshot {
    version: u64,
    #[serde(with = "serde_bytes")]
    state: Vec<u8>,
}

/// Whether events that lead to this process bring a snapshot with them: every so often, and when it is archived, so that
/// whoever looks at it folds nothing.
pub(crate) fn is_snapshot_due(before: &Process, after: &Process) -> bool {
    after.version / SNAPSHOT_EVERY > before.version / SNAPSHOT_EVERY
        || (before.archived_at.is_none() && after.archived_at.is_some())
}

/// The record of a snapshot. What people wrote in it is sealed as it is in the process.
pub(crate) fn snapshot_record(process: &Process, key: &SealingKey, version: u64) -> NewRecord {
    let snapshot = Snapshot { version: process.version, state: process.to_snapshot() };
    NewRecord {
        stream: stream(StreamKind::Snapshot, process.id.bytes()),
        version,
        process: process.id.bytes(),
        kind: RecordKind::Snapshot,
        key: key.number,
        body: Body::new(rmp_serde::to_vec_named(&snapshot).expect("numbers and bytes encode")),
    }
}

/// The process of a row.
pub(crate) fn from_row(
    core: &Core,
    catalogue: &Catalogue,
    id: ProcessId,
    row_key: &[u8],
    stored: &Stored,
) -> Option<(Arc<Process>, SealingKey)> {
    let key = core.keys.key(stored.key).ok()?;
    let row = crate::state::open_process_row(&key, row_key, stored)?;
    let process = Process::from_row(id, &row, |schema| catalogue.plan(&schema.digest))?;
    Some((Arc::new(process), key))
}

/// Folds a process from its stream, up to a position.
pub(crate) fn fold(core: &Core, catalogue: &Catalogue, id: ProcessId, until: Position) -> Outcome<Folded> {
    let snapshot = last_snapshot(core, catalogue, id, until);
    match snapshot.map(|process| fold_on(core, catalogue, id, Some(process), until)) {
        Some(Ok(folded)) => Ok(folded),
        Some(Err(unread @ Trouble::Unread(_))) => Err(unread),
        // No snapshot yet, or one that does not fit: from the beginning.
        _ => fold_whole(core, catalogue, id, until).map_err(|trouble| or_lost(core, id, trouble)),
    }
}

/// The same from the beginning, or from where the process went on from its state, whatever snapshots there are.
pub(crate) fn fold_whole(core: &Core, catalogue: &Catalogue, id: ProcessId, until: Position) -> Outcome<Folded> {
    fold_on(core, catalogue, id, None, until)
}

/// Why a process cannot be told as it was: its history is damaged, or lost for good.
fn or_lost(core: &Core, id: ProcessId, trouble: Trouble) -> Trouble {
    match (&trouble, mended::last(core, &stream(StreamKind::Process, id.bytes()))) {
        (Trouble::Damaged { .. }, Some((_, mended))) => mended.lost("process", &id),
        _ => trouble,
    }
}

fn last_snapshot(core: &Core, catalogue: &Catalogue, id: ProcessId, until: Position) -> Option<Process> {
    let at = stream(StreamKind::Snapshot, id.bytes());
    let head = core.journal.head_at(&at, until).ok()??;
    let record = core.journal.read_back(&at, head.version, head.position).ok()?.pop()?;
    let snapshot: Snapshot = rmp_serde::from_slice(&record.body).ok()?;
    let process = Process::from_row(id, &snapshot.state, |schema| catalogue.plan(&schema.digest))?;
    (process.version == snapshot.version).then_some(process)
}

fn fold_on(
    core: &Core,
    catalogue: &Catalogue,
    id: ProcessId,
    mut process: Option<Process>,
    until: Position,
) -> Outcome<Folded> {
    let damaged = || Trouble::Damaged { what: "process", id: id.to_string() };
    let from = process.as_ref().map_or(0, |process| process.version + 1);
    let at = stream(StreamKind::Process, id.bytes());
    let read = |from| {
        let records = core.journal.read_stream(&at, from, until);
        records.map_err(|error| Trouble::of_read(error, "process", &id))
    };
    let records = read(from)?;
    let mut number = records.first().map(|record| record.key);
    if number.is_none() {
        // Nothing has happened since the snapshot.
        number = read(from.saturating_sub(1))?.first().map(|record| record.key);
    }
    for record in records {
        if let Some(mended) = Mended::of(&record) {
            process = Some(mended.process(catalogue, id).ok_or_else(damaged)?);
            continue;
        }
        let (event, stamp) = decode::<ProcessEvent>(&record.body).map_err(|_| damaged())?;
        process = Some(step(catalogue, id, process, event, &stamp).ok_or_else(damaged)?);
    }
    let gone = || Trouble::NotFound { what: "process", id: id.to_string() };
    let number = number.ok_or_else(gone)?;
    let key = core.keys.key(number).map_err(|error| Trouble::Unknown(error.to_string()))?;
    process.map(|process| Folded { process: Arc::new(process), key }).ok_or_else(damaged)
}

/// A process with one event more; nothing where a schema that it needs is not there.
pub(crate) fn step(
    catalogue: &Catalogue,
    id: ProcessId,
    process: Option<Process>,
    mut event: ProcessEvent,
    stamp: &Stamp,
) -> Option<Process> {
    if let ProcessEvent::ProcessMigrated(moved) = &mut event {
        moved.plan = Some(catalogue.plan(&moved.to.digest)?);
    }
    match (process, &event) {
        (None, ProcessEvent::ProcessCreated(created)) => {
            Some(Process::created(id, created, stamp, catalogue.plan(&created.schema.digest)?))
        }
        (None, _) => None,
        (Some(mut process), event) => {
            process.apply(event, stamp);
            Some(process)
        }
    }
}
