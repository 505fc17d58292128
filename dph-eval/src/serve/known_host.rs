//! [`known_host`]: no answer to a page that reaches a local service by a name of its own.
//!
//! A page may give its own host name the address 127.0.0.1 ("DNS rebinding"). A browser then takes the service for a part of the page's
//! site and lets its scripts read every answer. The name is in the header `Host`.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::serve::app::App;
use crate::serve::error::ApiError;

/// Refuses requests to a name that is not one of the service.
pub(super) async fn known_host(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).map(|value| value.as_bytes());
    // Every browser sends the header.
    if host.is_none_or(|host| is_known(host, &app.options.hosts)) {
        return next.run(request).await;
    }
    let message = "the host name in the header `Host` is not known; start the service with --allow-host NAME, or with keys";
    ApiError::new(StatusCode::FORBIDDEN, "unknown_host", message).into_response()
}

/// Whether a host, with or without a port, is an address, `localhost` or one of these names. An address cannot belong to a page elsewhere.
fn is_known(host: &[u8], names: &[String]) -> bool {
    let Ok(authority) = Authority::try_from(host) else { return false };
    let host = authority.host();
    let is_address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    is_address
        || host.eq_ignore_ascii_case("localhost")
        || names.iter().any(|name| host.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_service_are_known() {
        let names = ["gpu.example.org".to_owned()];
        let known =
            ["localhost", "LOCALHOST:8080", "127.0.0.1:80", "[::1]:8080", "10.0.0.7", "Gpu.example.org:1"];
        for host in known {
            assert!(is_known(host.as_bytes(), &names), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example:8080",
            "127.0.0.1.evil.example",
            "",
            "a b",
            "gpu.example.org.",
        ] {
            assert!(!is_known(host.as_bytes(), &names), "{host}");
        }
    }
}
