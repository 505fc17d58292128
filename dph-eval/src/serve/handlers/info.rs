//! What the service says about itself.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::serve::app::App;
use crate::serve::error::ApiError;
use crate::serve::json_answer::json;
use crate::serve::served_model::ServedModel;
use crate::serve::wire::{Health, ModelInfo, ModelList};

/// `GET /health`.
pub async fn health() -> Response {
    json(&Health { status: "ok" })
}

/// `GET /v1/models`.
pub async fn models(State(app): State<Arc<App>>) -> Response {
    let models = app.models.iter().map(|served| info(&app, served));
    json(&ModelList { object: "list", data: models.collect() })
}

/// `GET /v1/models/{id}`. A name may have slashes.
pub async fn model(
    State(app): State<Arc<App>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, ApiError> {
    // A path that is not UTF-8 names no model.
    let name = id.map_or_else(|_| "\u{FFFD}".into(), |Path(id)| id);
    Ok(json(&info(&app, app.model(Some(&name))?)))
}

fn info(app: &App, served: &ServedModel) -> ModelInfo {
    ModelInfo {
        id: served.name.clone(),
        object: "model",
        created: served.created,
        owned_by: "dph-eval",
        heads: served.model.heads().to_vec(),
        max_model_len: served.model.backbone.context(),
        max_answers: app.options.answers,
        max_answer_tokens: app.options.answer_tokens,
    }
}

/// `GET /metrics`.
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    app.models.iter().for_each(|model| model.measure(&app.metrics));
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.metrics.to_text())
        .into_response()
}

/// `GET /openapi.json`.
pub async fn openapi(State(app): State<Arc<App>>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], app.openapi.clone()).into_response()
}
