//! [`ServedModel`]: a model with its queue.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::Model;
use crate::serve::error::ApiError;
use crate::serve::metrics::{Metric, Metrics};
use crate::serve::options::ServeOptions;
use crate::serve::time::seconds_since_1970;
use crate::serve::worker::Queue;

/// A model that requests can name.
pub(super) struct ServedModel {
    pub name: String,
    pub model: Arc<Model>,
    pub queue: Arc<Queue>,
    /// When it was loaded, in seconds since 1970.
    pub created: u64,
    places: Arc<Semaphore>,
    all_places: usize,
    /// Time for an answer.
    timeout: Duration,
}

impl ServedModel {
    /// A model with an empty queue.
    pub fn new(name: String, mut model: Model, options: &ServeOptions) -> Self {
        // Errors name it as requests do.
        model.name.clone_from(&name);
        Self {
            name,
            model: Arc::new(model),
            queue: Arc::default(),
            created: seconds_since_1970(),
            places: Arc::new(Semaphore::new(options.queue)),
            all_places: options.queue,
            timeout: options.timeout,
        }
    }

    /// A place in the queue.
    ///
    /// # Errors
    /// Status 429 if all are taken, or the requests that wait may take longer than a request has time.
    pub fn place(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let waiting = self.waiting();
        if self.queue.exceeds(waiting, self.timeout) {
            let message = format!(
                "{waiting} requests wait for the model `{}`, which may take longer than {} s; try again later",
                self.name,
                self.timeout.as_secs_f64()
            );
            return Err(ApiError::busy(message, self.queue.retry_after(waiting)));
        }
        self.places.clone().try_acquire_owned().map_err(|_| {
            let message =
                format!("{} requests wait for the model `{}`; try again later", self.all_places, self.name);
            ApiError::busy(message, self.queue.retry_after(self.all_places))
        })
    }

    /// Writes the number of requests that wait into the metrics.
    pub fn measure(&self, metrics: &Metrics) {
        metrics.set(Metric::Queue, &[("model", &self.name)], self.waiting() as f64);
    }

    /// Number of requests that wait or are computed.
    fn waiting(&self) -> usize {
        self.all_places - self.places.available_permits()
    }

    /// The index of a reward head; of none given, or an empty name, the first.
    ///
    /// # Errors
    /// Status 422 for a head that the model does not have, or a model without heads.
    pub fn head(&self, name: Option<&str>) -> Result<usize, ApiError> {
        let heads = self.model.heads();
        if heads.is_empty() {
            return Err(ApiError::field(
                "model",
                format!("the model `{}` has no preference head, so it gives no rewards", self.name),
            ));
        }
        let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(0) };
        heads.iter().position(|head| head == name).ok_or_else(|| {
            let message = format!(
                "`head`: the model `{}` has no head `{name}`; it has {}",
                self.name,
                heads.join(", ")
            );
            ApiError::field("head", message)
        })
    }
}
