//! [`StreamStatus`]: how a stream ended.

use std::sync::{Arc, OnceLock};

use axum::http::StatusCode;

/// How a stream ended. Its head has said 200 before it was known, so the log and the metrics have it from here.
#[derive(Debug, Clone, Default)]
pub(super) struct StreamStatus(Arc<OnceLock<StatusCode>>);

impl StreamStatus {
    /// Notes that the stream has an error of this status.
    pub fn fail(&self, status: StatusCode) {
        // The first error ends a stream.
        let _ = self.0.set(status);
    }

    /// The status of its error, or else 200.
    pub fn get(&self) -> StatusCode {
        self.0.get().copied().unwrap_or(StatusCode::OK)
    }
}
