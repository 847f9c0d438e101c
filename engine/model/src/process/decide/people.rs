//! What people do with tasks: take, give back, begin, finish, take up again, leave out.

use super::{Context, Rejection, Rule, ended, find, number, working};
use crate::facts::*;
use crate::id::PersonId;
use crate::process::{Process, ProcessStatus, Stage};
use crate::schema::TaskKind;
use crate::schema::outline::{ItemRef, Wait};
use crate::sealed::Sealed;

pub(super) fn claim(
    process: &Process,
    task: &str,
    comment: Option<Sealed<String>>,
    context: &Context<'_>,
) -> Result<Vec<ProcessEvent>, Rejection> {
    let (number, person) = begin(process, task, context)?;
    if let Stage::InProgress(_) = process.tasks[number].stage {
        return Err(Rejection::new(Rule::TaskInProgress, format!("{} is in progress", named(process, number))));
    }
    if process.tasks[number].stage == Stage::Reserved(person) {
        let detail = format!("{} is yours already; start it or give it back", named(process, number));
        return Err(Rejection::new(Rule::TaskClaimed, detail));
    }
    Ok(vec![TaskClaimed { task: task.into(), person, comment }.into()])
}

pub(super) fn release(
    process: &Process,
    task: &str,
    comment: Option<Sealed<String>>,
    context: &Context<'_>,
) -> Result<Vec<ProcessEvent>, Rejection> {
    working(process)?;
    let number = unfinished(process, task)?;
    let Some(holder) = process.tasks[number].stage.person() else {
        let detail = format!("{} is nobody's; only a task that somebody has can be given back", named(process, number));
        return Err(Rejection::new(Rule::TaskNotClaimed, detail));
    };
    mine(process, number, holder, context)?;
    Ok(vec![TaskReleased { task: task.into(), comment }.into()])
}

pub(super) fn start_task(
    process: &Process,
    task: &str,
    comment: Option<Sealed<String>>,
    context: &Context<'_>,
) -> Result<Vec<ProcessEvent>, Rejection> {
    let (number, person) = begin(process, task, context)?;
    if let Stage::InProgress(_) = process.tasks[number].stage {
        return Err(Rejection::new(Rule::TaskInProgress, format!("{} has been started", named(process, number))));
    }
    Ok(vec![TaskStarted { task: task.into(), person, comment }.into()])
}

/// The task that a person may say is done.
pub(super) fn completable(process: &Process, task: &str, context: &Context<'_>) -> Result<usize, Rejection> {
    begin(process, task, context).map(|(number, _)| number)
}

/// What claim, start and complete ask for alike: a running process, a task of people that waits for nothing and is
/// nobody else's. Answers the task's number and whose it becomes.
fn begin(process: &Process, task: &str, context: &Context<'_>) -> Result<(usize, PersonId), Rejection> {
    working(process)?;
    let number = unfinished(process, task)?;
    by_hand(process, number)?;
    ready(process, number)?;
    if let Some(holder) = process.tasks[number].stage.person() {
        mine(process, number, holder, context)?;
    }
    let person = context.actor.person().unwrap_or(PersonId(uuid::Uuid::nil()));
    Ok((number, person))
}

fn by_hand(process: &Process, number: usize) -> Result<(), Rejection> {
    if let Some(vote) = process.vote(number).filter(|vote| vote.is_open()) {
        let (needed, found) = (vote.rules.quorum, vote.tally().total());
        let detail =
            format!("{} needs {needed} votes and has {found}; it is completed by its vote", named(process, number));
        return Err(Rejection::new(Rule::TaskNotByHand, detail));
    }
    let by = match process.plan.task(number).work.kind() {
        TaskKind::Human => return Ok(()),
        TaskKind::Interlinker => "the outcome that its Interlinker declares",
        TaskKind::Approval => "its vote",
        TaskKind::Timer => "its time",
        TaskKind::Subprocess => "the end of its own process",
    };
    let detail = format!("{} is completed by {by}; it can be skipped", named(process, number));
    Err(Rejection::new(Rule::TaskNotByHand, detail))
}

/// Whether a task waits for nothing: what is before it, its hours, its next time.
fn ready(process: &Process, number: usize) -> Result<(), Rejection> {
    if process.tasks[number].stage == Stage::Failed {
        let detail = format!("{} failed; try it again, skip it, or resolve its incident", named(process, number));
        return Err(Rejection::new(Rule::TaskFailed, detail));
    }
    let open: Vec<_> = process.open_prerequisites(number).collect();
    if !open.is_empty() {
        let names: Vec<_> = open.iter().map(|item| quoted(process, *item)).collect();
        let detail = format!("{} waits for {}", named(process, number), names.join(", "));
        return Err(Rejection { rule: Rule::TaskNotReady, detail, waiting_for: open });
    }
    if process.is_ready(number) {
        return Ok(());
    }
    let detail = match process.waits_until(number) {
        Some(until) => {
            format!("{} waits for its time: {}", named(process, number), process.zone.shown(until))
        }
        None => format!("{} waits for its time, which is not known yet", named(process, number)),
    };
    Err(Rejection::new(Rule::TaskNotReady, detail))
}

pub(super) fn reopen(
    process: &Process,
    task: &str,
    comment: Option<Sealed<String>>,
) -> Result<Vec<ProcessEvent>, Rejection> {
    let number = number(process, task)?;
    reopenable(process)?;
    match process.tasks[number].stage {
        Stage::Failed => Ok(vec![TaskReopened { task: task.into(), held_up: Vec::new(), comment }.into()]),
        Stage::Completed => {
            let held_up = process.under_way_behind(number).map(|task| process.plan.outline.tasks[task].id.clone());
            let reopened = TaskReopened { task: task.into(), held_up: held_up.collect(), comment };
            Ok(revive(process, vec![reopened.into()]))
        }
        Stage::Skipped => {
            let detail = format!("{} was left out; restore it instead", named(process, number));
            Err(Rejection::new(Rule::TaskNotFinished, detail))
        }
        _ => {
            let detail = format!("{} is not done; only a completed task can be reopened", named(process, number));
            Err(Rejection::new(Rule::TaskNotFinished, detail))
        }
    }
}

pub(super) fn skip(
    process: &Process,
    item: &str,
    reason: Option<Sealed<String>>,
) -> Result<Vec<ProcessEvent>, Rejection> {
    let found = find(process, item)?;
    match process.status {
        ProcessStatus::Completed | ProcessStatus::Cancelled => return Err(ended(process)),
        _ => {}
    }
    let tasks: Vec<_> =
        process.plan.outline.tasks_of(found).filter(|task| !process.tasks[*task].stage.is_finished()).collect();
    if tasks.is_empty() {
        let detail = format!("{} is finished; nothing of it is left to skip", quoted(process, found));
        return Err(Rejection::new(Rule::TaskFinished, detail));
    }
    let skipped = tasks
        .iter()
        .map(|task| TaskSkipped { task: process.plan.outline.tasks[*task].id.clone(), reason: reason.clone() }.into());
    Ok(skipped.collect())
}

pub(super) fn restore(
    process: &Process,
    item: &str,
    reason: Option<Sealed<String>>,
) -> Result<Vec<ProcessEvent>, Rejection> {
    let found = find(process, item)?;
    reopenable(process)?;
    let tasks = process.plan.outline.tasks_of(found).filter(|task| process.tasks[*task].stage == Stage::Skipped);
    let restored: Vec<ProcessEvent> = tasks
        .map(|task| TaskRestored { task: process.plan.outline.tasks[task].id.clone(), reason: reason.clone() }.into())
        .collect();
    if restored.is_empty() {
        let detail = format!("nothing of {} was left out", quoted(process, found));
        return Err(Rejection::new(Rule::ItemNotSkipped, detail));
    }
    Ok(revive(process, restored))
}

/// Puts the reopening of a completed process in front.
fn revive(process: &Process, events: Vec<ProcessEvent>) -> Vec<ProcessEvent> {
    let reopened = (process.status == ProcessStatus::Completed).then(|| ProcessReopened {}.into());
    reopened.into_iter().chain(events).collect()
}

impl Process {
    /// Tasks that wait, directly or through others, for a task, and that somebody has begun.
    pub fn under_way_behind(&self, task: usize) -> impl Iterator<Item = usize> + '_ {
        let outline = &self.plan.outline;
        let mut behind = vec![false; self.tasks.len()];
        behind[task] = true;
        let mut grown = true;
        while grown {
            grown = false;
            for number in 0..self.tasks.len() {
                let waits = |wait: &Wait| outline.tasks_of(wait.item).any(|before| behind[before]);
                if !behind[number] && outline.tasks[number].waits_for.iter().any(waits) {
                    behind[number] = true;
                    grown = true;
                }
            }
        }
        (0..self.tasks.len())
            .filter(move |number| *number != task && behind[*number] && self.tasks[*number].stage.person().is_some())
    }
}

/// Whether finished work may be taken up again: while the process runs or rests, and when it is completed.
fn reopenable(process: &Process) -> Result<(), Rejection> {
    match process.status {
        ProcessStatus::Cancelled => Err(ended(process)),
        ProcessStatus::Suspended => Err(Rejection::new(Rule::ProcessSuspended, "resume the process first")),
        _ => Ok(()),
    }
}

fn unfinished(process: &Process, task: &str) -> Result<usize, Rejection> {
    let number = number(process, task)?;
    if process.tasks[number].stage.is_finished() {
        let status = process.task_status(number).as_str();
        let detail = format!("{} is {status}; reopen or restore it first", named(process, number));
        return Err(Rejection::new(Rule::TaskFinished, detail));
    }
    Ok(number)
}

fn mine(process: &Process, number: usize, holder: PersonId, context: &Context<'_>) -> Result<(), Rejection> {
    if context.is_operator() || context.actor.person() == Some(holder) {
        return Ok(());
    }
    let detail = format!("{} is {holder}'s; they can give it back, or an operator can", named(process, number));
    Err(Rejection::new(Rule::TaskClaimed, detail))
}

fn named(process: &Process, number: usize) -> String {
    quoted(process, ItemRef::Task(number))
}

fn quoted(process: &Process, item: ItemRef) -> String {
    format!("`{}`", process.plan.outline.id(item).unwrap_or_default())
}
