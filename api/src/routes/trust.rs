//! Whose signatures of components are trusted, and whether one is asked for.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use interlink_model::id::Micros;
use interlink_model::signature::{KeyId, NamedKey, PublicKey, Succession};
use interlink_runtime::Answer;
use interlink_runtime::catalogue::{Period, TrustedKey, Vouched};
use serde_json::{Value, json};

use super::processes::NAME_BYTES_MAX;
use super::schedules::instant;
use crate::app::App;
use crate::problem::{Misfit, Problem};
use crate::request::{Asked, Command, Fields, answer};
use crate::views;

fn shown(trusted: &TrustedKey) -> Value {
    json!({
        "id": trusted.key.id.to_string(),
        "public_key": trusted.key.key.to_string(),
        "owner": trusted.owner,
        "from": trusted.period.from.map(views::time),
        "until": trusted.period.until.map(views::time),
        "succeeds": trusted.succession.as_ref().map(|said| said.before.to_string()),
        "added_at": views::time(trusted.at),
        "added_by": trusted.actor.to_string(),
        "removed_at": trusted.removed_at.map(views::time),
    })
}

fn key_id(id: &str) -> Result<KeyId, Problem> {
    KeyId::parse(id).map_err(|error| Problem::invalid(vec![Misfit::new("", error.to_string())]))
}

/// Whether components have to be signed, and the keys that are trusted or were.
#[utoipa::path(get, path = "/v1/trust", tag = "interlinkers",
    responses((status = 200, description = "`{require_signatures, keys}`")))]
pub async fn get(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    let trust = app.engine.trust();
    let keys: Vec<_> = trust.keys.values().map(shown).collect();
    Ok(asked.show(&json!({"require_signatures": trust.require_signatures, "keys": keys}), None, None))
}

/// Says whether a component that is published has to be signed by a trusted key: `{require_signatures}`. What is there
/// stays; the components that ship with the server need none.
#[utoipa::path(put, path = "/v1/trust", tag = "interlinkers", request_body = Object,
    responses((status = 200, description = "`{require_signatures}`"), (status = 403, body = Problem),
        (status = 422, body = Problem)))]
pub async fn require(State(app): State<App>, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        let mut fields = command.fields()?;
        let required = fields.value("require_signatures").and_then(|value| value.as_bool());
        if required.is_none() {
            fields.misfit("require_signatures", "is true or false");
        }
        fields.end()?;
        command.asked.known.operator("asking for signatures")?;
        let required = required.unwrap_or_default();
        let answer = answer(StatusCode::OK, &json!({"require_signatures": required}));
        app.engine.require_signatures(command.caller.actor(), required, &answer, &command.permit).await?;
        Ok(answer)
    };
    let result = run.await;
    Command::finish(&app, permit, result).await
}

/// A key that is trusted, or was.
#[utoipa::path(get, path = "/v1/trust/keys/{id}", tag = "interlinkers", params(("id" = String, Path)),
    responses((status = 200, description = "`{id, public_key, owner, from, until, removed_at}`"),
        (status = 404, body = Problem)))]
pub async fn get_key(State(app): State<App>, Path(id): Path<String>, asked: Asked) -> Result<Response, Problem> {
    let missing = || Problem::not_found("trusted key", &id);
    let found = app.engine.trust().keys.remove(&KeyId::parse(&id).map_err(|_| missing())?);
    Ok(asked.show(&shown(&found.ok_or_else(missing)?), None, None))
}

/// Trusts what a key signs: `{public_key, owner, from?, until?}`; or `{succession, from?, until?}`, with the line by which a key
/// that is trusted vouches for its successor, which is the same owner's. An id stands for one key for good.
#[utoipa::path(put, path = "/v1/trust/keys/{id}", tag = "interlinkers", request_body = Object,
    params(("id" = String, Path)),
    responses((status = 201, description = "Trusted"), (status = 200, description = "It was, or is otherwise now"),
        (status = 403, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn put_key(State(app): State<App>, Path(id): Path<String>, command: Command) -> Response {
    let permit = command.permit.clone();
    let result = run_put_key(&app, &id, &command).await;
    Command::finish(&app, permit, result).await
}

async fn run_put_key(app: &App, id: &str, command: &Command) -> Result<Answer, Problem> {
    let mut fields = command.fields()?;
    let vouched = match fields.value("succession") {
        None | Some(Value::Null) => by_operator(&mut fields, id)?,
        Some(line) => by_predecessor(&mut fields, id, line.as_str().unwrap_or_default()),
    };
    let period = Period { from: time(&mut fields, "from"), until: time(&mut fields, "until") };
    if let (Some(from), Some(until)) = (period.from, period.until)
        && from >= until
    {
        fields.misfit("until", "is not after `from`");
    }
    fields.end()?;
    command.asked.known.operator("trusting keys")?;
    let vouched = vouched.ok_or_else(|| Problem::internal("a key that fits was none"))?;
    let added = |trusted: &TrustedKey| answer(StatusCode::CREATED, &shown(trusted));
    let made = app.engine.trust_key(command.caller.actor(), vouched, period, added, &command.permit).await?;
    let status = if made.new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer(status, &shown(&made.thing)))
}

/// A key whose owner the operator says.
fn by_operator(fields: &mut Fields, id: &str) -> Result<Option<Vouched>, Problem> {
    let public_key = fields.text("public_key", NAME_BYTES_MAX);
    let owner = fields.text("owner", NAME_BYTES_MAX);
    let key = PublicKey::parse(&public_key);
    if let Some(error) = key.as_ref().err().filter(|_| !public_key.is_empty()) {
        fields.misfit("public_key", &format!("is none: {error}"));
    }
    let id = key_id(id)?;
    Ok(key.ok().map(|key| Vouched::Operator { key: NamedKey { id, key }, owner }))
}

/// A key for which the one before it vouches.
fn by_predecessor(fields: &mut Fields, id: &str, line: &str) -> Option<Vouched> {
    match Succession::parse(line) {
        Err(error) => fields.misfit("succession", &format!("is none: {error}")),
        Ok(said) if said.next.id.as_str() != id => {
            fields.misfit("succession", &format!("is of key `{}`, not of `{id}`", said.next.id));
        }
        Ok(said) => return Some(Vouched::Predecessor(said)),
    }
    None
}

fn time(fields: &mut Fields, name: &str) -> Option<Micros> {
    let text = fields.optional_text(name, NAME_BYTES_MAX)?;
    let time = instant(&text);
    if time.is_none() {
        fields.misfit(name, "is a time such as 2027-05-01T09:00:00Z");
    }
    time
}

/// Trusts a key no more. What it signed stays published and signed: revoke what should not be used. The keys for which it
/// vouched stay trusted, and stand in the answer.
#[utoipa::path(delete, path = "/v1/trust/keys/{id}", tag = "interlinkers", params(("id" = String, Path)),
    responses((status = 200, description = "`{id, removed, heirs}`"), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn remove_key(State(app): State<App>, Path(id): Path<String>, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        command.asked.known.operator("trusting keys")?;
        let key = key_id(&id)?;
        let heirs: Vec<_> = app.engine.trust().heirs(&key).iter().map(ToString::to_string).collect();
        let answer = answer(StatusCode::OK, &json!({"id": id, "removed": true, "heirs": heirs}));
        app.engine.distrust_key(command.caller.actor(), &key, &answer, &command.permit).await?;
        Ok(answer)
    };
    let result = run.await;
    Command::finish(&app, permit, result).await
}
