//! Services from one declarative file.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use interlink_model::id::ProcessId;
use interlink_runtime::Answer;
use interlink_runtime::catalogue::Service;
use interlink_runtime::provision::{Change, ChangeAction, ServiceFile};
use serde_json::{Value, json};

use super::listed;
use crate::app::App;
use crate::problem::{Misfit, Problem};
use crate::request::{Asked, Command, answer};
use crate::views::time;

/// Reads a service file, in YAML or JSON.
pub fn read(body: &[u8]) -> Result<ServiceFile, Problem> {
    let text = std::str::from_utf8(body).map_err(|_| Problem::malformed("the file is not UTF-8"))?;
    if text.trim().is_empty() {
        return Err(Problem::malformed("the file is empty"));
    }
    let value: Value = serde_saphyr::from_str(text).map_err(|error| Problem::malformed(error.to_string()))?;
    let file = serde_path_to_error::deserialize::<_, ServiceFile>(value);
    let file = file.map_err(|error| {
        let path = error.path().to_string();
        let pointer = if path == "." { String::new() } else { format!("/{}", path.replace('.', "/")) };
        Problem::invalid(vec![Misfit::new(pointer, error.inner().to_string())])
    })?;
    let named = !file.service.is_empty() && file.service.len() <= 128;
    if !named || file.service.contains(|letter: char| !(letter.is_ascii_alphanumeric() || "-_.".contains(letter))) {
        let detail = "`service` is letters, digits, `-`, `_` and `.`, at most 128";
        return Err(Problem::invalid(vec![Misfit::new("/service", detail)]));
    }
    if file.process.name.trim().is_empty() {
        return Err(Problem::invalid(vec![Misfit::new("/process/name", "`name` is empty")]));
    }
    Ok(file)
}

/// Plans (`?dry_run=true`) or applies a service file.
#[utoipa::path(post, path = "/v1/provisions", tag = "provisioning",
    params(("dry_run" = Option<bool>, Query)),
    request_body(content = String, description = "YAML or JSON", content_type = "application/yaml"),
    responses((status = 200, description = "`{changes: [{action, kind, name, detail}]}`: a plan, or nothing was to do"),
        (status = 201, description = "It was made so"), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn apply(State(app): State<App>, command: Command) -> Response {
    let permit = command.permit.clone();
    let result = run_apply(&app, command).await;
    Command::finish(&app, permit, result).await
}

async fn run_apply(app: &App, command: Command) -> Result<Answer, Problem> {
    let file = read(&command.body)?;
    match command.asked.query("dry_run") {
        Some("true") => {
            let body = body(&file, &app.engine.plan_service(&file), None);
            return Ok(answer(StatusCode::OK, &body));
        }
        None | Some("false") => {}
        Some(_) => return Err(Problem::malformed("`dry_run` is true or false")),
    }
    let shown = |changes: &[Change], process: Option<ProcessId>| {
        let made = changes.iter().any(|change| change.action != ChangeAction::Keep);
        let status = if made { StatusCode::CREATED } else { StatusCode::OK };
        let location = Some(format!("/v1/services/{}", file.service));
        Answer { location, ..answer(status, &body(&file, changes, process)) }
    };
    Ok(app.engine.apply_service(&command.caller, &file, shown, command.permit).await?)
}

fn body(file: &ServiceFile, changes: &[Change], process: Option<ProcessId>) -> Value {
    json!({
        "service": file.service,
        "process": process.map(|process| process.to_string()),
        "changes": changes,
    })
}

fn shown(service: &Service) -> Value {
    json!({
        "name": service.name,
        "process": service.process.map(|process| process.to_string()),
        "file": service.document,
        "version": service.version,
        "provisioned_at": time(service.at),
        "provisioned_by": service.actor.to_string(),
    })
}

/// All services.
#[utoipa::path(get, path = "/v1/services", tag = "provisioning",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "`{items, next_cursor}`")))]
pub async fn list(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    let all = app.engine.services();
    let named = all.iter().map(|service| (service.name.clone(), service));
    let page = listed(&app, &asked, "services", named, shown)?;
    Ok(asked.show(&page, None, None))
}

/// A service, with what differs from its file now.
#[utoipa::path(get, path = "/v1/services/{name}", tag = "provisioning", params(("name" = String, Path)),
    responses((status = 200, description = "The service and its drift"), (status = 404, body = Problem)))]
pub async fn get(State(app): State<App>, Path(name): Path<String>, asked: Asked) -> Result<Response, Problem> {
    let service = app.engine.service(&name)?;
    let mut body = shown(&service);
    if let Ok(file) = serde_json::from_value::<ServiceFile>(service.document.clone()) {
        let changes = app.engine.plan_service(&file);
        let drift: Vec<_> = changes.iter().filter(|change| change.action != ChangeAction::Keep).collect();
        body["drift"] = json!(drift);
    }
    Ok(asked.show(&body, Some(service.version), None))
}
