//! A process as a row of the state: only what differs from its schema.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    AssetOnTask, Effect, Incident, Moved, Plan, Process, ProcessStatus, Recurring, Reversal, SetAside, SetDates, Sub,
    TaskState, Timer, TimerKey, Vote,
};
use crate::event::Actor;
use crate::facts::{Dates, Lineage, Parent, ProcessForked, SchemaRef};
use crate::id::{AssetId, IncidentId, Micros, OrganizationId, ProcessId};
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
    #[serde(default)]
    zone: Zone,
    #[serde(default)]
    timers: Vec<(TimerKey, Timer)>,
    #[serde(default)]
    recurring: Vec<(u32, Recurring)>,
    #[serde(default)]
    votes: Vec<(u32, Vote)>,
    #[serde(default)]
    effects: Vec<(u64, Effect)>,
    #[serde(default)]
    incidents: Vec<(IncidentId, Incident)>,
    #[serde(default)]
    subprocesses: Vec<(u32, Sub)>,
    #[serde(default)]
    dates: Vec<(ItemRef, Dates)>,
    #[serde(default)]
    data: Option<Sealed<BTreeMap<String, Value>>>,
    #[serde(default)]
    parent: Option<Parent>,
    #[serde(default)]
    told_parent: bool,
    #[serde(default)]
    set_aside: Vec<(String, SetAside)>,
    #[serde(default)]
    moved: Option<Moved>,
    #[serde(default)]
    lineage: Option<Lineage>,
    #[serde(default)]
    archived_at: Option<Micros>,
    #[serde(default)]
    reversal: Reversal,
    #[serde(default)]
    organization: Option<OrganizationId>,
}

fn entries<K: Ord + Clone, V: Clone>(map: &imbl::OrdMap<K, V>) -> Vec<(K, V)> {
    map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

impl Process {
    fn row(&self) -> Row {
        let untouched = TaskState::default();
        let tasks = self.tasks.iter().enumerate().filter(|(_, task)| **task != untouched);
        Row {
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
            set_aside: entries(&self.set_aside),
            moved: self.moved.clone(),
            lineage: self.lineage,
            archived_at: self.archived_at,
            reversal: self.reversal,
            organization: self.organization,
        }
    }

    /// The row: compact, and made again from the journal where its form changes.
    pub fn to_row(&self) -> Vec<u8> {
        rmp_serde::to_vec(&self.row()).expect("a row whose values are sealed encodes")
    }

    /// The same as history keeps it: with the names of fields, so that later forms can read it.
    pub fn to_snapshot(&self) -> Vec<u8> {
        rmp_serde::to_vec_named(&self.row()).expect("a row whose values are sealed encodes")
    }

    /// What this process was at a moment, for one that begins there: everything but its name, its values and what only one
    /// process can have (its effects, and the process that waits for it).
    pub fn fork(&self) -> ProcessForked {
        let mut state = self.clone();
        state.data = None;
        state.name = Sealed::Closed(Vec::new());
        state.effects = imbl::OrdMap::new();
        state.subprocesses = imbl::OrdMap::new();
        state.assets = imbl::OrdMap::new();
        state.incidents = imbl::OrdMap::new();
        (state.parent, state.told_parent, state.reversal) = (None, false, Reversal::Unwanted);
        state.archived_at = None;
        ProcessForked { lineage: Lineage { process: self.id, version: self.version }, state: state.to_snapshot() }
    }

    /// Takes over what another process was. What cannot be read leaves it as it is made: its beginning.
    pub(super) fn take_over(&mut self, event: &ProcessForked) {
        let plan = Arc::clone(&self.plan);
        let Some(before) = Self::from_row(self.id, &event.state, |_| Some(plan)) else { return };
        *self = Self {
            name: self.name.clone(),
            data: self.data.clone(),
            version: self.version,
            created_by: self.created_by,
            created_at: self.created_at,
            touched_at: self.touched_at,
            organization: self.organization,
            lineage: Some(event.lineage),
            ..before
        };
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
            set_aside: row.set_aside.into_iter().collect(),
            moved: row.moved,
            lineage: row.lineage,
            archived_at: row.archived_at,
            reversal: row.reversal,
            organization: row.organization,
        })
    }
}
