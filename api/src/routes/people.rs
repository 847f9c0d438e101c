//! The caller.

use axum::extract::State;
use axum::response::Response;
use serde_json::json;

use crate::app::App;
use crate::identity::Role;
use crate::problem::Problem;
use crate::request::Asked;

/// Who the caller is: a random id, by which everything else knows them.
#[utoipa::path(get, path = "/v1/me", tag = "server", responses((status = 200, description = "The caller"), (status = 401, body = Problem)))]
pub async fn me(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    let caller = asked.known.caller(&app.engine).await?;
    let id = caller.person.to_string();
    let role = if asked.known.role() == Role::Operator { "operator" } else { "member" };
    let login = app.engine.login_of(caller);
    let body = json!({"id": id, "user": id, "login": login, "role": role, "name": null, "email": null,
        "languages": [], "interests": [], "skills": []});
    Ok(asked.show(&body, None, None))
}
