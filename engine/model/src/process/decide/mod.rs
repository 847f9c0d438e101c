//! Every rule of a process. A rule is refused with what would satisfy it.
//!
//! What is due by the time of a command comes before it: a vote that arrives a moment after the end of its phase finds it
//! closed, whether or not the timer was there first.

mod archive;
mod command;
mod people;
mod rule;
mod within;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

pub use self::command::Command;
pub use self::rule::{Rejection, Rule};

use super::dates::SetDates;
use super::draft::Draft;
use super::effects;
use super::{Mapping, Plan, Process, ProcessStatus, Stage, votes};
use crate::event::Actor;
use crate::facts::*;
use crate::id::{AssetId, Micros, OrganizationId, PersonId};
use crate::schema::outline::ItemRef;
use crate::sealed::Sealed;
use crate::time::zone::Zone;

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
    /// The organization that hosts it.
    pub organization: Option<OrganizationId>,
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
        organization: new.organization,
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
        Command::AddAsset { task, asset, interlinker } => vec![add_asset(process, task, *asset, interlinker)?],
        Command::AddAssets(all) => {
            let added = all.iter().map(|(task, asset, interlinker)| add_asset(process, task, *asset, interlinker));
            added.collect::<Result<_, Rejection>>()?
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
        Command::NoteTold { effect, to } => note_told(process, *effect, to)?,
        Command::EffectFailed { effect, failure } => {
            if !process.effects.get(effect).is_some_and(effects::Effect::is_pending) {
                return Err(old_news());
            }
            effects::attempt_failed(draft, *effect, failure, context);
            return Ok(());
        }
        Command::SubprocessEnded { task, process: sub, completed, outputs } => {
            return within::subprocess_ended(draft, task, *sub, *completed, outputs, context);
        }
        Command::Compensate => vec![within::want_compensation(process)?],
        Command::SubprocessCompensated { task, process: sub } => within::subprocess_compensated(process, task, *sub)?,
        Command::NoteOutcome(asset) => note_outcome(process, *asset).into_iter().collect(),
        Command::NoteWithdrawn { asset, interlinker, how, to } => {
            vec![note_withdrawn(process, *asset, interlinker, *how, to)?]
        }
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

fn add_asset(process: &Process, task: &str, asset: AssetId, interlinker: &str) -> Result<ProcessEvent, Rejection> {
    working(process)?;
    number(process, task)?;
    Ok(AssetAdded { task: task.into(), asset, interlinker: interlinker.into(), work: false }.into())
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

/// Noted with the word that it is done, so that nobody is told twice.
fn note_told(process: &Process, effect: u64, to: &[PersonId]) -> Result<Vec<ProcessEvent>, Rejection> {
    let known = process.effects.get(&effect).ok_or_else(old_news)?;
    let EffectKind::TellPeople { task, of, role } = known.kind.clone() else { return Err(old_news()) };
    let told = (!to.is_empty()).then(|| PeopleTold { task, of, role, to: to.to_vec() }.into());
    Ok(told.into_iter().chain([EffectSucceeded { effect }.into()]).collect())
}

/// Noted whatever the process's status: an outcome is a fact. It completes the task as soon as that may be. One that was
/// noted before changes nothing, and is no reason to refuse what it comes with.
fn note_outcome(process: &Process, asset: AssetId) -> Option<ProcessEvent> {
    let held = process.assets.get(&asset).filter(|held| held.is_work && !held.outcome)?;
    let task = process.plan.outline.tasks[held.task as usize].id.clone();
    Some(OutcomeNoted { task, asset }.into())
}

/// Noted whatever the process's status, once of each version and what weighs more again.
fn note_withdrawn(
    process: &Process,
    asset: AssetId,
    interlinker: &InterlinkerRef,
    how: Withdrawn,
    to: &[PersonId],
) -> Result<ProcessEvent, Rejection> {
    let held = process.assets.get(&asset).ok_or_else(old_news)?;
    if held.was_told(interlinker, how) {
        return Err(old_news());
    }
    let task = process.plan.outline.tasks[held.task as usize].id.clone();
    Ok(AssetWithdrawn { task, asset, interlinker: interlinker.clone(), how, to: to.to_vec() }.into())
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
