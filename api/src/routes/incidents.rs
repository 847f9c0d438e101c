//! Incidents: what failed past its policy and waits for an operator.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use interlink_model::facts::Resolution;
use interlink_model::id::IncidentId;
use interlink_model::process::Command as Wish;
use interlink_runtime::{Answer, IncidentView};
use serde_json::{Value, json};

use super::processes::COMMENT_BYTES_MAX;
use crate::app::App;
use crate::problem::Problem;
use crate::request::{Asked, Command, answer};
use crate::views::{self, IncidentBody};

/// Words for what became of an incident.
const STATUSES: [&str; 5] = ["open", "retried", "skipped", "resolved", "dropped"];

fn incident_id(id: &str) -> Result<IncidentId, Problem> {
    IncidentId::parse(id).ok_or_else(|| Problem::not_found("incident", id))
}

/// Incidents in the order in which they were raised.
#[utoipa::path(get, path = "/v1/incidents", tag = "incidents",
    params(("process" = Option<String>, Query), ("interlinker" = Option<String>, Query), ("status" = Option<String>, Query),
        ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "`{items, next_cursor}`"), (status = 400, body = Problem)))]
pub async fn list(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    let limit = asked.limit()?;
    let [process, interlinker, status] =
        ["process", "interlinker", "status"].map(|name| asked.query(name).map(str::to_owned));
    if status.as_ref().is_some_and(|status| !STATUSES.contains(&status.as_str())) {
        return Err(Problem::malformed(format!("`status` is one of {}", STATUSES.join(", "))));
    }
    let filter = [&process, &interlinker, &status].map(|part| part.as_deref().unwrap_or_default());
    let list = format!("incidents:{}", filter.join(":"));
    let after = match asked.query("cursor") {
        Some(cursor) => {
            let place: Result<[u8; 16], _> = app.cursors.read(&list, cursor)?.try_into();
            Some(IncidentId::from_bytes(place.map_err(|_| Problem::malformed("this cursor cannot be read"))?))
        }
        None => None,
    };
    let engine = std::sync::Arc::clone(&app.engine);
    // Processes that are not in memory are read from disk.
    let reading = tokio::task::spawn_blocking(move || {
        let wanted = |view: &IncidentView| {
            process.as_ref().is_none_or(|process| view.process.id.to_string() == *process)
                && interlinker.as_deref().is_none_or(|name| views::incident_interlinker(view) == Some(name))
                && status.as_deref().is_none_or(|status| views::incident_status(view) == status)
        };
        engine.incidents(after, limit, wanted)
    });
    let (found, next) = reading.await.map_err(|_| Problem::internal("the list could not be read"))?;
    let next = next.map(|next| app.cursors.make(&list, &next.bytes()));
    let items: Vec<_> = found.iter().map(views::incident).collect();
    Ok(asked.show(&json!({"items": items, "next_cursor": next}), None, None))
}

/// An incident with its history: every attempt and what was done.
#[utoipa::path(get, path = "/v1/incidents/{id}", tag = "incidents", params(("id" = String, Path)),
    responses((status = 200, body = IncidentBody), (status = 404, body = Problem)))]
pub async fn get(State(app): State<App>, Path(id): Path<String>, asked: Asked) -> Result<Response, Problem> {
    let id = incident_id(&id)?;
    let engine = std::sync::Arc::clone(&app.engine);
    let reading = tokio::task::spawn_blocking(move || {
        let view = engine.incident(id)?;
        let events = engine.events(view.process.id, 0, usize::MAX)?;
        Ok::<_, interlink_runtime::Trouble>((view, events))
    });
    let (view, events) = reading.await.map_err(|_| Problem::internal("the history could not be read"))??;
    let effect = view.incident.effect;
    let concerns = |data: &Value| data["effect"] == json!(effect) || data["incident"] == json!(id.to_string());
    let history: Vec<_> = events.iter().filter(|event| concerns(&event.data)).map(views::event).collect();
    let mut shown = json!(views::incident(&view));
    shown["history"] = Value::from(history);
    Ok(asked.show(&shown, Some(view.process.version), None))
}

async fn close(app: App, id: String, resolution: Resolution, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        let mut fields = command.fields()?;
        let reason = fields.optional_text("reason", COMMENT_BYTES_MAX);
        fields.end()?;
        command.asked.known.operator("dealing with incidents")?;
        let incident = incident_id(&id)?;
        let process = app.engine.incident(incident)?.process.id;
        let wish = Wish::CloseIncident { incident, resolution };
        let shown = |done: &interlink_runtime::Done<'_>, _: Option<String>| {
            let process = std::sync::Arc::new(done.process.clone());
            let incident_now = done.process.incidents.get(&incident).cloned();
            let body =
                incident_now.map(|known| views::incident(&IncidentView { id: incident, process, incident: known }));
            answer(StatusCode::OK, &json!(body))
        };
        let expected = command.asked.expected();
        let done: Result<Answer, _> = app
            .engine
            .command(&command.caller, process, &wish, reason.as_deref(), expected, shown, command.permit)
            .await;
        done.map_err(Problem::from)
    };
    let result = run.await;
    Command::finish(&app, permit, result).await
}

/// Tries what failed again, from the first attempt.
#[utoipa::path(post, path = "/v1/incidents/{id}/retry", tag = "incidents", params(("id" = String, Path)),
    responses((status = 200, body = IncidentBody), (status = 409, body = Problem)))]
pub async fn retry(State(app): State<App>, Path(id): Path<String>, command: Command) -> Response {
    close(app, id, Resolution::Retried, command).await
}

/// Leaves the task out.
#[utoipa::path(post, path = "/v1/incidents/{id}/skip", tag = "incidents", params(("id" = String, Path)),
    responses((status = 200, body = IncidentBody), (status = 409, body = Problem)))]
pub async fn skip(State(app): State<App>, Path(id): Path<String>, command: Command) -> Response {
    close(app, id, Resolution::Skipped, command).await
}

/// Says that it was done by other means: the task is completed.
#[utoipa::path(post, path = "/v1/incidents/{id}/resolve", tag = "incidents", params(("id" = String, Path)),
    responses((status = 200, body = IncidentBody), (status = 409, body = Problem)))]
pub async fn resolve(State(app): State<App>, Path(id): Path<String>, command: Command) -> Response {
    close(app, id, Resolution::Resolved, command).await
}
