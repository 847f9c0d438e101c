//! The process: one run of a schema by real people, as a state machine.
//!
//! [`decide`] holds every rule and touches nothing; [`Process::apply`] cannot fail. What is written down of a task is
//! only what somebody did to it ([`Stage`]); whether it waits, is ready or rests is derived from that, the plan and
//! the process's own status, each time it is asked: so nothing derived can be out of step, and a process's row holds
//! only what differs from its schema.
//!
//! # Invariants
//!
//! Any sequence of commands keeps these ([`Process::broken_invariant`] checks them, property tests drive it):
//!
//! 1. The version is the number of events, less one.
//! 2. A task was completed only while everything that it waits for was finished.
//! 3. A task is somebody's exactly when it is reserved or in progress.
//! 4. A process is completed exactly when it was started, was not cancelled, and all its tasks are finished.
//! 5. Progress is tasks completed over tasks not skipped, from 0 to 1; a process that is completed is at 1.
//! 6. Times do not go backwards: created, started, ended; and no task ends before it began.
//! 7. Replaying the events gives the same state, byte for byte.

mod apply;
mod decide;
mod derive;
mod guide;
mod row;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use decide::{Command, Context, Rejection, Rule, create, decide};
pub use derive::{ItemStatus, ItemView, TaskStatus};
pub use guide::{Guide, Next, Waiting};

use crate::event::Actor;
use crate::facts::SchemaRef;
use crate::id::{AssetId, Micros, PersonId, ProcessId};
use crate::schema::Schema;
use crate::schema::outline::Outline;
use crate::sealed::Sealed;

/// A schema that processes are pinned to, numbered for the engine.
#[derive(Debug, PartialEq)]
pub struct Plan {
    /// The schema.
    pub schema: Schema,
    /// Its numbered form.
    pub outline: Outline,
}

impl Plan {
    /// The plan of a schema.
    pub fn new(schema: Schema) -> Self {
        let outline = Outline::of(&schema);
        Self { schema, outline }
    }

    /// Name, version and digest.
    pub fn reference(&self) -> SchemaRef {
        let Schema { name, version, digest, .. } = &self.schema;
        SchemaRef { name: name.clone(), version: version.to_string(), digest: digest.clone() }
    }
}

/// Where a process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessStatus {
    /// Made, not yet begun.
    Created,
    /// People work on it.
    Running,
    /// It rests.
    Suspended,
    /// All tasks are finished.
    Completed,
    /// It was given up.
    Cancelled,
}

impl ProcessStatus {
    /// Every status, in the order of a life.
    pub const ALL: [Self; 5] = [Self::Created, Self::Running, Self::Suspended, Self::Completed, Self::Cancelled];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What somebody did to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Stage {
    /// Nothing yet, or it was given back.
    #[default]
    Open,
    /// A person took it.
    Reserved(PersonId),
    /// A person works on it.
    InProgress(PersonId),
    /// It is done.
    Completed,
    /// It is left out.
    Skipped,
}

impl Stage {
    /// Whether nothing is left to do.
    pub fn is_finished(self) -> bool {
        matches!(self, Self::Completed | Self::Skipped)
    }

    /// Whose the task is.
    pub fn person(self) -> Option<PersonId> {
        match self {
            Self::Reserved(person) | Self::InProgress(person) => Some(person),
            Self::Open | Self::Completed | Self::Skipped => None,
        }
    }
}

/// What a process knows of one of its tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TaskState {
    /// What somebody did to it.
    pub stage: Stage,
    /// When work on it began, the last time that it did.
    pub started_at: Option<Micros>,
    /// When it was finished.
    pub finished_at: Option<Micros>,
    /// When anything happened to it last.
    pub touched_at: Option<Micros>,
    /// How often it was reopened.
    pub reopened: u32,
}

/// An asset as its process knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetOnTask {
    /// Number of the task.
    pub task: u32,
    /// Name of its Interlinker.
    pub interlinker: String,
}

/// The state of a process.
#[derive(Debug, Clone, PartialEq)]
pub struct Process {
    /// The schema that it is pinned to.
    pub plan: Arc<Plan>,
    /// Its id.
    pub id: ProcessId,
    /// What people call it.
    pub name: Sealed<String>,
    /// The language in which it is held.
    pub language: Option<String>,
    /// Where it is in its life.
    pub status: ProcessStatus,
    /// The last event's version.
    pub version: u64,
    /// Who made it.
    pub created_by: Actor,
    /// When.
    pub created_at: Micros,
    /// When it began.
    pub started_at: Option<Micros>,
    /// When it was completed or cancelled.
    pub ended_at: Option<Micros>,
    /// When anything happened to it last.
    pub touched_at: Micros,
    /// Its tasks, by their numbers in the plan.
    pub tasks: Vec<TaskState>,
    /// What came of using Interlinkers.
    pub assets: imbl::OrdMap<AssetId, AssetOnTask>,
}
