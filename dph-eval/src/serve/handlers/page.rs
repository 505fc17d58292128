//! The page at `/`.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// The page with its style and its script: it loads nothing else.
static PAGE: LazyLock<String> = LazyLock::new(|| {
    include_str!("../page/page.html")
        .replace("{{style}}", include_str!("../page/page.css"))
        .replace("{{script}}", include_str!("../page/page.js"))
});

/// What a browser lets the page do: run what is in it, and ask this service.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /`.
pub async fn page() -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, PAGE.as_str()).into_response()
}
