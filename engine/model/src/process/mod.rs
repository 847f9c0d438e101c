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
//! 7. Only a process that has ended, and waits for nothing outside of it, is archived.
//! 8. Replaying the events gives the same state, byte for byte.

mod apply;
mod dates;
mod decide;
mod derive;
mod draft;
mod effects;
mod guide;
mod migration;
mod plan;
mod row;
#[cfg(test)]
mod tests;
mod timers;
mod votes;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use dates::{DatesError, SetDates};
pub use decide::{Command, Context, DATA_BYTES_MAX, NewProcess, Rejection, Rule, create, decide};
pub use derive::{ItemStatus, ItemView, TaskStatus};
pub use draft::FIRED_MAX;
pub use effects::{AttemptFailure, Effect, Incident};
pub use guide::{Guide, Next, Waiting};
pub use migration::{Changed, Mapping, MigrationPlan, Moved, Removed, SetAside};
pub use plan::Plan;
pub use timers::{Timer, TimerKey};
pub use votes::{Tally, VOTES_MAX, Vote};

use crate::event::Actor;
use crate::facts::{InterlinkerRef, Lineage, Parent, Withdrawn};
use crate::id::{AssetId, IncidentId, Micros, OrganizationId, PersonId, ProcessId};
use crate::schema::outline::ItemRef;
use crate::sealed::Sealed;
use crate::time::zone::Zone;

/// The word for a process that is put away, in place of how it ended.
pub const ARCHIVED: &str = "archived";

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
    /// It failed, and waits for somebody who tries it again, leaves it out or says that it is done.
    Failed,
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
            Self::Open | Self::Completed | Self::Skipped | Self::Failed => None,
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
    /// When it was reopened, restored or tried again last: it became ready anew then.
    pub renewed_at: Option<Micros>,
    /// Whether it is done at all, once that was decided.
    pub condition: Option<bool>,
    /// Whether it was made undone.
    pub compensated: bool,
}

/// A task that comes again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Recurring {
    /// How often it has begun.
    pub number: u32,
    /// Whether the present time is not done yet.
    pub open: bool,
    /// When the last run that was made or let pass was planned.
    pub last_run: Option<Micros>,
    /// How many were done.
    pub done: u32,
}

/// The process that was started for a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sub {
    /// Its id.
    pub process: ProcessId,
    /// Whether it has ended.
    pub ended: bool,
    /// Whether it was asked to be cancelled.
    pub cancelled: bool,
    /// Whether it is making undone what it did.
    #[serde(default)]
    pub compensating: bool,
}

/// Whether a process that was started for another is to make undone what it did, however it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Reversal {
    /// Nobody wants that.
    #[default]
    Unwanted,
    /// The other wants it.
    Wanted,
    /// It is undone, and the other is told.
    Told,
}

/// An asset as its process knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetOnTask {
    /// Number of the task.
    pub task: u32,
    /// Name of its Interlinker.
    pub interlinker: String,
    /// Whether it does the task's work; otherwise it is evidence.
    pub is_work: bool,
    /// Whether it has declared an outcome that counts for the task.
    pub outcome: bool,
    /// The withdrawal that people were told of last: of which version, and how.
    #[serde(default)]
    pub told: Option<(InterlinkerRef, Withdrawn)>,
}

impl AssetOnTask {
    /// Whether people were told of this withdrawal, or of one of the same version that weighs more.
    pub fn was_told(&self, interlinker: &InterlinkerRef, how: Withdrawn) -> bool {
        self.told.as_ref().is_some_and(|(version, told)| version == interlinker && *told >= how)
    }
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
    /// The zone of its days and hours.
    pub zone: Zone,
    /// What it has planned, and what of it has fired.
    pub timers: imbl::OrdMap<TimerKey, Timer>,
    /// Tasks that come again.
    pub recurring: imbl::OrdMap<u32, Recurring>,
    /// Votes, by task.
    pub votes: imbl::OrdMap<u32, Vote>,
    /// What is to be done outside of it, by the version of the event that asked for it.
    pub effects: imbl::OrdMap<u64, Effect>,
    /// What failed past its policy.
    pub incidents: imbl::OrdMap<IncidentId, Incident>,
    /// Processes that were started for tasks.
    pub subprocesses: imbl::OrdMap<u32, Sub>,
    /// Dates that people set in place of the schema's.
    pub dates: imbl::OrdMap<ItemRef, Arc<SetDates>>,
    /// Values that conditions can name.
    pub data: Option<Sealed<BTreeMap<String, Value>>>,
    /// For whom it was started.
    pub parent: Option<Parent>,
    /// Whether that process was told how this one ended.
    pub told_parent: bool,
    /// Whether that process wants undone what this one did.
    pub reversal: Reversal,
    /// Work on tasks that its schema no longer has.
    pub set_aside: imbl::OrdMap<String, SetAside>,
    /// Its last move to another schema, until it is taken back.
    pub moved: Option<Moved>,
    /// The process and version that it was made from.
    pub lineage: Option<Lineage>,
    /// Since when it is put away. How it ended is still its status: it comes back as it was.
    pub archived_at: Option<Micros>,
    /// The organization that hosts it.
    pub organization: Option<OrganizationId>,
}

impl Process {
    /// The word for where it is in its life.
    pub fn status_word(&self) -> &'static str {
        if self.archived_at.is_some() { ARCHIVED } else { self.status.as_str() }
    }
}
