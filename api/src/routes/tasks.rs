//! Tasks: claimed, begun, done, reopened, left out; and what could help with them.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use interlink_model::facts::{Choice, Dates, ProcessEvent};
use interlink_model::process::{Command as Wish, Process, SetDates};
use interlink_model::schema::limits::{EXPRESSION_BYTES_MAX, RUNS_MAX};
use interlink_model::schema::outline::ItemRef;
use interlink_runtime::catalogue::Withdrawn;
use interlink_runtime::{Answer, Done, ProcessView};
use serde_json::{Value, json};

use super::processes::{COMMENT_BYTES_MAX, language_of, process_id, process_of, tag};
use crate::app::App;
use crate::language::Wanted;
use crate::problem::{Misfit, Problem};
use crate::request::{Asked, Command, Fields, answer};
use crate::views::{self, TaskBody};

/// Recommendations that the guide shows for a task.
const RECOMMENDATIONS_MAX: usize = 5;

/// The number of a task in a path.
pub fn task_number(process: &Process, task: &str) -> Result<usize, Problem> {
    process.plan.outline.task_index(task).ok_or_else(|| Problem::not_found("task", task))
}

/// A task.
#[utoipa::path(get, path = "/v1/processes/{id}/tasks/{task}", tag = "processes",
    params(("id" = String, Path), ("task" = String, Path)),
    responses((status = 200, body = TaskBody), (status = 404, body = Problem)))]
pub async fn get(
    State(app): State<App>,
    Path((id, task)): Path<(String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    let ProcessView { process, .. } = process_of(&app, &id)?;
    let number = task_number(&process, &task)?;
    let language = language_of(&process, &asked.wanted);
    let mut body = views::task(&process, number, &asked.wanted, true);
    body.withdrawn = withdrawn(&app, &process, number);
    Ok(asked.show(&body, Some(process.version), language.as_deref()))
}

/// Runs a command on a task or item; answers the task, or the item in short.
async fn drive(app: App, id: String, item: String, wish: fn(String) -> Wish, command: Command) -> Response {
    drive_with(app, id, item, |_| (), |item, ()| Ok(wish(item)), command).await
}

/// The same for a command that has fields of its own.
async fn drive_with<T>(
    app: App,
    id: String,
    item: String,
    read: impl FnOnce(&mut Fields) -> T,
    wish: impl FnOnce(String, T) -> Result<Wish, Problem>,
    command: Command,
) -> Response {
    let permit = command.permit.clone();
    let run = async {
        let mut fields = command.fields()?;
        let own = read(&mut fields);
        let comment = fields.optional_text("comment", COMMENT_BYTES_MAX);
        let reason = fields.optional_text("reason", COMMENT_BYTES_MAX);
        fields.end()?;
        let note = comment.or(reason);
        let id = process_id(&id)?;
        let wanted = command.asked.wanted.clone();
        let shown = |done: &Done<'_>, _: Option<String>| {
            let etag = tag(done.process.version);
            Answer { etag, ..answer(StatusCode::OK, &shown(done, &item, &wanted)) }
        };
        let expected = command.asked.expected();
        let wish = wish(item.clone(), own)?;
        let done =
            app.engine.command(&command.caller, id, &wish, note.as_deref(), expected, shown, command.permit).await;
        done.map_err(Problem::from)
    };
    let result = run.await;
    Command::finish(&app, permit, result).await
}

fn shown(done: &Done<'_>, item: &str, wanted: &Wanted) -> Value {
    let process = done.process;
    let Some(number) = process.plan.outline.task_index(item) else {
        let found = process.plan.outline.item(item);
        return json!(found.map(|item| views::brief(process, item, wanted)));
    };
    let mut task = views::task(process, number, wanted, false);
    for event in done.events {
        if let ProcessEvent::TaskReopened(reopened) = event {
            let held_up = reopened.held_up.iter().filter_map(|task| process.plan.outline.task_index(task));
            task.held_up = held_up.map(|task| views::brief(process, ItemRef::Task(task), wanted)).collect();
        }
    }
    json!(task)
}

/// Takes a task.
#[utoipa::path(post, path = "/v1/processes/{id}/tasks/{task}/claim", tag = "processes",
    params(("id" = String, Path), ("task" = String, Path)),
    responses((status = 200, body = TaskBody), (status = 409, body = Problem)))]
pub async fn claim(State(app): State<App>, Path((id, task)): Path<(String, String)>, command: Command) -> Response {
    drive(app, id, task, Wish::Claim, command).await
}

/// Gives a task back.
#[utoipa::path(post, path = "/v1/processes/{id}/tasks/{task}/release", tag = "processes",
    params(("id" = String, Path), ("task" = String, Path)),
    responses((status = 200, body = TaskBody), (status = 409, body = Problem)))]
pub async fn release(State(app): State<App>, Path((id, task)): Path<(String, String)>, command: Command) -> Response {
    drive(app, id, task, Wish::Release, command).await
}

/// Begins work on a task.
#[utoipa::path(post, path = "/v1/processes/{id}/tasks/{task}/start", tag = "processes",
    params(("id" = String, Path), ("task" = String, Path)),
    responses((status = 200, body = TaskBody), (status = 409, body = Problem)))]
pub async fn start(State(app): State<App>, Path((id, task)): Path<(String, String)>, command: Command) -> Response {
    drive(app, id, task, Wish::StartTask, command).await
}

/// Says that a task is done.
#[utoipa::path(post, path = "/v1/processes/{id}/tasks/{task}/complete", tag = "processes",
    params(("id" = String, Path), ("task" = String, Path)),
    responses((status = 200, body = TaskBody), (status = 409, body = Problem)))]
pub async fn complete(State(app): State<App>, Path((id, task)): Path<(String, String)>, command: Command) -> Response {
    drive(app, id, task, Wish::Complete, command).await
}

/// Says that a completed task has work again; the answer names the tasks behind it that this holds up.
#[utoipa::path(post, path = "/v1/processes/{id}/tasks/{task}/reopen", tag = "processes",
    params(("id" = String, Path), ("task" = String, Path)),
    responses((status = 200, body = TaskBody), (status = 409, body = Problem)))]
pub async fn reopen(State(app): State<App>, Path((id, task)): Path<(String, String)>, command: Command) -> Response {
    drive(app, id, task, Wish::Reopen, command).await
}

/// Tries a task that failed again.
#[utoipa::path(post, path = "/v1/processes/{id}/tasks/{task}/retry", tag = "processes",
    params(("id" = String, Path), ("task" = String, Path)),
    responses((status = 200, body = TaskBody), (status = 409, body = Problem)))]
pub async fn retry(State(app): State<App>, Path((id, task)): Path<(String, String)>, command: Command) -> Response {
    drive(app, id, task, Wish::RetryTask, command).await
}

/// Votes on a task of kind `approval`: `{choice: "approve" | "reject" | "abstain" | "veto", comment?}`.
#[utoipa::path(post, path = "/v1/processes/{id}/tasks/{task}/vote", tag = "processes", request_body = Object,
    params(("id" = String, Path), ("task" = String, Path)),
    responses((status = 200, body = TaskBody), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn vote(State(app): State<App>, Path((id, task)): Path<(String, String)>, command: Command) -> Response {
    let read = |fields: &mut Fields| {
        let choice = fields.text("choice", 16);
        let found = Choice::NAMES.into_iter().find(|(name, _)| *name == choice);
        if found.is_none() && !choice.is_empty() {
            fields.misfit("choice", "is `approve`, `reject`, `abstain` or `veto`");
        }
        found.map_or(Choice::Abstain, |(_, choice)| choice)
    };
    drive_with(app, id, task, read, |task, choice| Ok(Wish::Vote { task, choice }), command).await
}

/// Gives an item other dates: `{opens?, closes?, due?, every?, misfire?, until?, times?, reason?}`. What is left out is as
/// the schema says.
#[utoipa::path(patch, path = "/v1/processes/{id}/items/{item}", tag = "processes", request_body = Object,
    params(("id" = String, Path), ("item" = String, Path)),
    responses((status = 200, description = "The item"), (status = 409, body = Problem), (status = 422, body = Problem)))]
pub async fn reschedule(
    State(app): State<App>,
    Path((id, item)): Path<(String, String)>,
    command: Command,
) -> Response {
    let read = |fields: &mut Fields| Dates {
        opens: fields.optional_text("opens", EXPRESSION_BYTES_MAX),
        closes: fields.optional_text("closes", EXPRESSION_BYTES_MAX),
        due: fields.optional_text("due", EXPRESSION_BYTES_MAX),
        every: fields.optional_text("every", EXPRESSION_BYTES_MAX),
        misfire: fields.optional_text("misfire", EXPRESSION_BYTES_MAX),
        until: fields.optional_text("until", EXPRESSION_BYTES_MAX),
        times: match fields.value("times") {
            None | Some(Value::Null) => None,
            Some(value) => {
                let times = value.as_u64().and_then(|times| u32::try_from(times).ok());
                let times = times.filter(|times| (1..=RUNS_MAX).contains(times));
                if times.is_none() {
                    fields.misfit("times", &format!("is a whole number from 1 to {RUNS_MAX}"));
                }
                times
            }
        },
    };
    let wish = |item, dates: Dates| match SetDates::read(&dates) {
        Ok(dates) => Ok(Wish::Reschedule { item, dates: Box::new(dates) }),
        Err(error) => Err(Problem::invalid(vec![Misfit::new(format!("/{}", error.key), error.reason)])),
    };
    drive_with(app, id, item, read, wish, command).await
}

/// Leaves an item and what is left below it out.
#[utoipa::path(post, path = "/v1/processes/{id}/items/{item}/skip", tag = "processes",
    params(("id" = String, Path), ("item" = String, Path)),
    responses((status = 200, description = "The item"), (status = 409, body = Problem)))]
pub async fn skip(State(app): State<App>, Path((id, item)): Path<(String, String)>, command: Command) -> Response {
    drive(app, id, item, Wish::Skip, command).await
}

/// Takes an item that was left out in again.
#[utoipa::path(post, path = "/v1/processes/{id}/items/{item}/restore", tag = "processes",
    params(("id" = String, Path), ("item" = String, Path)),
    responses((status = 200, description = "The item"), (status = 409, body = Problem)))]
pub async fn restore(State(app): State<App>, Path((id, item)): Path<(String, String)>, command: Command) -> Response {
    drive(app, id, item, Wish::Restore, command).await
}

/// Interlinkers that address a task's problems, best first.
#[utoipa::path(get, path = "/v1/processes/{id}/tasks/{task}/recommendations", tag = "processes",
    params(("id" = String, Path), ("task" = String, Path)),
    responses((status = 200, description = "`{items: [{interlinker, score, because}]}`"), (status = 404, body = Problem)))]
pub async fn recommendations(
    State(app): State<App>,
    Path((id, task)): Path<(String, String)>,
    asked: Asked,
) -> Result<Response, Problem> {
    let ProcessView { process, .. } = process_of(&app, &id)?;
    let number = task_number(&process, &task)?;
    let items = scored(&app, &process.plan.outline.tasks[number].problem_profiles, &asked.wanted);
    Ok(asked.show(&json!({"items": items, "next_cursor": null}), None, None))
}

/// Assets on a task whose Interlinker was deprecated or revoked since.
pub fn withdrawn(app: &App, process: &Process, task: usize) -> Vec<Value> {
    let assets = app.engine.withdrawn_on(process, task).into_iter();
    let shown = assets.map(|view| views::asset(&view));
    shown
        .map(|asset| json!({"asset": asset["id"], "name": asset["name"], "interlinker": asset["interlinker"]}))
        .collect()
}

/// The best few for the guide.
pub fn recommended(app: &App, problems: &[String], wanted: &Wanted) -> Vec<Value> {
    let mut all = scored(app, problems, wanted);
    all.truncate(RECOMMENDATIONS_MAX);
    all
}

/// Joins a task's problems with those that Interlinkers address. The score is the share of the task's problems that an
/// Interlinker addresses; among equals the name decides, so that the order is the same every time.
fn scored(app: &App, problems: &[String], wanted: &Wanted) -> Vec<Value> {
    if problems.is_empty() {
        return Vec::new();
    }
    let mut catalogue = app.engine.interlinkers();
    catalogue.retain(|version| version.withdrawn() != Some(Withdrawn::Revoked));
    let mut found: Vec<_> = catalogue
        .iter()
        .filter_map(|version| {
            let addressed = version.problem_profiles();
            let because: Vec<_> = problems.iter().filter(|problem| addressed.contains(problem)).cloned().collect();
            let score = because.len() as f64 / problems.len() as f64;
            (!because.is_empty()).then_some((version, score, because))
        })
        .collect();
    found.sort_by(|(one, score, _), (other, than, _)| {
        than.total_cmp(score).then_with(|| one.reference.name.cmp(&other.reference.name))
    });
    let shown = found.into_iter().map(|(version, score, because)| {
        let entry = views::interlinker(version, wanted);
        let mut shown = json!({
            "interlinker": {"name": entry["name"], "version": entry["version"], "title": entry["title"], "nature": entry["nature"]},
            "score": score,
            "because": because,
        });
        views::put_withdrawal(&mut shown["interlinker"], version.withdrawal.as_ref());
        shown
    });
    shown.collect()
}
