//! [`authorise`]: no answer without a key, where keys are needed.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::serve::app::App;
use crate::serve::error::ApiError;

/// Refuses requests without a key.
pub(super) async fn authorise(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let key = request.headers().get(header::AUTHORIZATION).map(|value| value.as_bytes());
    if app.options.keys.accept(key) {
        return next.run(request).await;
    }
    let message = match key {
        None => "a key is needed, in the header `Authorization: Bearer KEY`",
        Some(_) => "the key in the header `Authorization` is not known, or the header is not `Bearer KEY`",
    };
    ApiError::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message).into_response()
}
