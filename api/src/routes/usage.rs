//! The registry of usage.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use interlink_model::id::{AssetId, Micros, PersonId, ProcessId};
use interlink_runtime::usage::registry::{Use, UseFilter};
use serde_json::json;

use crate::app::App;
use crate::problem::Problem;
use crate::request::Asked;
use crate::views::{self, UseBody};

/// The columns of the CSV.
const COLUMNS: [&str; 15] = [
    "at",
    "actor",
    "kind",
    "interlinker",
    "version",
    "process",
    "phase",
    "objective",
    "task",
    "asset",
    "action",
    "outcome",
    "reason",
    "duration_ms",
    "service",
];

/// Every use of every Interlinker, in the order in which it happened.
#[utoipa::path(get, path = "/v1/usage", tag = "usage",
    params(("process" = Option<String>, Query), ("task" = Option<String>, Query), ("asset" = Option<String>, Query),
        ("interlinker" = Option<String>, Query), ("user" = Option<String>, Query), ("from" = Option<String>, Query),
        ("to" = Option<String>, Query), ("service" = Option<String>, Query), ("format" = Option<String>, Query), ("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "`{items, next_cursor}`, or CSV or NDJSON"), (status = 400, body = Problem)))]
pub async fn list(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    let Some(filter) = filter(&app, &asked)? else {
        return Ok(asked.show(&json!({"items": [], "next_cursor": null}), None, None));
    };
    let format = asked.query("format").unwrap_or("json").to_owned();
    if !["json", "csv", "ndjson"].contains(&format.as_str()) {
        return Err(Problem::malformed("`format` is json, csv or ndjson"));
    }
    let limit = asked.limit()?;
    let list = format!("usage:{filter:?}");
    let after = match asked.query("cursor") {
        Some(cursor) => {
            let place: Result<[u8; 8], _> = app.cursors.read(&list, cursor)?.try_into();
            u64::from_be_bytes(place.map_err(|_| Problem::malformed("this cursor cannot be read"))?)
        }
        None => 0,
    };
    let reader = app.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let page = reader.engine.uses(&filter, after, limit)?;
        let shown = |used: &Use| views::used(used, place_of(&reader, used));
        let items: Vec<_> = page.uses.iter().map(|(_, used)| shown(used)).collect();
        Ok::<_, interlink_runtime::Trouble>((items, page.next))
    });
    let (items, next) = reading.await.map_err(|_| Problem::internal("the registry could not be read"))??;
    let next = next.map(|position| app.cursors.make(&list, &position.to_be_bytes()));
    Ok(match format.as_str() {
        "csv" => exported("text/csv; charset=utf-8", csv(&items), next),
        "ndjson" => exported("application/x-ndjson", ndjson(&items), next),
        _ => asked.show(&json!({"items": items, "next_cursor": next}), None, None),
    })
}

/// The filter of a query; nothing where an id in it is none, and so nothing can fit.
fn filter(app: &App, asked: &Asked) -> Result<Option<UseFilter>, Problem> {
    let time = |name: &str| match asked.query(name) {
        Some(text) => match text.parse::<jiff::Timestamp>() {
            Ok(at) => Ok(Some(Micros(at.as_microsecond()))),
            Err(_) => Err(Problem::malformed(format!("`{name}` is a time such as 2027-01-31T12:00:00Z"))),
        },
        None => Ok(None),
    };
    let (from, to) = (time("from")?, time("to")?);
    let service = asked.query("service").map(str::to_owned);
    // All that was used at a service's door is in its process: nothing else has to be gone through.
    let of_service = service.as_ref().map(|name| app.engine.service(name).ok().and_then(|service| service.process));
    let process = match (asked.query("process").map(ProcessId::parse), of_service) {
        (Some(asked), Some(own)) if asked != own => Some(None),
        (asked, own) => asked.or(own),
    };
    let asset = asked.query("asset").map(AssetId::parse);
    let person = asked.query("user").map(PersonId::parse);
    if matches!(process, Some(None)) || matches!(asset, Some(None)) || matches!(person, Some(None)) {
        return Ok(None);
    }
    Ok(Some(UseFilter {
        process: process.flatten(),
        task: asked.query("task").map(str::to_owned),
        asset: asset.flatten(),
        interlinker: asked.query("interlinker").map(str::to_owned),
        person: person.flatten(),
        from,
        to,
        service,
        in_process_only: false,
    }))
}

/// Phase and objective of the task of a use, from the plan of its process.
fn place_of(app: &App, used: &Use) -> Option<(String, String)> {
    let process = app.engine.process(used.process).ok()?.process;
    let outline = &process.plan.outline;
    let task = &outline.tasks[outline.task_index(&used.task)?];
    Some((outline.phases[task.phase].id.clone(), outline.objectives[task.objective].id.clone()))
}

fn exported(content_type: &'static str, text: String, next: Option<String>) -> Response {
    let mut response = ([(header::CONTENT_TYPE, content_type)], text).into_response();
    if let Some(next) = next.and_then(|next| next.parse().ok()) {
        response.headers_mut().insert("next-cursor", next);
    }
    response
}

fn ndjson(items: &[UseBody]) -> String {
    items.iter().map(|item| serde_json::to_string(item).expect("a use encodes") + "\n").collect()
}

fn csv(items: &[UseBody]) -> String {
    let mut text = COLUMNS.join(",") + "\r\n";
    for item in items {
        let empty = String::new();
        let duration = item.duration_ms.to_string();
        let cells = [
            &item.at,
            &item.actor,
            item.kind,
            &item.interlinker.name,
            &item.interlinker.version,
            &item.process,
            item.phase.as_ref().unwrap_or(&empty),
            item.objective.as_ref().unwrap_or(&empty),
            &item.task,
            item.asset.as_ref().unwrap_or(&empty),
            item.action.as_ref().unwrap_or(&empty),
            item.outcome,
            item.reason.as_ref().unwrap_or(&empty),
            &duration,
            item.service.as_ref().unwrap_or(&empty),
        ];
        text += &cells.map(cell).join(",");
        text += "\r\n";
    }
    text
}

/// A cell of a CSV (RFC 4180). One that a spreadsheet would run as a formula gets an apostrophe in front.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_that_a_spreadsheet_would_run_is_text() {
        assert_eq!(cell("vote"), "vote");
        assert_eq!(cell("=1+1"), "'=1+1");
        assert_eq!(cell("@SUM(A1)"), "'@SUM(A1)");
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(cell("=a,b"), "\"'=a,b\"");
    }
}
