//! What is to be done outside of a process, and what becomes of it when it fails.
//!
//! An effect is written with its cause, as an event whose version is the effect's number. Whoever carries it out may do so
//! more than once and comes back with a command; a number that is no longer known is old news and changes nothing.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::decide::{Context, Rejection, Rule};
use super::draft::Draft;
use super::{Process, ProcessStatus, Reversal, Stage, plan};
use crate::facts::*;
use crate::id::{AssetId, IncidentId, Micros, ProcessId};
use crate::schema::work::{OnFailure, Retry, Work};
use crate::sealed::Sealed;

/// Something that is to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// Number of the task for which it is.
    pub task: Option<u32>,
    /// What.
    pub kind: EffectKind,
    /// With which input.
    pub input: Option<Sealed<serde_json::Value>>,
    /// When it was asked for.
    pub requested_at: Micros,
    /// Attempts that failed.
    pub attempts: u32,
    /// When it is tried again; absent while it can be carried out.
    pub retry_at: Option<Micros>,
    /// What an operator has to look at before it goes on.
    pub incident: Option<IncidentId>,
}

impl Effect {
    /// Whether it can be carried out now.
    pub fn is_pending(&self) -> bool {
        self.retry_at.is_none() && self.incident.is_none()
    }
}

/// Something that failed past its policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Number of the task.
    pub task: Option<u32>,
    /// What failed.
    pub effect: u64,
    /// Why: a slug.
    pub code: String,
    /// Attempts.
    pub attempts: u32,
    /// When it was raised.
    pub raised_at: Micros,
    /// How and when it was closed.
    pub closed: Option<(Resolution, Micros)>,
}

/// Why an attempt failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptFailure {
    /// A slug.
    pub code: String,
    /// The same in words.
    pub detail: String,
    /// Whether no further attempt would mend it.
    pub is_final: bool,
}

impl Process {
    /// Effects that can be carried out now. A process that rests carries none out.
    pub fn pending_effects(&self) -> impl Iterator<Item = (u64, &Effect)> {
        let rests = self.status == ProcessStatus::Suspended;
        self.effects
            .iter()
            .filter(move |(_, effect)| !rests && effect.is_pending())
            .map(|(number, effect)| (*number, effect))
    }
}

/// An id that is drawn in a decision: time-ordered, from the context's randomness and the next event's version.
fn draw(draft: &Draft<'_>, context: &Context<'_>) -> Uuid {
    let salt = Uuid::new_v5(&context.draw, &draft.process.version.to_be_bytes());
    let millis = u64::try_from(context.at.0 / 1_000).unwrap_or(0);
    let mut random = [0; 10];
    random.copy_from_slice(&salt.as_bytes()[..10]);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// Asks for what a task's work needs, when it has become ready.
pub(super) fn begin(draft: &mut Draft<'_>, number: usize, context: &Context<'_>) {
    let plan = std::sync::Arc::clone(&draft.process.plan);
    let effect = match &plan.task(number).work {
        Work::Interlinker(by) => {
            EffectKind::Instantiate { interlinker: by.interlinker.clone(), asset: AssetId(draw(draft, context)) }
        }
        Work::Subprocess(sub) => {
            EffectKind::Subprocess { schema: sub.schema.clone(), process: ProcessId(draw(draft, context)) }
        }
        Work::Human | Work::Approval(_) | Work::Timer(_) => return,
    };
    let input = match &plan.task(number).work {
        Work::Subprocess(sub) => {
            let data = draft.process.condition_data(context);
            let inputs: Result<serde_json::Map<_, _>, _> = sub
                .inputs
                .iter()
                .map(|(name, from)| from.evaluate_value(&data).map(|value| (name.clone(), value)))
                .collect();
            match inputs {
                Ok(inputs) => Some(Sealed::Open(serde_json::Value::Object(inputs))),
                Err(_) => {
                    let task = plan.outline.tasks[number].id.clone();
                    return draft.push(TaskFailed { task, cause: "input-cannot-be-computed".into() });
                }
            }
        }
        _ => None,
    };
    request(draft, Some(number), effect, input);
}

fn request(draft: &mut Draft<'_>, task: Option<usize>, effect: EffectKind, input: Option<Sealed<serde_json::Value>>) {
    let task = task.map(|task| draft.process.plan.outline.tasks[task].id.clone());
    draft.push(EffectRequested { task, effect, input });
}

/// Asks for people to be told of a task. It is none of the task's work: whatever becomes of it, the task goes on.
pub(super) fn tell_people(draft: &mut Draft<'_>, number: usize, of: TimerKind, role: Option<String>) {
    let task = draft.process.plan.outline.tasks[number].id.clone();
    request(draft, None, EffectKind::TellPeople { task, of, role }, None);
}

/// An attempt has failed: it is tried again, or an incident is raised and the task fails.
pub(super) fn attempt_failed(draft: &mut Draft<'_>, effect: u64, failure: &AttemptFailure, context: &Context<'_>) {
    let Some(known) = draft.process.effects.get(&effect).cloned() else { return };
    let attempt = known.attempts + 1;
    let retry = draft.process.retry_policy(&known);
    let over = failure.is_final || attempt >= retry.attempts || retry.except.contains(&failure.code);
    let retry_at = (!over).then(|| next_attempt(&retry, attempt, context));
    let (code, detail) = (failure.code.clone(), Some(Sealed::Open(failure.detail.clone())));
    draft.push(EffectAttemptFailed { effect, attempt, code: code.clone(), detail, retry_at });
    if !over {
        return;
    }
    let number = known.task.map(|task| task as usize);
    let task = number.map(|task| draft.process.plan.outline.tasks[task].id.clone());
    let incident = IncidentId(draw(draft, context));
    draft.push(IncidentRaised { incident, task: task.clone(), effect, code: code.clone(), attempts: attempt });
    if let (Some(task), Some(number)) = (task, number)
        && !draft.process.tasks[number].stage.is_finished()
    {
        draft.push(TaskFailed { task, cause: code });
        if draft.process.plan.task(number).on_failure == OnFailure::Cancel
            && draft.process.status == ProcessStatus::Running
        {
            draft.push(ProcessCancelled { reason: None });
        }
    }
}

/// Exponential back-off with equal jitter: half of the pause is certain, the other half is drawn, so that what failed
/// together is not tried again together (Brooker, "Exponential Backoff and Jitter", 2015).
fn next_attempt(retry: &Retry, attempt: u32, context: &Context<'_>) -> Micros {
    let factor = f64::from(retry.factor_permille) / 1_000.0;
    let pause_ms = (retry.first_ms as f64 * factor.powi(attempt as i32 - 1)).min(retry.most_ms as f64);
    let drawn = f64::from(u32::from_be_bytes(context.draw.as_bytes()[..4].try_into().unwrap_or_default()))
        / f64::from(u32::MAX);
    Micros(context.at.0 + (pause_ms * 1_000.0 * (0.5 + 0.5 * drawn)) as i64)
}

impl Process {
    fn retry_policy(&self, effect: &Effect) -> Retry {
        let work = effect.task.map(|task| &self.plan.task(task as usize).work);
        match work {
            Some(Work::Interlinker(by)) => by.retry.clone(),
            _ => Retry::default(),
        }
    }

    /// The completed task that is to be made undone next: the last completed first.
    fn to_compensate(&self) -> Option<usize> {
        let failed: Vec<_> = (0..self.tasks.len())
            .filter(|task| {
                self.tasks[*task].stage == Stage::Failed && self.plan.task(*task).on_failure == OnFailure::Compensate
            })
            .map(|task| self.plan.outline.tasks[task].objective)
            .collect();
        let everything = self.status == ProcessStatus::Cancelled || self.reversal == Reversal::Wanted;
        let tasks = (0..self.tasks.len()).filter(|task| {
            let state = &self.tasks[*task];
            state.stage == Stage::Completed
                && !state.compensated
                && (everything || failed.contains(&self.plan.outline.tasks[*task].objective))
                && plan::is_undone_by_itself(&self.plan.task(*task).work)
        });
        tasks.max_by_key(|task| (self.tasks[*task].finished_at, *task))
    }

    /// Whether something is being made undone, an incident on the way included, or is about to end and be undone with all
    /// the rest: what was done before it waits for that.
    fn awaits_compensation(&self) -> bool {
        let of_effect = |effect: &Effect| {
            matches!(effect.kind, EffectKind::Compensate { .. } | EffectKind::CompensateSubprocess { .. })
        };
        self.effects.values().any(of_effect)
            || self.subprocesses.values().any(|sub| sub.compensating)
            || (self.status == ProcessStatus::Cancelled && self.subprocesses.values().any(|sub| !sub.ended))
    }
}

/// Makes completed tasks undone, one after the other, the last completed first.
pub(super) fn compensate(draft: &mut Draft<'_>) {
    if !draft.process.plan.compensates || draft.process.awaits_compensation() {
        return;
    }
    while let Some(number) = draft.process.to_compensate() {
        match draft.process.compensation_of(number) {
            Some(effect) => return request(draft, Some(number), effect, None),
            None => {
                let task = draft.process.plan.outline.tasks[number].id.clone();
                draft.push(CompensationSkipped { task });
            }
        }
    }
}

impl Process {
    /// What makes a completed task undone. Nothing, where what did it was removed by hand or never was: an operator may
    /// have said that the task is done.
    fn compensation_of(&self, number: usize) -> Option<EffectKind> {
        match &self.plan.task(number).work {
            Work::Interlinker(by) => {
                let asset = self.assets.iter().find(|(_, held)| held.task as usize == number && held.is_work);
                let action = by.compensation.as_ref()?.action.clone();
                asset.map(|(asset, _)| EffectKind::Compensate { asset: *asset, action })
            }
            Work::Subprocess(_) => {
                let sub = self.subprocesses.get(&(number as u32));
                sub.map(|sub| EffectKind::CompensateSubprocess { process: sub.process })
            }
            Work::Human | Work::Approval(_) | Work::Timer(_) => None,
        }
    }
}

/// What nobody waits for any more is dropped; what other processes are to hear of an end is asked for.
pub(super) fn tidy(draft: &mut Draft<'_>) {
    let ended = matches!(draft.process.status, ProcessStatus::Cancelled | ProcessStatus::Completed);
    let unneeded: Vec<_> = draft
        .process
        .effects
        .iter()
        .filter(|(_, effect)| draft.process.is_unneeded(effect))
        .map(|(number, _)| *number)
        .collect();
    for effect in unneeded {
        let Some(known) = draft.process.effects.get(&effect).cloned() else { continue };
        let incident = known.incident;
        draft.push(EffectDropped { effect });
        // It may be under way, or have been made by an attempt whose word did not arrive.
        if let EffectKind::Subprocess { process, .. } = known.kind {
            request(draft, known.task.map(|task| task as usize), EffectKind::CancelSubprocess { process }, None);
        }
        if let Some(incident) = incident {
            draft.push(IncidentClosed { incident, resolution: Resolution::Dropped, reason: None });
        }
    }
    for (task, process) in draft.process.orphans() {
        request(draft, Some(task), EffectKind::CancelSubprocess { process }, None);
    }
    // One that was cancelled has ended when what it did is undone: whoever started it undoes nothing earlier before that.
    let Some(parent) = draft.process.parent.clone().filter(|_| ended && !draft.process.awaits_compensation()) else {
        return;
    };
    let (process, task) = (parent.process, parent.task);
    if !draft.process.told_parent {
        request(draft, None, EffectKind::TellParent { process, task: task.clone() }, None);
    }
    if draft.process.reversal == Reversal::Wanted {
        request(draft, None, EffectKind::TellCompensated { process, task }, None);
    }
}

impl Process {
    /// Whether a process was started for a task of this one, a task that its schema no longer has included.
    pub fn knows_subprocess(&self, id: ProcessId) -> bool {
        let aside = self.set_aside.values().filter_map(|aside| aside.subprocess());
        self.subprocesses.values().chain(aside).any(|sub| sub.process == id)
    }

    /// Whether an effect is for a task that no longer waits for it.
    fn is_unneeded(&self, effect: &Effect) -> bool {
        let of_work = matches!(effect.kind, EffectKind::Instantiate { .. } | EffectKind::Subprocess { .. });
        let Some(task) = effect.task.filter(|_| of_work) else { return false };
        let stage = self.tasks[task as usize].stage;
        self.status == ProcessStatus::Cancelled
            || stage.is_finished()
            || (stage == Stage::Open && !self.is_ready(task as usize) && self.status == ProcessStatus::Running)
    }

    /// Processes that were started for tasks which do not need them any more.
    fn orphans(&self) -> Vec<(usize, ProcessId)> {
        let running = self.subprocesses.iter().filter(|(_, sub)| !sub.ended && !sub.cancelled);
        let unneeded = running.filter(|(task, _)| {
            self.status == ProcessStatus::Cancelled || self.tasks[**task as usize].stage.is_finished()
        });
        unneeded.map(|(task, sub)| (*task as usize, sub.process)).collect()
    }
}

/// An operator deals with an incident.
pub(super) fn close_incident(
    draft: &mut Draft<'_>,
    incident: IncidentId,
    resolution: Resolution,
    reason: Option<Sealed<String>>,
) -> Result<(), Rejection> {
    let known = draft.process.incidents.get(&incident);
    let Some(known) = known else {
        return Err(Rejection::new(Rule::NoSuchIncident, format!("incident {incident} is none of this process")));
    };
    if known.closed.is_some() {
        return Err(Rejection::new(Rule::IncidentClosed, "it was dealt with before"));
    }
    let number = known.task.map(|task| task as usize);
    draft.push(IncidentClosed { incident, resolution, reason: reason.clone() });
    let Some(number) = number.filter(|number| draft.process.tasks[*number].stage == Stage::Failed) else {
        return Ok(());
    };
    let task = draft.process.plan.outline.tasks[number].id.clone();
    match resolution {
        Resolution::Retried => draft.push(TaskRetried { task }),
        Resolution::Skipped => draft.push(TaskSkipped { task, reason }),
        Resolution::Resolved => draft.complete(number, reason),
        Resolution::Dropped => {}
    }
    Ok(())
}
