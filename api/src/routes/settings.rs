//! Settings of Interlinkers: what an operator tells one about the place in which it runs.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use interlink_runtime::Answer;
use interlink_runtime::catalogue::Settings;

use super::processes::tag;
use crate::app::App;
use crate::problem::Problem;
use crate::request::{Asked, Command, answer};

/// The settings of an Interlinker, an empty object where it was given none. For operators.
#[utoipa::path(get, path = "/v1/interlinkers/{name}/settings", tag = "interlinkers", params(("name" = String, Path)),
    responses((status = 200, description = "The settings: an object"), (status = 403, body = Problem),
        (status = 404, body = Problem)))]
pub async fn get(State(app): State<App>, Path(name): Path<String>, asked: Asked) -> Result<Response, Problem> {
    asked.known.operator("looking at settings")?;
    app.engine.interlinker(&name)?;
    let version = app.engine.settings_of(&name).map_or(0, |settings| settings.version);
    Ok(asked.show(&app.engine.interlinker_settings(&name), Some(version), None))
}

/// Gives an Interlinker its settings, in place of those before: an object that fits the `settings` of its manifest. For
/// operators.
#[utoipa::path(put, path = "/v1/interlinkers/{name}/settings", tag = "interlinkers", request_body = Object,
    params(("name" = String, Path)),
    responses((status = 200, description = "The settings"), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 412, body = Problem), (status = 422, body = Problem)))]
pub async fn put(State(app): State<App>, Path(name): Path<String>, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        command.asked.known.operator("setting Interlinkers up")?;
        let settings = command.json()?;
        let shown =
            |settings: &Settings| Answer { etag: tag(settings.version), ..answer(StatusCode::OK, &settings.value) };
        let expected = command.asked.expected();
        let made = app.engine.configure(&command.caller, &name, settings, expected, shown, &command.permit).await?;
        Ok(shown(&made))
    };
    let result = run.await;
    Command::finish(&app, permit, result).await
}
