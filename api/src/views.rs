//! What the API shows. These types are the contract; the engine's own can change beside them.

use interlink_model::event::Actor;
use interlink_model::facts::{Resolution, TimerKind};
use interlink_model::id::Micros;
use interlink_model::manifest::Manifest;
use interlink_model::process::{ItemView, Process, TaskStatus, TimerKey};
use interlink_model::schema::outline::ItemRef;
use interlink_model::schema::work::Work;
use interlink_model::schema::{Language, Prerequisite, PrerequisiteKind, Schema, Text};
use interlink_runtime::catalogue::{CatalogueEntry, InterlinkerVersion, SchemaVersion};
use interlink_runtime::usage::registry::Use;
use interlink_runtime::usage::{kind_word, outcome_word};
use interlink_runtime::{AssetView, Happened, IncidentView};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::language::Wanted;

/// A time as RFC 3339 writes it, UTC.
pub fn time(at: Micros) -> String {
    jiff::Timestamp::from_microsecond(at.0).map(|at| at.to_string()).unwrap_or_default()
}

/// A name and version with a digest.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Reference {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
    /// `sha256:` and 64 hex digits.
    pub digest: String,
}

/// A process.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProcessBody {
    /// Its id.
    pub id: String,
    /// What people call it; null where it was erased.
    pub name: Option<String>,
    /// The schema to which it is pinned.
    pub schema: Reference,
    /// `created`, `running`, `suspended`, `completed` or `cancelled`.
    pub status: &'static str,
    /// Tasks completed over tasks not skipped.
    pub progress: f64,
    /// How often it has changed.
    pub version: u64,
    /// The language in which it is held.
    pub language: Option<String>,
    /// The zone of its days and hours.
    pub zone: String,
    /// When it should have ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
    /// Whether it should have ended by now.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub overdue: bool,
    /// The process and version that it was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub lineage: Option<Value>,
    /// The process and task for which it was started.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub parent: Option<Value>,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: String,
    /// When it began.
    pub started_at: Option<String>,
    /// When it ended.
    pub ended_at: Option<String>,
    /// When anything happened to it last.
    pub updated_at: String,
}

/// Shows a process.
pub fn process(process: &Process, name: Option<String>) -> ProcessBody {
    let schema = process.plan.reference();
    let deadline = process.timers.get(&TimerKey { item: None, kind: TimerKind::Due, number: 0 }).copied();
    ProcessBody {
        id: process.id.to_string(),
        name,
        schema: Reference { name: schema.name, version: schema.version, digest: schema.digest },
        status: process.status_word(),
        progress: process.progress(),
        version: process.version,
        language: process.language.clone(),
        zone: process.zone.name().to_owned(),
        due_at: deadline.map(|timer| time(timer.due_at)),
        overdue: process.ended_at.is_none() && deadline.is_some_and(|timer| timer.fired_at.is_some()),
        lineage: process.lineage.map(|from| json!({"process": from.process.to_string(), "version": from.version})),
        parent: process
            .parent
            .as_ref()
            .map(|parent| json!({"process": parent.process.to_string(), "task": parent.task})),
        created_by: process.created_by.to_string(),
        created_at: time(process.created_at),
        started_at: process.started_at.map(time),
        ended_at: process.ended_at.map(time),
        updated_at: time(process.touched_at),
    }
}

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

fn prerequisites(all: &[Prerequisite]) -> Vec<PrerequisiteBody> {
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

fn timing(process: &Process, item: ItemRef) -> TimingBody {
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

/// Something that failed past its policy.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IncidentBody {
    /// Its id.
    pub id: String,
    /// The process.
    pub process: String,
    /// The task.
    pub task: Option<String>,
    /// The Interlinker that the task wants.
    pub interlinker: Option<String>,
    /// Why it failed: a slug.
    pub cause: String,
    /// How often it was tried.
    pub attempts: u32,
    /// `open`, or what was done about it: `retried`, `skipped`, `resolved` or `dropped`.
    pub status: &'static str,
    /// When it was raised.
    pub raised_at: String,
    /// When it was dealt with.
    pub closed_at: Option<String>,
}

/// The word for what was done about an incident.
pub fn incident_status(view: &IncidentView) -> &'static str {
    match view.incident.closed {
        None => "open",
        Some((Resolution::Retried, _)) => "retried",
        Some((Resolution::Skipped, _)) => "skipped",
        Some((Resolution::Resolved, _)) => "resolved",
        Some((Resolution::Dropped, _)) => "dropped",
    }
}

/// The Interlinker that the task of an incident wants.
pub fn incident_interlinker(view: &IncidentView) -> Option<&str> {
    match &view.process.plan.task(view.incident.task? as usize).work {
        Work::Interlinker(by) => by.interlinker.split('@').next(),
        _ => None,
    }
}

/// Shows an incident.
pub fn incident(view: &IncidentView) -> IncidentBody {
    let incident = &view.incident;
    IncidentBody {
        id: view.id.to_string(),
        process: view.process.id.to_string(),
        task: incident.task.map(|task| view.process.plan.outline.tasks[task as usize].id.clone()),
        interlinker: incident_interlinker(view).map(str::to_owned),
        cause: incident.code.clone(),
        attempts: incident.attempts,
        status: incident_status(view),
        raised_at: time(incident.raised_at),
        closed_at: incident.closed.map(|(_, at)| time(at)),
    }
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
        version: process.version,
    }
}

fn incidents_of(process: &Process, number: usize) -> Vec<String> {
    let open = process.incidents.iter().filter(|(_, incident)| incident.closed.is_none());
    open.filter(|(_, incident)| incident.task == Some(number as u32)).map(|(id, _)| id.to_string()).collect()
}

/// What a phase and an objective have in common.
fn group(
    id: &str,
    name: Value,
    description: Value,
    before: &[Prerequisite],
    item: ItemView,
    timing: &TimingBody,
) -> Value {
    let mut shown = json!({
        "id": id,
        "name": name,
        "description": description,
        "status": item.status.as_str(),
        "interlink_status": item.status.interlink_word(),
        "progress": item.progress,
        "started_at": item.started_at.map(time),
        "finished_at": item.finished_at.map(time),
        "prerequisites": prerequisites(before),
    });
    if let (Value::Object(shown), Value::Object(timing)) = (&mut shown, json!(timing)) {
        shown.extend(timing);
    }
    shown
}

/// Shows the tree of a process.
pub fn tree(process: &Process, wanted: &Wanted) -> Value {
    let schema = &process.plan.schema;
    let text = |text: &Text| wanted.text(text, &schema.languages);
    let mut objective_number = 0;
    let mut task_number = 0;
    let phases = schema.phases.iter().enumerate().map(|(phase_number, phase)| {
        let objectives: Vec<_> = phase
            .objectives
            .iter()
            .map(|objective| {
                let tasks: Vec<_> = objective
                    .tasks
                    .iter()
                    .map(|_| {
                        task_number += 1;
                        task(process, task_number - 1, wanted, true)
                    })
                    .collect();
                let item = process.item(ItemRef::Objective(objective_number));
                let hours = timing(process, ItemRef::Objective(objective_number));
                objective_number += 1;
                let (name, description) = (text(&objective.name), text(&objective.description));
                let mut shown = group(&objective.id, name, description, &objective.prerequisites, item, &hours);
                shown["problem_profiles"] = json!(objective.problem_profiles);
                shown["tasks"] = json!(tasks);
                shown
            })
            .collect();
        let item = process.item(ItemRef::Phase(phase_number));
        let hours = timing(process, ItemRef::Phase(phase_number));
        let (name, description) = (text(&phase.name), text(&phase.description));
        let mut shown = group(&phase.id, name, description, &phase.prerequisites, item, &hours);
        shown["objectives"] = json!(objectives);
        shown
    });
    let phases: Vec<_> = phases.collect();
    json!({
        "process": process.id.to_string(),
        "version": process.version,
        "status": process.status_word(),
        "progress": process.progress(),
        "phases": phases,
    })
}

/// Shows a schema.
pub fn schema(version: &SchemaVersion, wanted: &Wanted) -> Value {
    let schema = &version.plan.schema;
    let text = |text: &Text| wanted.text(text, &schema.languages);
    let task = |task: &interlink_model::schema::Task| {
        json!({
            "id": task.id,
            "name": text(&task.name),
            "description": text(&task.description),
            "kind": task.work.kind().as_str(),
            "problem_profiles": task.problem_profiles,
            "prerequisites": prerequisites(&task.prerequisites),
            "roles": task.roles,
        })
    };
    let objective = |objective: &interlink_model::schema::Objective| {
        json!({
            "id": objective.id,
            "name": text(&objective.name),
            "description": text(&objective.description),
            "problem_profiles": objective.problem_profiles,
            "prerequisites": prerequisites(&objective.prerequisites),
            "tasks": objective.tasks.iter().map(task).collect::<Vec<_>>(),
        })
    };
    let phase = |phase: &interlink_model::schema::Phase| {
        json!({
            "id": phase.id,
            "name": text(&phase.name),
            "description": text(&phase.description),
            "prerequisites": prerequisites(&phase.prerequisites),
            "objectives": phase.objectives.iter().map(objective).collect::<Vec<_>>(),
        })
    };
    let mut shown = schema_brief(version, wanted);
    shown["phases"] = json!(schema.phases.iter().map(phase).collect::<Vec<_>>());
    shown
}

/// Shows a schema without its tree.
pub fn schema_brief(version: &SchemaVersion, wanted: &Wanted) -> Value {
    let Schema { name, version: number, digest, title, description, languages, roles, .. } = &version.plan.schema;
    json!({
        "name": name,
        "version": number.to_string(),
        "digest": digest,
        "title": wanted.text(title, languages),
        "description": wanted.text(description, languages),
        "languages": languages,
        "roles": roles,
        "tasks": version.plan.outline.tasks.len(),
        "imported_at": time(version.at),
        "imported_by": version.actor.to_string(),
    })
}

/// Languages of a manifest, for the fall-back of its texts.
fn manifest_languages(manifest: &Manifest) -> &[Language] {
    &manifest.languages
}

/// Shows an entry of the catalogue.
pub fn interlinker(version: &InterlinkerVersion, wanted: &Wanted) -> Value {
    let mut shown = match &version.entry {
        CatalogueEntry::Software(manifest) => json!({
            "nature": "software",
            "title": wanted.text(&manifest.title, manifest_languages(manifest)),
            "description": wanted.text(&manifest.description, manifest_languages(manifest)),
            "languages": manifest.languages,
            "problem_profiles": manifest.problem_profiles,
            "licence": manifest.licence,
            "world": manifest.world,
            "grants": manifest.grants,
            "actions": manifest.actions.iter().map(|action| &action.name).collect::<Vec<_>>(),
        }),
        CatalogueEntry::Described(entry) => {
            let mut shown = (**entry).clone();
            for field in ["title", "description"] {
                let text: Option<Text> = shown.get(field).cloned().and_then(|text| serde_json::from_value(text).ok());
                if let Some(text) = text {
                    shown[field] = wanted.text(&text, &[]);
                }
            }
            shown
        }
    };
    shown["name"] = json!(version.reference.name);
    shown["version"] = json!(version.reference.version);
    shown["digest"] = json!(version.reference.digest);
    shown["published_at"] = json!(time(version.at));
    shown["published_by"] = json!(version.actor.to_string());
    shown
}

/// Shows the actions of a manifest.
pub fn actions(manifest: &Manifest, wanted: &Wanted) -> Value {
    let languages = manifest_languages(manifest);
    let actions = manifest.actions.iter().map(|action| {
        json!({
            "name": action.name,
            "title": wanted.text(&action.title, languages),
            "help": wanted.text(&action.help, languages),
            "input": action.input,
            "output": action.output,
            "allow": action.allow,
            "anonymous": action.anonymous,
        })
    });
    json!({
        "items": actions.collect::<Vec<_>>(),
        "instantiate": {
            "title": wanted.text(&manifest.instantiate.title, languages),
            "input": manifest.instantiate.input,
        },
        "view": manifest.view,
    })
}

/// Shows an asset.
pub fn asset(view: &AssetView) -> Value {
    let AssetView { asset, name, outcome } = view;
    let mut shown = json!({
        "id": asset.id.to_string(),
        "name": name,
        "interlinker": {
            "name": asset.interlinker.name,
            "version": asset.interlinker.version,
            "digest": asset.interlinker.digest,
        },
        "process": asset.process.to_string(),
        "task": asset.task,
        "state_version": asset.version,
        "created_by": asset.created_by.to_string(),
        "created_at": time(asset.created_at),
        "updated_at": time(asset.touched_at),
    });
    if let Some(outcome) = outcome {
        shown["outcome"] = outcome.clone();
    }
    shown
}

/// Shows an event.
pub fn event(happened: &Happened) -> Value {
    json!({
        "position": happened.position,
        "stream": happened.stream.to_string(),
        "version": happened.version,
        "kind": happened.kind,
        "at": time(happened.stamp.at),
        "actor": happened.stamp.actor.to_string(),
        "as": role_of(happened.stamp.actor),
        "correlation": happened.stamp.correlation.map(|id| id.to_string()),
        "data": happened.data,
    })
}

fn role_of(actor: Actor) -> &'static str {
    match actor {
        Actor::Person(_) => "member",
        Actor::Operator(_) => "operator",
        Actor::System => "system",
        Actor::Pseudonym(_) => "pseudonym",
    }
}

/// A use of an Interlinker.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UseBody {
    /// When.
    pub at: String,
    /// Who: a random id.
    pub actor: String,
    /// `instantiate`, `view`, `action`, `failure` or `remove`.
    pub kind: &'static str,
    /// Name and version.
    pub interlinker: UsedInterlinker,
    /// On which process.
    pub process: String,
    /// In which phase.
    pub phase: Option<String>,
    /// In which objective.
    pub objective: Option<String>,
    /// On which task.
    pub task: String,
    /// On which asset.
    pub asset: Option<String>,
    /// Which action.
    pub action: Option<String>,
    /// `done`, `refused` or `failed`.
    pub outcome: &'static str,
    /// Why it was refused or failed.
    pub reason: Option<String>,
    /// How long it took.
    pub duration_ms: f64,
}

/// An Interlinker as a use names it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UsedInterlinker {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
}

/// Shows a use; `place` is the phase and objective of its task.
pub fn used(used: &Use, place: Option<(String, String)>) -> UseBody {
    let (phase, objective) = place.unzip();
    UseBody {
        at: time(used.at),
        actor: used.actor.to_string(),
        kind: kind_word(used.kind),
        interlinker: UsedInterlinker { name: used.interlinker.name.clone(), version: used.interlinker.version.clone() },
        process: used.process.to_string(),
        phase,
        objective,
        task: used.task.clone(),
        asset: used.asset.map(|asset| asset.to_string()),
        action: used.action.clone(),
        outcome: outcome_word(used.outcome),
        reason: used.reason.clone(),
        duration_ms: used.duration_us as f64 / 1_000.0,
    }
}
