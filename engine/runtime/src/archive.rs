//! Archived processes: out of the state, and brought back.
//!
//! What an archived process leaves in the state is a summary for adoption. The process is folded from its stream when
//! somebody looks, from the snapshot that was written with its archiving; its assets from theirs. Its incidents, uses and
//! remembered answers stay where they are: they are found by other things than the process.
//!
//! While a process is put away the lanes of its assets are held, so that no call that is under way puts a row back; one that
//! enters its lane afterwards finds the process archived, on its way to the disk or there.

use std::collections::HashSet;
use std::sync::Arc;

use interlink_journal::{Position, Record};
use interlink_model::event::decode;
use interlink_model::facts::ProcessEvent;
use interlink_model::id::{AssetId, ProcessId, StreamKind};
use interlink_model::process::{Command, Process};

use crate::assets::AssetCell;
use crate::assets::rows::{asset_key, rows, value_key};
use crate::catalogue::events_of;
use crate::core::Core;
use crate::draft::stream;
use crate::engine::Engine;
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Permit};
use crate::keys::SealingKey;
use crate::mended::{Mended, whole};
use crate::people::Caller;
use crate::processes::{Ask, Beside, Done, ProcessCell};
use crate::state::{Found, State, Summary, Value, key, table};
use crate::usage::position_of;

fn archived_key(id: ProcessId) -> Vec<u8> {
    key(table::ARCHIVED, &[&id.bytes()])
}

/// What is left of an archived process.
pub(crate) fn row(state: &State, id: ProcessId) -> Option<Found> {
    state.get(&archived_key(id))
}

/// Whether rows that the state lacks may be missing because their process was archived behind the position that the state
/// says it includes: a checkpoint that was not finished may have written so much of it.
pub(crate) fn may_be_gone(core: &Core, id: ProcessId, included: Position) -> bool {
    let events = events_of::<ProcessEvent>(core, &stream(StreamKind::Process, id.bytes()), "process", &id);
    let is_later = |(event, _, position, _): &(ProcessEvent, _, Position, _)| {
        matches!(event, ProcessEvent::ProcessArchived(_)) && *position > included
    };
    events.is_ok_and(|events| events.iter().any(is_later))
}

/// The row of a process itself: as it is, or what is left of it.
pub(crate) fn process_rows(
    before: Option<&Process>,
    after: &Arc<Process>,
    sealing: &SealingKey,
) -> Vec<(Vec<u8>, Value)> {
    let (row_key, archived_key) = (key(table::PROCESS, &[&after.id.bytes()]), archived_key(after.id));
    if after.archived_at.is_some() {
        return vec![(row_key, Value::Gone), (archived_key, Value::bytes(Summary::of(after).encode()))];
    }
    let was_archived = before.is_some_and(|before| before.archived_at.is_some());
    let left = was_archived.then_some((archived_key, Value::Gone));
    [(row_key, Value::Process(Arc::clone(after), sealing.clone()))].into_iter().chain(left).collect()
}

/// Refuses a call of an asset whose process is archived, or is about to be: once that is durable.
pub(crate) async fn admit(cell: &ProcessCell) -> Outcome<()> {
    let (process, until) = cell.ahead();
    let Err(rejection) = process.admits_calls() else { return Ok(()) };
    cell.wait_for(until).await?;
    Err(Trouble::Rejected(rejection, process))
}

/// Every asset that a process ever had, removed ones included: their heads are in the state too. Where a part of its history
/// is lost, those that were added and removed in it are not known.
pub(crate) fn assets_ever(core: &Core, id: ProcessId) -> Outcome<Vec<AssetId>> {
    let records = whole(core, &stream(StreamKind::Process, id.bytes()), "process", &id)?;
    let mut assets: Vec<_> = records.iter().flat_map(assets_in).collect();
    let mut seen = HashSet::new();
    assets.retain(|asset| seen.insert(*asset));
    Ok(assets)
}

/// The assets that a record of a process names as its own: one that it adds, or those with which it goes on.
pub(crate) fn assets_in(record: &Record) -> Vec<AssetId> {
    match (Mended::of(record), decode::<ProcessEvent>(&record.body)) {
        (Some(mended), _) => mended.assets,
        (None, Ok((ProcessEvent::AssetAdded(added), _))) => vec![added.asset],
        _ => Vec::new(),
    }
}

/// The rows of these assets as they are, or that they are gone.
fn asset_rows(core: &Core, assets: &[AssetId], until: Position, gone: bool) -> Outcome<Vec<(Vec<u8>, Value)>> {
    let mut all = Vec::new();
    for asset in assets {
        all.extend(rows(core, *asset, until)?);
    }
    if gone {
        all.iter_mut().for_each(|(_, value)| *value = Value::Gone);
    }
    Ok(all)
}

/// Takes the rows of a process's assets away, or puts them back, as one of its events says. Rows that are newer than the
/// event stay.
pub(crate) fn replay_assets(core: &Core, id: ProcessId, event: &ProcessEvent, position: Position) {
    let gone = match event {
        ProcessEvent::ProcessArchived(_) => true,
        ProcessEvent::ProcessUnarchived(_) => false,
        _ => return,
    };
    let is_older =
        |asset: &AssetId| core.state.get(&asset_key(*asset)).is_none_or(|found| position_of(&found) < position);
    if !gone && row(&core.state, id).is_some_and(|left| position_of(&left) < position) {
        core.state.put(position, [(archived_key(id), Value::Gone)]);
    }
    let Ok(assets) = assets_ever(core, id) else { return };
    for asset in assets.iter().filter(|asset| is_older(asset)) {
        if gone {
            let values = core.state.scan(&value_key(*asset, ""), None, usize::MAX);
            let keys = values.into_iter().map(|(row_key, _)| row_key).chain([asset_key(*asset)]);
            core.state.put(position, keys.map(|row_key| (row_key, Value::Gone)));
        } else {
            match rows(core, *asset, position) {
                Ok(rows) => core.state.put(position, rows),
                Err(trouble) => tracing::error!(%asset, %trouble, "the asset cannot be made from its stream"),
            }
        }
    }
}

impl Engine {
    /// Puts a process that has ended away, or brings it back as it was. Refused as commands are.
    pub async fn set_archived(
        &self,
        caller: &Caller,
        id: ProcessId,
        archived: bool,
        reason: Option<&str>,
        expected: Option<u64>,
        answer: impl FnOnce(&Done<'_>, Option<String>) -> Answer + Send,
        permit: Permit,
    ) -> Outcome<Answer> {
        let cell = self.processes.cell(id)?;
        let seen = cell.process();
        let held = self.assets_of(&seen)?;
        let mut lanes = Vec::new();
        for asset in &held {
            lanes.push(asset.hold().await?);
        }
        let rows = self.rows_of(&seen, archived).await?;
        let state = Arc::clone(&self.core.state);
        let settle = move |behind: Option<Position>| {
            if let Some(behind) = behind {
                state.put(behind - 1, rows);
            }
        };
        let beside = |_: &_| Some(Beside { written: Vec::new(), settle: Box::new(settle) });
        let remember = permit.clone();
        let told = |done: &Done<'_>| {
            let answer = answer(done, cell.name(done.process));
            let record = remember.record(&self.core, &answer);
            (answer, record)
        };
        let command = if archived { Command::Archive } else { Command::Unarchive };
        // What was read belongs to this version; whoever named another is told so.
        let ask = Ask { command: &command, note: reason, expected: expected.or(Some(seen.version)) };
        let done = self.processes.command(&cell, caller.actor(), ask, beside, told, permit).await;
        drop(lanes);
        match done {
            Err(Trouble::WrongVersion { .. }) if expected.is_none() => {
                Err(Trouble::Busy { what: "the process changed meanwhile".into(), retry_after_s: 1 })
            }
            done => done,
        }
    }

    /// The assets of a process that may be archived or brought back. Of one that goes on that is refused: nobody waits.
    fn assets_of(&self, process: &Process) -> Outcome<Vec<Arc<AssetCell>>> {
        let assets = process.assets.keys().filter(|_| process.ended_at.is_some());
        assets.map(|asset| self.assets.cell(*asset)).collect()
    }

    /// What its assets have in the state, read off the asynchronous workers.
    async fn rows_of(&self, process: &Process, archived: bool) -> Outcome<Vec<(Vec<u8>, Value)>> {
        if process.ended_at.is_none() {
            return Ok(Vec::new());
        }
        let (core, id) = (Arc::clone(&self.core), process.id);
        let reading = tokio::task::spawn_blocking(move || {
            let assets = assets_ever(&core, id)?;
            asset_rows(&core, &assets, Position::MAX, archived)
        });
        let unread = |_| Trouble::Unknown("the assets of the process could not be read".into());
        reading.await.map_err(unread)?
    }
}
