//! A new beginning from a moment of the past: a process as another was then, with copies of its assets.
//!
//! What an asset had goes along: its state, under the fork's key; its alarms, set for when they were, so that one whose time has
//! passed rings at once, as after an outage; its blobs, by where their parts stand. No guest runs, and all of it is one append.

use std::collections::BTreeMap;
use std::sync::Arc;

use interlink_journal::Position;
use interlink_model::asset::Asset;
use interlink_model::event::Stamp;
use interlink_model::facts::*;
use interlink_model::id::{AssetId, Micros, ProcessId, StreamKind};
use interlink_model::keyvalues::prefixes;
use interlink_model::process::{AssetOnTask, Command, NewProcess, Process};
use interlink_model::sealed::Sealed;
use serde_json::Value as Json;

use crate::ambient::{asset_id, process_id};
use crate::assets::blobs::taken_along;
use crate::assets::rows::from_stream;
use crate::assets::{Assets, Snapshot, alarms_of, name_of, outcome_of, settle_events, written_events};
use crate::core::Core;
use crate::draft::{Written, stream};
use crate::engine::Engine;
use crate::error::{Outcome, Trouble};
use crate::gate::{Answer, Permit};
use crate::history::fold;
use crate::keys::SealingKey;
use crate::past::AsOf;
use crate::people::Caller;
use crate::processes::{Beside, Making, ProcessCell};
use crate::usage::held::{Hosted, Room};

/// What a fork of a process is to be.
pub struct Fork {
    /// Where it begins.
    pub at: AsOf,
    /// What people call it.
    pub name: String,
    /// Whether its assets are copied.
    pub assets: bool,
}

/// The state of all assets that a fork copies at once, in bytes: it is one append.
pub const FORKED_BYTES_MAX: usize = 1 << 20;

impl Engine {
    /// Makes a process that begins where another was.
    pub async fn fork(
        &self,
        caller: &Caller,
        id: ProcessId,
        fork: Fork,
        answer: impl FnOnce(&Process, &str) -> Answer + Send,
        permit: Permit,
    ) -> Outcome<Answer> {
        let cell = self.cell_of(id)?;
        let until = self.position_at(id, fork.at)?;
        let then = fold(&self.core, &self.catalogue, id, until)?.process;
        let copies = if fork.assets { self.assets_then(&cell, &then, until)? } else { Vec::new() };
        let new = NewProcess {
            name: fork.name,
            language: then.language.clone(),
            zone: Some(then.zone.clone()),
            data: cell.data(&then),
            parent: None,
            organization: then.organization,
        };
        let id = process_id(&*self.core.ambient);
        // Held until the fork is counted.
        let hosted = Hosted { process: id, organization: then.organization };
        let _rooms = copies.iter().map(|copy| copy.room(&self.assets, hosted)).collect::<Outcome<Vec<_>>>()?;
        let before = copies.iter().fold(vec![then.fork().into()], |mut events, copy| {
            events.extend(copy.added());
            events
        });
        let first = vec![Command::Tick { until: Micros(i64::MAX) }];
        let making = Making { id: Some(id), plan: Arc::clone(&then.plan), new, before, first };
        let remember = permit.clone();
        let settle = |process: &Process, name: &str| {
            let answer = answer(process, name);
            let record = remember.record(&self.core, &answer);
            (answer, record)
        };
        let beside = |stamp: &Stamp, process: ProcessId, key: &SealingKey| {
            let (mut written, mut puts) = (Vec::new(), Vec::new());
            for copy in copies {
                let (events, asset) = copy.written(&self.core, &cell, process, key, *stamp);
                let put = settle_events(&self.core, events.clone(), None, asset, key.clone(), *stamp);
                puts.push((events.len() as u64, put));
                written.extend(events);
            }
            let settle = move |mut first: Option<Position>| {
                for (count, put) in puts {
                    put(first);
                    first = first.map(|first| first + count);
                }
            };
            (!written.is_empty()).then(|| Beside { written, settle: Box::new(settle) })
        };
        let made = self.processes.create(caller.actor(), making, beside, settle, permit).await?;
        Ok(made.1)
    }

    /// The assets of a process at a position.
    fn assets_then(&self, from: &ProcessCell, process: &Process, until: Position) -> Outcome<Vec<Copy>> {
        let mut bytes = 0;
        let mut copies = Vec::new();
        for (id, held) in &process.assets {
            let (snapshot, _) = from_stream(&self.core, *id, until)?;
            let alarms = alarms_of(&snapshot.asset, &from.key);
            bytes += snapshot.values.bytes() + alarms.iter().map(bytes_of_alarm).sum::<usize>();
            if bytes > FORKED_BYTES_MAX {
                let detail = "the assets of this process hold more than a fork copies at once; fork it without them";
                return Err(Trouble::TooLarge(format!("{detail} (the limit is {FORKED_BYTES_MAX} bytes)")));
            }
            copies.push(Copy { id: asset_id(&*self.core.ambient), held: held.clone(), of: snapshot, alarms });
        }
        Ok(copies)
    }
}

/// What an alarm is set with, in bytes as JSON.
fn bytes_of_alarm(alarm: &AlarmSet) -> usize {
    alarm.name.len() + alarm.input.opened().map_or(0, |input| input.to_string().len())
}

/// An asset on its way into a fork.
struct Copy {
    id: AssetId,
    held: AssetOnTask,
    of: Snapshot,
    /// What it had set for later.
    alarms: Vec<AlarmSet>,
}

impl Copy {
    /// What the forked process hears of it.
    fn added(&self) -> Vec<ProcessEvent> {
        let AssetOnTask { interlinker, is_work, outcome, .. } = self.held.clone();
        let (task, asset) = (self.of.asset.task.clone(), self.id);
        let noted = outcome.then(|| OutcomeNoted { task: task.clone(), asset }.into());
        [AssetAdded { task, asset, interlinker, work: is_work }.into()].into_iter().chain(noted).collect()
    }

    /// Room for it, as for an asset that is made with what this one has, its blobs included.
    fn room<'a>(&self, assets: &'a Assets, hosted: Hosted) -> Outcome<Room<'a>> {
        let Snapshot { asset, values } = &self.of;
        let bytes = u64::try_from(values.bytes()).unwrap_or(u64::MAX).saturating_add(asset.blob_bytes());
        assets.room(hosted, &asset.interlinker.name, 1, i64::try_from(bytes).unwrap_or(i64::MAX))
    }

    /// Its events, sealed under the fork's key, and the asset that they make. It is instantiated with the state that the
    /// other had, its alarms are set for when they were, its blobs are named, and no guest runs.
    fn written(
        self,
        core: &Core,
        from: &ProcessCell,
        process: ProcessId,
        key: &SealingKey,
        stamp: Stamp,
    ) -> (Vec<Written>, Arc<Asset>) {
        let Snapshot { asset, values } = self.of;
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for (name, _) in values.iter() {
            prefixes(name).for_each(|prefix| *counts.entry(prefix.to_owned()).or_default() += 1);
        }
        let change = |(name, value): (&Arc<str>, &Arc<[u8]>)| Change {
            key: name.to_string(),
            value: Some(Sealed::Open(serde_bytes::ByteBuf::from(value.to_vec()))),
        };
        let made = InterlinkerInstantiated {
            interlinker: asset.interlinker.clone(),
            process,
            organization: asset.organization,
            task: asset.task.clone(),
            name: Sealed::Open(name_of(&asset, &from.key).unwrap_or_default()),
            input: Sealed::Open(Json::Null),
            output: Sealed::Open(Json::Null),
            changes: values.iter().map(change).collect(),
            call: None,
            counts,
            noted: Vec::new(),
            grown_bytes: i64::try_from(values.bytes()).unwrap_or(i64::MAX),
            duration_us: 0,
        };
        let outcome = outcome_of(&asset, &from.key).map(Sealed::Open);
        let declared = outcome.map(|outcome| OutcomeDeclared { outcome }.into());
        let at = stream(StreamKind::Asset, self.id.bytes());
        let alarms = self.alarms.into_iter().map(AssetEvent::from);
        let blobs = taken_along(&asset);
        let events = [made.into()].into_iter().chain(declared).chain(alarms).chain(blobs);
        written_events(core, at, None, process, key, stamp, events)
    }
}

#[cfg(test)]
mod tests;
