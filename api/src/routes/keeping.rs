//! What is kept besides state: blobs of assets, and the versions of Interlinkers that assets move to.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use interlink_host::Put;
use interlink_model::facts::InterlinkerRef;
use interlink_model::id::AssetId;
use interlink_runtime::catalogue::CatalogueEntry;
use interlink_runtime::{Answer, AssetView, Moved, Permit};
use serde_json::{Value, json};

use super::assets::asset_id;
use super::listed;
use super::processes::NAME_BYTES_MAX;
use crate::app::App;
use crate::problem::Problem;
use crate::request::{Asked, Command, Fields, answer};
use crate::views;

/// Assets that are moved by one request.
pub const UPGRADED_MAX: usize = 1_000;

pub(super) fn place<const N: usize>(app: &App, asked: &Asked, list: &str) -> Result<Option<[u8; N]>, Problem> {
    let Some(cursor) = asked.query("cursor") else { return Ok(None) };
    let place: Result<[u8; N], _> = app.cursors.read(list, cursor)?.try_into();
    place.map(Some).map_err(|_| Problem::malformed("this cursor cannot be read"))
}

/// Keeps a blob for an asset: the body is its content, `Content-Type` its media type. At most 8 MiB; the same content again
/// is there already.
#[utoipa::path(post, path = "/v1/assets/{id}/blobs", tag = "assets", params(("id" = String, Path)),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, description = "`{digest, size_bytes, media_type}`"), (status = 200, description = "It was there"),
        (status = 404, body = Problem), (status = 409, body = Problem), (status = 413, body = Problem)))]
pub async fn put_blob(State(app): State<App>, Path(id): Path<String>, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        let asset = asset_id(&id)?;
        let (media_type, content) = (command.content_type.clone(), command.body.to_vec());
        let put = Put { media_type: media_type.clone(), content };
        let size_bytes = put.content.len();
        let (digest, is_new) = app.engine.keep_blob(&command.caller, asset, put).await?;
        let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
        let location = Some(format!("/v1/assets/{id}/blobs/{digest}"));
        let body = json!({"digest": digest, "size_bytes": size_bytes, "media_type": media_type});
        Ok(Answer { location, ..answer(status, &body) })
    };
    let result: Result<Answer, Problem> = run.await;
    Command::finish(&app, permit, result).await
}

/// The blobs of an asset.
#[utoipa::path(get, path = "/v1/assets/{id}/blobs", tag = "assets",
    params(("id" = String, Path), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "`{items: [{digest, size_bytes, media_type}], next_cursor}`"), (status = 404, body = Problem)))]
pub async fn blobs(State(app): State<App>, Path(id): Path<String>, asked: Asked) -> Result<Response, Problem> {
    let asset = app.engine.asset(asset_id(&id)?)?.asset;
    let all = asset.blobs.iter().map(|(digest, blob)| (digest.clone(), (digest, blob)));
    let shown = |(digest, blob): (&String, &interlink_model::asset::Blob)| json!({"digest": digest, "size_bytes": blob.size_bytes, "media_type": blob.media_type});
    let page = listed(&app, &asked, &format!("blobs:{id}"), all, shown)?;
    Ok(asked.show(&page, None, None))
}

/// A blob of an asset: its content. What people put there is shown by no browser as a page of this server.
#[utoipa::path(get, path = "/v1/assets/{id}/blobs/{digest}", tag = "assets",
    params(("id" = String, Path), ("digest" = String, Path)),
    responses((status = 200, description = "The content", content_type = "application/octet-stream"), (status = 404, body = Problem)))]
pub async fn blob(
    State(app): State<App>,
    Path((id, digest)): Path<(String, String)>,
    _asked: Asked,
) -> Result<Response, Problem> {
    let (blob, read) = app.engine.blob(asset_id(&id)?, &digest)?;
    let reading = tokio::task::spawn_blocking(read);
    let content = reading.await.map_err(|_| Problem::internal("the blob could not be read"))??;
    let mut response = content.into_response();
    let headers = response.headers_mut();
    let media_type = HeaderValue::from_str(&blob.media_type);
    let plain = HeaderValue::from_static("application/octet-stream");
    headers.insert(header::CONTENT_TYPE, media_type.unwrap_or(plain));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{digest}\"")) {
        headers.insert(header::ETAG, tag);
    }
    Ok(response)
}

fn named(interlinker: &InterlinkerRef) -> Value {
    json!({"name": interlinker.name, "version": interlinker.version, "digest": interlinker.digest})
}

fn moved(moved: &Moved, dry_run: bool) -> Value {
    json!({
        "asset": moved.asset.to_string(),
        "from": named(&moved.from),
        "to": named(&moved.to),
        "migrates": moved.migrates,
        "keys_changed": moved.keys_changed,
        "actions_added": moved.actions_added,
        "actions_removed": moved.actions_removed,
        "not_granted": moved.not_granted,
        "dry_run": dry_run,
    })
}

fn flag(fields: &mut Fields, name: &str) -> bool {
    match fields.value(name) {
        None | Some(Value::Null) => false,
        Some(Value::Bool(flag)) => flag,
        Some(_) => {
            fields.misfit(name, "is true or false");
            false
        }
    }
}

/// Moves an asset to a newer version of its Interlinker: `{version, dry_run?, without_grants?}`. With `dry_run` its migration
/// runs and nothing is kept.
#[utoipa::path(post, path = "/v1/assets/{id}/upgrade", tag = "assets", params(("id" = String, Path)), request_body = Object,
    responses((status = 200, description = "`{from, to, migrates, keys_changed, actions_added, actions_removed, not_granted, dry_run}`"),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn upgrade(State(app): State<App>, Path(id): Path<String>, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        command.asked.known.operator("upgrading assets")?;
        let mut fields = command.fields()?;
        let version = fields.text("version", NAME_BYTES_MAX);
        let how = (flag(&mut fields, "dry_run"), flag(&mut fields, "without_grants"));
        fields.end()?;
        let asset = asset_id(&id)?;
        let shown = |done: &Moved| answer(StatusCode::OK, &moved(done, how.0));
        let expected = command.asked.expected();
        let done =
            app.engine.upgrade_asset(&command.caller, asset, &version, expected, how, shown, command.permit.clone());
        Ok(done.await?)
    };
    let result: Result<Answer, Problem> = run.await;
    Command::finish(&app, permit, result).await
}

/// Takes an asset back to the version of its Interlinker before, and to the state that it had there: `{discard?}`. What
/// happened since is lost, so `discard` says that it may be.
#[utoipa::path(post, path = "/v1/assets/{id}/rollback", tag = "assets", params(("id" = String, Path)), request_body = Object,
    responses((status = 200, description = "`{to, discarded}`"), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub async fn roll_back(State(app): State<App>, Path(id): Path<String>, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        command.asked.known.operator("rolling assets back")?;
        let mut fields = command.fields()?;
        let discard = flag(&mut fields, "discard");
        fields.end()?;
        let asset = asset_id(&id)?;
        let shown = |to: &InterlinkerRef, since: u64| {
            let body = json!({"asset": asset.to_string(), "to": named(to), "discarded": since});
            answer(StatusCode::OK, &body)
        };
        let expected = command.asked.expected();
        let done = app.engine.roll_asset_back(&command.caller, asset, expected, discard, shown, command.permit.clone());
        Ok(done.await?)
    };
    let result: Result<Answer, Problem> = run.await;
    Command::finish(&app, permit, result).await
}

/// Assets of all processes, in the order in which they were made: who stands on which Interlinker.
#[utoipa::path(get, path = "/v1/assets", tag = "assets",
    params(("interlinker" = Option<String>, Query), ("version" = Option<String>, Query), ("limit" = Option<usize>, Query),
        ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "`{items, next_cursor}`"), (status = 400, body = Problem)))]
pub async fn assets(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    let limit = asked.limit()?;
    let [interlinker, version] = ["interlinker", "version"].map(|name| asked.query(name).map(str::to_owned));
    let list = format!("assets:{interlinker:?}:{version:?}");
    let after = place(&app, &asked, &list)?.map(AssetId::from_bytes);
    let engine = Arc::clone(&app.engine);
    let reading = tokio::task::spawn_blocking(move || {
        engine.assets(after, limit, |view| fits(view, interlinker.as_deref(), version.as_deref()))
    });
    let (found, next) = reading.await.map_err(|_| Problem::internal("the assets could not be read"))??;
    let next = next.map(|next| app.cursors.make(&list, &next.bytes()));
    let items: Vec<_> = found.iter().map(views::asset).collect();
    Ok(asked.show(&json!({"items": items, "next_cursor": next}), None, None))
}

fn fits(view: &AssetView, interlinker: Option<&str>, version: Option<&str>) -> bool {
    let of = &view.asset.interlinker;
    interlinker.is_none_or(|name| of.name == name) && version.is_none_or(|version| of.version == version)
}

/// Moves the assets of an Interlinker to a newer version, at most 1,000 in one request: `{version, from?, dry_run?,
/// without_grants?, limit?, after?}`. Each is moved or left as it is; the answer says which, and why. Where there may be more,
/// `next` is the `after` of the next request.
#[utoipa::path(post, path = "/v1/interlinkers/{name}/upgrade", tag = "interlinkers", request_body = Object,
    params(("name" = String, Path)),
    responses((status = 200, description = "`{moved: [id], refused: [{asset, why}], next, dry_run}`"), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 422, body = Problem)))]
pub async fn upgrade_all(State(app): State<App>, Path(name): Path<String>, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        command.asked.known.operator("upgrading assets")?;
        app.engine.interlinker(&name)?;
        let mut fields = command.fields()?;
        let version = fields.text("version", NAME_BYTES_MAX);
        let from = fields.optional_text("from", NAME_BYTES_MAX);
        let how = (flag(&mut fields, "dry_run"), flag(&mut fields, "without_grants"));
        let limit = match fields.value("limit") {
            None | Some(Value::Null) => UPGRADED_MAX,
            Some(limit) => match limit.as_u64().map(|limit| limit as usize) {
                Some(limit @ 1..=UPGRADED_MAX) => limit,
                _ => {
                    fields.misfit("limit", "is a number from 1 to 1000");
                    UPGRADED_MAX
                }
            },
        };
        let after = fields.optional_text("after", NAME_BYTES_MAX);
        let after = after.map(|after| {
            AssetId::parse(&after).unwrap_or_else(|| {
                fields.misfit("after", "is the id of an asset: the `next` of the request before");
                AssetId::from_bytes([0; 16])
            })
        });
        fields.end()?;
        let target = format!("{name}@{version}");
        let names = || interlink_runtime::Trouble::Names {
            what: "Interlinker",
            id: target.clone(),
            pointer: "/version".into(),
        };
        app.engine.interlinker(&target).map_err(|_| names())?;
        let (engine, wanted, to) = (Arc::clone(&app.engine), name.clone(), version.clone());
        let reading = tokio::task::spawn_blocking(move || {
            engine.assets(after, limit, |view| {
                fits(view, Some(&wanted), from.as_deref()) && view.asset.interlinker.version != to
            })
        });
        let (found, next) = reading.await.map_err(|_| Problem::internal("the assets could not be read"))??;
        let (mut done, mut refused) = (Vec::new(), Vec::new());
        for AssetView { asset, .. } in found {
            let shown = |_: &Moved| answer(StatusCode::OK, &json!({}));
            let moving =
                app.engine.upgrade_asset(&command.caller, asset.id, &version, None, how, shown, Permit::default());
            match moving.await {
                Ok(_) => done.push(asset.id.to_string()),
                Err(trouble) => refused.push(json!({"asset": asset.id.to_string(), "why": trouble.to_string()})),
            }
        }
        let next = next.map(|next| next.to_string());
        Ok(answer(StatusCode::OK, &json!({"moved": done, "refused": refused, "next": next, "dry_run": how.0})))
    };
    let result: Result<Answer, Problem> = run.await;
    Command::finish(&app, permit, result).await
}

/// What Interlinkers ask for beyond their own state, what they were granted, and what they were not: one entry for each
/// Interlinker that asks or was granted anything.
#[utoipa::path(get, path = "/v1/grants", tag = "interlinkers",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "`{items: [{interlinker, version, asked, granted, not_granted}], next_cursor}`"),
        (status = 403, body = Problem)))]
pub async fn grants(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    asked.known.operator("looking at all grants")?;
    let mut all = BTreeMap::new();
    for version in app.engine.interlinkers() {
        let CatalogueEntry::Software(manifest) = &version.entry else { continue };
        let granted = app.engine.grants(&manifest.name);
        let nothing = manifest.grants == Default::default() && granted == Default::default();
        if !nothing {
            let shown = json!({
                "interlinker": manifest.name,
                "version": manifest.version.to_string(),
                "asked": manifest.grants,
                "granted": granted,
                "not_granted": granted.lacking(&manifest.grants),
            });
            all.insert(manifest.name.clone(), shown);
        }
    }
    let page = listed(&app, &asked, "grants", all.into_iter(), |shown| shown)?;
    Ok(asked.show(&page, None, None))
}
