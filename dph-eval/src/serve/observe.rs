//! [`observe`]: a line in the log and the metrics of every request.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use crate::serve::app::App;
use crate::serve::metrics::{Metric, Metrics};

/// Measures and logs a request, without its contents. Its number is in the log and in the header `x-request-id`.
pub(super) async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let id = app.new_id("request");
    let method = request.method().to_string();
    let mut seen =
        Seen { metrics: &app.metrics, route: &route, method: &method, id: &id, start, status: None };
    let mut response = next.run(request).await;
    seen.status = Some(response.status().as_u16());
    drop(seen);
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), id);
    }
    response
}

/// A request, which is counted and logged when it ends: with its status, or without if the client left before.
struct Seen<'a> {
    metrics: &'a Metrics,
    route: &'a str,
    method: &'a str,
    id: &'a str,
    start: Instant,
    status: Option<u16>,
}

/// The status of a request whose client left before the answer, as in the logs of nginx.
const LEFT: u16 = 499;

impl Drop for Seen<'_> {
    fn drop(&mut self) {
        let status = self.status.unwrap_or(LEFT);
        let seconds = self.start.elapsed().as_secs_f64();
        let text = status.to_string();
        self.metrics.add(Metric::Requests, &[("route", self.route), ("status", &text)], 1.0);
        self.metrics.observe(Metric::RequestSeconds, &[("route", self.route)], seconds);
        tracing::info!(id = self.id, method = self.method, route = self.route, status, seconds, "request");
    }
}
