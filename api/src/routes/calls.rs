//! What Interlinkers may ask the world outside for, and what they asked.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use interlink_host::{Grants, Kind, Recorded};
use interlink_model::asset::Asset;
use interlink_model::id::{AssetId, CallId};
use interlink_runtime::{Acted, Answer, Answers, CallView, Trouble};
use serde_json::{Value, json};

use super::assets::{acted, instantiated, refused_below_input};
use crate::app::App;
use crate::problem::{Misfit, Problem};
use crate::request::{Asked, Command, answer};
use crate::views;

/// The longest name of a secret, in bytes.
const SECRET_NAME_BYTES_MAX: usize = 64;
/// The longest secret, in bytes.
const SECRET_BYTES_MAX: usize = 4 << 10;

/// Says how what came of a call looks to whoever asked, when it outlives its request.
pub struct Shown;

impl Answers for Shown {
    fn acted(&self, done: &Acted<'_>) -> Answer {
        acted(done)
    }

    fn instantiated(&self, asset: &Asset, name: &str) -> Answer {
        instantiated(asset, name, None)
    }

    fn refused(&self, trouble: &Trouble) -> Answer {
        refused_below_input(trouble).answer()
    }
}

/// What an Interlinker was granted.
#[utoipa::path(get, path = "/v1/interlinkers/{name}/grants", tag = "interlinkers", params(("name" = String, Path)),
    responses((status = 200, description = "`{http: [{origin, methods}], secrets: [name]}`"), (status = 404, body = Problem)))]
pub async fn grants(State(app): State<App>, Path(name): Path<String>, asked: Asked) -> Result<Response, Problem> {
    app.engine.interlinker(&name)?;
    Ok(asked.show(&json!(app.engine.grants(&name)), None, None))
}

/// Grants an Interlinker what it may ask the world outside for: `{http: [{origin, methods}], secrets: [name]}`, in place of
/// what it was granted before.
#[utoipa::path(put, path = "/v1/interlinkers/{name}/grants", tag = "interlinkers", request_body = Object,
    params(("name" = String, Path)),
    responses((status = 200, description = "The grants"), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub async fn grant(State(app): State<App>, Path(name): Path<String>, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        command.asked.known.operator("granting Interlinkers")?;
        let grants: Grants = serde_json::from_value(command.json()?)
            .map_err(|error| Problem::invalid(vec![Misfit::new("", format!("these are no grants: {error}"))]))?;
        let answer = answer(StatusCode::OK, &grants);
        app.engine.grant(command.caller.actor(), &name, &grants, &answer, &command.permit).await?;
        Ok(answer)
    };
    let result = run.await;
    Command::finish(&app, permit, result).await
}

async fn set(app: App, name: String, value: Option<String>, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        command.asked.known.operator("setting secrets")?;
        let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if name.is_empty() || name.len() > SECRET_NAME_BYTES_MAX || !name.bytes().all(letters) {
            let detail =
                format!("a secret's name is letters, digits, `-`, `_` and `.`, at most {SECRET_NAME_BYTES_MAX}");
            return Err(Problem::invalid(vec![Misfit::new("", detail)]));
        }
        let answer = answer(StatusCode::OK, &json!({"name": name, "is_set": value.is_some()}));
        app.engine.set_secret(command.caller.actor(), &name, value, &answer, &command.permit).await?;
        Ok(answer)
    };
    let result = run.await;
    Command::finish(&app, permit, result).await
}

/// Sets a secret: `{value}`. It is sealed, and never read back.
#[utoipa::path(put, path = "/v1/secrets/{name}", tag = "interlinkers", request_body = Object, params(("name" = String, Path)),
    responses((status = 200, description = "`{name, is_set}`"), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn set_secret(State(app): State<App>, Path(name): Path<String>, command: Command) -> Response {
    let read = || {
        let mut fields = command.fields()?;
        let value = fields.text("value", SECRET_BYTES_MAX);
        fields.end().map(|()| value)
    };
    match read() {
        Ok(value) => set(app, name, Some(value), command).await,
        Err(problem) => {
            let permit = command.permit.clone();
            Command::finish(&app, permit, Err(problem)).await
        }
    }
}

/// Removes a secret.
#[utoipa::path(delete, path = "/v1/secrets/{name}", tag = "interlinkers", params(("name" = String, Path)),
    responses((status = 200, description = "`{name, is_set}`"), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn remove_secret(State(app): State<App>, Path(name): Path<String>, command: Command) -> Response {
    set(app, name, None, command).await
}

fn ids(id: &str, call: &str) -> Result<(AssetId, CallId), Problem> {
    let asset = AssetId::parse(id).ok_or_else(|| Problem::not_found("asset", id))?;
    Ok((asset, CallId::parse(call).ok_or_else(|| Problem::not_found("call", call))?))
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Clock => "clock",
        Kind::Random => "random",
        Kind::Http => "http",
        Kind::Secret => "secret",
        Kind::People => "people",
        Kind::Asset => "asset",
    }
}

/// A question and its answer. What a secret is, and what random bytes are, is not shown.
fn shown_record(number: usize, recorded: &Recorded) -> Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let json_or_text = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap_or_else(|_| Value::from(text(bytes)));
    let answer = match recorded.kind {
        Kind::Secret => Value::from("(not shown)"),
        Kind::Random => json!({"bytes": recorded.answer.len()}),
        Kind::Clock | Kind::Http | Kind::People | Kind::Asset => json_or_text(&recorded.answer),
    };
    json!({"number": number + 1, "kind": kind(recorded.kind), "request": json_or_text(&recorded.request), "answer": answer})
}

fn shown_call(call: &CallView) -> Value {
    json!({
        "id": call.id.to_string(),
        "asset": call.asset.to_string(),
        "process": call.process.to_string(),
        "interlinker": {"name": call.interlinker.name, "version": call.interlinker.version, "digest": call.interlinker.digest},
        "action": call.action,
        "at": views::time(call.stamp.at),
        "actor": call.stamp.actor.to_string(),
        "has_ended": call.has_ended,
        "failed": call.failed.as_ref().map(|failed| json!({
            "limit": failed.limit, "detail": failed.detail.opened(), "logs": failed.logs.opened(),
        })),
        "host_calls": call.recorded.iter().enumerate().map(|(number, one)| shown_record(number, one)).collect::<Vec<_>>(),
    })
}

/// A recorded call of an asset: what it asked the world outside, and what it was answered. For operators.
#[utoipa::path(get, path = "/v1/assets/{id}/calls/{call}", tag = "assets", params(("id" = String, Path), ("call" = String, Path)),
    responses((status = 200, description = "The call"), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn get(
    State(app): State<App>,
    Path((id, call)): Path<(String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    asked.known.operator("looking at recorded calls")?;
    let (asset, call) = ids(&id, &call)?;
    let engine = Arc::clone(&app.engine);
    let reading = tokio::task::spawn_blocking(move || engine.call_record(asset, call));
    let call = reading.await.map_err(|_| Problem::internal("the record could not be read"))??;
    Ok(asked.show(&shown_call(&call), None, None))
}

/// A recorded call with all that it saw, for whoever writes its Interlinker: `interlink interlinker rerun` runs it again on
/// another machine. What secrets are is left out unless `?secrets=true`. For operators.
#[utoipa::path(get, path = "/v1/calls/{call}", tag = "assets", params(("call" = String, Path), ("secrets" = Option<bool>, Query)),
    responses((status = 200, description = "`{format, interlinker, do, action, input, context, settings, grants, alarms, state, host_calls, failure, logs}`"),
        (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn take(State(app): State<App>, Path(call): Path<String>, asked: Asked) -> Result<Response, Problem> {
    asked.known.operator("taking recorded calls away")?;
    let id = CallId::parse(&call).ok_or_else(|| Problem::not_found("call", &call))?;
    let with_secrets = asked.query("secrets") == Some("true");
    let engine = Arc::clone(&app.engine);
    let reading = tokio::task::spawn_blocking(move || engine.taken_call(id));
    let taken = reading.await.map_err(|_| Problem::internal("the record could not be read"))??;
    Ok(asked.show(&crate::taken::shown(&taken, with_secrets), None, None))
}

/// Runs a recorded call again, fed with its record: asks nobody, changes nothing. For operators.
#[utoipa::path(post, path = "/v1/assets/{id}/calls/{call}/replay", tag = "assets",
    params(("id" = String, Path), ("call" = String, Path)),
    responses((status = 200, description = "The call, with `output` or `failure`, and `logs`"), (status = 403, body = Problem),
        (status = 404, body = Problem)))]
pub async fn replay(
    State(app): State<App>,
    Path((id, call)): Path<(String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    asked.known.operator("replaying calls")?;
    let (asset, call) = ids(&id, &call)?;
    let replayed = app.engine.replay_call(asset, call).await?;
    let mut shown = shown_call(&replayed.call);
    match replayed.result {
        Ok(output) => shown["output"] = output,
        Err(failure) => shown["failure"] = Value::from(failure),
    }
    shown["logs"] = json!(replayed.logs);
    Ok(asked.show(&shown, None, None))
}
