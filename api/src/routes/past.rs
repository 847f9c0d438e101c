//! Looking back: what has changed between two moments, and a new beginning from one.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use interlink_model::process::Process;
use interlink_model::schema::outline::ItemRef;
use interlink_runtime::{Answer, AsOf, Diff, Fork, Happened};
use serde_json::{Value, json};

use super::processes::{NAME_BYTES_MAX, as_of, moment, process_id, tag};
use crate::app::App;
use crate::problem::Problem;
use crate::request::{Asked, Command, answer};
use crate::views;

/// What has changed in a process between two moments, and who did it. Without `to`, until now.
#[utoipa::path(get, path = "/v1/processes/{id}/diff", tag = "processes",
    params(("id" = String, Path), ("from" = String, Query), ("to" = Option<String>, Query)),
    responses((status = 200, description = "`{from, to, changes: [{item, field, before, after, by: [{actor, at, kind}]}]}`"),
        (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn diff(State(app): State<App>, Path(id): Path<String>, asked: Asked) -> Result<Response, Problem> {
    let id = process_id(&id)?;
    let Some(from) = as_of(&asked, "from")? else {
        return Err(Problem::malformed("`from` says since when: a version, or a time"));
    };
    let to = as_of(&asked, "to")?.unwrap_or(AsOf::Time(app.engine.now()));
    let engine = std::sync::Arc::clone(&app.engine);
    let reading = tokio::task::spawn_blocking(move || engine.diff(id, from, to));
    let diff = reading.await.map_err(|_| Problem::internal("the history could not be read"))??;
    Ok(asked.show(&shown(&diff), None, None))
}

fn shown(diff: &Diff) -> Value {
    let mut changes = process_changes(diff);
    changes.extend(data_changes(diff));
    changes.extend(task_changes(diff));
    changes.extend(asset_changes(diff));
    let end = |process: &Process| json!({"version": process.version, "at": views::time(process.touched_at)});
    json!({"from": end(&diff.from), "to": end(&diff.to), "changes": changes})
}

/// Who did what to something, in order.
fn by(events: &[Happened], concerns: impl Fn(&Happened) -> bool) -> Vec<Value> {
    let found = events.iter().filter(|event| concerns(event));
    let shown = found.map(|event| {
        let mut shown =
            json!({"actor": event.stamp.actor.to_string(), "at": views::time(event.stamp.at), "kind": event.kind});
        for said in ["comment", "reason"] {
            if let Value::String(text) = &event.data[said] {
                shown[said] = Value::from(text.as_str());
            }
        }
        shown
    });
    shown.collect()
}

fn process_changes(diff: &Diff) -> Vec<Value> {
    let (from, to) = (&diff.from, &diff.to);
    let version = |process: &Process| {
        let schema = process.plan.reference();
        format!("{}@{}", schema.name, schema.version)
    };
    let fields = [
        ("status", json!(from.status.as_str()), json!(to.status.as_str())),
        ("schema", json!(version(from)), json!(version(to))),
    ];
    let changed = fields.into_iter().filter(|(_, before, after)| before != after);
    let of_process = |event: &Happened| event.kind.starts_with("Process");
    changed
        .map(|(field, before, after)| {
            json!({"item": null, "field": field, "before": before, "after": after, "by": by(&diff.events, of_process)})
        })
        .collect()
}

fn data_changes(diff: &Diff) -> Vec<Value> {
    let [before, after] = &diff.data;
    let mut names: Vec<_> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    let set = |event: &Happened| event.kind == "DataSet";
    let shown = changed.map(|name| {
        let field = format!("data.{name}");
        json!({"item": null, "field": field, "before": before.get(name), "after": after.get(name), "by": by(&diff.events, set)})
    });
    shown.collect()
}

fn task_changes(diff: &Diff) -> Vec<Value> {
    let ids = |process: &Process| process.plan.outline.tasks.iter().map(|task| task.id.clone()).collect::<Vec<_>>();
    let mut all = ids(&diff.from);
    all.extend(ids(&diff.to).into_iter().filter(|id| diff.from.plan.outline.task_index(id).is_none()));
    let mut changes = Vec::new();
    for id in all {
        let look = |process: &Process| {
            let number = process.plan.outline.task_index(&id)?;
            let due = process.timer(ItemRef::Task(number), interlink_model::facts::TimerKind::Due);
            Some([
                ("status", json!(process.task_status(number).as_str())),
                ("assignee", json!(process.tasks[number].stage.person().map(|person| person.to_string()))),
                ("due_at", json!(due.map(|timer| views::time(timer.due_at)))),
                ("vote", json!(process.vote(number).map(|vote| vote.tally().total()))),
            ])
        };
        let fields = ["status", "assignee", "due_at", "vote"];
        let (before, after) = (look(&diff.from), look(&diff.to));
        for (number, field) in fields.into_iter().enumerate() {
            let value = |of: &Option<[(&str, Value); 4]>| of.as_ref().map_or(Value::Null, |all| all[number].1.clone());
            let (before, after) = (value(&before), value(&after));
            if before != after {
                let concerns = |event: &Happened| event.data["task"] == json!(id) || event.data["item"] == json!(id);
                changes.push(json!({
                    "item": id, "field": field, "before": before, "after": after, "by": by(&diff.events, concerns),
                }));
            }
        }
    }
    changes
}

fn asset_changes(diff: &Diff) -> Vec<Value> {
    let (from, to) = (&diff.from.assets, &diff.to.assets);
    let task = |process: &Process, task: u32| process.plan.outline.tasks[task as usize].id.clone();
    let mut changes = Vec::new();
    let mut ids: Vec<_> = from.keys().chain(to.keys()).copied().collect();
    ids.sort();
    ids.dedup();
    for id in ids {
        let concerns = |event: &Happened| event.stream.id == id.bytes() || event.data["asset"] == json!(id.to_string());
        let by = by(&diff.events, concerns);
        let before = from.get(&id).map(|held| held.interlinker.clone());
        let after = to.get(&id).map(|held| held.interlinker.clone());
        if by.is_empty() && before == after {
            continue;
        }
        let item = to.get(&id).map(|held| task(&diff.to, held.task));
        let item = item.or_else(|| from.get(&id).map(|held| task(&diff.from, held.task)));
        changes.push(json!({"item": item, "field": format!("asset.{id}"), "before": before, "after": after, "by": by}));
    }
    changes
}

/// Makes a process that begins where another was: `{as_of, name, assets?}`. Its assets go along as they were then, with their
/// state, alarms and blobs, unless `assets` is false.
#[utoipa::path(post, path = "/v1/processes/{id}/fork", tag = "processes", request_body = Object,
    params(("id" = String, Path)),
    responses((status = 201, body = views::ProcessBody), (status = 404, body = Problem), (status = 409, body = Problem),
        (status = 413, body = Problem), (status = 422, body = Problem)))]
pub async fn fork(State(app): State<App>, Path(id): Path<String>, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        let mut fields = command.fields()?;
        let at = match fields.value("as_of") {
            Some(Value::Number(version)) => version.as_u64().map(AsOf::Version),
            Some(Value::String(text)) => moment("as_of", &text).ok(),
            None => Some(AsOf::Time(app.engine.now())),
            _ => None,
        };
        if at.is_none() {
            fields.misfit("as_of", "is a version such as 7, or a time such as 2027-05-01T09:00:00Z");
        }
        let name = fields.text("name", NAME_BYTES_MAX);
        let assets = match fields.value("assets") {
            None | Some(Value::Null) => true,
            Some(Value::Bool(assets)) => assets,
            Some(_) => {
                fields.misfit("assets", "says with true or false whether assets are copied");
                true
            }
        };
        fields.end()?;
        let id = process_id(&id)?;
        let shown = |process: &Process, name: &str| Answer {
            location: Some(format!("/v1/processes/{}", process.id)),
            etag: tag(process.version),
            ..answer(StatusCode::CREATED, &views::process(process, Some(name.into())))
        };
        let fork = Fork { at: at.unwrap_or(AsOf::Version(0)), name, assets };
        let made = app.engine.fork(&command.caller, id, fork, shown, command.permit).await;
        made.map_err(Problem::from)
    };
    let result = run.await;
    Command::finish(&app, permit, result).await
}
