//! What can be wanted of a process: by people, by operators, and by what carries out its effects.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::facts::{Choice, InterlinkerRef, Resolution, Withdrawn};
use crate::id::{AssetId, IncidentId, Micros, PersonId, ProcessId};
use crate::process::effects::AttemptFailure;
use crate::process::{Mapping, Plan, SetDates};

/// What somebody wants of a process.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Begin.
    Start,
    /// Rest.
    Suspend,
    /// Go on.
    Resume,
    /// Give up.
    Cancel,
    /// Put away what has ended.
    Archive,
    /// Bring back what was put away.
    Unarchive,
    /// Take a task.
    Claim(String),
    /// Give a task back.
    Release(String),
    /// Begin work on a task.
    StartTask(String),
    /// Say that a task is done.
    Complete(String),
    /// Say that a finished task has work again.
    Reopen(String),
    /// Leave an item and all that is left below it out.
    Skip(String),
    /// Take an item that was left out in again, and all that was left out below it.
    Restore(String),
    /// Note an asset on a task.
    AddAsset {
        /// The task.
        task: String,
        /// The asset.
        asset: AssetId,
        /// Of which Interlinker.
        interlinker: String,
    },
    /// Note several assets at once: their tasks, ids and Interlinkers.
    AddAssets(Vec<(String, AssetId, String)>),
    /// Note that an asset was removed.
    DropAsset(AssetId),
    /// Vote on a task.
    Vote {
        /// The task.
        task: String,
        /// What is said.
        choice: Choice,
    },
    /// Give an item other dates.
    Reschedule {
        /// The item.
        item: String,
        /// All that differs from the schema.
        dates: Box<SetDates>,
    },
    /// Set values that conditions can name. What is null is removed.
    SetData(BTreeMap<String, Value>),
    /// Let what is due by an instant happen.
    Tick {
        /// The instant.
        until: Micros,
    },
    /// An effect was carried out.
    EffectDone {
        /// Its number.
        effect: u64,
        /// Of which Interlinker the asset is that it made.
        asset: Option<String>,
        /// Whether that asset has declared an outcome already.
        outcome: bool,
    },
    /// People were told of a task, or there is nobody to tell: the effect was carried out.
    NoteTold {
        /// Its number.
        effect: u64,
        /// Whom.
        to: Vec<PersonId>,
    },
    /// An attempt at an effect failed.
    EffectFailed {
        /// Its number.
        effect: u64,
        /// Why.
        failure: AttemptFailure,
    },
    /// The process that was started for a task ended.
    SubprocessEnded {
        /// The task.
        task: String,
        /// The process.
        process: ProcessId,
        /// Whether it was completed.
        completed: bool,
        /// What came back from it.
        outputs: BTreeMap<String, Value>,
    },
    /// Make undone what was done: the process for which this one was started wants it.
    Compensate,
    /// What the process that was started for a task did is undone.
    SubprocessCompensated {
        /// The task.
        task: String,
        /// The process.
        process: ProcessId,
    },
    /// An Interlinker of a task declared an outcome.
    NoteOutcome(AssetId),
    /// Tell people that the version on which an asset stands was withdrawn.
    NoteWithdrawn {
        /// The asset.
        asset: AssetId,
        /// The version.
        interlinker: InterlinkerRef,
        /// How.
        how: Withdrawn,
        /// Whom.
        to: Vec<PersonId>,
    },
    /// Deal with an incident.
    CloseIncident {
        /// Which.
        incident: IncidentId,
        /// How.
        resolution: Resolution,
    },
    /// Try a task that failed again.
    RetryTask(String),
    /// Move to another schema.
    Migrate {
        /// The schema.
        plan: Arc<Plan>,
        /// What becomes of tasks, where it is not what their ids say.
        mapping: Mapping,
    },
    /// Take the last move back.
    MigrateBack {
        /// The schema that it was moved from.
        plan: Arc<Plan>,
        /// What becomes of work that has come since.
        mapping: Mapping,
    },
}
