//! [`ApiError`]: why a request has no answer, as a status and JSON.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::serve::json_answer::json;
use crate::serve::worker::WorkError;

/// The status and the message of a request that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    pub status: StatusCode,
    message: String,
    code: &'static str,
    param: Option<String>,
    retry_after: Option<u64>,
}

/// The body of every error.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ErrorBody<'a> {
    error: ErrorDetail<'a>,
}

/// Why a request failed.
#[derive(Debug, Serialize, JsonSchema)]
struct ErrorDetail<'a> {
    /// What is wrong, and what to do.
    message: &'a str,
    /// `invalid_request_error`, `authentication_error`, `rate_limit_error` or `server_error`.
    #[serde(rename = "type")]
    kind: &'a str,
    /// The field of the request that is wrong.
    param: Option<&'a str>,
    /// A word for the error.
    code: &'a str,
}

impl ApiError {
    /// An error with a status and a word for it.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), code, param: None, retry_after: None }
    }

    /// A field has a wrong value: status 422.
    pub fn field(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_value", message).of(param)
    }

    /// The request contradicts itself or asks for what there is not: status 400.
    pub fn unsupported(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "unsupported", message).of(param)
    }

    /// The work failed: status 500.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// Too many requests: status 429 with the seconds to wait.
    pub fn busy(message: impl Into<String>, seconds: u64) -> Self {
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "queue_full", message);
        Self { retry_after: Some(seconds), ..error }
    }

    /// The request took longer than it may: status 504.
    pub fn timeout(time: Duration) -> Self {
        let message =
            format!("the request took more than {} s; ask for less, or try again later", time.as_secs_f64());
        Self::new(StatusCode::GATEWAY_TIMEOUT, "timeout", message)
    }

    /// The thread of a model gave nothing for a request, the contents of which are in this field: status 422 or 500.
    pub fn of_work(error: WorkError, field: &'static str) -> Self {
        match error {
            WorkError::Refused(message) => Self::field(field, message),
            error @ WorkError::Panic => Self::internal(error.to_string()),
        }
    }

    /// The service takes no request any more: status 503.
    pub fn shutdown() -> Self {
        let message = "the service ends and takes no further requests";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutdown", message)
    }

    /// The same error of a field.
    pub fn of(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// The body.
    pub fn body(&self) -> ErrorBody<'_> {
        let kind = match self.status {
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        };
        let param = self.param.as_deref();
        ErrorBody { error: ErrorDetail { message: &self.message, kind, param, code: self.code } }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response<Body> {
        let mut response = json(&self.body());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // What is left of the body of a refused request is not read.
        if matches!(self.status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
