//! A process as a row of the state: only what differs from its schema.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{AssetOnTask, Plan, Process, ProcessStatus, TaskState};
use crate::event::Actor;
use crate::facts::SchemaRef;
use crate::id::{AssetId, Micros, ProcessId};
use crate::sealed::Sealed;

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
            assets: self.assets.iter().map(|(asset, held)| (*asset, held.clone())).collect(),
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
        })
    }
}
