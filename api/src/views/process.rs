//! Processes and their trees.

use interlink_model::facts::TimerKind;
use interlink_model::process::{ItemView, Process, TimerKey};
use interlink_model::schema::outline::ItemRef;
use interlink_model::schema::{Prerequisite, Text};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::task::{TimingBody, prerequisites, task, timing};
use super::{Reference, time};
use crate::language::Wanted;

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
    /// The organization that hosts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
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
        organization: process.organization.map(|organization| organization.to_string()),
        created_by: process.created_by.to_string(),
        created_at: time(process.created_at),
        started_at: process.started_at.map(time),
        ended_at: process.ended_at.map(time),
        updated_at: time(process.touched_at),
    }
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
