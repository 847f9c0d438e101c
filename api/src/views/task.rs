//! Tasks: what they wait for, their hours, their votes.

use interlink_model::facts::TimerKind;
use interlink_model::process::{Process, TaskStatus};
use interlink_model::schema::outline::ItemRef;
use interlink_model::schema::{Prerequisite, PrerequisiteKind, Text};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::time;
use crate::language::Wanted;

/// An item, in short.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Brief {
    /// Its id.
    pub id: String,
    /// Its name.
    #[schema(value_type = String)]
    pub name: Value,
    /// Its status.
    pub status: &'static str,
}

/// Names of an item of a process.
fn name_of(process: &Process, item: ItemRef) -> &Text {
    let schema = &process.plan.schema;
    match item {
        ItemRef::Phase(number) => &schema.phases[number].name,
        ItemRef::Objective(number) => {
            &schema
                .phases
                .iter()
                .flat_map(|phase| &phase.objectives)
                .nth(number)
                .expect("an objective of the outline")
                .name
        }
        ItemRef::Task(number) => &process.plan.task(number).name,
    }
}

/// Shows an item, in short.
pub fn brief(process: &Process, item: ItemRef, wanted: &Wanted) -> Brief {
    let name = wanted.text(name_of(process, item), &process.plan.schema.languages);
    let id = process.plan.outline.id(item).unwrap_or_default().to_owned();
    Brief { id, name, status: process.item(item).status.as_str() }
}

/// What comes before an item.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PrerequisiteBody {
    /// The item before.
    pub item: String,
    /// `finished` or `previous`.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

pub(super) fn prerequisites(all: &[Prerequisite]) -> Vec<PrerequisiteBody> {
    let body = |prerequisite: &Prerequisite| PrerequisiteBody {
        item: prerequisite.item.clone(),
        kind: match prerequisite.kind {
            PrerequisiteKind::Finished => "finished",
            PrerequisiteKind::Previous => "previous",
        },
    };
    all.iter().map(body).collect()
}

/// A task of a process.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TaskBody {
    /// Its id.
    pub id: String,
    /// Its name.
    #[schema(value_type = String)]
    pub name: Value,
    /// How it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub description: Option<Value>,
    /// Who or what does it.
    pub kind: &'static str,
    /// Its status.
    pub status: &'static str,
    /// INTERLINK's word for the status.
    pub interlink_status: &'static str,
    /// 1 when it is completed.
    pub progress: f64,
    /// Its process.
    pub process: String,
    /// Its phase.
    pub phase: String,
    /// Its objective.
    pub objective: String,
    /// Whose it is.
    pub assignee: Option<String>,
    /// Roles that may do it.
    pub roles: Vec<String>,
    /// Problems that it faces.
    pub problem_profiles: Vec<String>,
    /// What comes before it.
    pub prerequisites: Vec<PrerequisiteBody>,
    /// When work on it began.
    pub started_at: Option<String>,
    /// When it was finished.
    pub finished_at: Option<String>,
    /// How often it was reopened.
    pub reopened: u32,
    /// Tasks behind it that a reopening holds up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held_up: Vec<Brief>,
    /// What time has to do with it; absent where nothing has.
    #[serde(flatten)]
    pub timing: TimingBody,
    /// The vote on it, the last round where there were several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vote: Option<VoteBody>,
    /// Which time it is, of a task that comes again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurrence: Option<OccurrenceBody>,
    /// The process that was started for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subprocess: Option<String>,
    /// Incidents of it that wait for an operator.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<String>,
    /// Its assets whose Interlinker was deprecated or revoked: `{asset, name, interlinker}`, which says why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub withdrawn: Vec<serde_json::Value>,
    /// Version of its process.
    pub version: u64,
}

/// When an item opens, closes and is due.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct TimingBody {
    /// When it opens or did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opens_at: Option<String>,
    /// When it closes or did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<String>,
    /// When it is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
    /// Whether it should have been finished by now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub overdue: bool,
    /// When it can be begun, where it waits for its time alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_until: Option<String>,
    /// Whether others were told of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escalated_at: Option<String>,
}

/// A vote.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct VoteBody {
    /// Which vote on the task this is, from 1.
    pub round: u32,
    /// Votes that it takes.
    pub quorum: u32,
    /// Share of approvals that it takes.
    pub threshold: String,
    /// Votes for it.
    pub approve: u32,
    /// Votes against it.
    pub reject: u32,
    /// Votes for the quorum alone.
    pub abstain: u32,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<String>,
    /// `approved`, `rejected`, `vetoed`, `no_quorum` or `dropped`; null while people vote.
    pub result: Option<&'static str>,
}

/// One time of a task that comes again.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OccurrenceBody {
    /// Which, from 1.
    pub number: u32,
    /// Whether it is not done yet.
    pub open: bool,
    /// How many were done.
    pub done: u32,
    /// When the next begins.
    pub next_at: Option<String>,
}

pub(super) fn timing(process: &Process, item: ItemRef) -> TimingBody {
    let at = |kind| process.timer(item, kind).map(|timer| time(timer.due_at));
    let fired = |kind| process.timer(item, kind).and_then(|timer| timer.fired_at);
    let task = match item {
        ItemRef::Task(task) => Some(task),
        ItemRef::Phase(_) | ItemRef::Objective(_) => None,
    };
    let is_waiting = |task: &usize| process.task_status(*task) == TaskStatus::Waiting;
    let unfinished = !process.is_finished(item);
    TimingBody {
        opens_at: at(TimerKind::Opens),
        closes_at: at(TimerKind::Closes),
        due_at: at(TimerKind::Due),
        overdue: unfinished && fired(TimerKind::Due).is_some(),
        waits_until: task.filter(is_waiting).and_then(|task| process.waits_until(task)).map(time),
        escalated_at: fired(TimerKind::Escalation).filter(|_| unfinished).map(time),
    }
}

fn vote(process: &Process, number: usize) -> Option<VoteBody> {
    let vote = process.vote(number)?;
    let tally = vote.tally();
    Some(VoteBody {
        round: vote.round,
        quorum: vote.rules.quorum,
        threshold: format!("{}/{}", vote.rules.threshold.0, vote.rules.threshold.1),
        approve: tally.approve,
        reject: tally.reject,
        abstain: tally.abstain,
        closes_at: process.timer(ItemRef::Task(number), TimerKind::Vote).map(|timer| time(timer.due_at)),
        result: vote.result.map(|result| result.as_str()),
    })
}

fn occurrence(process: &Process, number: usize) -> Option<OccurrenceBody> {
    let next = process.timer(ItemRef::Task(number), TimerKind::Every);
    let recurring = process.recurring.get(&(number as u32)).copied();
    if next.is_none() && recurring.is_none() {
        return None;
    }
    let recurring = recurring.unwrap_or_default();
    let next = next.filter(|timer| timer.fired_at.is_none()).map(|timer| time(timer.due_at));
    Some(OccurrenceBody { number: recurring.number, open: recurring.open, done: recurring.done, next_at: next })
}

/// Shows a task.
pub fn task(process: &Process, number: usize, wanted: &Wanted, in_full: bool) -> TaskBody {
    let outline = &process.plan.outline;
    let state = &process.tasks[number];
    let authored = process.plan.task(number);
    let languages = &process.plan.schema.languages;
    let status = process.task_status(number);
    let outlined = &outline.tasks[number];
    TaskBody {
        id: outlined.id.clone(),
        name: wanted.text(&authored.name, languages),
        description: in_full.then(|| wanted.text(&authored.description, languages)),
        kind: authored.work.kind().as_str(),
        status: status.as_str(),
        interlink_status: status.interlink_word(),
        progress: process.item(ItemRef::Task(number)).progress,
        process: process.id.to_string(),
        phase: outline.phases[outlined.phase].id.clone(),
        objective: outline.objectives[outlined.objective].id.clone(),
        assignee: state.stage.person().map(|person| person.to_string()),
        roles: outlined.roles.clone(),
        problem_profiles: outlined.problem_profiles.clone(),
        prerequisites: prerequisites(&authored.prerequisites),
        started_at: state.started_at.map(time),
        finished_at: state.finished_at.map(time),
        reopened: state.reopened,
        held_up: Vec::new(),
        timing: timing(process, ItemRef::Task(number)),
        vote: vote(process, number),
        occurrence: occurrence(process, number),
        subprocess: process.subprocesses.get(&(number as u32)).map(|sub| sub.process.to_string()),
        incidents: incidents_of(process, number),
        withdrawn: Vec::new(),
        version: process.version,
    }
}

fn incidents_of(process: &Process, number: usize) -> Vec<String> {
    let open = process.incidents.iter().filter(|(_, incident)| incident.closed.is_none());
    open.filter(|(_, incident)| incident.task == Some(number as u32)).map(|(id, _)| id.to_string()).collect()
}
