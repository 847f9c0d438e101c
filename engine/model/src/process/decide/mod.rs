//! Every rule of a process. A rule is refused with what would satisfy it.
//!
//! What is due by the time of a command comes before it: a vote that arrives a moment after the end of its phase finds it
//! closed, whether or not the timer was there first.

mod archive;
mod people;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::dates::SetDates;
use super::draft::Draft;
use super::effects::{self, AttemptFailure};
use super::{Mapping, Plan, Process, ProcessStatus, Reversal, Stage, votes};
use crate::event::Actor;
use crate::facts::*;
use crate::id::{AssetId, IncidentId, Micros, ProcessId};
use crate::schema::outline::ItemRef;
use crate::schema::work::Work;
use crate::sealed::Sealed;
use crate::time::zone::Zone;

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

/// What a decision needs to know beside the state.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The time.
    pub at: Micros,
    /// Who wants it.
    pub actor: Actor,
    /// Roles that they have here.
    pub roles: &'a [&'a str],
    /// The process's values, opened, where its key exists.
    pub data: Option<&'a BTreeMap<String, Value>>,
    /// Randomness of this decision: what is drawn in it is drawn from this.
    pub draw: Uuid,
}

impl Context<'_> {
    /// Somebody at a time, and nothing else.
    pub fn new(at: Micros, actor: Actor) -> Self {
        Self { at, actor, roles: &[], data: None, draw: Uuid::nil() }
    }

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
    /// Nothing is due, or it is old news.
    NothingToDo,
    /// The task is done by something else than people's word.
    TaskNotByHand,
    /// The task failed.
    TaskFailed,
    /// The task did not fail.
    TaskNotFailed,
    /// There is no vote to take part in.
    NoVote,
    /// Others vote here.
    MayNotVote,
    /// A person votes once.
    VotedAlready,
    /// There is no such incident.
    NoSuchIncident,
    /// The incident was dealt with.
    IncidentClosed,
    /// Dates that cannot be.
    DatesRefused,
    /// A limit is reached.
    TooMuch,
    /// Moving to this schema would lose work, or cannot be.
    MigrationRefused,
    /// The process was not moved.
    NeverMoved,
    /// The process is put away.
    ProcessArchived,
    /// The process is not put away.
    ProcessNotArchived,
    /// The process has not ended.
    ProcessNotEnded,
    /// Something outside of the process is not done yet.
    ProcessAwaited,
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
            Self::NothingToDo => "nothing-to-do",
            Self::TaskNotByHand => "task-not-by-hand",
            Self::TaskFailed => "task-failed",
            Self::TaskNotFailed => "task-not-failed",
            Self::NoVote => "no-vote",
            Self::MayNotVote => "may-not-vote",
            Self::VotedAlready => "already-voted",
            Self::NoSuchIncident => "no-such-incident",
            Self::IncidentClosed => "incident-closed",
            Self::DatesRefused => "dates-refused",
            Self::TooMuch => "too-much",
            Self::MigrationRefused => "migration-refused",
            Self::NeverMoved => "never-moved",
            Self::ProcessArchived => "process-archived",
            Self::ProcessNotArchived => "process-not-archived",
            Self::ProcessNotEnded => "process-not-ended",
            Self::ProcessAwaited => "process-awaited",
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
            Self::NothingToDo => "There is nothing to do",
            Self::TaskNotByHand => "This task is not done by hand",
            Self::TaskFailed => "This task failed",
            Self::TaskNotFailed => "This task did not fail",
            Self::NoVote => "There is no vote here",
            Self::MayNotVote => "You cannot say this in this vote",
            Self::VotedAlready => "You have voted already",
            Self::NoSuchIncident => "This process has no such incident",
            Self::IncidentClosed => "This incident was dealt with",
            Self::DatesRefused => "These dates cannot be",
            Self::TooMuch => "A limit is reached",
            Self::MigrationRefused => "The process cannot be moved so",
            Self::NeverMoved => "The process was not moved",
            Self::ProcessArchived => "This process is archived",
            Self::ProcessNotArchived => "This process is not archived",
            Self::ProcessNotEnded => "This process has not ended",
            Self::ProcessAwaited => "Something of this process is not done yet",
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
    pub(super) fn new(rule: Rule, detail: impl Into<String>) -> Self {
        Self { rule, detail: detail.into(), waiting_for: Vec::new() }
    }
}

/// What a process is made of.
#[derive(Debug, Clone, Default)]
pub struct NewProcess {
    /// What people call it.
    pub name: String,
    /// The language in which it is held.
    pub language: Option<String>,
    /// The zone of its days and hours, where it is another than the schema's.
    pub zone: Option<Zone>,
    /// Values that conditions can name.
    pub data: BTreeMap<String, Value>,
    /// For whom it is started.
    pub parent: Option<Parent>,
}

/// The first event of a process.
pub fn create(plan: &Plan, new: NewProcess) -> ProcessCreated {
    ProcessCreated {
        schema: plan.reference(),
        name: Sealed::Open(new.name),
        language: new.language,
        zone: new.zone.unwrap_or_else(|| plan.schema.zone.clone()),
        data: (!new.data.is_empty()).then_some(Sealed::Open(new.data)),
        parent: new.parent,
    }
}

/// What follows from a command, or why nothing does. `note` is what the person said to it.
pub fn decide(
    process: &Process,
    command: &Command,
    note: Option<&str>,
    context: &Context<'_>,
) -> Result<Vec<ProcessEvent>, Rejection> {
    archive::open(process, command)?;
    let mut draft = Draft::new(process, context);
    let until = match command {
        Command::Tick { until } => context.at.min(*until),
        _ => context.at,
    };
    // What a process has come to before needs no second look, unless a timer is due.
    if process.next_timer().is_some_and(|due| due <= until) {
        draft.settle(until);
    }
    follow(&mut draft, command, note.map(|note| Sealed::Open(note.to_owned())), context)?;
    draft.settle(until);
    if draft.events.is_empty() && !matches!(command, Command::NoteOutcome(_)) {
        return Err(Rejection::new(Rule::NothingToDo, "nothing is due"));
    }
    Ok(draft.events)
}

/// What a command itself makes happen.
fn follow(
    draft: &mut Draft<'_>,
    command: &Command,
    note: Option<Sealed<String>>,
    context: &Context<'_>,
) -> Result<(), Rejection> {
    let process = &draft.process;
    let events = match command {
        Command::Start => start(process)?,
        Command::Suspend => working(process).map(|()| vec![ProcessSuspended { reason: note }.into()])?,
        Command::Resume => resume(process, note)?,
        Command::Cancel => match process.status {
            ProcessStatus::Completed | ProcessStatus::Cancelled => return Err(ended(process)),
            _ => vec![ProcessCancelled { reason: note }.into()],
        },
        Command::Archive => vec![archive::archive(process, note)?],
        Command::Unarchive => vec![ProcessUnarchived { reason: note }.into()],
        Command::Claim(task) => people::claim(process, task, note, context)?,
        Command::Release(task) => people::release(process, task, note, context)?,
        Command::StartTask(task) => people::start_task(process, task, note, context)?,
        Command::Complete(task) => {
            let number = people::completable(process, task, context)?;
            draft.complete(number, note);
            return Ok(());
        }
        Command::Reopen(task) => people::reopen(process, task, note)?,
        Command::Skip(item) => people::skip(process, item, note)?,
        Command::Restore(item) => people::restore(process, item, note)?,
        Command::AddAsset { task, asset, interlinker } => {
            working(process)?;
            number(process, task)?;
            let (task, interlinker) = (task.clone(), interlinker.clone());
            vec![AssetAdded { task, asset: *asset, interlinker, work: false }.into()]
        }
        Command::DropAsset(asset) => vec![drop_asset(process, *asset)?],
        Command::Vote { task, choice } => {
            working(process)?;
            let number = number(process, task)?;
            return votes::cast(draft, number, *choice, note, context);
        }
        Command::Reschedule { item, dates } => vec![reschedule(process, item, dates, note)?],
        Command::SetData(changes) => vec![set_data(process, changes, context)?],
        Command::Tick { .. } => Vec::new(),
        Command::EffectDone { effect, asset, outcome } => effect_done(process, *effect, asset.as_ref(), *outcome)?,
        Command::EffectFailed { effect, failure } => {
            if !process.effects.get(effect).is_some_and(effects::Effect::is_pending) {
                return Err(old_news());
            }
            effects::attempt_failed(draft, *effect, failure, context);
            return Ok(());
        }
        Command::SubprocessEnded { task, process: sub, completed, outputs } => {
            return subprocess_ended(draft, task, *sub, *completed, outputs, context);
        }
        Command::Compensate => vec![want_compensation(process)?],
        Command::SubprocessCompensated { task, process: sub } => subprocess_compensated(process, task, *sub)?,
        Command::NoteOutcome(asset) => note_outcome(process, *asset).into_iter().collect(),
        Command::CloseIncident { incident, resolution } => {
            return effects::close_incident(draft, *incident, *resolution, note);
        }
        Command::RetryTask(task) => return retry_task(draft, task, note),
        Command::Migrate { plan, mapping } => vec![migrate(process, plan, mapping.clone(), false, note)?],
        Command::MigrateBack { plan, mapping } => vec![migrate_back(process, plan, mapping, note)?],
    };
    events.into_iter().for_each(|event| draft.push(event));
    Ok(())
}

fn start(process: &Process) -> Result<Vec<ProcessEvent>, Rejection> {
    match process.status {
        ProcessStatus::Created => Ok(vec![ProcessStarted {}.into()]),
        ProcessStatus::Completed | ProcessStatus::Cancelled => Err(ended(process)),
        ProcessStatus::Running | ProcessStatus::Suspended => {
            Err(Rejection::new(Rule::ProcessStarted, "it is under way; a process begins once"))
        }
    }
}

fn resume(process: &Process, reason: Option<Sealed<String>>) -> Result<Vec<ProcessEvent>, Rejection> {
    match process.status {
        ProcessStatus::Suspended => Ok(vec![ProcessResumed { reason }.into()]),
        ProcessStatus::Completed | ProcessStatus::Cancelled => Err(ended(process)),
        ProcessStatus::Created | ProcessStatus::Running => Err(Rejection::new(
            Rule::ProcessNotSuspended,
            format!("it is {}; only a suspended process can be resumed", process.status.as_str()),
        )),
    }
}

fn drop_asset(process: &Process, asset: AssetId) -> Result<ProcessEvent, Rejection> {
    match process.assets.get(&asset) {
        Some(held) => {
            let task = process.plan.outline.tasks[held.task as usize].id.clone();
            Ok(AssetDropped { task, asset }.into())
        }
        None => Err(Rejection::new(Rule::NoSuchAsset, format!("asset {asset} is not one of its assets"))),
    }
}

fn reschedule(
    process: &Process,
    item: &str,
    dates: &SetDates,
    reason: Option<Sealed<String>>,
) -> Result<ProcessEvent, Rejection> {
    let found = find(process, item)?;
    if matches!(process.status, ProcessStatus::Completed | ProcessStatus::Cancelled) {
        return Err(ended(process));
    }
    if dates.is_of_task() && !matches!(found, ItemRef::Task(_)) {
        let detail = format!("`{item}` is no task: it can open and close, and only tasks are due or come again");
        return Err(Rejection::new(Rule::DatesRefused, detail));
    }
    for (key, moment) in dates.moments() {
        use crate::time::moment::Anchor;
        let refused = match moment.anchor() {
            Some(Anchor::Item(other)) if process.plan.outline.item(other).is_none() => {
                Some(format!("`{key}` is after `{other}`, which is no item of this process"))
            }
            Some(Anchor::Ready) if matches!(key, "opens" | "closes") => {
                Some(format!("`{key}` cannot be after `ready`: write it after `start` or after another item"))
            }
            Some(Anchor::Due) => Some(format!("`{key}` cannot be relative to `due`")),
            _ => None,
        };
        if let Some(detail) = refused {
            return Err(Rejection::new(Rule::DatesRefused, detail));
        }
    }
    Ok(ItemRescheduled { item: item.into(), dates: dates.written.clone(), reason }.into())
}

/// Values of a process, in bytes as JSON: they are in its row, and every change writes all of them.
pub const DATA_BYTES_MAX: usize = 64 * 1024;

fn set_data(
    process: &Process,
    changes: &BTreeMap<String, Value>,
    context: &Context<'_>,
) -> Result<ProcessEvent, Rejection> {
    if process.status == ProcessStatus::Cancelled {
        return Err(ended(process));
    }
    let mut data = process.values(context).cloned().unwrap_or_default();
    for (name, value) in changes {
        match value {
            Value::Null => data.remove(name),
            value => data.insert(name.clone(), value.clone()),
        };
    }
    let bytes = serde_json::to_string(&data).map_or(usize::MAX, |text| text.len());
    if bytes > DATA_BYTES_MAX {
        let detail = format!("the values of a process have {DATA_BYTES_MAX} bytes at most, and these have {bytes}");
        return Err(Rejection::new(Rule::TooMuch, detail));
    }
    Ok(DataSet { data: Sealed::Open(data) }.into())
}

fn migrate(
    process: &Process,
    plan: &Arc<Plan>,
    mapping: Mapping,
    back: bool,
    reason: Option<Sealed<String>>,
) -> Result<ProcessEvent, Rejection> {
    let refused = process.plan_migration(plan, &mapping).refused;
    if !refused.is_empty() {
        return Err(Rejection::new(Rule::MigrationRefused, refused.join("; ")));
    }
    Ok(ProcessMigrated { to: plan.reference(), mapping, back, reason, plan: Some(Arc::clone(plan)) }.into())
}

fn migrate_back(
    process: &Process,
    plan: &Arc<Plan>,
    mapping: &Mapping,
    reason: Option<Sealed<String>>,
) -> Result<ProcessEvent, Rejection> {
    let Some(moved) = process.moved.as_ref().filter(|moved| moved.from == plan.reference()) else {
        return Err(Rejection::new(Rule::NeverMoved, "there is no move that could be taken back"));
    };
    let mut back = moved.back();
    back.extend(mapping.clone());
    migrate(process, plan, back, true, reason)
}

fn old_news() -> Rejection {
    Rejection::new(Rule::NothingToDo, "the process no longer waits for this")
}

fn effect_done(
    process: &Process,
    effect: u64,
    asset: Option<&String>,
    outcome: bool,
) -> Result<Vec<ProcessEvent>, Rejection> {
    let known = process.effects.get(&effect).ok_or_else(old_news)?;
    let task = || known.task.map(|task| process.plan.outline.tasks[task as usize].id.clone()).unwrap_or_default();
    let mut events = Vec::new();
    if let (EffectKind::Instantiate { asset, .. }, Some(interlinker)) = (&known.kind, asset) {
        events.push(AssetAdded { task: task(), asset: *asset, interlinker: interlinker.clone(), work: true }.into());
        if outcome {
            events.push(OutcomeNoted { task: task(), asset: *asset }.into());
        }
    }
    events.push(EffectSucceeded { effect }.into());
    Ok(events)
}

fn subprocess_ended(
    draft: &mut Draft<'_>,
    task: &str,
    sub: ProcessId,
    completed: bool,
    outputs: &BTreeMap<String, Value>,
    context: &Context<'_>,
) -> Result<(), Rejection> {
    let number = number(&draft.process, task)?;
    let known = draft.process.subprocesses.get(&(number as u32)).copied();
    let known = known.filter(|known| known.process == sub && !known.ended).ok_or_else(old_news)?;
    draft.push(SubprocessEnded { task: task.into(), process: known.process, completed });
    let plan = Arc::clone(&draft.process.plan);
    let Work::Subprocess(work) = &plan.task(number).work else { return Ok(()) };
    let wanted =
        work.outputs.iter().filter_map(|(here, there)| outputs.get(there).map(|value| (here.clone(), value.clone())));
    let outputs: BTreeMap<_, _> = wanted.collect();
    let kept = match outputs.is_empty() {
        true => Ok(()),
        false => set_data(&draft.process, &outputs, context).map(|event| draft.push(event)),
    };
    let cause = match kept {
        Ok(()) if completed => None,
        Ok(()) => Some("subprocess-cancelled"),
        // What came back is not thrown away unsaid: the task is not done without it.
        Err(_) => Some("output-too-large"),
    };
    match (draft.process.tasks[number].stage, cause) {
        (Stage::Open, None) => draft.complete(number, None),
        (Stage::Open, Some(cause)) => draft.push(TaskFailed { task: task.into(), cause: cause.into() }),
        _ => {}
    }
    Ok(())
}

/// Only a process that was started for another, and has ended, is told to undo what it did.
fn want_compensation(process: &Process) -> Result<ProcessEvent, Rejection> {
    if process.parent.is_none() || process.reversal != Reversal::Unwanted {
        return Err(old_news());
    }
    match process.status {
        ProcessStatus::Completed | ProcessStatus::Cancelled => Ok(CompensationWanted {}.into()),
        ProcessStatus::Created | ProcessStatus::Running | ProcessStatus::Suspended => {
            let detail = format!("it is {}; cancel it instead", process.status.as_str());
            Err(Rejection::new(Rule::ProcessNotEnded, detail))
        }
    }
}

/// The word that it is undone may be faster than the word that it was told to.
fn subprocess_compensated(process: &Process, task: &str, sub: ProcessId) -> Result<Vec<ProcessEvent>, Rejection> {
    let number = number(process, task)?;
    let told = process.effects.iter().find(|(_, effect)| {
        matches!(&effect.kind, EffectKind::CompensateSubprocess { process } if *process == sub)
            && effect.incident.is_none()
    });
    let told = told.map(|(effect, _)| EffectSucceeded { effect: *effect }.into());
    let known = process.subprocesses.get(&(number as u32)).filter(|known| known.process == sub);
    if told.is_none() && !known.is_some_and(|known| known.compensating) {
        return Err(old_news());
    }
    Ok(told.into_iter().chain([SubprocessCompensated { task: task.into(), process: sub }.into()]).collect())
}

/// Noted whatever the process's status: an outcome is a fact. It completes the task as soon as that may be. One that was
/// noted before changes nothing, and is no reason to refuse what it comes with.
fn note_outcome(process: &Process, asset: AssetId) -> Option<ProcessEvent> {
    let held = process.assets.get(&asset).filter(|held| held.is_work && !held.outcome)?;
    let task = process.plan.outline.tasks[held.task as usize].id.clone();
    Some(OutcomeNoted { task, asset }.into())
}

fn retry_task(draft: &mut Draft<'_>, task: &str, note: Option<Sealed<String>>) -> Result<(), Rejection> {
    working(&draft.process)?;
    let number = number(&draft.process, task)?;
    if draft.process.tasks[number].stage != Stage::Failed {
        let detail = format!("`{task}` did not fail; only a task that failed is tried again");
        return Err(Rejection::new(Rule::TaskNotFailed, detail));
    }
    let of_task = |incident: &&super::Incident| incident.closed.is_none() && incident.task == Some(number as u32);
    let incident = draft.process.incidents.iter().find(|(_, incident)| of_task(incident)).map(|(id, _)| *id);
    match incident {
        Some(incident) => effects::close_incident(draft, incident, Resolution::Retried, note),
        None => {
            draft.push(TaskRetried { task: task.into() });
            Ok(())
        }
    }
}

pub(super) fn working(process: &Process) -> Result<(), Rejection> {
    match process.status {
        ProcessStatus::Running => Ok(()),
        ProcessStatus::Created => Err(Rejection::new(Rule::ProcessNotStarted, "start the process first")),
        ProcessStatus::Suspended => Err(Rejection::new(Rule::ProcessSuspended, "resume the process first")),
        ProcessStatus::Completed | ProcessStatus::Cancelled => Err(ended(process)),
    }
}

pub(super) fn ended(process: &Process) -> Rejection {
    Rejection::new(Rule::ProcessEnded, format!("it was {}", process.status.as_str()))
}

pub(super) fn find(process: &Process, item: &str) -> Result<ItemRef, Rejection> {
    process.plan.outline.item(item).ok_or_else(|| {
        Rejection::new(Rule::NoSuchItem, format!("`{item}` is no phase, objective or task of this process"))
    })
}

pub(super) fn number(process: &Process, task: &str) -> Result<usize, Rejection> {
    process
        .plan
        .outline
        .task_index(task)
        .ok_or_else(|| Rejection::new(Rule::NoSuchItem, format!("`{task}` is no task of this process")))
}
