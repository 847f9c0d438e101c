//! The doors of services: what an active service opens to the people whom it serves, who need not be co-producers.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use interlink_model::id::Micros;
use interlink_model::service::{AssetFile, Service};
use interlink_runtime::catalogue::CatalogueEntry;
use interlink_runtime::{Acted, Answer, Trouble};
use serde_json::{Value, json};

use super::assets::acted;
use super::listed;
use crate::app::App;
use crate::problem::Problem;
use crate::request::{Command, DoorCommand, answer};
use crate::views;
use crate::visits::{AtDoor, Place};

/// What is open of an asset: titles, actions with their JSON Schemas.
fn shown(app: &App, at_door: &AtDoor, service: &Service, file: &AssetFile) -> Option<Value> {
    let view = app.engine.asset(*service.assets.get(&file.id)?).ok()?;
    let wanted = &at_door.asked.wanted;
    let reference = &view.asset.interlinker;
    let version = app.engine.interlinker(&format!("{}@{}", reference.name, reference.version)).ok()?;
    let CatalogueEntry::Software(manifest) = &version.entry else { return None };
    let is_open = |action: &&Value| file.open.actions.iter().any(|open| action["name"] == json!(open));
    let all = views::actions(manifest, wanted);
    let actions = all["items"].as_array().into_iter().flatten().filter(is_open).map(|action| {
        json!({"name": action["name"], "title": action["title"], "help": action["help"], "input": action["input"],
            "output": action["output"], "examples": action["examples"]})
    });
    Some(json!({
        "id": file.id,
        "name": view.name,
        "title": wanted.text(&manifest.title, &manifest.languages),
        "interlinker": {"name": reference.name, "version": reference.version},
        "view": file.open.view,
        "actions": actions.collect::<Vec<_>>(),
    }))
}

/// What a service opens: assets that can be looked at, and actions with their JSON Schemas. No token is needed.
#[utoipa::path(get, path = "/v1/services/{name}/open", tag = "public", params(("name" = String, Path),
        ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "`{service, items: [{id, name, title, view, actions}], next_cursor}`"),
        (status = 404, description = "It is not there, or not open yet", body = Problem),
        (status = 410, description = "It is over", body = Problem), (status = 429, body = Problem),
        (status = 503, description = "It is closed for a while", body = Problem)))]
pub async fn open(State(app): State<App>, at_door: AtDoor) -> Result<Response, Problem> {
    let service = app.engine.open_service(&at_door.service)?;
    let files = service.file.iter().flat_map(|file| &file.assets).filter(|file| !file.open.is_nothing());
    let mut items: Vec<_> =
        files.filter_map(|file| Some((file.id.clone(), shown(&app, &at_door, &service, file)?))).collect();
    items.sort_by(|(one, _), (other, _)| one.cmp(other));
    let list = format!("open:{}", service.name);
    let mut page = listed(&app, &at_door.asked, &list, items.into_iter(), |item| item)?;
    page["service"] = json!(service.name);
    Ok(at_door.asked.show(&page, None, None))
}

/// Begins a visit of a service: a token of a lighter kind, for an hour and for this service alone, of somebody who is known
/// by a random id and nothing else. No token is needed.
#[utoipa::path(post, path = "/v1/services/{name}/visits", tag = "public", params(("name" = String, Path)),
    responses((status = 201, description = "`{token, visitor, expires_at}`"), (status = 404, body = Problem),
        (status = 410, body = Problem), (status = 429, body = Problem), (status = 503, body = Problem)))]
pub async fn visit(State(app): State<App>, place: Place, door: DoorCommand) -> Response {
    let DoorCommand { service, command } = door;
    let permit = command.permit.clone();
    let run = || {
        command.fields()?.end()?;
        app.engine.open_service(&service)?;
        let now = app.engine.now();
        app.doors.begin_visit(place.0, now.0)?;
        let visitor = app.engine.new_visitor();
        let (token, expires_s) = app.doors.mint(&service, visitor, u64::try_from(now.0 / 1_000_000).unwrap_or(0));
        let expires = Micros(i64::try_from(expires_s).unwrap_or(i64::MAX).saturating_mul(1_000_000));
        let body = json!({"token": token, "visitor": visitor.to_string(), "expires_at": views::time(expires)});
        Ok(answer(StatusCode::CREATED, &body))
    };
    let result = run();
    Command::finish(&app, permit, result).await
}

/// Shows an asset that a service opens; `asset` is its id in the service's file.
#[utoipa::path(get, path = "/v1/services/{name}/{asset}/view", tag = "public",
    params(("name" = String, Path), ("asset" = String, Path), ("query" = Option<String>, Query),
        ("rendered" = Option<bool>, Query)),
    responses((status = 200, description = "What the Interlinker shows; with `rendered`, `{output, rendered}`"), (status = 404, body = Problem),
        (status = 410, body = Problem), (status = 422, body = Problem), (status = 429, body = Problem),
        (status = 503, body = Problem)))]
pub async fn view(
    State(app): State<App>,
    Path((_, asset)): Path<(String, String)>,
    at_door: AtDoor,
) -> Result<Response, Problem> {
    let AtDoor { asked, service, .. } = at_door;
    let service = app.engine.open_service(&service)?;
    let query = super::assets::query(&asked)?;
    let (id, _) = app.engine.opened_at(&service, &asset, None)?;
    let caller = asked.known.caller(&app.engine).await?;
    let (asset, shown) = app.engine.view_at(caller, &service.name, id, query, asked.wanted.first()).await?;
    super::assets::show_view(&app, &asked, &asset, shown).await
}

/// Runs an action that a service opens; the body is the action's input.
#[utoipa::path(post, path = "/v1/services/{name}/{asset}/actions/{action}", tag = "public", request_body = Object,
    params(("name" = String, Path), ("asset" = String, Path), ("action" = String, Path)),
    responses((status = 200, description = "`{output, state_version, rendered?}`"), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 410, body = Problem), (status = 422, body = Problem),
        (status = 429, body = Problem), (status = 503, body = Problem)))]
pub async fn act(
    State(app): State<App>,
    Path((_, asset, action)): Path<(String, String, String)>,
    door: DoorCommand,
) -> Response {
    let DoorCommand { service, command } = door;
    let permit = command.permit.clone();
    let run = async {
        let service = app.engine.open_service(&service)?;
        let (id, _) = app.engine.opened_at(&service, &asset, Some(&action))?;
        let input = command.json()?;
        let shown = |done: Result<&Acted<'_>, &Trouble>| match done {
            Ok(done) => acted(done),
            Err(trouble) => Problem::from(trouble).answer(),
        };
        let (language, expected) = (command.asked.wanted.first(), command.asked.expected());
        let permit = command.permit.clone();
        let done = app
            .engine
            .act_at(&command.caller, &service.name, id, &action, input, language, expected, shown, permit)
            .await;
        done.map_err(Problem::from)
    };
    let result: Result<Answer, Problem> = run.await;
    Command::finish(&app, permit, result).await
}
