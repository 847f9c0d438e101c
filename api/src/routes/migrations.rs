//! Moving processes to another schema: a plan first, one or many, and the way back.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use interlink_model::id::ProcessId;
use interlink_model::process::{Command as Wish, Mapping, MigrationPlan, Process, ProcessStatus};
use interlink_runtime::catalogue::SchemaVersion;
use interlink_runtime::{Answer, Done, Permit, Trouble};
use serde_json::{Value, json};

use super::processes::{COMMENT_BYTES_MAX, NAME_BYTES_MAX, process_id, process_of, tag};
use crate::app::App;
use crate::problem::Problem;
use crate::request::{Command, Fields, answer};
use crate::views;

/// Processes that are moved by one request.
pub const MOVED_MAX: usize = 1_000;

fn shown(plan: &MigrationPlan) -> Value {
    let removed = plan
        .removed
        .iter()
        .map(|removed| json!({"item": removed.id, "work": removed.work, "becomes": removed.becomes}));
    let changed = plan.changed.iter().map(|changed| json!({"item": changed.id, "what": changed.what}));
    json!({
        "from": plan.from,
        "to": plan.to,
        "added": plan.added,
        "removed": removed.collect::<Vec<_>>(),
        "changed": changed.collect::<Vec<_>>(),
        "kept": plan.kept,
        "refused": plan.refused,
    })
}

/// What the body of a move says.
struct Asked {
    version: SchemaVersion,
    mapping: Mapping,
    dry_run: bool,
    reason: Option<String>,
}

fn asked(app: &App, mut fields: Fields, schema: Option<String>) -> Result<Asked, Problem> {
    let named = match schema {
        Some(name) => name,
        None => fields.text("schema", NAME_BYTES_MAX),
    };
    let version = fields.optional_text("version", NAME_BYTES_MAX);
    let mapping = mapping(&mut fields);
    let dry_run = match fields.value("dry_run") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(dry_run)) => dry_run,
        Some(_) => {
            fields.misfit("dry_run", "is true or false");
            false
        }
    };
    let reason = fields.optional_text("reason", COMMENT_BYTES_MAX);
    fields.end()?;
    let wanted = match &version {
        Some(version) => format!("{}@{version}", named.split('@').next().unwrap_or_default()),
        None => named,
    };
    let version = app.engine.schema(&wanted);
    let version = version.map_err(|_| Trouble::Names { what: "schema", id: wanted, pointer: "/schema".into() })?;
    Ok(Asked { version, mapping, dry_run, reason })
}

/// `{task: task | null}`.
fn mapping(fields: &mut Fields) -> Mapping {
    let Some(value) = fields.value("mapping").filter(|value| !value.is_null()) else { return Mapping::new() };
    let entries = value.as_object().map(|entries| {
        let read = |(from, to): (&String, &Value)| match to {
            Value::Null => Some((from.clone(), None)),
            Value::String(to) => Some((from.clone(), Some(to.clone()))),
            _ => None,
        };
        entries.iter().map(read).collect::<Option<Mapping>>()
    });
    entries.flatten().unwrap_or_else(|| {
        fields.misfit("mapping", "is an object from ids of tasks to ids of tasks, or to null where work is set aside");
        Mapping::new()
    })
}

fn moved(done: &Done<'_>, name: Option<String>) -> Answer {
    Answer { etag: tag(done.process.version), ..answer(StatusCode::OK, &views::process(done.process, name)) }
}

/// Moves a process to another schema: `{schema, version?, dry_run?, mapping?, reason?}`. With `dry_run` only the plan is
/// answered: `{from, to, added, removed, changed, kept, refused}`.
#[utoipa::path(post, path = "/v1/processes/{id}/migrate", tag = "processes", request_body = Object,
    params(("id" = String, Path)),
    responses((status = 200, body = views::ProcessBody), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn migrate(State(app): State<App>, Path(id): Path<String>, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        let Asked { version, mapping, dry_run, reason } = asked(&app, command.fields()?, None)?;
        let process = process_of(&app, &id)?.process;
        if dry_run {
            return Ok(answer(StatusCode::OK, &shown(&process.plan_migration(&version.plan, &mapping))));
        }
        let wish = Wish::Migrate { plan: version.plan, mapping };
        let expected = command.asked.expected();
        let done =
            app.engine.command(&command.caller, process.id, &wish, reason.as_deref(), expected, moved, command.permit);
        done.await.map_err(Problem::from)
    };
    let result = run.await;
    Command::finish(&app, permit, result).await
}

/// Takes the last move of a process back; `mapping` says what becomes of work that has come since.
#[utoipa::path(post, path = "/v1/processes/{id}/migrate/undo", tag = "processes", request_body = Object,
    params(("id" = String, Path)),
    responses((status = 200, body = views::ProcessBody), (status = 409, body = Problem)))]
pub async fn undo(State(app): State<App>, Path(id): Path<String>, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        let mut fields = command.fields()?;
        let mapping = mapping(&mut fields);
        let reason = fields.optional_text("reason", COMMENT_BYTES_MAX);
        fields.end()?;
        let id = process_id(&id)?;
        let process = app.engine.process(id)?.process;
        // A process that was never moved is refused by its rule, on whatever schema.
        let plan = match &process.moved {
            Some(moved) => app.engine.schema(&format!("{}@{}", moved.from.name, moved.from.version))?.plan,
            None => std::sync::Arc::clone(&process.plan),
        };
        let wish = Wish::MigrateBack { plan, mapping };
        let expected = command.asked.expected();
        let done = app.engine.command(&command.caller, id, &wish, reason.as_deref(), expected, moved, command.permit);
        done.await.map_err(Problem::from)
    };
    let result = run.await;
    Command::finish(&app, permit, result).await
}

/// Moves all processes of a schema that go on to one of its versions, at most 1,000 in one request: `{version?, dry_run?,
/// mapping?, reason?, after?}`. Each is moved or left as it is; the answer says which, and why. Where there are more, `next` is
/// the `after` of the next request: those that cannot be moved are not in the way of the rest.
#[utoipa::path(post, path = "/v1/schemas/{name}/migrate", tag = "schemas", request_body = Object,
    params(("name" = String, Path)),
    responses((status = 200, description = "`{moved: [id], refused: [{process, why}], more, next}`"), (status = 403, body = Problem),
        (status = 422, body = Problem)))]
pub async fn migrate_all(State(app): State<App>, Path(name): Path<String>, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        command.asked.known.operator("moving all processes of a schema")?;
        if app.engine.schema_versions(&name).is_empty() {
            return Err(Problem::not_found("schema", &name));
        }
        let mut fields = command.fields()?;
        let after = fields.optional_text("after", NAME_BYTES_MAX);
        let after = after.map(|after| {
            ProcessId::parse(&after).unwrap_or_else(|| {
                fields.misfit("after", "is the id of a process: the `next` of the request before");
                ProcessId::from_bytes([0; 16])
            })
        });
        let Asked { version, mapping, dry_run, reason } = asked(&app, fields, Some(name.clone()))?;
        let to = version.plan.schema.digest.clone();
        let mut candidates = candidates(&app, &name, &to, after).await?;
        let more = candidates.len() > MOVED_MAX;
        candidates.truncate(MOVED_MAX);
        let next = candidates.last().filter(|_| more).map(ToString::to_string);
        let (mut done, mut refused) = (Vec::new(), Vec::new());
        for id in candidates {
            let why = if dry_run {
                let plan = app.engine.process(id)?.process.plan_migration(&version.plan, &mapping);
                (!plan.refused.is_empty()).then(|| plan.refused.join("; "))
            } else {
                let wish = Wish::Migrate { plan: std::sync::Arc::clone(&version.plan), mapping: mapping.clone() };
                let moved = |done: &Done<'_>, _: Option<String>| answer(StatusCode::OK, &json!(done.process.version));
                let moving =
                    app.engine.command(&command.caller, id, &wish, reason.as_deref(), None, moved, Permit::default());
                moving.await.err().map(|trouble| trouble.to_string())
            };
            match why {
                None => done.push(id.to_string()),
                Some(why) => refused.push(json!({"process": id.to_string(), "why": why})),
            }
        }
        let told = json!({"moved": done, "refused": refused, "more": more, "next": next, "dry_run": dry_run});
        Ok(answer(StatusCode::OK, &told))
    };
    let result = run.await;
    Command::finish(&app, permit, result).await
}

/// Processes of other versions of a schema that go on, those after one; one more than are moved at once, where there are.
async fn candidates(app: &App, name: &str, to: &str, mut after: Option<ProcessId>) -> Result<Vec<ProcessId>, Problem> {
    let (engine, name, to) = (std::sync::Arc::clone(&app.engine), name.to_owned(), to.to_owned());
    let reading = tokio::task::spawn_blocking(move || {
        let goes_on =
            |process: &Process| !matches!(process.status, ProcessStatus::Completed | ProcessStatus::Cancelled);
        let mut found = Vec::new();
        loop {
            let ids = engine.process_ids(after, 1_000)?;
            let Some(last) = ids.last().copied() else { return Ok(found) };
            after = Some(last);
            for id in ids {
                let view = match engine.process(id) {
                    Ok(view) => view,
                    Err(trouble @ Trouble::Unread(_)) => return Err(trouble),
                    Err(_) => continue,
                };
                let schema = &view.process.plan.schema;
                if schema.name == name && schema.digest != to && goes_on(&view.process) {
                    found.push(id);
                }
                if found.len() > MOVED_MAX {
                    return Ok(found);
                }
            }
        }
    });
    Ok(reading.await.map_err(|_| Problem::internal("the processes could not be read"))??)
}
