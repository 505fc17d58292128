//! [`App`]: what all handlers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use axum::http::StatusCode;

use crate::serve::error::ApiError;
use crate::serve::metrics::Metrics;
use crate::serve::options::ServeOptions;
use crate::serve::served_model::ServedModel;
use crate::serve::tokenising::Tokenising;

/// What all handlers share.
pub(super) struct App {
    pub options: ServeOptions,
    /// At least one; the first answers requests that name none.
    pub models: Vec<Arc<ServedModel>>,
    pub metrics: Arc<Metrics>,
    pub tokenising: Tokenising,
    /// The description of the service, `/openapi.json`.
    pub openapi: Vec<u8>,
    is_ending: AtomicBool,
    requests: AtomicU64,
}

impl App {
    /// `openapi` is the description of the service.
    pub fn new(
        options: ServeOptions,
        models: Vec<Arc<ServedModel>>,
        metrics: Arc<Metrics>,
        openapi: Vec<u8>,
    ) -> Self {
        Self {
            options,
            models,
            metrics,
            tokenising: Tokenising::default(),
            openapi,
            is_ending: AtomicBool::new(false),
            requests: AtomicU64::new(0),
        }
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

    /// Notes that the service ends: connections are closed after their next answer.
    pub fn end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }

    /// Whether the service ends.
    pub fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed)
    }

    /// A name for an answer that no other one of this process has.
    pub fn new_id(&self, kind: &str) -> String {
        let created = self.models.first().map_or(0, |model| model.created);
        format!("{kind}-{created:x}-{:x}", self.requests.fetch_add(1, Ordering::Relaxed))
    }
}
