//! Services from one declarative file.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use interlink_host::Grants;
use interlink_model::id::ProcessId;
use interlink_model::service::{Change, ChangeAction, Service, ServiceFile};
use interlink_runtime::Answer;
use serde_json::{Value, json};

use crate::app::App;
use crate::problem::{Misfit, Problem};
use crate::request::{Command, answer};

/// Reads a service file, in YAML or JSON.
pub fn read(body: &[u8]) -> Result<ServiceFile, Problem> {
    let text = std::str::from_utf8(body).map_err(|_| Problem::malformed("the file is not UTF-8"))?;
    if text.trim().is_empty() {
        return Err(Problem::malformed("the file is empty"));
    }
    let value: Value = serde_saphyr::from_str(text).map_err(|error| Problem::malformed(error.to_string()))?;
    let file = serde_path_to_error::deserialize::<_, ServiceFile>(value);
    let mut file = file.map_err(|error| {
        let pointer = pointer_of(error.path());
        Problem::invalid(vec![Misfit::new(pointer, error.inner().to_string())])
    })?;
    let mut misfits: Vec<_> = file.check().into_iter().map(|unfit| Misfit::new(unfit.pointer, unfit.detail)).collect();
    for (number, needed) in file.interlinkers.iter_mut().enumerate() {
        match needed.grants.as_ref().map(granted).transpose() {
            Ok(grants) => needed.grants = grants,
            Err(detail) => misfits.push(Misfit::new(format!("/interlinkers/{number}/grants"), detail)),
        }
    }
    if misfits.is_empty() { Ok(file) } else { Err(Problem::invalid(misfits)) }
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let part = |segment: &Segment| match segment {
        Segment::Seq { index } => Some(format!("/{index}")),
        Segment::Map { key } | Segment::Enum { variant: key } => Some(format!("/{key}")),
        Segment::Unknown => None,
    };
    path.iter().filter_map(part).collect()
}

/// Grants as the server writes them.
fn granted(written: &Value) -> Result<Value, String> {
    let form = "grants are `{http: [{origin, methods}], secrets: [name]}`";
    let fields = written.as_object().ok_or(form)?;
    if let Some(unknown) = fields.keys().find(|key| !["http", "secrets"].contains(&key.as_str())) {
        return Err(format!("`{unknown}` is no grant; {form}"));
    }
    let grants: Grants = serde_json::from_value(written.clone()).map_err(|error| format!("{form}: {error}"))?;
    Ok(json!(grants))
}

/// Plans (`?dry_run=true`) or applies a service file. One that grants, sets up or opens anything is the operator's.
#[utoipa::path(post, path = "/v1/provisions", tag = "provisioning",
    params(("dry_run" = Option<bool>, Query)),
    request_body(content = String, description = "YAML or JSON", content_type = "application/yaml"),
    responses((status = 200, description = "`{service, process, changes: [{action, kind, name, detail, pointer}]}`: a plan, or nothing was to do"),
        (status = 201, description = "It was made so"), (status = 403, body = Problem), (status = 409, body = Problem),
        (status = 412, body = Problem), (status = 422, body = Problem)))]
pub async fn apply(State(app): State<App>, command: Command) -> Response {
    let permit = command.permit.clone();
    let result = run_apply(&app, command).await;
    Command::finish(&app, permit, result).await
}

async fn run_apply(app: &App, command: Command) -> Result<Answer, Problem> {
    let file = read(&command.body)?;
    match command.asked.query("dry_run") {
        Some("true") => {
            app.engine.check_service(&file).await?;
            let process = app.engine.service(&file.service).ok().and_then(|service| service.process);
            let body = body(&file, &app.engine.plan_service(&file), process);
            return Ok(answer(StatusCode::OK, &body));
        }
        None | Some("false") => {}
        Some(_) => return Err(Problem::malformed("`dry_run` is true or false")),
    }
    let before = app.engine.service(&file.service).ok();
    let before_is = |service: &Service| service.file.as_ref().is_none_or(ServiceFile::is_operators);
    if file.is_operators() || before.is_some_and(|service| before_is(&service)) {
        command.asked.known.operator("provisioning what is granted, set up or open to the public")?;
    }
    let shown = |changes: &[Change], process: Option<ProcessId>| {
        let made = changes.iter().any(|change| change.action != ChangeAction::Keep);
        let status = if made { StatusCode::CREATED } else { StatusCode::OK };
        let location = Some(format!("/v1/services/{}", file.service));
        Answer { location, ..answer(status, &body(&file, changes, process)) }
    };
    let expected = command.asked.expected();
    Ok(app.engine.apply_service(&command.caller, &file, expected, shown, command.permit).await?)
}

fn body(file: &ServiceFile, changes: &[Change], process: Option<ProcessId>) -> Value {
    json!({
        "service": file.service,
        "process": process.map(|process| process.to_string()),
        "changes": changes,
    })
}
