//! What happens to a process.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::parts::{Choice, Dates, EffectKind, Lineage, Parent, Resolution, TimerKind, VoteResult, Withdrawn};
use super::{InterlinkerRef, SchemaRef};
use crate::events;
use crate::id::{AssetId, IncidentId, Micros, OrganizationId, PersonId, ProcessId};
use crate::process::Plan;
use crate::schema::work::VoteRules;
use crate::sealed::Sealed;
use crate::time::zone::Zone;

events! {
    /// What happens to a process.
    ProcessEvent {
        /// A process was made from a schema.
        ProcessCreated {
            /// The schema to which it is pinned.
            pub schema: SchemaRef,
            /// What people call it.
            pub name: Sealed<String>,
            /// The language in which it is held.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub language: Option<String>,
            /// The zone of its days and hours.
            pub zone: Zone,
            /// What it begins with: values that conditions can name.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub data: Option<Sealed<BTreeMap<String, Value>>>,
            /// For whom it was started.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub parent: Option<Parent>,
            /// The organization that hosts it; nothing was written of it before there were organizations.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub organization: Option<OrganizationId>,
        } sealed(name, data) form 2,
        /// It began.
        ProcessStarted {} sealed(),
        /// It rests.
        ProcessSuspended {
            /// Why.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reason: Option<Sealed<String>>,
        } sealed(reason),
        /// It goes on.
        ProcessResumed {
            /// Why.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reason: Option<Sealed<String>>,
        } sealed(reason),
        /// It was given up.
        ProcessCancelled {
            /// Why.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reason: Option<Sealed<String>>,
        } sealed(reason),
        /// All its tasks are finished.
        ProcessCompleted {} sealed(),
        /// A finished process has work again.
        ProcessReopened {} sealed(),
        /// It was put away: it can be looked at, and nothing happens in it.
        ProcessArchived {
            /// Why.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reason: Option<Sealed<String>>,
        } sealed(reason),
        /// It was brought back, as it was.
        ProcessUnarchived {
            /// Why.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reason: Option<Sealed<String>>,
        } sealed(reason),
        /// A person took a task.
        TaskClaimed {
            /// The task.
            pub task: String,
            /// Who has it now.
            pub person: PersonId,
            /// What they said to it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub comment: Option<Sealed<String>>,
        } sealed(comment),
        /// A task was given back.
        TaskReleased {
            /// The task.
            pub task: String,
            /// What was said to it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub comment: Option<Sealed<String>>,
        } sealed(comment),
        /// Work on a task began.
        TaskStarted {
            /// The task.
            pub task: String,
            /// Who works on it.
            pub person: PersonId,
            /// What they said to it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub comment: Option<Sealed<String>>,
        } sealed(comment),
        /// A task is done.
        TaskCompleted {
            /// The task.
            pub task: String,
            /// What was said to it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub comment: Option<Sealed<String>>,
        } sealed(comment),
        /// A finished task has work again.
        TaskReopened {
            /// The task.
            pub task: String,
            /// Tasks behind it that were under way: they keep what was done, and wait for it before they can finish.
            #[serde(default, skip_serializing_if = "Vec::is_empty")]
            pub held_up: Vec<String>,
            /// Why.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub comment: Option<Sealed<String>>,
        } sealed(comment),
        /// A task is left out.
        TaskSkipped {
            /// The task.
            pub task: String,
            /// Why.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reason: Option<Sealed<String>>,
        } sealed(reason),
        /// A task that was left out is there again.
        TaskRestored {
            /// The task.
            pub task: String,
            /// Why.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reason: Option<Sealed<String>>,
        } sealed(reason),
        /// An Interlinker was instantiated on a task.
        AssetAdded {
            /// The task.
            pub task: String,
            /// The asset.
            pub asset: AssetId,
            /// Of which Interlinker.
            pub interlinker: String,
            /// Whether it does the task's work; otherwise it is evidence.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            pub work: bool,
        } sealed(),
        /// An asset was removed from a task.
        AssetDropped {
            /// The task.
            pub task: String,
            /// The asset.
            pub asset: AssetId,
        } sealed(),
        /// A timer was set.
        TimerArmed {
            /// The item; absent for the process itself.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub item: Option<String>,
            /// What for.
            pub timer: TimerKind,
            /// Which of several of that kind.
            #[serde(default, skip_serializing_if = "is_zero")]
            pub number: u64,
            /// When it fires.
            pub due_at: Micros,
        } sealed(),
        /// A timer is no longer needed.
        TimerDisarmed {
            /// The item; absent for the process itself.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub item: Option<String>,
            /// What for.
            pub timer: TimerKind,
            /// Which of several of that kind.
            #[serde(default, skip_serializing_if = "is_zero")]
            pub number: u64,
        } sealed(),
        /// A timer's time had come: the cause of what follows it.
        TimerFired {
            /// The item; absent for the process itself.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub item: Option<String>,
            /// What for.
            pub timer: TimerKind,
            /// Which of several of that kind.
            #[serde(default, skip_serializing_if = "is_zero")]
            pub number: u64,
            /// When it was to fire.
            pub due_at: Micros,
        } sealed(),
        /// Somebody else was told of a task that is not finished.
        TaskEscalated {
            /// The task.
            pub task: String,
            /// The role.
            pub to: String,
        } sealed(),
        /// A task that comes again has begun anew.
        OccurrenceOpened {
            /// The task.
            pub task: String,
            /// Which time it is, from 1.
            pub number: u32,
            /// When it was planned.
            pub planned_at: Micros,
        } sealed(),
        /// One time of a task that comes again is done.
        OccurrenceCompleted {
            /// The task.
            pub task: String,
            /// Which time it was.
            pub number: u32,
            /// What was said to it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub comment: Option<Sealed<String>>,
        } sealed(comment),
        /// One time of a task that comes again was not done before the next began.
        OccurrenceMissed {
            /// The task.
            pub task: String,
            /// Which time it was.
            pub number: u32,
        } sealed(),
        /// Runs of a task that comes again were let pass.
        RunsSkipped {
            /// The task.
            pub task: String,
            /// How many.
            pub count: u32,
            /// Nothing before it is run any more.
            pub until: Micros,
        } sealed(),
        /// Whether a task is done at all was decided.
        ConditionEvaluated {
            /// The task.
            pub task: String,
            /// Whether it is.
            pub holds: bool,
        } sealed(),
        /// A task failed.
        TaskFailed {
            /// The task.
            pub task: String,
            /// Why: a slug.
            pub cause: String,
        } sealed(),
        /// A vote began.
        VoteOpened {
            /// The task.
            pub task: String,
            /// Which vote on it this is, from 1.
            pub round: u32,
            /// How it is decided.
            pub rules: VoteRules,
        } sealed(),
        /// Somebody voted.
        VoteCast {
            /// The task.
            pub task: String,
            /// In which vote on it.
            pub round: u32,
            /// Who.
            pub person: PersonId,
            /// What.
            pub choice: Choice,
            /// What they said to it.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub comment: Option<Sealed<String>>,
        } sealed(comment),
        /// A vote ended.
        VoteDecided {
            /// The task.
            pub task: String,
            /// Which vote on it.
            pub round: u32,
            /// How.
            pub result: VoteResult,
            /// Votes for it.
            pub approve: u32,
            /// Votes against it.
            pub reject: u32,
            /// Votes that counted for the quorum alone.
            pub abstain: u32,
        } sealed(),
        /// Something is to be done outside of the process. Its version is the effect's number, and with the process's id
        /// the key under which it happens once.
        EffectRequested {
            /// The task.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub task: Option<String>,
            /// What.
            pub effect: EffectKind,
            /// With which input.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub input: Option<Sealed<Value>>,
        } sealed(input),
        /// An attempt at it failed.
        EffectAttemptFailed {
            /// The effect.
            pub effect: u64,
            /// Which attempt, from 1.
            pub attempt: u32,
            /// Why: a slug.
            pub code: String,
            /// The same in words.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub detail: Option<Sealed<String>>,
            /// When it is tried again; absent where it is not.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub retry_at: Option<Micros>,
        } sealed(detail),
        /// It was done.
        EffectSucceeded {
            /// The effect.
            pub effect: u64,
        } sealed(),
        /// It is not to be done any more.
        EffectDropped {
            /// The effect.
            pub effect: u64,
        } sealed(),
        /// Something failed past its policy, and waits for an operator.
        IncidentRaised {
            /// Its id.
            pub incident: IncidentId,
            /// The task.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub task: Option<String>,
            /// What failed.
            pub effect: u64,
            /// Why: a slug.
            pub code: String,
            /// How often it was tried.
            pub attempts: u32,
        } sealed(),
        /// An operator dealt with it.
        IncidentClosed {
            /// Its id.
            pub incident: IncidentId,
            /// How.
            pub resolution: Resolution,
            /// Why.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reason: Option<Sealed<String>>,
        } sealed(reason),
        /// A completed task was to be made undone, and what had done it is gone.
        CompensationSkipped {
            /// The task.
            pub task: String,
        } sealed(),
        /// A task that failed is tried again.
        TaskRetried {
            /// The task.
            pub task: String,
        } sealed(),
        /// The process that was started for a task ended.
        SubprocessEnded {
            /// The task.
            pub task: String,
            /// The process.
            pub process: ProcessId,
            /// Whether it was completed; otherwise it was cancelled.
            pub completed: bool,
        } sealed(),
        /// What the process that was started for a task did is undone, as far as it can be.
        SubprocessCompensated {
            /// The task.
            pub task: String,
            /// The process.
            pub process: ProcessId,
        } sealed(),
        /// The process for which this one was started wants undone what it did.
        CompensationWanted {} sealed(),
        /// What the Interlinker of a task declared is known to the process.
        OutcomeNoted {
            /// The task.
            pub task: String,
            /// The asset.
            pub asset: AssetId,
        } sealed(),
        /// The version of an Interlinker on which an asset stands was withdrawn, and whoever takes part was told.
        AssetWithdrawn {
            /// The task.
            pub task: String,
            /// The asset.
            pub asset: AssetId,
            /// The Interlinker in its version.
            pub interlinker: InterlinkerRef,
            /// How.
            pub how: Withdrawn,
            /// Who was told.
            pub to: Vec<PersonId>,
        } sealed(),
        /// People were told of a task that was not finished.
        PeopleTold {
            /// The task.
            pub task: String,
            /// Why: a reminder or an escalation.
            pub of: TimerKind,
            /// The role to which it was escalated.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub role: Option<String>,
            /// Who was told.
            pub to: Vec<PersonId>,
        } sealed(),
        /// Values that conditions can name were set.
        DataSet {
            /// All of them, as they are now.
            pub data: Sealed<BTreeMap<String, Value>>,
        } sealed(data),
        /// The process was moved to another schema.
        ProcessMigrated {
            /// The schema that it has now.
            pub to: SchemaRef,
            /// What became of tasks, where it is not what their ids say.
            #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
            pub mapping: BTreeMap<String, Option<String>>,
            /// Whether this takes the last move back.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            pub back: bool,
            /// Why.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reason: Option<Sealed<String>>,
            /// The schema itself, looked up by whoever decodes the event: never written.
            #[serde(skip)]
            pub plan: Option<Arc<Plan>>,
        } sealed(reason),
        /// The process begins where another was at a version.
        ProcessForked {
            /// Which, at which version.
            pub lineage: Lineage,
            /// The state that it had, without its name and its values, which stand in the event before.
            #[serde(with = "serde_bytes")]
            pub state: Vec<u8>,
        } sealed(),
        /// People gave an item other dates.
        ItemRescheduled {
            /// The item.
            pub item: String,
            /// What they set, all of it; what is absent is as the schema says.
            pub dates: Dates,
            /// Why.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reason: Option<Sealed<String>>,
        } sealed(reason),
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
