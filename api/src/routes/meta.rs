//! The server itself: health, metrics, documentation. No token.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde_json::json;

use crate::app::App;

/// Whether the process lives.
#[utoipa::path(get, path = "/healthz", tag = "server", responses((status = 200, description = "It does")))]
pub async fn healthz() -> impl IntoResponse {
    axum::Json(json!({"status": "ok"}))
}

/// Whether it takes requests: recovery has ended before it listens.
#[utoipa::path(get, path = "/readyz", tag = "server", responses((status = 200, description = "It does")))]
pub async fn readyz(State(app): State<App>) -> impl IntoResponse {
    let (processes, position) = app.engine.size();
    let read_only = app.engine.read_only();
    let status = if read_only.is_some() { "read_only" } else { "ready" };
    axum::Json(
        json!({"status": status, "processes": processes, "position": position, "read_only": read_only.as_deref()}),
    )
}

/// Figures for a monitoring system, in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "server", responses((status = 200, description = "Figures", content_type = "text/plain")))]
pub async fn metrics(State(app): State<App>) -> impl IntoResponse {
    let (processes, position) = app.engine.size();
    let opened = app.engine.opened();
    let figures = [
        ("interlink_processes", "gauge", "Processes that exist", processes as u64),
        ("interlink_journal_position", "counter", "Position of the last durable record", position),
        ("interlink_state_position", "counter", "Position that the state has taken in", app.engine.state_position()),
        ("interlink_replayed_records", "gauge", "Records that the last start replayed", opened.replayed),
        ("interlink_journal_damage", "gauge", "Places found damaged at the last start", opened.damaged as u64),
        ("interlink_read_only", "gauge", "1 while nothing is taken", u64::from(app.engine.read_only().is_some())),
        ("interlink_uses_not_recorded", "counter", "Views whose record could not be written", app.engine.uses_lost()),
    ];
    let text = figures
        .map(|(name, kind, help, value)| format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"));
    let interlinkers = super::figures::of_interlinkers(&app.engine.tallies(), &app.engine.host().loads());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text.concat() + &interlinkers)
}

/// A page that lists the routes.
#[utoipa::path(get, path = "/docs", tag = "server", responses((status = 200, description = "HTML", content_type = "text/html")))]
pub async fn docs() -> impl IntoResponse {
    let page = include_str!("docs.html");
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page)
}
