//! Organizations: who hosts processes, and how much the assets of these may be and hold together.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use interlink_model::id::OrganizationId;
use interlink_model::organization::{ORGANIZATION_NAME_BYTES_MAX, Organization, OrganizationKind};
use interlink_runtime::usage::held::Held;
use interlink_runtime::{Answer, Trouble, quota_of};
use serde_json::Value;

use super::interlinkers::quota_asked;
use super::listed;
use super::processes::{NAME_BYTES_MAX, tag};
use crate::app::App;
use crate::problem::Problem;
use crate::request::{Asked, Command, Fields, answer};
use crate::views;

/// The id in a path. What is no id is not there.
fn organization_id(id: &str) -> Result<OrganizationId, Problem> {
    OrganizationId::parse(id).ok_or_else(|| Problem::not_found("organization", id))
}

/// The organization that a body names in `organization`, where it names one: it has to be there.
pub fn named(app: &App, fields: &mut Fields) -> Result<Option<OrganizationId>, Problem> {
    let Some(id) = fields.optional_text("organization", NAME_BYTES_MAX) else { return Ok(None) };
    let found = match OrganizationId::parse(&id) {
        Some(id) => app.engine.organization(id),
        None => Err(Trouble::NotFound { what: "organization", id: id.clone() }),
    };
    match found {
        Ok(found) => Ok(Some(found.id)),
        Err(Trouble::NotFound { what, id }) => {
            Err(Problem::from(Trouble::Names { what, id, pointer: "/organization".into() }))
        }
        Err(trouble) => Err(trouble.into()),
    }
}

fn shown(app: &App, organization: &Organization) -> Value {
    views::organization(organization, app.engine.held_of_organization(organization.id))
}

/// All organizations, in the order in which they were registered.
#[utoipa::path(get, path = "/v1/organizations", tag = "organizations",
    params(("limit" = Option<usize>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, description = "`{items, next_cursor}`"), (status = 400, body = Problem)))]
pub async fn list(State(app): State<App>, asked: Asked) -> Result<Response, Problem> {
    let all = app.engine.organizations();
    let by_id = all.iter().map(|organization| (organization.id.to_string(), organization));
    let page = listed(&app, &asked, "organizations", by_id, |organization| shown(&app, organization))?;
    Ok(asked.show(&page, None, None))
}

/// An organization, with what the assets of its processes hold together and how much that may be.
#[utoipa::path(get, path = "/v1/organizations/{id}", tag = "organizations", params(("id" = String, Path)),
    responses((status = 200, description = "The organization"), (status = 404, body = Problem)))]
pub async fn get(State(app): State<App>, Path(id): Path<String>, asked: Asked) -> Result<Response, Problem> {
    let organization = app.engine.organization(organization_id(&id)?)?;
    Ok(asked.show(&shown(&app, &organization), Some(organization.version), None))
}

/// Makes an organization known: `{name, kind}`. Two may have the same name.
#[utoipa::path(post, path = "/v1/organizations", tag = "organizations", request_body = Object,
    responses((status = 201, description = "The organization"), (status = 409, body = Problem),
        (status = 422, body = Problem)))]
pub async fn register(State(app): State<App>, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        let mut fields = command.fields()?;
        let name = fields.text("name", ORGANIZATION_NAME_BYTES_MAX);
        let kind = kind_of(&mut fields);
        fields.end()?;
        let made = |organization: &Organization| Answer {
            location: Some(format!("/v1/organizations/{}", organization.id)),
            etag: tag(organization.version),
            ..answer(StatusCode::CREATED, &views::organization(organization, Held::default()))
        };
        let actor = command.caller.actor();
        app.engine.register_organization(actor, name, kind, made, &command.permit).await.map_err(Problem::from)
    };
    let result = run.await;
    Command::finish(&app, permit, result).await
}

/// The kind that a body says; any where it says none, which is noted.
fn kind_of(fields: &mut Fields) -> OrganizationKind {
    let word = fields.text("kind", NAME_BYTES_MAX);
    let words = OrganizationKind::ALL.map(OrganizationKind::as_str).join(", ");
    OrganizationKind::parse(&word).unwrap_or_else(|| {
        if !word.is_empty() {
            fields.misfit("kind", &format!("is one of {words}"));
        }
        OrganizationKind::Citizens
    })
}

/// How many assets the processes of an organization may have, and how many bytes of state and blobs these may have together:
/// `{assets?, state_bytes?}`, in place of what was said before. What is there already stays. For operators.
#[utoipa::path(put, path = "/v1/organizations/{id}/quota", tag = "organizations", request_body = Object,
    params(("id" = String, Path)),
    responses((status = 200, description = "The quota"), (status = 403, body = Problem), (status = 404, body = Problem),
        (status = 412, body = Problem), (status = 422, body = Problem)))]
pub async fn quota(State(app): State<App>, Path(id): Path<String>, command: Command) -> Response {
    let permit = command.permit.clone();
    let run = async {
        let quota = quota_asked(&command)?;
        let (id, expected) = (organization_id(&id)?, command.asked.expected());
        let set = |organization: &Organization| {
            let body = views::quota(quota_of(organization));
            Answer { etag: tag(organization.version), ..answer(StatusCode::OK, &body) }
        };
        let (actor, permit) = (command.caller.actor(), &command.permit);
        let set = app.engine.set_quota_of_organization(actor, id, quota, expected, set, permit).await;
        set.map_err(Problem::from)
    };
    let result = run.await;
    Command::finish(&app, permit, result).await
}
