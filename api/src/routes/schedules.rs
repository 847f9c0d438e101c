//! What a schedule comes to, before anybody depends on it.

use axum::extract::State;
use axum::response::Response;
use interlink_model::id::Micros;
use interlink_model::time::cron::Cron;
use interlink_model::time::zone::Zone;
use serde_json::{Value, json};

use crate::app::App;
use crate::problem::{Misfit, Problem};
use crate::request::Asked;
use crate::views;

/// Runs that a preview shows at most.
pub const PREVIEW_MAX: usize = 1_000;
/// Runs that it shows where nobody says how many.
const PREVIEWED: usize = 5;

/// The next runs of a schedule in a zone.
#[utoipa::path(get, path = "/v1/schedules/preview", tag = "processes",
    params(("cron" = String, Query), ("zone" = Option<String>, Query), ("from" = Option<String>, Query),
        ("count" = Option<usize>, Query)),
    responses((status = 200, description = "`{items: [{at, local}]}`"), (status = 422, body = Problem)))]
pub async fn preview(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    let Some(cron) = asked.query("cron") else {
        return Err(Problem::malformed("`cron` says which schedule is meant, such as `0 9 1 * *`"));
    };
    let from = match asked.query("from") {
        None => app.engine.now(),
        Some(text) => {
            instant(text).ok_or_else(|| Problem::malformed("`from` is a time such as 2027-05-01T09:00:00Z"))?
        }
    };
    let count = match asked.query("count") {
        None => PREVIEWED,
        Some(text) => {
            let count = text.parse().ok().filter(|count| (1..=PREVIEW_MAX).contains(count));
            count.ok_or_else(|| Problem::malformed(format!("`count` is a number from 1 to {PREVIEW_MAX}")))?
        }
    };
    let items = runs(cron, asked.query("zone").unwrap_or("UTC"), from, count);
    let items = items.map_err(|(field, detail)| Problem::invalid(vec![Misfit::new(format!("/{field}"), detail)]))?;
    Ok(asked.show(&json!({"items": items}), None, None))
}

/// A time in RFC 3339.
pub fn instant(text: &str) -> Option<Micros> {
    text.parse::<jiff::Timestamp>().ok().map(|at| Micros(at.as_microsecond()))
}

/// The next runs; or which of the two is wrong, and why.
pub fn runs(cron: &str, zone: &str, from: Micros, count: usize) -> Result<Vec<Value>, (&'static str, String)> {
    let zone = Zone::parse(zone).map_err(|error| ("zone", error.to_string()))?;
    let cron = Cron::parse(cron).map_err(|error| ("cron", error.to_string()))?;
    let runs = cron.upcoming(from, &zone).take(count);
    Ok(runs.map(|at| json!({"at": views::time(at), "local": zone.shown(at)})).collect())
}
