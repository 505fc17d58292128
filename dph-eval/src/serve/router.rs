//! [`router`]: the routes with what happens before and after each.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::MethodRouter;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::serve::app::App;
use crate::serve::authorise::authorise;
use crate::serve::error::ApiError;
use crate::serve::metrics::Metric;
use crate::serve::observe::observe;
use crate::serve::routes::{Route, routes};

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
