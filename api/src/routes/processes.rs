//! Processes: made, driven, looked at.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use interlink_model::id::{OrganizationId, ProcessId};
use interlink_model::process::{self as model, ARCHIVED, DATA_BYTES_MAX, NewProcess, Process, ProcessStatus};
use interlink_model::schema::outline::ItemRef;
use interlink_model::time::zone::{ZONE_NAME_BYTES_MAX, Zone};
use interlink_runtime::{Answer, AsOf, Done, ProcessView, Trouble};
use serde_json::{Value, json};

use super::organizations::named;
use super::tasks::{recommended, withdrawn};
use crate::app::App;
use crate::language::Wanted;
use crate::problem::Problem;
use crate::request::{Asked, Command, answer};
use crate::views;

/// The longest name of a process or an asset, in bytes.
pub const NAME_BYTES_MAX: usize = 512;
/// The longest comment or reason, in bytes.
pub const COMMENT_BYTES_MAX: usize = 16 << 10;

/// The process of an id in a path. What is no id is not there.
pub fn process_of(app: &App, id: &str) -> Result<ProcessView, Problem> {
    let id = process_id(id)?;
    Ok(app.engine.process(id)?)
}

/// The same as it was at `as_of`, where that is asked for.
async fn process_then(app: &App, id: &str, asked: &Asked) -> Result<ProcessView, Problem> {
    let Some(at) = as_of(asked, "as_of")? else { return process_of(app, id) };
    let (id, engine) = (process_id(id)?, std::sync::Arc::clone(&app.engine));
    // History is read from disk.
    let reading = tokio::task::spawn_blocking(move || engine.process_as_of(id, at));
    Ok(reading.await.map_err(|_| Problem::internal("the history could not be read"))??)
}

/// A moment in a query: a version or a time.
pub fn as_of(asked: &Asked, name: &str) -> Result<Option<AsOf>, Problem> {
    asked.query(name).map(|text| moment(name, text)).transpose()
}

/// A moment: a version or a time.
pub fn moment(name: &str, text: &str) -> Result<AsOf, Problem> {
    if let Ok(version) = text.parse() {
        return Ok(AsOf::Version(version));
    }
    let refuse =
        || Problem::malformed(format!("`{name}` is a version such as 7, or a time such as 2027-05-01T09:00:00Z"));
    super::schedules::instant(text).map(AsOf::Time).ok_or_else(refuse)
}

/// The id in a path.
pub fn process_id(id: &str) -> Result<ProcessId, Problem> {
    ProcessId::parse(id).ok_or_else(|| Problem::not_found("process", id))
}

/// The entity tag of a version.
pub fn tag(version: u64) -> Option<String> {
    Some(format!("\"{version}\""))
}

/// Processes in the order of their creation.
#[utoipa::path(get, path = "/v1/processes", tag = "processes",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query), ("status" = Option<String>, Query),
        ("organization" = Option<String>, Query)),
    responses((status = 200, description = "`{items, next_cursor}`"), (status = 400, body = Problem)))]
pub async fn list(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    let limit = asked.limit()?;
    let status = asked.query("status").map(str::to_owned);
    let known = |status: &String| status == ARCHIVED || ProcessStatus::ALL.iter().any(|known| known.as_str() == status);
    if status.as_ref().is_some_and(|status| !known(status)) {
        return Err(Problem::malformed("`status` is created, running, suspended, completed, cancelled or archived"));
    }
    let organization = match asked.query("organization").map(OrganizationId::parse) {
        Some(None) => return Err(Problem::malformed("`organization` is the id of an organization")),
        Some(Some(organization)) => Some(organization),
        None => None,
    };
    let of = organization.map(|organization| format!(":{organization}")).unwrap_or_default();
    let list = format!("processes:{}{of}", status.as_deref().unwrap_or_default());
    let after = match asked.query("cursor") {
        Some(cursor) => {
            let place: Result<[u8; 16], _> = app.cursors.read(&list, cursor)?.try_into();
            Some(ProcessId::from_bytes(place.map_err(|_| Problem::malformed("this cursor cannot be read"))?))
        }
        None => None,
    };
    let engine = std::sync::Arc::clone(&app.engine);
    // Cold processes are read from disk.
    let reading = tokio::task::spawn_blocking(move || {
        let mut items = Vec::new();
        let mut reached = after;
        // One more than the page, so that its end is known.
        let mut ids = engine.process_ids(reached, limit + 1)?;
        loop {
            for id in &ids {
                if items.len() == limit {
                    return Ok((items, reached));
                }
                reached = Some(*id);
                let ProcessView { process, name } = match engine.process(*id) {
                    Ok(view) => view,
                    Err(trouble @ Trouble::Unread(_)) => return Err(trouble),
                    Err(_) => continue,
                };
                let is_hosted = organization.is_none_or(|organization| process.organization == Some(organization));
                if is_hosted && status.as_ref().is_none_or(|status| process.status_word() == status) {
                    items.push(views::process(&process, name));
                }
            }
            if ids.len() <= limit {
                return Ok((items, None));
            }
            ids = engine.process_ids(reached, limit + 1)?;
        }
    });
    let (items, next) = reading.await.map_err(|_| Problem::internal("the list could not be read"))??;
    let next = next.map(|next| app.cursors.make(&list, &next.bytes()));
    Ok(asked.show(&json!({"items": items, "next_cursor": next}), None, None))
}

/// Makes a process from a schema; it has not begun.
#[utoipa::path(post, path = "/v1/processes", tag = "processes", request_body = Object,
    responses((status = 201, body = views::ProcessBody), (status = 400, body = Problem), (status = 422, body = Problem)))]
pub async fn create(State(app): State<App>, command: Command) -> Response {
    let permit = command.permit.clone();
    let result = run_create(&app, command).await;
    Command::finish(&app, permit, result).await
}

async fn run_create(app: &App, command: Command) -> Result<Answer, Problem> {
    let mut fields = command.fields()?;
    let schema = fields.text("schema", NAME_BYTES_MAX);
    let name = fields.text("name", NAME_BYTES_MAX);
    let language = fields.optional_text("language", 35);
    let zone = fields.optional_text("zone", ZONE_NAME_BYTES_MAX).and_then(|zone| match Zone::parse(&zone) {
        Ok(zone) => Some(zone),
        Err(error) => {
            fields.misfit("zone", &format!("is the IANA name of a time zone: {error}"));
            None
        }
    });
    let data = values(&mut fields, "data");
    let organization = named(app, &mut fields);
    fields.end()?;
    let new = NewProcess { name, language, zone, data, parent: None, organization: organization? };
    let version = app.engine.schema(&schema).map_err(|_| Trouble::Names {
        what: "schema",
        id: schema,
        pointer: "/schema".into(),
    })?;
    let shown = |process: &Process, name: &str| Answer {
        location: Some(format!("/v1/processes/{}", process.id)),
        etag: tag(process.version),
        ..answer(StatusCode::CREATED, &views::process(process, Some(name.into())))
    };
    let (_, answer) = app.engine.create_process(&command.caller, &version, new, shown, command.permit).await?;
    Ok(answer)
}

/// Values that conditions can name: an object.
fn values(fields: &mut crate::request::Fields, name: &str) -> std::collections::BTreeMap<String, Value> {
    match fields.value(name) {
        None | Some(Value::Null) => Default::default(),
        Some(Value::Object(values)) if json!(values).to_string().len() <= DATA_BYTES_MAX => {
            values.into_iter().collect()
        }
        Some(Value::Object(_)) => {
            fields.misfit(name, &format!("has more than {DATA_BYTES_MAX} bytes"));
            Default::default()
        }
        Some(_) => {
            fields.misfit(name, "is an object of values");
            Default::default()
        }
    }
}

/// Sets values that conditions can name; what is null is removed.
#[utoipa::path(patch, path = "/v1/processes/{id}/data", tag = "processes", params(("id" = String, Path)),
    request_body = Object,
    responses((status = 200, body = views::ProcessBody), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn set_data(State(app): State<App>, Path(id): Path<String>, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        let Value::Object(values) = command.json()? else {
            return Err(Problem::invalid(vec![crate::problem::Misfit::new("", "the body is an object of values")]));
        };
        let what = model::Command::SetData(values.into_iter().collect());
        let expected = command.asked.expected();
        let shown = |done: &interlink_runtime::Done<'_>, name| Answer {
            etag: tag(done.process.version),
            ..answer(StatusCode::OK, &views::process(done.process, name))
        };
        let id = process_id(&id)?;
        let done = app.engine.command(&command.caller, id, &what, None, expected, shown, command.permit).await;
        done.map_err(Problem::from)
    };
    let result = run.await;
    Command::finish(&app, permit, result).await
}

/// The values that conditions can name.
#[utoipa::path(get, path = "/v1/processes/{id}/data", tag = "processes", params(("id" = String, Path)),
    responses((status = 200, description = "An object of values"), (status = 404, body = Problem)))]
pub async fn data(State(app): State<App>, Path(id): Path<String>, asked: Asked) -> Result<Response, Problem> {
    let (process, data) = app.engine.process_data(process_id(&id)?)?;
    Ok(asked.show(&json!(data), Some(process.version), None))
}

/// A process.
#[utoipa::path(get, path = "/v1/processes/{id}", tag = "processes",
    params(("id" = String, Path), ("as_of" = Option<String>, Query)),
    responses((status = 200, body = views::ProcessBody), (status = 404, body = Problem)))]
pub async fn get(State(app): State<App>, Path(id): Path<String>, asked: Asked) -> Result<Response, Problem> {
    let ProcessView { process, name } = process_then(&app, &id, &asked).await?;
    Ok(asked.show(&views::process(&process, name), Some(process.version), None))
}

/// Runs a command on a process and answers the process.
async fn drive(app: App, id: String, what: model::Command, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        let mut fields = command.fields()?;
        let reason = fields.optional_text("reason", COMMENT_BYTES_MAX);
        let comment = fields.optional_text("comment", COMMENT_BYTES_MAX);
        fields.end()?;
        let note = reason.or(comment);
        let expected = command.asked.expected();
        let shown = |done: &interlink_runtime::Done<'_>, name| Answer {
            etag: tag(done.process.version),
            ..answer(StatusCode::OK, &views::process(done.process, name))
        };
        let id = process_id(&id)?;
        let done =
            app.engine.command(&command.caller, id, &what, note.as_deref(), expected, shown, command.permit).await;
        done.map_err(Problem::from)
    };
    let result = run.await;
    Command::finish(&app, permit, result).await
}

/// Begins a process.
#[utoipa::path(post, path = "/v1/processes/{id}/start", tag = "processes", params(("id" = String, Path)),
    responses((status = 200, body = views::ProcessBody), (status = 409, body = Problem)))]
pub async fn start(State(app): State<App>, Path(id): Path<String>, command: Command) -> Response {
    drive(app, id, model::Command::Start, command).await
}

/// Lets a process rest.
#[utoipa::path(post, path = "/v1/processes/{id}/suspend", tag = "processes", params(("id" = String, Path)),
    responses((status = 200, body = views::ProcessBody), (status = 409, body = Problem)))]
pub async fn suspend(State(app): State<App>, Path(id): Path<String>, command: Command) -> Response {
    drive(app, id, model::Command::Suspend, command).await
}

/// Lets a process go on.
#[utoipa::path(post, path = "/v1/processes/{id}/resume", tag = "processes", params(("id" = String, Path)),
    responses((status = 200, body = views::ProcessBody), (status = 409, body = Problem)))]
pub async fn resume(State(app): State<App>, Path(id): Path<String>, command: Command) -> Response {
    drive(app, id, model::Command::Resume, command).await
}

/// Gives a process up.
#[utoipa::path(post, path = "/v1/processes/{id}/cancel", tag = "processes", params(("id" = String, Path)),
    responses((status = 200, body = views::ProcessBody), (status = 409, body = Problem)))]
pub async fn cancel(State(app): State<App>, Path(id): Path<String>, command: Command) -> Response {
    drive(app, id, model::Command::Cancel, command).await
}

async fn set_archived(app: App, id: String, archived: bool, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        let mut fields = command.fields()?;
        let reason = fields.optional_text("reason", COMMENT_BYTES_MAX);
        fields.end()?;
        let shown = |done: &Done<'_>, name: Option<String>| Answer {
            etag: tag(done.process.version),
            ..answer(StatusCode::OK, &views::process(done.process, name))
        };
        let (id, reason, expected) = (process_id(&id)?, reason.as_deref(), command.asked.expected());
        let done =
            app.engine.set_archived(&command.caller, id, archived, reason, expected, shown, command.permit).await;
        done.map_err(Problem::from)
    };
    let result = run.await;
    Command::finish(&app, permit, result).await
}

/// Puts a process that was completed or cancelled away: it can be looked at, and nothing happens in it.
#[utoipa::path(post, path = "/v1/processes/{id}/archive", tag = "processes", params(("id" = String, Path)),
    responses((status = 200, body = views::ProcessBody), (status = 409, body = Problem)))]
pub async fn archive(State(app): State<App>, Path(id): Path<String>, command: Command) -> Response {
    set_archived(app, id, true, command).await
}

/// Brings an archived process back, as it was.
#[utoipa::path(post, path = "/v1/processes/{id}/unarchive", tag = "processes", params(("id" = String, Path)),
    responses((status = 200, body = views::ProcessBody), (status = 409, body = Problem)))]
pub async fn unarchive(State(app): State<App>, Path(id): Path<String>, command: Command) -> Response {
    set_archived(app, id, false, command).await
}

/// The tree of a process, with what is derived of every item.
#[utoipa::path(get, path = "/v1/processes/{id}/tree", tag = "processes",
    params(("id" = String, Path), ("lang" = Option<String>, Query), ("as_of" = Option<String>, Query)),
    responses((status = 200, description = "`{phases: [{objectives: [{tasks}]}]}`"), (status = 404, body = Problem)))]
pub async fn tree(State(app): State<App>, Path(id): Path<String>, asked: Asked) -> Result<Response, Problem> {
    let ProcessView { process, .. } = process_then(&app, &id, &asked).await?;
    let language = language_of(&process, &asked.wanted);
    Ok(asked.show(&views::tree(&process, &asked.wanted), Some(process.version), language.as_deref()))
}

/// The language in which a process's texts come.
pub fn language_of(process: &Process, wanted: &Wanted) -> Option<String> {
    let schema = &process.plan.schema;
    wanted.language(&schema.title, &schema.languages).map(str::to_owned)
}

/// What to do next, by whom, and what everything else waits for.
#[utoipa::path(get, path = "/v1/processes/{id}/guide", tag = "processes",
    params(("id" = String, Path), ("lang" = Option<String>, Query), ("as_of" = Option<String>, Query)),
    responses((status = 200, description = "`{next, waiting}`"), (status = 404, body = Problem)))]
pub async fn guide(State(app): State<App>, Path(id): Path<String>, asked: Asked) -> Result<Response, Problem> {
    let ProcessView { process, .. } = process_then(&app, &id, &asked).await?;
    let wanted = &asked.wanted;
    let guide = process.guide();
    let next = guide.next.iter().map(|next| {
        let outlined = &process.plan.outline.tasks[next.task];
        let mut shown = json!({
            "task": views::brief(&process, ItemRef::Task(next.task), wanted),
            "why": why(&process, &next.after, wanted),
            "roles": outlined.roles,
            "person": next.person.map(|person| person.to_string()),
            "recommendations": recommended(&app, &outlined.problem_profiles, wanted),
        });
        note_withdrawn(&mut shown, withdrawn(&app, &process, next.task));
        shown
    });
    let waiting = guide.waiting.iter().map(|waiting| {
        let items = waiting.for_items.iter().map(|item| views::brief(&process, *item, wanted));
        let mut shown = json!({
            "task": views::brief(&process, ItemRef::Task(waiting.task), wanted),
            "for": items.collect::<Vec<_>>(),
            "until": waiting.until.map(views::time),
        });
        note_withdrawn(&mut shown, withdrawn(&app, &process, waiting.task));
        shown
    });
    let mut body = json!({
        "process": {"id": process.id.to_string(), "status": process.status_word(), "progress": process.progress()},
        "next": next.collect::<Vec<_>>(),
        "waiting": waiting.collect::<Vec<_>>(),
    });
    if let Some(note) = note(&process) {
        body["note"] = Value::from(note);
    }
    let language = language_of(&process, wanted);
    Ok(asked.show(&body, Some(process.version), language.as_deref()))
}

/// Says of a task's entry which of its assets are of versions that were deprecated or revoked; nothing where none is.
fn note_withdrawn(entry: &mut Value, assets: Vec<Value>) {
    if !assets.is_empty() {
        entry["withdrawn"] = Value::Array(assets);
    }
}

/// Why a task can be done now.
fn why(process: &Process, after: &[ItemRef], wanted: &Wanted) -> String {
    if after.is_empty() {
        return "nothing is before it".into();
    }
    let names = after.iter().map(|item| match views::brief(process, *item, wanted).name {
        Value::String(name) => format!("`{name}`"),
        _ => format!("`{}`", process.plan.outline.id(*item).unwrap_or_default()),
    });
    let names: Vec<_> = names.collect();
    format!("{} {} finished", names.join(" and "), if names.len() == 1 { "is" } else { "are" })
}

/// What the process as a whole waits for.
fn note(process: &Process) -> Option<&'static str> {
    if process.archived_at.is_some() {
        return Some("the process is archived: bring it back before anything else");
    }
    match process.status {
        ProcessStatus::Created => Some("the process has not begun: start it"),
        ProcessStatus::Suspended => Some("the process rests: resume it"),
        ProcessStatus::Completed => Some("everything is done"),
        ProcessStatus::Cancelled => Some("the process was given up"),
        ProcessStatus::Running => None,
    }
}

/// The history of a process and its assets.
#[utoipa::path(get, path = "/v1/processes/{id}/events", tag = "processes",
    params(("id" = String, Path), ("after" = Option<String>, Query), ("cursor" = Option<String>, Query), ("limit" = Option<usize>, Query)),
    responses((status = 200, description = "`{items, next_cursor}`; an item of kind `HistoryLost` says which versions of its stream, `from` to `to`, were lost to damage: the stream goes on from its state there"), (status = 404, body = Problem)))]
pub async fn events(State(app): State<App>, Path(id): Path<String>, asked: Asked) -> Result<Response, Problem> {
    let id = process_id(&id)?;
    let limit = asked.limit()?;
    let list = format!("events:{id}");
    let after = match asked.query("after").or(asked.query("cursor")) {
        Some(cursor) => {
            let place: Result<[u8; 8], _> = app.cursors.read(&list, cursor)?.try_into();
            u64::from_be_bytes(place.map_err(|_| Problem::malformed("this cursor cannot be read"))?)
        }
        None => 0,
    };
    let engine = std::sync::Arc::clone(&app.engine);
    let reading = tokio::task::spawn_blocking(move || engine.events(id, after, limit + 1));
    let mut events = reading.await.map_err(|_| Problem::internal("the history could not be read"))??;
    let more = events.len() > limit;
    events.truncate(limit);
    let last = events.last().filter(|_| more).map(|event| event.position);
    let next = last.map(|position| app.cursors.make(&list, &position.to_be_bytes()));
    let items: Vec<_> = events.iter().map(views::event).collect();
    Ok(asked.show(&json!({"items": items, "next_cursor": next}), None, None))
}
