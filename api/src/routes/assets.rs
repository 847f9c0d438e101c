//! Assets: instantiated, used, looked at, removed.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use interlink_model::asset::Asset;
use interlink_model::id::AssetId;
use interlink_runtime::catalogue::{CatalogueEntry, Withdrawal};
use interlink_runtime::{Acted, Answer, AssetView, NewAsset, ProcessView, Trouble};
use serde_json::{Value, json};

use super::listed;
use super::processes::{NAME_BYTES_MAX, as_of, process_id, process_of, tag};
use super::tasks::task_number;
use crate::app::App;
use crate::problem::{Misfit, Problem};
use crate::request::{Asked, Command, answer};
use crate::views;

/// The id of an asset.
pub fn asset_id(id: &str) -> Result<AssetId, Problem> {
    AssetId::parse(id).ok_or_else(|| Problem::not_found("asset", id))
}

/// The answer for whoever could not be served.
fn refusal(trouble: &Trouble) -> Answer {
    Problem::from(trouble).answer()
}

/// The same for an instantiation, whose input stands below `/input`: so do the places in it that do not fit.
pub fn refused_below_input(trouble: &Trouble) -> Problem {
    let below = |pointer: &str| format!("/input{pointer}");
    match trouble {
        Trouble::Input(errors) => {
            Problem::invalid(errors.iter().map(|error| Misfit::new(below(&error.pointer), &error.detail)).collect())
        }
        Trouble::Refused(_) => {
            let mut problem = Problem::from(trouble);
            problem.errors.iter_mut().for_each(|error| error.pointer = below(&error.pointer));
            problem
        }
        _ => Problem::from(trouble),
    }
}

/// The answer to an instantiation.
pub fn instantiated(asset: &Asset, name: &str, withdrawal: Option<Withdrawal>) -> Answer {
    let view = AssetView { asset: asset.clone().into(), name: Some(name.into()), outcome: None, withdrawal };
    Answer {
        location: Some(format!("/v1/assets/{}", asset.id)),
        etag: tag(asset.version),
        ..answer(StatusCode::CREATED, &views::asset(&view))
    }
}

/// The answer to an action.
pub fn acted(done: &Acted<'_>) -> Answer {
    let mut body = json!({"output": done.output, "state_version": done.asset.version});
    if !done.rendered.is_empty() {
        body["rendered"] = json!(done.rendered);
    }
    Answer { etag: tag(done.asset.version), ..answer(StatusCode::OK, &body) }
}

/// Instantiates an Interlinker on a task.
#[utoipa::path(post, path = "/v1/processes/{id}/tasks/{task}/assets", tag = "assets", request_body = Object,
    params(("id" = String, Path), ("task" = String, Path)),
    responses((status = 201, description = "The asset"), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn instantiate(
    State(app): State<App>,
    Path((id, task)): Path<(String, String)>,
    command: Command,
) -> Response {
    let permit = command.permit.clone();
    let result = run_instantiate(&app, id, task, command).await;
    Command::finish(&app, permit, result).await
}

async fn run_instantiate(app: &App, id: String, task: String, command: Command) -> Result<Answer, Problem> {
    let mut fields = command.fields()?;
    let wanted = fields.text("interlinker", NAME_BYTES_MAX);
    let name = fields.optional_text("name", NAME_BYTES_MAX);
    let input = fields.value("input").unwrap_or_else(|| json!({}));
    fields.end()?;
    let ProcessView { process, .. } = process_of(app, &id)?;
    task_number(&process, &task)?;
    let missing = || Trouble::Names { what: "Interlinker", id: wanted.clone(), pointer: "/interlinker".into() };
    let version = app.engine.interlinker(&wanted).map_err(|_| missing())?;
    let CatalogueEntry::Software(manifest) = &version.entry else {
        let detail = format!("`{wanted}` does not run here; only software can be instantiated so far");
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "not-software",
            "This cannot be instantiated",
            detail,
        ));
    };
    let name = name.unwrap_or_else(|| command.asked.wanted.plain(&manifest.title, &manifest.languages).to_owned());
    let new = NewAsset { task, interlinker: version.reference.clone(), name, input };
    let shown = |made: Result<(&Asset, &str), &Trouble>| match made {
        Ok((asset, name)) => instantiated(asset, name, version.withdrawal.clone()),
        Err(trouble) => refused_below_input(trouble).answer(),
    };
    let id = process_id(&id)?;
    let language = command.asked.wanted.first();
    let made = app.engine.instantiate(&command.caller, id, new, language, shown, command.permit.clone()).await;
    made.map_err(|trouble| refused_below_input(&trouble))
}

/// Assets of a process.
#[utoipa::path(get, path = "/v1/processes/{id}/assets", tag = "assets",
    params(("id" = String, Path), ("task" = Option<String>, Query), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "`{items, next_cursor}`"), (status = 404, body = Problem)))]
pub async fn of_process(State(app): State<App>, Path(id): Path<String>, asked: Asked) -> Result<Response, Problem> {
    let ProcessView { process, .. } = process_of(&app, &id)?;
    let task = asked.query("task").map(|task| task_number(&process, task)).transpose()?;
    let held = process.assets.iter().filter(|(_, held)| task.is_none_or(|task| held.task as usize == task));
    let views = held.filter_map(|(id, _)| app.engine.asset(*id).ok().map(|view| (id.to_string(), view)));
    let list = format!("assets:{id}:{}", asked.query("task").unwrap_or_default());
    let page = listed(&app, &asked, &list, views, |view| views::asset(&view))?;
    Ok(asked.show(&page, None, None))
}

/// An asset.
#[utoipa::path(get, path = "/v1/assets/{id}", tag = "assets",
    params(("id" = String, Path), ("as_of" = Option<String>, Query)),
    responses((status = 200, description = "The asset"), (status = 404, body = Problem)))]
pub async fn get(State(app): State<App>, Path(id): Path<String>, asked: Asked) -> Result<Response, Problem> {
    let id = asset_id(&id)?;
    let view = match as_of(&asked, "as_of")? {
        None => app.engine.asset(id)?,
        Some(at) => {
            let engine = std::sync::Arc::clone(&app.engine);
            let reading = tokio::task::spawn_blocking(move || engine.asset_as_of(id, at));
            reading.await.map_err(|_| Problem::internal("the history could not be read"))??
        }
    };
    Ok(asked.show(&views::asset(&view), Some(view.asset.version), None))
}

/// Removes an asset from its task; its history stays.
#[utoipa::path(delete, path = "/v1/assets/{id}", tag = "assets", params(("id" = String, Path)),
    responses((status = 204, description = "Removed"), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn remove(State(app): State<App>, Path(id): Path<String>, asked: Asked) -> Result<Response, Problem> {
    app.engine.room().await?;
    let caller = asked.known.caller(&app.engine).await?;
    let done = Answer {
        status: StatusCode::NO_CONTENT.as_u16(),
        content_type: "application/json".into(),
        body: Vec::new(),
        location: None,
        etag: None,
    };
    app.engine.remove_asset(caller, asset_id(&id)?, asked.expected(), done).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What is asked of a view.
pub fn query(asked: &Asked) -> Result<Value, Problem> {
    match asked.query("query") {
        Some(query) => {
            serde_json::from_str(query).map_err(|error| Problem::malformed(format!("`query` is JSON: {error}")))
        }
        None => Ok(json!({})),
    }
}

/// Answers with what an asset showed: with `rendered=true`, beside the HTML that the Markdown in it comes to.
pub async fn show_view(app: &App, asked: &Asked, asset: &Asset, shown: Value) -> Result<Response, Problem> {
    let body = match asked.query("rendered") {
        None | Some("false") => shown,
        Some("true") => {
            let rendered = app.engine.rendered(asset, &shown).await?;
            json!({"output": shown, "rendered": rendered})
        }
        Some(_) => return Err(Problem::malformed("`rendered` is `true` or `false`")),
    };
    Ok(asked.show(&body, Some(asset.version), None))
}

/// Shows an asset. That it was looked at goes into the registry of usage, and changes no version.
#[utoipa::path(get, path = "/v1/assets/{id}/view", tag = "assets", params(("id" = String, Path),
        ("query" = Option<String>, Query), ("as_of" = Option<String>, Query), ("rendered" = Option<bool>, Query)),
    responses((status = 200, description = "What the Interlinker shows; with `rendered`, `{output, rendered}`, where the latter is the \
        safe HTML of the Markdown in it, by JSON pointer"), (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn view(State(app): State<App>, Path(id): Path<String>, asked: Asked) -> Result<Response, Problem> {
    let id = asset_id(&id)?;
    let query = query(&asked)?;
    let caller = asked.known.caller(&app.engine).await?;
    let language = asked.wanted.first();
    let (asset, shown) = match as_of(&asked, "as_of")? {
        None => app.engine.view(caller, id, query, language).await?,
        Some(at) => app.engine.view_as_of(caller, id, at, query, language).await?,
    };
    show_view(&app, &asked, &asset, shown).await
}

/// Runs an action of an asset; the body is the action's input.
#[utoipa::path(post, path = "/v1/assets/{id}/actions/{action}", tag = "assets", request_body = Object,
    params(("id" = String, Path), ("action" = String, Path)),
    responses((status = 200, description = "`{output, state_version, rendered?}`"), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem), (status = 502, body = Problem)))]
pub async fn act(State(app): State<App>, Path((id, action)): Path<(String, String)>, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        let input = command.json()?;
        let id = asset_id(&id)?;
        let shown = |done: Result<&Acted<'_>, &Trouble>| match done {
            Ok(done) => acted(done),
            Err(trouble) => refusal(trouble),
        };
        let language = command.asked.wanted.first();
        let expected = command.asked.expected();
        let done = app
            .engine
            .act(&command.caller, id, &action, input, language, expected, shown, command.permit.clone())
            .await;
        done.map_err(Problem::from)
    };
    let result: Result<Answer, Problem> = run.await;
    Command::finish(&app, permit, result).await
}
