//! [`router`]: the routes with what happens before and after each.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::MethodRouter;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::serve::app::App;
use crate::serve::authorise::authorise;
use crate::serve::error::ApiError;
use crate::serve::known_host::known_host;
use crate::serve::metrics::Metric;
use crate::serve::observe::observe;
use crate::serve::routes::{Route, routes};

/// All routes, with what happens before and after each. Pages of the `origins` may call them. With `checks_host`, requests to unknown host
/// names are refused.
pub(super) fn router(app: Arc<App>, origins: Option<AllowOrigin>, checks_host: bool) -> Router {
    let mut router = Router::new();
    for Route { path, handler, is_open, input, .. } in routes() {
        let with_key =
            |handler: MethodRouter<Arc<App>>| handler.layer(from_fn_with_state(app.clone(), authorise));
        let handler = if is_open { handler } else { with_key(handler) };
        let message =
            if input.is_some() { "this path has the method POST" } else { "this path has the method GET" };
        let other = async move || ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method", message);
        router = router.route(path, handler.fallback(other));
    }
    let cors = origins.map(|origins| {
        CorsLayer::new()
            .allow_methods([Method::GET, Method::POST])
            // Clients add headers of their own, such as those of the `openai` package.
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers([HeaderName::from_static("x-request-id"), header::RETRY_AFTER])
            .allow_origin(origins)
    });
    let metrics = app.metrics.clone();
    let panicked = move |_: Box<dyn Any + Send>| {
        metrics.add(Metric::Panics, &[("model", "")], 1.0);
        let error = ApiError::internal("the request met a defect of the program; its log says more");
        error.into_response()
    };
    router = router.fallback(|| async {
        ApiError::new(StatusCode::NOT_FOUND, "no_route", "there is no such path; /openapi.json has all")
    });
    if let Some(cors) = cors {
        router = router.layer(cors);
    }
    if checks_host {
        router = router.layer(from_fn_with_state(app.clone(), known_host));
    }
    router
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(app.clone(), observe))
        .with_state(app)
}

/// The origins whose pages may call the service; `None` without any.
///
/// # Errors
/// The first origin that is not one.
pub(super) fn allowed_origins(origins: &[String]) -> Result<Option<AllowOrigin>, String> {
    if origins.iter().any(|origin| origin == "*") {
        return Ok(Some(AllowOrigin::any()));
    }
    let parse = |origin: &String| {
        let is_origin =
            origin.split_once("://").is_some_and(|(_, host)| !host.is_empty() && !host.contains('/'));
        HeaderValue::from_str(origin).ok().filter(|_| is_origin).ok_or_else(|| origin.clone())
    };
    let origins = origins.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    Ok((!origins.is_empty()).then(|| AllowOrigin::list(origins)))
}
