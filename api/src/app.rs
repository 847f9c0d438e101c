//! The router: which route is which handler, and what answers where none is.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use interlink_runtime::Engine;
use tokio::sync::Semaphore;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::cursor::Cursors;
use crate::identity::Identities;
use crate::problem::Problem;
use crate::routes::{
    adoption, assets, backups, calls, doors, incidents, interlinkers, keeping, meta, migrations, notifications,
    organizations, past, people, processes, provisions, schedules, schemas, services, settings, tasks, trust, usage,
};
use crate::visits::Doors;

/// What every handler needs.
#[derive(Clone)]
pub struct App {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Tokens.
    pub identities: Arc<Identities>,
    /// Cursors.
    pub cursors: Arc<Cursors>,
    /// Places for backups that are under way.
    pub backups: Arc<Semaphore>,
    /// Who is at the doors of services.
    pub doors: Arc<Doors>,
}

impl App {
    /// An application on an engine; `behind_proxy` says whether a proxy in front says where requests come from.
    pub fn new(engine: Arc<Engine>, behind_proxy: bool) -> Self {
        let secret = engine.token_secret();
        let cursors = Cursors::new(secret, engine.identity());
        let backups = Arc::new(Semaphore::new(backups::BACKUPS_MAX));
        let doors = Arc::new(Doors::new(&engine.visit_secret(), behind_proxy));
        Self { engine, identities: Arc::new(Identities::new(&secret)), cursors: Arc::new(cursors), backups, doors }
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Interlink",
        description = "Co-production of public services: schemas, processes, Interlinkers, usage and adoption.",
        license(name = "EUPL-1.2", identifier = "EUPL-1.2"),
    ),
    tags(
        (name = "schemas", description = "Co-production schemas"),
        (name = "interlinkers", description = "The catalogue of Interlinkers"),
        (name = "organizations", description = "Who hosts processes, and how much these may hold"),
        (name = "processes", description = "Processes, their tasks and their guide"),
        (name = "incidents", description = "What failed and waits for an operator"),
        (name = "assets", description = "What came of using Interlinkers"),
        (name = "usage", description = "The registry of usage, and adoption"),
        (name = "provisioning", description = "Services from one declarative file, and their life"),
        (name = "public", description = "What an active service opens to the people whom it serves"),
        (name = "server", description = "The server itself"),
    ),
)]
struct Api;

fn routed() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Api::openapi())
        .routes(routes!(meta::healthz))
        .routes(routes!(meta::readyz))
        .routes(routes!(meta::metrics))
        .routes(routes!(meta::docs))
        .routes(routes!(backups::data))
        .routes(routes!(backups::keys))
        .routes(routes!(people::me))
        .routes(routes!(schemas::list, schemas::import))
        .routes(routes!(schemas::authoring))
        .routes(routes!(schemas::get))
        .routes(routes!(schemas::versions))
        .routes(routes!(interlinkers::profiles, interlinkers::describe_profile))
        .routes(routes!(interlinkers::list, interlinkers::publish))
        .routes(routes!(interlinkers::get))
        .routes(routes!(interlinkers::versions))
        .routes(routes!(interlinkers::actions))
        .routes(routes!(calls::grants, calls::grant))
        .routes(routes!(settings::get, settings::put))
        .routes(routes!(calls::set_secret, calls::remove_secret))
        .routes(routes!(calls::get))
        .routes(routes!(calls::replay))
        .routes(routes!(calls::take))
        .routes(routes!(interlinkers::pause))
        .routes(routes!(interlinkers::resume))
        .routes(routes!(interlinkers::reset))
        .routes(routes!(interlinkers::quota))
        .routes(routes!(interlinkers::component))
        .routes(routes!(trust::get, trust::require))
        .routes(routes!(trust::get_key, trust::put_key, trust::remove_key))
        .routes(routes!(interlinkers::deprecate))
        .routes(routes!(interlinkers::revoke))
        .routes(routes!(organizations::list, organizations::register))
        .routes(routes!(organizations::get))
        .routes(routes!(organizations::quota))
        .routes(routes!(processes::list, processes::create))
        .routes(routes!(processes::get))
        .routes(routes!(processes::start))
        .routes(routes!(processes::suspend))
        .routes(routes!(processes::resume))
        .routes(routes!(processes::cancel))
        .routes(routes!(processes::archive))
        .routes(routes!(processes::unarchive))
        .routes(routes!(processes::tree))
        .routes(routes!(processes::guide))
        .routes(routes!(processes::events))
        .routes(routes!(processes::data, processes::set_data))
        .routes(routes!(past::diff))
        .routes(routes!(past::fork))
        .routes(routes!(migrations::migrate))
        .routes(routes!(migrations::undo))
        .routes(routes!(migrations::migrate_all))
        .routes(routes!(incidents::list))
        .routes(routes!(incidents::get))
        .routes(routes!(incidents::retry))
        .routes(routes!(incidents::skip))
        .routes(routes!(incidents::resolve))
        .routes(routes!(schedules::preview))
        .routes(routes!(tasks::get))
        .routes(routes!(tasks::claim))
        .routes(routes!(tasks::release))
        .routes(routes!(tasks::start))
        .routes(routes!(tasks::complete))
        .routes(routes!(tasks::reopen))
        .routes(routes!(tasks::retry))
        .routes(routes!(tasks::vote))
        .routes(routes!(tasks::reschedule))
        .routes(routes!(tasks::skip))
        .routes(routes!(tasks::restore))
        .routes(routes!(tasks::recommendations))
        .routes(routes!(assets::instantiate))
        .routes(routes!(assets::of_process))
        .routes(routes!(keeping::assets))
        .routes(routes!(keeping::put_blob, keeping::blobs))
        .routes(routes!(keeping::blob))
        .routes(routes!(keeping::upgrade))
        .routes(routes!(keeping::roll_back))
        .routes(routes!(keeping::upgrade_all))
        .routes(routes!(keeping::grants))
        .routes(routes!(notifications::list))
        .routes(routes!(notifications::read))
        .routes(routes!(assets::get, assets::remove))
        .routes(routes!(assets::view))
        .routes(routes!(assets::act))
        .routes(routes!(usage::list))
        .routes(routes!(adoption::summary))
        .routes(routes!(adoption::process))
        .routes(routes!(adoption::interlinker))
        .routes(routes!(adoption::service))
        .routes(routes!(provisions::apply))
        .routes(routes!(services::list))
        .routes(routes!(services::get))
        .routes(routes!(services::activate))
        .routes(routes!(services::pause))
        .routes(routes!(services::retire))
        .routes(routes!(doors::open))
        .routes(routes!(doors::visit))
        .routes(routes!(doors::view))
        .routes(routes!(doors::act))
}

/// The OpenAPI document, as JSON text.
pub fn openapi() -> String {
    let (_, api) = routed().split_for_parts();
    let mut text = api.to_pretty_json().expect("the description encodes");
    text.push('\n');
    text
}

async fn no_route(uri: Uri) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no-such-route",
        "There is no such route",
        format!("`{}` is no route of this server; /openapi.json lists them", uri.path()),
    )
}

async fn no_method(method: Method, uri: Uri) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method-not-allowed",
        "This route does not take this method",
        format!("`{}` does not take {method}; `Allow` says which it takes", uri.path()),
    )
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    Problem::internal("this is a defect of the server; what was acknowledged is safe").into_response()
}

/// What axum itself refuses (a path that is no UTF-8, for instance) is plain text: it becomes a problem document too.
async fn as_problem(request: axum::extract::Request, next: middleware::Next) -> Response {
    let response = next.run(request).await;
    let plain = |response: &Response| {
        let content_type = response.headers().get(axum::http::header::CONTENT_TYPE);
        content_type.is_none_or(|content_type| content_type.as_bytes().starts_with(b"text/plain"))
    };
    let status = response.status();
    if (status.is_client_error() || status.is_server_error()) && plain(&response) {
        let title = status.canonical_reason().unwrap_or("Refused");
        return Problem::new(status, "refused", title, title).into_response();
    }
    response
}

/// What may change something is done to its end, whether or not whoever asked still waits. Where a connection breaks, what is
/// answering it is dropped; a call of an Interlinker would be dropped with all that it did, and a record of what it had asked
/// outside would stay open. What only reads ends with its reader. A server that stops waits for those who wait, and what nobody
/// waits for is cut off as by a crash: it goes on with the next start, where it had asked outside.
async fn to_its_end(request: axum::extract::Request, next: middleware::Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => panicked(panic),
            Err(_) => Problem::internal("the server is stopping").into_response(),
        },
    }
}

/// The whole application.
pub fn router(app: App) -> Router {
    let (router, _) = routed().split_for_parts();
    let document = Arc::new(openapi());
    let served = move || {
        let document = Arc::clone(&document);
        async move { ([("content-type", "application/json")], document.as_str().to_owned()) }
    };
    router
        .route("/openapi.json", axum::routing::get(served))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .with_state(app)
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn(as_problem))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(to_its_end))
}
