//! Co-production schemas.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use interlink_model::facts::SchemaSource;
use interlink_model::schema::authoring::{Parsed, Syntax, parse};
use interlink_model::schema::finding::Finding;
use interlink_model::schema::{bundle, editor};
use interlink_runtime::Answer;
use interlink_runtime::catalogue::SchemaVersion;
use serde_json::{Value, json};

use super::listed;
use crate::app::App;
use crate::language::Wanted;
use crate::problem::Problem;
use crate::request::{Asked, Command, answer};
use crate::views;

/// All schemas, each in its newest version.
#[utoipa::path(get, path = "/v1/schemas", tag = "schemas",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query), ("lang" = Option<String>, Query)),
    responses((status = 200, description = "`{items, next_cursor}`"), (status = 400, body = Problem)))]
pub async fn list(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    let all = app.engine.schemas();
    let named = all.iter().map(|version| (version.plan.schema.name.clone(), version));
    let page = listed(&app, &asked, "schemas", named, |version| views::schema_brief(version, &asked.wanted))?;
    Ok(asked.show(&page, None, None))
}

/// The JSON Schema of the authoring format, for editors.
#[utoipa::path(get, path = "/v1/schemas/authoring.json", tag = "schemas",
    responses((status = 200, description = "A JSON Schema (2020-12)")))]
pub async fn authoring() -> axum::Json<Value> {
    axum::Json(editor::json_schema())
}

/// Imports a schema: in the authoring format (YAML or JSON), or an INTERLINK bundle as a zip.
#[utoipa::path(post, path = "/v1/schemas", tag = "schemas",
    request_body(content = String, description = "YAML, JSON or a zip", content_type = "application/yaml"),
    responses((status = 201, description = "Imported"), (status = 200, description = "It was there"),
        (status = 400, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem), (status = 422, body = Problem)))]
pub async fn import(State(app): State<App>, command: Command) -> Response {
    let permit = command.permit.clone();
    let result = run_import(&app, command).await;
    Command::finish(&app, permit, result).await
}

async fn run_import(app: &App, command: Command) -> Result<Answer, Problem> {
    let (parsed, source) = read(&command.content_type, command.body.to_vec()).await?;
    let repairs = parsed.repairs.clone();
    let wanted = &command.asked.wanted;
    let made = app
        .engine
        .import_schema(
            parsed,
            source,
            command.caller.actor(),
            |version| shown(StatusCode::CREATED, version, &repairs, wanted),
            &command.permit,
        )
        .await?;
    let status = if made.new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(shown(status, &made.thing, &repairs, wanted))
}

fn shown(status: StatusCode, version: &SchemaVersion, repairs: &[Finding], wanted: &Wanted) -> Answer {
    let mut body = views::schema(version, wanted);
    if !repairs.is_empty() {
        body["repairs"] = json!(repairs);
    }
    let name = &version.plan.schema.name;
    Answer { location: Some(format!("/v1/schemas/{name}")), ..answer(status, &body) }
}

/// Reads a schema by its media type. Off the asynchronous workers: a large one takes milliseconds.
async fn read(content_type: &str, body: Vec<u8>) -> Result<(Parsed, SchemaSource), Problem> {
    let kind = content_type.to_owned();
    let reading = tokio::task::spawn_blocking(move || match kind.as_str() {
        "application/zip" | "application/x-zip-compressed" => {
            let files = bundle::unzip(&body).map_err(|refusal| Problem::schema(&refusal))?;
            let parsed = bundle::import(&files).map_err(|refusal| Problem::schema(&refusal))?;
            Ok((parsed, SchemaSource::Bundle))
        }
        "application/json" => {
            let parsed = parse(&body, Syntax::Json).map_err(|refusal| Problem::schema(&refusal))?;
            Ok((parsed, SchemaSource::Authored))
        }
        "application/yaml" | "application/x-yaml" | "text/yaml" => {
            let parsed = parse(&body, Syntax::Yaml).map_err(|refusal| Problem::schema(&refusal))?;
            Ok((parsed, SchemaSource::Authored))
        }
        other => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "This cannot be taken",
            format!("`{other}` is no schema; send application/yaml, application/json or application/zip"),
        )),
    });
    reading.await.map_err(|_| Problem::internal("the schema could not be read"))?
}

/// A schema in its newest version, or `name@version`.
#[utoipa::path(get, path = "/v1/schemas/{name}", tag = "schemas", params(("name" = String, Path), ("lang" = Option<String>, Query)),
    responses((status = 200, description = "The schema with its tree"), (status = 404, body = Problem)))]
pub async fn get(State(app): State<App>, Path(name): Path<String>, asked: Asked) -> Result<Response, Problem> {
    let version = app.engine.schema(&name)?;
    let schema = &version.plan.schema;
    let language = asked.wanted.language(&schema.title, &schema.languages);
    Ok(asked.show(&views::schema(&version, &asked.wanted), None, language))
}

/// All versions of a schema, in the order of their import.
#[utoipa::path(get, path = "/v1/schemas/{name}/versions", tag = "schemas", params(("name" = String, Path)),
    responses((status = 200, description = "`{items, next_cursor}`"), (status = 404, body = Problem)))]
pub async fn versions(State(app): State<App>, Path(name): Path<String>, asked: Asked) -> Result<Response, Problem> {
    let all = app.engine.schema_versions(&name);
    if all.is_empty() {
        return Err(Problem::not_found("schema", &name));
    }
    let numbered = all.iter().enumerate().map(|(number, version)| (format!("{number:08}"), version));
    let list = format!("schema-versions:{name}");
    let page = listed(&app, &asked, &list, numbered, |version| views::schema_brief(version, &asked.wanted))?;
    Ok(asked.show(&page, None, None))
}
