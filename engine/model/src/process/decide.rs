//! Every rule of a process. A rule is refused with what would satisfy it.

use super::{Process, ProcessStatus, Stage};
use crate::event::Actor;
use crate::facts::*;
use crate::id::{AssetId, Micros, PersonId};
use crate::process::Plan;
use crate::schema::outline::{ItemRef, Wait};
use crate::sealed::Sealed;

/// What somebody wants of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Begin.
    Start,
    /// Rest.
    Suspend,
    /// Go on.
    Resume,
    /// Give up.
    Cancel,
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
    /// Note that an asset was removed.
    DropAsset(AssetId),
}

/// What a decision needs to know beside the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// The time.
    pub at: Micros,
    /// Who wants it.
    pub actor: Actor,
}

impl Context {
    fn is_operator(&self) -> bool {
        matches!(self.actor, Actor::Operator(_) | Actor::System)
    }
}

/// Which rule was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// There is no such item in this process.
    NoSuchItem,
    /// The process has begun.
    ProcessStarted,
    /// The process has not begun.
    ProcessNotStarted,
    /// The process rests.
    ProcessSuspended,
    /// The process does not rest.
    ProcessNotSuspended,
    /// The process has ended.
    ProcessEnded,
    /// The task waits for something.
    TaskNotReady,
    /// Somebody else has the task.
    TaskClaimed,
    /// Nobody has the task.
    TaskNotClaimed,
    /// The task is in progress.
    TaskInProgress,
    /// The task is finished.
    TaskFinished,
    /// The task is not finished.
    TaskNotFinished,
    /// The item is not left out.
    ItemNotSkipped,
    /// There is no such asset on this process.
    NoSuchAsset,
}

impl Rule {
    /// The slug that programs know it by.
    pub fn slug(self) -> &'static str {
        match self {
            Self::NoSuchItem => "no-such-item",
            Self::ProcessStarted => "process-started",
            Self::ProcessNotStarted => "process-not-started",
            Self::ProcessSuspended => "process-suspended",
            Self::ProcessNotSuspended => "process-not-suspended",
            Self::ProcessEnded => "process-ended",
            Self::TaskNotReady => "task-not-ready",
            Self::TaskClaimed => "task-claimed",
            Self::TaskNotClaimed => "task-not-claimed",
            Self::TaskInProgress => "task-in-progress",
            Self::TaskFinished => "task-finished",
            Self::TaskNotFinished => "task-not-finished",
            Self::ItemNotSkipped => "item-not-skipped",
            Self::NoSuchAsset => "no-such-asset",
        }
    }

    /// The same for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::NoSuchItem => "This process has no such item",
            Self::ProcessStarted => "This process has begun already",
            Self::ProcessNotStarted => "This process has not begun",
            Self::ProcessSuspended => "This process rests",
            Self::ProcessNotSuspended => "This process does not rest",
            Self::ProcessEnded => "This process has ended",
            Self::TaskNotReady => "This task waits for something",
            Self::TaskClaimed => "Somebody else has this task",
            Self::TaskNotClaimed => "Nobody has this task",
            Self::TaskInProgress => "This task is in progress",
            Self::TaskFinished => "This task is finished",
            Self::TaskNotFinished => "This task is not finished",
            Self::ItemNotSkipped => "This item is not left out",
            Self::NoSuchAsset => "This process has no such asset",
        }
    }
}

/// Why something cannot be done, and what would change that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The rule that was broken.
    pub rule: Rule,
    /// What would satisfy it.
    pub detail: String,
    /// What it waits for, where it waits.
    pub waiting_for: Vec<ItemRef>,
}

impl Rejection {
    fn new(rule: Rule, detail: impl Into<String>) -> Self {
        Self { rule, detail: detail.into(), waiting_for: Vec::new() }
    }
}

/// The first event of a process.
pub fn create(plan: &Plan, name: String, language: Option<String>) -> ProcessCreated {
    ProcessCreated { schema: plan.reference(), name: Sealed::Open(name), language }
}

/// What follows from a command, or why nothing does. `note` is what the person said to it.
pub fn decide(
    process: &Process,
    command: &Command,
    note: Option<&str>,
    context: &Context,
) -> Result<Vec<ProcessEvent>, Rejection> {
    let note = note.map(|note| Sealed::Open(note.to_owned()));
    match command {
        Command::Start => match process.status {
            ProcessStatus::Created if process.tasks.iter().all(|task| task.stage.is_finished()) => {
                Ok(vec![ProcessStarted {}.into(), ProcessCompleted {}.into()])
            }
            ProcessStatus::Created => Ok(vec![ProcessStarted {}.into()]),
            ProcessStatus::Completed | ProcessStatus::Cancelled => Err(ended(process)),
            ProcessStatus::Running | ProcessStatus::Suspended => {
                Err(Rejection::new(Rule::ProcessStarted, "it is under way; a process begins once"))
            }
        },
        Command::Suspend => working(process).map(|()| vec![ProcessSuspended { reason: note }.into()]),
        Command::Resume => match process.status {
            ProcessStatus::Suspended => Ok(vec![ProcessResumed { reason: note }.into()]),
            ProcessStatus::Completed | ProcessStatus::Cancelled => Err(ended(process)),
            ProcessStatus::Created | ProcessStatus::Running => Err(Rejection::new(
                Rule::ProcessNotSuspended,
                format!("it is {}; only a suspended process can be resumed", process.status.as_str()),
            )),
        },
        Command::Cancel => match process.status {
            ProcessStatus::Completed | ProcessStatus::Cancelled => Err(ended(process)),
            _ => Ok(vec![ProcessCancelled { reason: note }.into()]),
        },
        Command::Claim(task) => claim(process, task, note, context),
        Command::Release(task) => release(process, task, note, context),
        Command::StartTask(task) => start_task(process, task, note, context),
        Command::Complete(task) => complete(process, task, note, context),
        Command::Reopen(task) => reopen(process, task, note),
        Command::Skip(item) => skip(process, item, note),
        Command::Restore(item) => restore(process, item, note),
        Command::AddAsset { task, asset, interlinker } => {
            working(process)?;
            number(process, task)?;
            Ok(vec![AssetAdded { task: task.clone(), asset: *asset, interlinker: interlinker.clone() }.into()])
        }
        Command::DropAsset(asset) => match process.assets.get(asset) {
            Some(held) => {
                let task = process.plan.outline.tasks[held.task as usize].id.clone();
                Ok(vec![AssetDropped { task, asset: *asset }.into()])
            }
            None => Err(Rejection::new(Rule::NoSuchAsset, format!("asset {asset} is not one of its assets"))),
        },
    }
}

fn claim(
    process: &Process,
    task: &str,
    comment: Option<Sealed<String>>,
    context: &Context,
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

fn release(
    process: &Process,
    task: &str,
    comment: Option<Sealed<String>>,
    context: &Context,
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

fn start_task(
    process: &Process,
    task: &str,
    comment: Option<Sealed<String>>,
    context: &Context,
) -> Result<Vec<ProcessEvent>, Rejection> {
    let (number, person) = begin(process, task, context)?;
    if let Stage::InProgress(_) = process.tasks[number].stage {
        return Err(Rejection::new(Rule::TaskInProgress, format!("{} has been started", named(process, number))));
    }
    Ok(vec![TaskStarted { task: task.into(), person, comment }.into()])
}

fn complete(
    process: &Process,
    task: &str,
    comment: Option<Sealed<String>>,
    context: &Context,
) -> Result<Vec<ProcessEvent>, Rejection> {
    let (number, _) = begin(process, task, context)?;
    let completed = TaskCompleted { task: task.into(), comment }.into();
    Ok(with_end(process, vec![completed], &[number]))
}

/// What claim, start and complete ask for alike: a running process, a task that waits for nothing and is nobody
/// else's. Answers the task's number and whose it becomes.
fn begin(process: &Process, task: &str, context: &Context) -> Result<(usize, PersonId), Rejection> {
    working(process)?;
    let number = unfinished(process, task)?;
    let open: Vec<_> = process.open_prerequisites(number).collect();
    if !open.is_empty() {
        let names: Vec<_> = open.iter().map(|item| quoted(process, *item)).collect();
        let detail = format!("{} waits for {}", named(process, number), names.join(", "));
        return Err(Rejection { rule: Rule::TaskNotReady, detail, waiting_for: open });
    }
    if let Some(holder) = process.tasks[number].stage.person() {
        mine(process, number, holder, context)?;
    }
    let person = context.actor.person().unwrap_or(PersonId(uuid::Uuid::nil()));
    Ok((number, person))
}

fn reopen(process: &Process, task: &str, comment: Option<Sealed<String>>) -> Result<Vec<ProcessEvent>, Rejection> {
    let number = number(process, task)?;
    reopenable(process)?;
    match process.tasks[number].stage {
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

fn skip(process: &Process, item: &str, reason: Option<Sealed<String>>) -> Result<Vec<ProcessEvent>, Rejection> {
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
    Ok(with_end(process, skipped.collect(), &tasks))
}

fn restore(process: &Process, item: &str, reason: Option<Sealed<String>>) -> Result<Vec<ProcessEvent>, Rejection> {
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

/// Adds the end of the process, where these tasks were the last.
fn with_end(process: &Process, mut events: Vec<ProcessEvent>, finishing: &[usize]) -> Vec<ProcessEvent> {
    let others = process.tasks.iter().enumerate().filter(|(number, _)| !finishing.contains(number));
    let last = others.into_iter().all(|(_, task)| task.stage.is_finished());
    if last && matches!(process.status, ProcessStatus::Running | ProcessStatus::Suspended) {
        events.push(ProcessCompleted {}.into());
    }
    events
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

fn working(process: &Process) -> Result<(), Rejection> {
    match process.status {
        ProcessStatus::Running => Ok(()),
        ProcessStatus::Created => Err(Rejection::new(Rule::ProcessNotStarted, "start the process first")),
        ProcessStatus::Suspended => Err(Rejection::new(Rule::ProcessSuspended, "resume the process first")),
        ProcessStatus::Completed | ProcessStatus::Cancelled => Err(ended(process)),
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

fn ended(process: &Process) -> Rejection {
    Rejection::new(Rule::ProcessEnded, format!("it was {}", process.status.as_str()))
}

fn find(process: &Process, item: &str) -> Result<ItemRef, Rejection> {
    process.plan.outline.item(item).ok_or_else(|| {
        Rejection::new(Rule::NoSuchItem, format!("`{item}` is no phase, objective or task of this process"))
    })
}

fn number(process: &Process, task: &str) -> Result<usize, Rejection> {
    process
        .plan
        .outline
        .task_index(task)
        .ok_or_else(|| Rejection::new(Rule::NoSuchItem, format!("`{task}` is no task of this process")))
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

fn mine(process: &Process, number: usize, holder: PersonId, context: &Context) -> Result<(), Rejection> {
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
