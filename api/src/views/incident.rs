//! Incidents.

use interlink_model::facts::Resolution;
use interlink_model::schema::work::Work;
use interlink_runtime::IncidentView;
use serde::Serialize;
use utoipa::ToSchema;

use super::time;

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
