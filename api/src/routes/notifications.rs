//! What people are told, and what of it they have read.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use interlink_model::facts::TimerKind;
use interlink_model::process::TimerKey;
use interlink_model::schema::outline::ItemRef;
use interlink_runtime::notices::{Notice, Said};
use interlink_runtime::{Answer, MARKED_AT_ONCE_MAX, Marks};
use serde_json::{Value, json};

use super::keeping::place;
use crate::app::App;
use crate::language::Wanted;
use crate::problem::Problem;
use crate::request::{Asked, Command, Fields};
use crate::views;

/// Shows something that somebody was told.
fn notice(app: &App, notice: &Notice, is_read: bool, wanted: &Wanted) -> Value {
    let (kind, title, text) = match &notice.said {
        Said::Message { title, text } => ("message", title.clone(), text.clone()),
        Said::Withdrawn { version, how, reason } => {
            let interlinker = notice.interlinker.as_deref().unwrap_or_default();
            let title = format!("{interlinker} {version} was {}", how.as_str());
            (how.as_str(), Some(title), reason.clone())
        }
        Said::Unfinished { of, .. } => (of.as_str(), Some(notice.task.clone()), None),
    };
    let mut shown = json!({
        "id": notice.position.to_string(),
        "at": views::time(notice.at),
        "read": is_read,
        "kind": kind,
        "title": title,
        "text": text,
        "interlinker": notice.interlinker,
        "asset": notice.asset.map(|asset| asset.to_string()),
        "process": notice.process.to_string(),
        "task": notice.task,
    });
    if let Said::Unfinished { role, .. } = &notice.said {
        put_task(&mut shown, app, notice, wanted);
        shown["role"] = json!(role);
    }
    shown
}

/// Shows the task of which somebody was told as it is now: what it is called, and when it is due. One that is gone has its id.
fn put_task(shown: &mut Value, app: &App, notice: &Notice, wanted: &Wanted) {
    shown["due_at"] = Value::Null;
    let Ok(process) = app.engine.process(notice.process).map(|view| view.process) else { return };
    let Some(number) = process.plan.outline.task_index(&notice.task) else { return };
    shown["title"] = wanted.text(&process.plan.task(number).name, &process.plan.schema.languages);
    let due = TimerKey { item: Some(ItemRef::Task(number)), kind: TimerKind::Due, number: 0 };
    shown["due_at"] = json!(process.timers.get(&due).map(|timer| views::time(timer.due_at)));
}

/// What the caller was told, the newest first: by Interlinkers (`kind` is `message`); that the version on which an asset of a
/// process stands in which they take part was `deprecated` or `revoked`, with the reason as its text; that a task is not finished
/// (`reminder`, `escalation`), with when it is due (`due_at`) and the role to which it was escalated (`role`). `unread` says how
/// much of all of it they have not read, counted up to 1,000.
#[utoipa::path(get, path = "/v1/me/notifications", tag = "server",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "`{items: [{id, at, read, kind, title, text, interlinker, asset, process, task}], unread, next_cursor}`"),
        (status = 401, body = Problem)))]
pub async fn list(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    let limit = asked.limit()?;
    let caller = asked.known.caller(&app.engine).await?.clone();
    let list = format!("notifications:{}", caller.person);
    let before = place(&app, &asked, &list)?.map_or(u64::MAX, u64::from_be_bytes);
    let (read, wanted) = (app.clone(), asked.wanted.clone());
    let reading = tokio::task::spawn_blocking(move || {
        let (found, next) = read.engine.notices(&caller, before, limit)?;
        let shown = found.iter().map(|one| notice(&read, one, read.engine.is_read(&caller, one.position), &wanted));
        Ok::<_, interlink_runtime::Trouble>((shown.collect::<Vec<_>>(), next, read.engine.unread(&caller)))
    });
    let read = reading.await.map_err(|_| Problem::internal("the notifications could not be read"))?;
    let (items, next, unread) = read?;
    let next = next.map(|next| app.cursors.make(&list, &next.to_be_bytes()));
    Ok(asked.show(&json!({"items": items, "unread": unread, "next_cursor": next}), None, None))
}

/// Marks what the caller was told as read: everything up to one of it (`{"until": "ID"}`), or at most 100 of it
/// (`{"ids": ["ID"]}`). Doing it again changes nothing.
#[utoipa::path(post, path = "/v1/me/notifications/read", tag = "server", request_body = Object,
    responses((status = 204, description = "They are read"), (status = 401, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem)))]
pub async fn read(State(app): State<App>, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        let mut fields = command.fields()?;
        let marks = marks(&mut fields);
        fields.end()?;
        let (status, content_type) = (StatusCode::NO_CONTENT.as_u16(), "application/json".into());
        let answer = Answer { status, content_type, ..Answer::default() };
        app.engine.mark_read(&command.caller, marks, &answer, &command.permit).await?;
        Ok(answer)
    };
    let result: Result<_, Problem> = run.await;
    Command::finish(&app, permit, result).await
}

/// What is to be marked; whatever does not fit is noted.
fn marks(fields: &mut Fields) -> Marks {
    let position = |value: &Value| value.as_str().and_then(|id| id.parse().ok());
    match (fields.value("until"), fields.value("ids")) {
        (Some(until), None) => match position(&until) {
            Some(until) => return Marks::UpTo(until),
            None => fields.misfit("until", "is the id of a notification, such as \"1234\""),
        },
        (None, Some(ids)) => {
            let each = ids.as_array().filter(|ids| (1..=MARKED_AT_ONCE_MAX).contains(&ids.len()));
            match each.and_then(|each| each.iter().map(position).collect()) {
                Some(each) => return Marks::Each(each),
                None => fields.misfit("ids", &format!("is a list of 1 to {MARKED_AT_ONCE_MAX} ids of notifications")),
            }
        }
        _ => fields.misfit("until", "is the last that was read, and `ids` are those that were: one of the two is said"),
    }
    Marks::Each(Vec::new())
}
