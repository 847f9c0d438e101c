//! What the API shows. These types are the contract; the engine's own can change beside them.

use interlink_model::event::Actor;
use interlink_model::id::Micros;
use interlink_model::manifest::Manifest;
use interlink_model::process::{ItemView, Process};
use interlink_model::schema::outline::ItemRef;
use interlink_model::schema::{Language, Prerequisite, PrerequisiteKind, Schema, TaskKind, Text};
use interlink_runtime::catalogue::{CatalogueEntry, InterlinkerVersion, SchemaVersion};
use interlink_runtime::usage::registry::Use;
use interlink_runtime::usage::{kind_word, outcome_word};
use interlink_runtime::{AssetView, Happened};
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
    ProcessBody {
        id: process.id.to_string(),
        name,
        schema: Reference { name: schema.name, version: schema.version, digest: schema.digest },
        status: process.status.as_str(),
        progress: process.progress(),
        version: process.version,
        language: process.language.clone(),
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
        ItemRef::Task(number) => &schema_task(process, number).name,
    }
}

/// A task of the schema, by its number.
fn schema_task(process: &Process, number: usize) -> &interlink_model::schema::Task {
    let outline = &process.plan.outline;
    let task = &outline.tasks[number];
    let phase = &process.plan.schema.phases[task.phase];
    let first_objective: usize =
        process.plan.schema.phases[..task.phase].iter().map(|phase| phase.objectives.len()).sum();
    let objective = &phase.objectives[task.objective - first_objective];
    &objective.tasks[number - outline.objectives[task.objective].tasks.start]
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

fn kind_of(kind: TaskKind) -> &'static str {
    match kind {
        TaskKind::Human => "human",
    }
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
    /// Version of its process.
    pub version: u64,
}

/// Shows a task.
pub fn task(process: &Process, number: usize, wanted: &Wanted, in_full: bool) -> TaskBody {
    let outline = &process.plan.outline;
    let state = &process.tasks[number];
    let authored = schema_task(process, number);
    let languages = &process.plan.schema.languages;
    let status = process.task_status(number);
    let outlined = &outline.tasks[number];
    TaskBody {
        id: outlined.id.clone(),
        name: wanted.text(&authored.name, languages),
        description: in_full.then(|| wanted.text(&authored.description, languages)),
        kind: kind_of(authored.kind),
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
        version: process.version,
    }
}

/// What a phase and an objective have in common.
fn group(id: &str, name: Value, description: Value, before: &[Prerequisite], item: ItemView) -> Value {
    json!({
        "id": id,
        "name": name,
        "description": description,
        "status": item.status.as_str(),
        "interlink_status": item.status.interlink_word(),
        "progress": item.progress,
        "started_at": item.started_at.map(time),
        "finished_at": item.finished_at.map(time),
        "prerequisites": prerequisites(before),
    })
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
                objective_number += 1;
                let (name, description) = (text(&objective.name), text(&objective.description));
                let mut shown = group(&objective.id, name, description, &objective.prerequisites, item);
                shown["problem_profiles"] = json!(objective.problem_profiles);
                shown["tasks"] = json!(tasks);
                shown
            })
            .collect();
        let item = process.item(ItemRef::Phase(phase_number));
        let mut shown = group(&phase.id, text(&phase.name), text(&phase.description), &phase.prerequisites, item);
        shown["objectives"] = json!(objectives);
        shown
    });
    let phases: Vec<_> = phases.collect();
    json!({
        "process": process.id.to_string(),
        "version": process.version,
        "status": process.status.as_str(),
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
            "kind": kind_of(task.kind),
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
