//! [`Tokenising`]: requests that are tokenised, a few at a time.

use std::sync::Arc;
use std::thread::available_parallelism;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use crate::serve::error::ApiError;

/// Turns to tokenise a request. A text takes a hundred times its bytes while it is tokenised, so there are as many turns as processors.
pub(super) struct Tokenising(Arc<Semaphore>);

impl Default for Tokenising {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(available_parallelism().map_or(1, usize::from))))
    }
}

impl Tokenising {
    /// Runs something in a thread that may be blocked, when it is its turn. If this future is dropped before, it does not run. The place of
    /// the request in the queue goes along, so that a request whose client leaves meanwhile still counts.
    ///
    /// # Errors
    /// What it returns, or status 500 if it panics.
    pub async fn run<T: Send + 'static>(
        &self,
        place: OwnedSemaphorePermit,
        tokenise: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
    ) -> Result<(T, OwnedSemaphorePermit), ApiError> {
        let failed = "the request could not be tokenised";
        let turn = self.0.clone().acquire_owned().await.map_err(|_| ApiError::internal(failed))?;
        let run = move || {
            let done = tokenise();
            drop(turn);
            done.map(|done| (done, place))
        };
        spawn_blocking(run).await.map_err(|_| ApiError::internal(failed))?
    }
}
