//! [`App`]: what all handlers share, and [`router`].

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::MethodRouter;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::serve::authorise::authorise;
use crate::serve::error::ApiError;
use crate::serve::metrics::{Metric, Metrics};
use crate::serve::observe::observe;
use crate::serve::openapi::openapi;
use crate::serve::options::ServeOptions;
use crate::serve::routes::{Route, routes};
use crate::serve::served_model::ServedModel;

/// What all handlers share.
pub(super) struct App {
    pub options: ServeOptions,
    /// At least one; the first answers requests that name none.
    pub models: Vec<Arc<ServedModel>>,
    pub metrics: Arc<Metrics>,
    /// The description of the service, `/openapi.json`.
    pub openapi: Vec<u8>,
    requests: AtomicU64,
}

impl App {
    pub fn new(options: ServeOptions, models: Vec<Arc<ServedModel>>, metrics: Arc<Metrics>) -> Self {
        let openapi = openapi(&routes()).to_string().into_bytes();
        Self { options, models, metrics, openapi, requests: AtomicU64::new(0) }
    }

    /// The model of this name; the first one if there is no name.
    ///
    /// # Errors
    /// Status 404 for a model that is not there.
    pub fn model(&self, name: Option<&str>) -> Result<&Arc<ServedModel>, ApiError> {
        let found = match name {
            None | Some("") => self.models.first(),
            Some(name) => self.models.iter().find(|model| model.name == name),
        };
        found.ok_or_else(|| {
            let names: Vec<&str> = self.models.iter().map(|model| &*model.name).collect();
            let message = format!("there is no such model; the service has {}", names.join(", "));
            ApiError::new(StatusCode::NOT_FOUND, "model_not_found", message).of("model")
        })
    }

    /// A name for an answer that no other one of this process has.
    pub fn new_id(&self, kind: &str) -> String {
        let created = self.models.first().map_or(0, |model| model.created);
        format!("{kind}-{created:x}-{:x}", self.requests.fetch_add(1, Ordering::Relaxed))
    }
}

/// All routes, with what happens before and after each.
pub(super) fn router(app: Arc<App>, origins: AllowOrigin) -> Router {
    let mut router = Router::new();
    for Route { path, handler, is_open, .. } in routes() {
        let with_key =
            |handler: MethodRouter<Arc<App>>| handler.layer(from_fn_with_state(app.clone(), authorise));
        router = router.route(path, if is_open { handler } else { with_key(handler) });
    }
    let cors = CorsLayer::new()
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .expose_headers([HeaderName::from_static("x-request-id"), header::RETRY_AFTER])
        .allow_origin(origins);
    let metrics = app.metrics.clone();
    let panicked = move |_: Box<dyn Any + Send>| {
        metrics.add(Metric::Panics, &[("model", "")], 1.0);
        let error = ApiError::internal("the request met a defect of the program; its log says more");
        error.into_response()
    };
    router
        .fallback(|| async {
            ApiError::new(StatusCode::NOT_FOUND, "no_route", "there is no such path; /openapi.json has all")
        })
        .method_not_allowed_fallback(|| async {
            ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method", "this path has another method")
        })
        .layer(cors)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(app.clone(), observe))
        .with_state(app)
}

/// The origins whose pages may call the service.
///
/// # Errors
/// The first origin that is not one.
pub(super) fn allowed_origins(origins: &[String]) -> Result<AllowOrigin, String> {
    if origins.iter().any(|origin| origin == "*") {
        return Ok(AllowOrigin::any());
    }
    let parse = |origin: &String| {
        let is_origin =
            origin.split_once("://").is_some_and(|(_, host)| !host.is_empty() && !host.contains('/'));
        HeaderValue::from_str(origin).ok().filter(|_| is_origin).ok_or_else(|| origin.clone())
    };
    Ok(AllowOrigin::list(origins.iter().map(parse).collect::<Result<Vec<_>, _>>()?))
}
