//! Adoption: whether what was co-produced is used.

use axum::extract::{Path, State};
use axum::response::Response;
use interlink_model::process::Stage;
use interlink_model::service::Service;
use interlink_runtime::usage::adoption::is_stalled;
use interlink_runtime::usage::registry::UseFilter;
use interlink_runtime::usage::services::ServiceUse;
use interlink_runtime::{Engine, Outcome, ProcessView, Trouble};
use serde_json::{Value, json};

use super::processes::{process_id, process_of};
use crate::app::App;
use crate::problem::Problem;
use crate::request::Asked;

/// Reads off the asynchronous workers: it goes through many rows.
async fn blocking<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(read).await.map_err(|_| Problem::internal("adoption could not be read"))
}

/// The summary over all processes.
#[utoipa::path(get, path = "/v1/adoption", tag = "usage",
    responses((status = 200, description = "`{processes, tasks, people, uses}`")))]
pub async fn summary(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    let engine = std::sync::Arc::clone(&app.engine);
    let (adoption, services) = blocking(move || {
        let adoption = engine.adoption()?;
        let services = engine.services();
        let of = services.iter().map(|service| Ok((service.name.clone(), of_service(&engine, service)?)));
        let of: Outcome<serde_json::Map<String, Value>> = of.collect();
        Ok::<_, Trouble>((adoption, of?))
    })
    .await??;
    let total: u64 = adoption.uses.values().map(|counters| counters.total).sum();
    let by_interlinker = adoption.uses.iter().map(|(name, counters)| (name.clone(), json!(counters.total)));
    let by_interlinker: serde_json::Map<_, _> = by_interlinker.collect();
    let spoke = adoption.uses.iter().filter(|(_, counters)| !counters.by_word.is_empty());
    let by_word: serde_json::Map<_, _> =
        spoke.map(|(name, counters)| (name.clone(), json!(counters.by_word))).collect();
    let mut processes = json!(adoption.processes);
    processes["stalled"] = json!(adoption.processes_stalled);
    let body = json!({
        "processes": processes,
        "tasks": {"done": adoption.tasks_done, "open": adoption.tasks_open, "stalled": adoption.tasks_stalled},
        "people": {"active": adoption.people_active},
        "uses": {"total": total, "by_interlinker": by_interlinker, "by_word": by_word},
        "services": services,
    });
    Ok(asked.show(&body, None, None))
}

/// How a service is used at its door.
fn of_service(engine: &Engine, service: &Service) -> Outcome<Value> {
    let ServiceUse { uses, visitors, members } = engine.service_use(&service.name)?;
    Ok(json!({
        "status": service.status,
        "uses": {"total": uses.total, "anonymous": uses.anonymous, "by_action": uses.by_action, "by_outcome": uses.by_outcome},
        "people": {"active": visitors + members, "visitors": visitors, "members": members},
    }))
}

/// How a service is used by the people whom it serves: apart from the co-production of its process.
#[utoipa::path(get, path = "/v1/adoption/services/{name}", tag = "usage", params(("name" = String, Path)),
    responses((status = 200, description = "`{service, status, process, uses, people}`"), (status = 404, body = Problem)))]
pub async fn service(State(app): State<App>, Path(name): Path<String>, asked: Asked) -> Result<Response, Problem> {
    let service = app.engine.service(&name)?;
    let engine = std::sync::Arc::clone(&app.engine);
    let (process, read) = (service.process, blocking(move || of_service(&engine, &service)).await?);
    let mut body = read?;
    body["service"] = json!(name);
    body["process"] = json!(process.map(|process| process.to_string()));
    Ok(asked.show(&body, None, None))
}

/// The same of one process.
#[utoipa::path(get, path = "/v1/adoption/processes/{id}", tag = "usage", params(("id" = String, Path)),
    responses((status = 200, description = "`{status, tasks, people, uses}`"), (status = 404, body = Problem)))]
pub async fn process(State(app): State<App>, Path(id): Path<String>, asked: Asked) -> Result<Response, Problem> {
    let ProcessView { process, .. } = process_of(&app, &id)?;
    let id = process_id(&id)?;
    let engine = std::sync::Arc::clone(&app.engine);
    let filter = UseFilter { process: Some(id), in_process_only: true, ..UseFilter::default() };
    let (reach, people) = blocking(move || (engine.reach(&filter), engine.people_of(id))).await?;
    let reach = reach?;
    let mut people: std::collections::BTreeSet<_> = people?.into_iter().collect();
    people.extend(reach.people);
    let done = process.tasks.iter().filter(|task| task.stage == Stage::Completed).count();
    let open = process.tasks.iter().filter(|task| !task.stage.is_finished()).count();
    let stalled = is_stalled(process.status, process.touched_at, app.engine.now());
    let total: u64 = reach.uses.values().sum();
    let body = json!({
        "process": id.to_string(),
        "status": process.status.as_str(),
        "progress": process.progress(),
        "tasks": {"done": done, "open": open, "stalled": if stalled { open } else { 0 }},
        "people": {"active": people.len(), "anonymous": reach.pseudonyms.len()},
        "uses": {"total": total, "by_interlinker": reach.uses, "by_word": reach.words},
    });
    Ok(asked.show(&body, None, None))
}

/// Who uses an Interlinker, where and how often.
#[utoipa::path(get, path = "/v1/adoption/interlinkers/{name}", tag = "usage", params(("name" = String, Path)),
    responses((status = 200, description = "`{uses, people, processes}`"), (status = 404, body = Problem)))]
pub async fn interlinker(State(app): State<App>, Path(name): Path<String>, asked: Asked) -> Result<Response, Problem> {
    app.engine.interlinker(&name)?;
    let engine = std::sync::Arc::clone(&app.engine);
    let filter = UseFilter { interlinker: Some(name.clone()), ..UseFilter::default() };
    let reach = blocking(move || engine.reach(&filter)).await??;
    let body = json!({
        "interlinker": name,
        "uses": {"total": reach.uses.values().sum::<u64>(), "by_word": reach.words},
        "people": {"active": reach.people.len(), "anonymous": reach.pseudonyms.len()},
        "processes": {"total": reach.processes.len()},
    });
    Ok(asked.show(&body, None, None))
}
