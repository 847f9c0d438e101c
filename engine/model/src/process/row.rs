//! A process as a row of the state: only what differs from its schema.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    AssetOnTask, Effect, Incident, Plan, Process, ProcessStatus, Recurring, SetDates, Sub, TaskState, Timer, TimerKey,
    Vote,
};
use crate::event::Actor;
use crate::facts::{Dates, Parent, SchemaRef};
use crate::id::{AssetId, IncidentId, Micros, ProcessId};
use crate::schema::outline::ItemRef;
use crate::sealed::Sealed;
use crate::time::zone::Zone;

#[derive(Serialize, Deserialize)]
struct Row {
    schema: SchemaRef,
    name: Sealed<String>,
    language: Option<String>,
    status: ProcessStatus,
    version: u64,
    created_by: Actor,
    created_at: Micros,
    started_at: Option<Micros>,
    ended_at: Option<Micros>,
    touched_at: Micros,
    tasks: Vec<(u32, TaskState)>,
    assets: Vec<(AssetId, AssetOnTask)>,
    zone: Zone,
    timers: Vec<(TimerKey, Timer)>,
    recurring: Vec<(u32, Recurring)>,
    votes: Vec<(u32, Vote)>,
    effects: Vec<(u64, Effect)>,
    incidents: Vec<(IncidentId, Incident)>,
    subprocesses: Vec<(u32, Sub)>,
    dates: Vec<(ItemRef, Dates)>,
    data: Option<Sealed<BTreeMap<String, Value>>>,
    parent: Option<Parent>,
    told_parent: bool,
}

fn entries<K: Ord + Clone, V: Clone>(map: &imbl::OrdMap<K, V>) -> Vec<(K, V)> {
    map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

impl Process {
    /// The row.
    pub fn to_row(&self) -> Vec<u8> {
        let untouched = TaskState::default();
        let tasks = self.tasks.iter().enumerate().filter(|(_, task)| **task != untouched);
        let row = Row {
            schema: self.plan.reference(),
            name: self.name.clone(),
            language: self.language.clone(),
            status: self.status,
            version: self.version,
            created_by: self.created_by,
            created_at: self.created_at,
            started_at: self.started_at,
            ended_at: self.ended_at,
            touched_at: self.touched_at,
            tasks: tasks.map(|(number, task)| (number as u32, *task)).collect(),
            assets: entries(&self.assets),
            zone: self.zone.clone(),
            timers: entries(&self.timers),
            recurring: entries(&self.recurring),
            votes: entries(&self.votes),
            effects: entries(&self.effects),
            incidents: entries(&self.incidents),
            subprocesses: entries(&self.subprocesses),
            dates: self.dates.iter().map(|(item, dates)| (*item, dates.written.clone())).collect(),
            data: self.data.clone(),
            parent: self.parent.clone(),
            told_parent: self.told_parent,
        };
        rmp_serde::to_vec(&row).expect("a row whose name is sealed encodes")
    }

    /// The process of a row. `plan` finds the schema that it is pinned to; `None` where row or schema do not fit.
    pub fn from_row(id: ProcessId, bytes: &[u8], plan: impl FnOnce(&SchemaRef) -> Option<Arc<Plan>>) -> Option<Self> {
        let row: Row = rmp_serde::from_slice(bytes).ok()?;
        let plan = plan(&row.schema)?;
        let mut tasks = vec![TaskState::default(); plan.outline.tasks.len()];
        for (number, task) in row.tasks {
            *tasks.get_mut(number as usize)? = task;
        }
        Some(Self {
            plan,
            id,
            name: row.name,
            language: row.language,
            status: row.status,
            version: row.version,
            created_by: row.created_by,
            created_at: row.created_at,
            started_at: row.started_at,
            ended_at: row.ended_at,
            touched_at: row.touched_at,
            tasks,
            assets: row.assets.into_iter().collect(),
            zone: row.zone,
            timers: row.timers.into_iter().collect(),
            recurring: row.recurring.into_iter().collect(),
            votes: row.votes.into_iter().collect(),
            effects: row.effects.into_iter().collect(),
            incidents: row.incidents.into_iter().collect(),
            subprocesses: row.subprocesses.into_iter().collect(),
            dates: row
                .dates
                .into_iter()
                .filter_map(|(item, dates)| Some((item, Arc::new(SetDates::read(&dates).ok()?))))
                .collect(),
            data: row.data,
            parent: row.parent,
            told_parent: row.told_parent,
        })
    }
}
