//! Services, and the steps of their life.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use interlink_model::service::{Command as Move, Service, Step};
use interlink_runtime::Answer;
use serde_json::{Value, json};

use super::listed;
use super::processes::{COMMENT_BYTES_MAX, tag};
use crate::app::App;
use crate::identity::Role;
use crate::problem::Problem;
use crate::request::{Asked, Command, answer};
use crate::views::time;

fn step(step: &Step) -> Value {
    json!({"step": step.kind, "at": time(step.at), "by": step.actor.to_string(), "reason": step.reason})
}

/// A service. What Interlinkers are told is the operator's to see.
fn shown(service: &Service, role: Role) -> Value {
    let mut file = service.document.clone();
    if role != Role::Operator {
        let needed = file.get_mut("interlinkers").and_then(Value::as_array_mut);
        needed.into_iter().flatten().filter_map(Value::as_object_mut).for_each(|entry| drop(entry.remove("settings")));
    }
    let provisioned = service.provisioned();
    json!({
        "name": service.name,
        "status": service.status,
        "process": service.process.map(|process| process.to_string()),
        "assets": service.assets.iter().map(|(id, asset)| (id.clone(), json!(asset.to_string()))).collect::<serde_json::Map<_, _>>(),
        "file": file,
        "version": service.version,
        "provisioned_at": provisioned.map(|step| time(step.at)),
        "provisioned_by": provisioned.map(|step| step.actor.to_string()),
        "history": service.steps_shown().iter().map(step).collect::<Vec<_>>(),
        "steps": service.history.len(),
    })
}

/// All services.
#[utoipa::path(get, path = "/v1/services", tag = "provisioning",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "`{items, next_cursor}`")))]
pub async fn list(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    let all = app.engine.services();
    let named = all.iter().map(|service| (service.name.clone(), service));
    let page = listed(&app, &asked, "services", named, |service| shown(service, asked.known.role()))?;
    Ok(asked.show(&page, None, None))
}

/// A service with its history, and with what differs from its file now.
#[utoipa::path(get, path = "/v1/services/{name}", tag = "provisioning", params(("name" = String, Path)),
    responses((status = 200, description = "The service, its history and its drift"), (status = 404, body = Problem)))]
pub async fn get(State(app): State<App>, Path(name): Path<String>, asked: Asked) -> Result<Response, Problem> {
    let service = app.engine.service(&name)?;
    let mut body = shown(&service, asked.known.role());
    body["drift"] = json!(app.engine.drift(&service));
    Ok(asked.show(&body, Some(service.version), None))
}

async fn step_to(app: App, name: String, wanted: Move, what: &str, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        let mut fields = command.fields()?;
        let reason = fields.optional_text("reason", COMMENT_BYTES_MAX);
        fields.end()?;
        command.asked.known.operator(what)?;
        let answered = |service: &Service| Answer {
            etag: tag(service.version),
            ..answer(StatusCode::OK, &shown(service, Role::Operator))
        };
        let (expected, permit) = (command.asked.expected(), command.permit.clone());
        let moved = app.engine.move_service(&command.caller, &name, wanted, reason, expected, answered, permit).await?;
        Ok(moved)
    };
    let result: Result<Answer, Problem> = run.await;
    Command::finish(&app, permit, result).await
}

/// Opens a service to the people whom it serves: `{reason?}`.
#[utoipa::path(post, path = "/v1/services/{name}/activate", tag = "provisioning", request_body = Object,
    params(("name" = String, Path)),
    responses((status = 200, description = "The service"), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 412, body = Problem)))]
pub async fn activate(State(app): State<App>, Path(name): Path<String>, command: Command) -> Response {
    step_to(app, name, Move::Activate, "activating services", command).await
}

/// Closes a service for a while: `{reason?}`, which is told to whoever comes.
#[utoipa::path(post, path = "/v1/services/{name}/pause", tag = "provisioning", request_body = Object,
    params(("name" = String, Path)),
    responses((status = 200, description = "The service"), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 412, body = Problem)))]
pub async fn pause(State(app): State<App>, Path(name): Path<String>, command: Command) -> Response {
    step_to(app, name, Move::Pause, "pausing services", command).await
}

/// Ends a service for good: `{reason?}`, which is told to whoever comes.
#[utoipa::path(post, path = "/v1/services/{name}/retire", tag = "provisioning", request_body = Object,
    params(("name" = String, Path)),
    responses((status = 200, description = "The service"), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 412, body = Problem)))]
pub async fn retire(State(app): State<App>, Path(name): Path<String>, command: Command) -> Response {
    step_to(app, name, Move::Retire, "retiring services", command).await
}
