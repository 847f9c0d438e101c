//! The catalogue: Interlinkers and the problems that they address.

use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use interlink_model::facts::InterlinkerRef;
use interlink_model::schema::{Text, digest};
use interlink_model::signature::Signature;
use interlink_runtime::Answer;
use interlink_runtime::catalogue::{CatalogueEntry, InterlinkerVersion, ProblemProfile, Withdrawn};
use serde_json::{Value, json};

use super::listed;
use crate::app::App;
use crate::language::Wanted;
use crate::problem::{Misfit, Problem};
use crate::request::{Asked, Command, answer};
use crate::views;

/// The longest name of an entry, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// The header in which a component's signature travels.
const SIGNATURE: &str = "interlink-signature";
const BREAKERS: [&str; 3] = ["closed", "open", "half_open"];
const NATURES: [&str; 4] = ["software", "knowledge", "external_software", "external_knowledge"];

/// The catalogue, each entry in the version that its bare name means.
#[utoipa::path(get, path = "/v1/interlinkers", tag = "interlinkers",
    params(("query" = Option<String>, Query), ("nature" = Option<String>, Query), ("problem_profile" = Option<String>, Query),
        ("language" = Option<String>, Query), ("breaker" = Option<String>, Query), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "`{items, next_cursor}`"), (status = 400, body = Problem)))]
pub async fn list(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    let nature = asked.query("nature");
    if nature.is_some_and(|nature| !NATURES.contains(&nature)) {
        return Err(Problem::malformed(format!("`nature` is one of {}", NATURES.join(", "))));
    }
    let breaker = asked.query("breaker");
    if breaker.is_some_and(|breaker| !BREAKERS.contains(&breaker)) {
        return Err(Problem::malformed(format!("`breaker` is one of {}", BREAKERS.join(", "))));
    }
    let all = app.engine.interlinkers();
    let shown = all.iter().map(|version| (version.reference.name.clone(), as_it_stands(&app, version, &asked.wanted)));
    let holds = |shown: &Value, field: &str, wanted: Option<&str>| {
        let values = shown[field].as_array();
        wanted.is_none_or(|wanted| values.is_some_and(|values| values.iter().any(|value| value == wanted)))
    };
    let fitting = shown.filter(|(_, shown)| {
        let text = asked.query("query").map(str::to_lowercase);
        let found = |text: &String| {
            ["name", "title", "description"]
                .iter()
                .any(|field| shown[*field].to_string().to_lowercase().contains(text.as_str()))
        };
        nature.is_none_or(|nature| shown["nature"] == nature)
            && breaker.is_none_or(|breaker| shown["breaker"]["status"] == breaker)
            && holds(shown, "problem_profiles", asked.query("problem_profile"))
            && holds(shown, "languages", asked.query("language"))
            && text.as_ref().is_none_or(found)
    });
    let filters = ["query", "nature", "problem_profile", "language", "breaker"].map(|name| asked.query(name));
    let page = listed(&app, &asked, &format!("interlinkers{filters:?}"), fitting, |shown| shown)?;
    Ok(asked.show(&page, None, None))
}

/// Publishes a component (`application/wasm`, its signature in the header `Interlink-Signature: keyid=…; sig=…`), or describes
/// an Interlinker that does not run here (JSON). The answer of a component says what it asks for and has not been granted.
#[utoipa::path(post, path = "/v1/interlinkers", tag = "interlinkers",
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 201, description = "Published"), (status = 200, description = "It was there"),
        (status = 400, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem),
        (status = 413, body = Problem), (status = 422, body = Problem)))]
pub async fn publish(State(app): State<App>, command: Command) -> Response {
    let permit = command.permit.clone();
    let result = run_publish(&app, command).await;
    Command::finish(&app, permit, result).await
}

async fn run_publish(app: &App, command: Command) -> Result<Answer, Problem> {
    command.asked.known.operator("publishing an Interlinker")?;
    let actor = command.caller.actor();
    let wanted = &command.asked.wanted;
    let created = |version: &InterlinkerVersion| published(app, StatusCode::CREATED, version, wanted);
    let made = match command.content_type.as_str() {
        "application/wasm" => {
            let signature = signature(&command)?;
            app.engine.publish(&command.body, signature.as_ref(), actor, created, &command.permit).await?
        }
        "application/json" => {
            let (reference, entry) = description(&command)?;
            app.engine.describe(reference, entry, actor, created, &command.permit).await?
        }
        other => {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "This cannot be taken",
                format!("`{other}` is no Interlinker; send application/wasm or application/json"),
            ));
        }
    };
    let status = if made.new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(published(app, status, &made.thing, wanted))
}

/// The signature that a request carries.
fn signature(command: &Command) -> Result<Option<Signature>, Problem> {
    let line = command.asked.header(SIGNATURE);
    let read = line.map(|line| {
        Signature::parse(line)
            .map_err(|error| Problem::malformed(format!("`Interlink-Signature` cannot be read: {error}")))
    });
    read.transpose()
}

/// A version that was published, with what it asks for and has not been granted: a new wish needs a new consent.
fn published(app: &App, status: StatusCode, version: &InterlinkerVersion, wanted: &Wanted) -> Answer {
    let location = Some(format!("/v1/interlinkers/{}", version.reference.name));
    let mut shown = views::interlinker(version, wanted);
    put_not_granted(&mut shown, app, version);
    Answer { location, ..answer(status, &shown) }
}

/// Says of what runs here what it asks for and has not been granted.
fn put_not_granted(shown: &mut Value, app: &App, version: &InterlinkerVersion) {
    if let CatalogueEntry::Software(manifest) = &version.entry {
        shown["not_granted"] = json!(app.engine.grants(&manifest.name).lacking(&manifest.grants));
    }
}

/// Reads the description of an Interlinker that does not run here. What it says beyond the catalogue's fields is kept.
fn description(command: &Command) -> Result<(InterlinkerRef, Value), Problem> {
    let entry = command.json()?;
    let mut errors = Vec::new();
    let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let name = text("name");
    let named = !name.is_empty() && name.len() <= NAME_BYTES_MAX;
    if !named || name.contains(|letter: char| !(letter.is_ascii_alphanumeric() || "-_.".contains(letter))) {
        errors.push(Misfit::new("/name", "`name` is letters, digits, `-`, `_` and `.`, at most 128"));
    }
    let version = if entry.get("version").is_some() { text("version") } else { "1.0.0".into() };
    if semver::Version::parse(&version).is_err() {
        errors.push(Misfit::new("/version", "`version` is a semantic version such as `1.0.0`"));
    }
    let nature = text("nature");
    if !NATURES[1..].contains(&nature.as_str()) {
        let detail = format!("`nature` is one of {}; software is published as a component", NATURES[1..].join(", "));
        errors.push(Misfit::new("/nature", detail));
    }
    let profiles = entry.get("problem_profiles");
    let texts = |value: &Value| value.as_array().is_some_and(|all| all.iter().all(Value::is_string));
    if profiles.is_some_and(|profiles| !texts(profiles)) {
        errors.push(Misfit::new("/problem_profiles", "`problem_profiles` is a list of texts"));
    }
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let digest = digest::of(&digest::canonical(&entry));
    Ok((InterlinkerRef { name, version, digest }, entry))
}

/// An entry of the catalogue.
#[utoipa::path(get, path = "/v1/interlinkers/{name}", tag = "interlinkers", params(("name" = String, Path)),
    responses((status = 200, description = "The entry"), (status = 404, body = Problem)))]
pub async fn get(State(app): State<App>, Path(name): Path<String>, asked: Asked) -> Result<Response, Problem> {
    let version = app.engine.interlinker(&name)?;
    let mut shown = as_it_stands(&app, &version, &asked.wanted);
    if matches!(version.entry, CatalogueEntry::Software(_)) {
        let (host, digest) = (app.engine.host(), &version.reference.digest);
        let load = host.loads().into_iter().find(|load| load.digest == *digest);
        views::put_cpu(&mut shown, host.limits(), load.as_ref());
    }
    Ok(asked.show(&shown, None, None))
}

/// All versions of an entry, in the order of their publication.
#[utoipa::path(get, path = "/v1/interlinkers/{name}/versions", tag = "interlinkers", params(("name" = String, Path)),
    responses((status = 200, description = "`{items, next_cursor}`"), (status = 404, body = Problem)))]
pub async fn versions(State(app): State<App>, Path(name): Path<String>, asked: Asked) -> Result<Response, Problem> {
    let all = app.engine.interlinker_versions(&name);
    if all.is_empty() {
        return Err(Problem::not_found("Interlinker", &name));
    }
    let numbered = all.iter().enumerate().map(|(number, version)| (format!("{number:08}"), version));
    let list = format!("interlinker-versions:{name}");
    let page = listed(&app, &asked, &list, numbered, |version| as_it_stands(&app, version, &asked.wanted))?;
    Ok(asked.show(&page, None, None))
}

/// The component of a version, as it was published, with its signature in the header `Interlink-Signature`. For operators.
#[utoipa::path(get, path = "/v1/interlinkers/{name}/versions/{version}/component", tag = "interlinkers",
    params(("name" = String, Path), ("version" = String, Path)),
    responses((status = 200, content_type = "application/wasm", description = "The component"),
        (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn component(
    State(app): State<App>,
    Path((name, version)): Path<(String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    asked.known.operator("exporting Interlinkers")?;
    let wanted = format!("{name}@{version}");
    let found = app.engine.interlinker(&wanted)?;
    let CatalogueEntry::Software(_) = &found.entry else {
        return Err(Problem::not_found("component of", &wanted));
    };
    let bytes = app.engine.component(&found.reference).await?;
    let mut response = ([(header::CONTENT_TYPE, "application/wasm")], bytes).into_response();
    if let Some(line) = found.signature.and_then(|made| HeaderValue::from_str(&made.signature).ok()) {
        response.headers_mut().insert(HeaderName::from_static(SIGNATURE), line);
    }
    Ok(response)
}

/// What can be done with an Interlinker's assets, with JSON Schemas.
#[utoipa::path(get, path = "/v1/interlinkers/{name}/actions", tag = "interlinkers", params(("name" = String, Path)),
    responses((status = 200, description = "`{items, instantiate, view}`"), (status = 404, body = Problem)))]
pub async fn actions(State(app): State<App>, Path(name): Path<String>, asked: Asked) -> Result<Response, Problem> {
    let version = app.engine.interlinker(&name)?;
    match &version.entry {
        CatalogueEntry::Software(manifest) => Ok(asked.show(&views::actions(manifest, &asked.wanted), None, None)),
        CatalogueEntry::Described(_) => Ok(asked.show(&json!({"items": []}), None, None)),
    }
}

/// A version with how it stands here: its breaker, what its assets hold, what it was not granted. What does not run here has none.
fn as_it_stands(app: &App, version: &InterlinkerVersion, wanted: &Wanted) -> Value {
    let mut shown = views::interlinker(version, wanted);
    if matches!(version.entry, CatalogueEntry::Software(_)) {
        views::put_breaker(&mut shown, &app.engine.breaker(&version.reference));
        let (held, quota) = app.engine.held(&version.reference.name);
        (shown["held"], shown["quota"]) = (views::held(held), views::quota(quota));
        put_not_granted(&mut shown, app, version);
    }
    shown
}

/// The quota that an operator asks for: assets and bytes, each as many as any may have where it is not said.
pub fn quota_asked(command: &Command) -> Result<(Option<u64>, Option<u64>), Problem> {
    let mut fields = command.fields()?;
    let quota = (fields.optional_number("assets"), fields.optional_number("state_bytes"));
    fields.end()?;
    command.asked.known.operator("setting quotas")?;
    Ok(quota)
}

/// How many assets of an Interlinker there may be, and how many bytes of state and blobs they may have together: `{assets?, state_bytes?}`,
/// in place of what was said before. What is there already stays. For operators.
#[utoipa::path(put, path = "/v1/interlinkers/{name}/quota", tag = "interlinkers", request_body = Object,
    params(("name" = String, Path)),
    responses((status = 200, description = "The quota"), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub async fn quota(State(app): State<App>, Path(name): Path<String>, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        let quota = quota_asked(&command)?;
        let (_, all) = app.engine.held("");
        let (assets, state_bytes) = (quota.0.unwrap_or(all.assets), quota.1.unwrap_or(all.state_bytes));
        let answer = answer(StatusCode::OK, &json!({"assets": assets, "state_bytes": state_bytes}));
        app.engine.set_quota(command.caller.actor(), &name, quota, &answer, &command.permit).await?;
        Ok(answer)
    };
    let result = run.await;
    Command::finish(&app, permit, result).await
}

/// Closes the breakers of all versions of an Interlinker whose calls failed again and again: calls are made at once, and what
/// waited happens. For operators.
#[utoipa::path(post, path = "/v1/interlinkers/{name}/reset", tag = "interlinkers", params(("name" = String, Path)),
    responses((status = 200, description = "The entry"), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn reset(State(app): State<App>, Path(name): Path<String>, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        command.fields()?.end()?;
        command.asked.known.operator("resetting breakers")?;
        app.engine.reset_breaker(&name)?;
        let version = app.engine.interlinker(&name)?;
        Ok(answer(StatusCode::OK, &as_it_stands(&app, &version, &command.asked.wanted)))
    };
    let result = run.await;
    Command::finish(&app, permit, result).await
}

async fn set_paused(app: App, name: String, paused: bool, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        let mut fields = command.fields()?;
        let reason = fields.optional_text("reason", super::processes::COMMENT_BYTES_MAX);
        fields.end()?;
        command.asked.known.operator("pausing Interlinkers")?;
        let version = app.engine.interlinker(&name)?;
        let mut shown = views::interlinker(&version, &command.asked.wanted);
        shown["paused"] = json!(paused);
        let answer = answer(StatusCode::OK, &shown);
        app.engine.set_paused(&command.caller, &name, paused, reason, &answer, &command.permit).await?;
        Ok(answer)
    };
    let result = run.await;
    Command::finish(&app, permit, result).await
}

/// Stops calls of an Interlinker whose outside is down: what happens by itself waits, people are told.
#[utoipa::path(post, path = "/v1/interlinkers/{name}/pause", tag = "interlinkers", params(("name" = String, Path)),
    responses((status = 200, description = "The entry"), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn pause(State(app): State<App>, Path(name): Path<String>, command: Command) -> Response {
    set_paused(app, name, true, command).await
}

/// Lets calls of an Interlinker be made again; what waited happens in its order.
#[utoipa::path(post, path = "/v1/interlinkers/{name}/resume", tag = "interlinkers", params(("name" = String, Path)),
    responses((status = 200, description = "The entry"), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn resume(State(app): State<App>, Path(name): Path<String>, command: Command) -> Response {
    set_paused(app, name, false, command).await
}

async fn withdraw(app: App, (name, version): (String, String), how: Withdrawn, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        let mut fields = command.fields()?;
        let reason = fields.text("reason", super::processes::COMMENT_BYTES_MAX);
        fields.end()?;
        command.asked.known.operator("withdrawing Interlinkers")?;
        let wanted = format!("{name}@{version}");
        let shown =
            |version: &InterlinkerVersion| answer(StatusCode::OK, &views::interlinker(version, &command.asked.wanted));
        let made = app.engine.withdraw(&command.caller, &wanted, how, reason, shown, &command.permit).await?;
        Ok(shown(&made.thing))
    };
    let result = run.await;
    Command::finish(&app, permit, result).await
}

/// Advises against a version, for a reason: `{reason}`. Nothing of it stops; everybody sees why, and its bare name means a
/// version that was not deprecated, where there is one.
#[utoipa::path(post, path = "/v1/interlinkers/{name}/versions/{version}/deprecate", tag = "interlinkers",
    request_body = Object, params(("name" = String, Path), ("version" = String, Path)),
    responses((status = 200, description = "The version"), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn deprecate(State(app): State<App>, Path(of): Path<(String, String)>, command: Command) -> Response {
    withdraw(app, of, Withdrawn::Deprecated, command).await
}

/// Takes a version back for good, for a reason: `{reason}`. Nothing of it is called any more; what it made is still shown.
#[utoipa::path(post, path = "/v1/interlinkers/{name}/versions/{version}/revoke", tag = "interlinkers",
    request_body = Object, params(("name" = String, Path), ("version" = String, Path)),
    responses((status = 200, description = "The version"), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn revoke(State(app): State<App>, Path(of): Path<(String, String)>, command: Command) -> Response {
    withdraw(app, of, Withdrawn::Revoked, command).await
}

/// All problem profiles.
#[utoipa::path(get, path = "/v1/problem-profiles", tag = "interlinkers",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "`{items, next_cursor}`")))]
pub async fn profiles(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    let all = app.engine.problem_profiles();
    let named = all.iter().map(|profile| (profile.id.clone(), profile));
    let page = listed(&app, &asked, "problem-profiles", named, |profile| shown_profile(profile, &asked.wanted))?;
    Ok(asked.show(&page, None, None))
}

fn shown_profile(profile: &ProblemProfile, wanted: &Wanted) -> Value {
    json!({
        "id": profile.id,
        "name": wanted.text(&profile.name, &[]),
        "description": wanted.text(&profile.description, &[]),
    })
}

/// Describes a problem profile, or describes it anew.
#[utoipa::path(post, path = "/v1/problem-profiles", tag = "interlinkers", request_body = Object,
    responses((status = 201, description = "Described"), (status = 403, body = Problem), (status = 422, body = Problem)))]
pub async fn describe_profile(State(app): State<App>, command: Command) -> Response {
    let permit = command.permit.clone();
    let result = run_describe_profile(&app, command).await;
    Command::finish(&app, permit, result).await
}

async fn run_describe_profile(app: &App, command: Command) -> Result<Answer, Problem> {
    command.asked.known.operator("describing problem profiles")?;
    let mut fields = command.fields()?;
    let id = fields.text("id", NAME_BYTES_MAX);
    let mut text = |name: &str| match fields.value(name) {
        None => Text::default(),
        Some(Value::String(text)) => Text([("en".to_owned(), text)].into()),
        Some(value) => serde_json::from_value(value).unwrap_or_else(|_| {
            fields.misfit(name, "is a text, or a map from languages to texts");
            Text::default()
        }),
    };
    let (name, description) = (text("name"), text("description"));
    fields.end()?;
    let profile = ProblemProfile { id, name, description };
    let location = Some(format!("/v1/problem-profiles#{}", profile.id));
    let shown = Answer { location, ..answer(StatusCode::CREATED, &shown_profile(&profile, &command.asked.wanted)) };
    app.engine.describe_profile(profile, command.caller.actor(), &shown, &command.permit).await?;
    Ok(shown)
}
