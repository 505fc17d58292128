//! [`observe`]: a line in the log and the metrics of every request.

use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, BodyDataStream};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::StreamExt;
use futures_util::stream::unfold;

use crate::serve::app::App;
use crate::serve::metrics::{Metric, Metrics};
use crate::serve::stream_status::StreamStatus;

/// Measures and logs a request, without its contents, when it ends: a stream with its last event. Its number is in the log and in the header `x-request-id`.
pub(super) async fn observe(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str).to_owned();
    let id = app.new_id("request");
    let method = named(request.method());
    let metrics = app.metrics.clone();
    let mut seen = Seen { metrics, route, method, id: id.clone(), start, status: None };
    let mut response = next.run(request).await;
    match response.extensions_mut().remove::<StreamStatus>() {
        Some(status) => response = response.map(|body| until_its_end(body.into_data_stream(), seen, status)),
        None => {
            seen.status = Some(response.status().as_u16());
            drop(seen);
        }
    }
    if app.is_ending() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), id);
    }
    response
}

/// The methods that are logged. Another one may hold anything.
const METHODS: [&str; 7] = ["GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"];

fn named(method: &Method) -> &'static str {
    METHODS.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}

/// A stream, at whose end its request has ended.
fn until_its_end(body: BodyDataStream, seen: Seen, status: StreamStatus) -> Body {
    Body::from_stream(unfold((body, seen, status), |(mut body, mut seen, status)| async move {
        match body.next().await {
            Some(chunk) => Some((chunk, (body, seen, status))),
            None => {
                seen.status = Some(status.get().as_u16());
                drop(seen);
                None
            }
        }
    }))
}

/// A request, which is counted and logged when it ends: with its status, or without if the client left before.
struct Seen {
    metrics: Arc<Metrics>,
    route: String,
    method: &'static str,
    id: String,
    start: Instant,
    status: Option<u16>,
}

/// The status of a request whose client left before the answer, as in the logs of nginx.
const LEFT: u16 = 499;

impl Drop for Seen {
    fn drop(&mut self) {
        let status = self.status.unwrap_or(LEFT);
        let seconds = self.start.elapsed().as_secs_f64();
        let text = status.to_string();
        self.metrics.add(Metric::Requests, &[("route", &self.route), ("status", &text)], 1.0);
        self.metrics.observe(Metric::RequestSeconds, &[("route", &self.route)], seconds);
        let (id, method, route) = (&*self.id, self.method, &*self.route);
        tracing::info!(id, method, route, status, seconds, "request");
    }
}
