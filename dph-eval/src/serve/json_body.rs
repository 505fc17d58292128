//! [`JsonBody`]: the JSON of a request.

use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use dph_core::encoding::BYTE_ORDER_MARK;
use dph_data::UniqueJson;
use futures_util::StreamExt;
use serde_json::Value;

use crate::serve::app::App;
use crate::serve::error::ApiError;
use crate::serve::json_value::Strict;
use crate::serve::wire::{Refused, RequestBody};

/// The body of a request, read within the limits of the service.
pub(super) struct JsonBody<T>(pub T);

impl<T: RequestBody> FromRequest<Arc<App>> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "content_type",
                "the header `Content-Type` must be `application/json`",
            ));
        }
        if let Some(encoding) = encoding(request.headers()) {
            return Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "content_encoding",
                format!("the header `Content-Encoding: {encoding}` is not supported; send the body as it is"),
            ));
        }
        parse(&read(request, app).await?).map(Self)
    }
}

/// How many times the limit is read of a body that is too large. A client that still sends would not see its error.
const DISCARDED: usize = 8;

/// The whole body.
async fn read(request: Request, app: &App) -> Result<Vec<u8>, ApiError> {
    let (limit, seconds) = (app.options.body_bytes, app.options.read_timeout);
    let too_large = || {
        let message = format!("the body has more than {limit} bytes; send fewer or shorter texts");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message).of("body")
    };
    if request.headers().contains_key(header::EXPECT) && request.body().size_hint().lower() > limit as u64 {
        // The client waits for the word to send a body. It is not told to, and sees the error at once.
        return Err(too_large());
    }
    match tokio::time::timeout(seconds, read_all(request.into_body(), limit)).await {
        Ok(Ok(Some(bytes))) => Ok(bytes),
        Ok(Ok(None)) => Err(too_large()),
        Ok(Err(error)) => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "body",
            format!("the body could not be read: {error}"),
        )),
        Err(_) => Err(ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            format!("the body did not arrive within {} s", seconds.as_secs_f64()),
        )),
    }
}

/// A body; `None` if it is longer than the limit.
async fn read_all(body: Body, limit: usize) -> Result<Option<Vec<u8>>, axum::Error> {
    let (mut bytes, mut length) = (Vec::new(), 0);
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        length += chunk.len();
        match length {
            length if length <= limit => bytes.extend_from_slice(&chunk),
            length if length > limit.saturating_mul(DISCARDED) => break,
            _ => bytes.clear(),
        }
    }
    Ok((length <= limit).then_some(bytes))
}

/// Parses a body. The error names the place or the field.
fn parse<T: RequestBody>(bytes: &[u8]) -> Result<T, ApiError> {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let value = value(bytes)?;
    for refused in T::REFUSED.iter().copied().flatten() {
        if value.get(refused.field).is_some_and(|value| refused.refuses(value)) {
            let Refused { field, why, .. } = refused;
            return Err(ApiError::unsupported(*field, format!("`{field}` is not supported: {why}")));
        }
    }
    serde_path_to_error::deserialize(Strict(value)).map_err(|error| {
        let (path, message) = (error.path().to_string(), error.inner().to_string());
        match path.as_str() {
            "." | "?" => match missing(&message) {
                Some(field) => ApiError::field(field.to_owned(), message),
                None => ApiError::field("body", format!("the body: {message}")),
            },
            _ => ApiError::field(path.clone(), format!("`{path}`: {message}")),
        }
    })
}

/// The value of a body. A key that is there twice is an error, as in a row: no value of the two is taken in silence.
fn value(bytes: &[u8]) -> Result<Value, ApiError> {
    let not_json = |error: serde_json::Error| {
        ApiError::new(StatusCode::BAD_REQUEST, "invalid_json", format!("the body is not JSON: {error}"))
    };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let UniqueJson(value) = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        match error.into_inner() {
            twice if twice.is_data() => {
                let message = format!(
                    "`{path}` is there twice, the second time in line {}, column {}; remove one of them",
                    twice.line(),
                    twice.column()
                );
                ApiError::field(path, message)
            }
            error => not_json(error),
        }
    })?;
    json.end().map_err(not_json)?;
    Ok(value)
}

/// The field that a message of serde says is missing.
fn missing(message: &str) -> Option<&str> {
    message.strip_prefix("missing field `")?.strip_suffix('`')
}

/// The encoding of the body, if it has one.
fn encoding(headers: &HeaderMap) -> Option<String> {
    let named = headers.get_all(header::CONTENT_ENCODING).iter();
    let named = named.map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_ascii_lowercase());
    named.into_iter().find(|encoding| !encoding.is_empty() && encoding != "identity")
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()) else {
        return false;
    };
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.starts_with("application/") && essence.ends_with("+json")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Small {
        texts: Vec<String>,
        number: Option<f64>,
    }

    impl RequestBody for Small {
        const REFUSED: &'static [&'static [Refused]] = &[];
    }

    #[test]
    fn an_error_names_the_field_or_the_place() {
        let error = |body: &[u8]| {
            let error = parse::<Small>(body).unwrap_err();
            let body = serde_json::to_value(error.body()).unwrap()["error"].clone();
            (error.status.as_u16(), body["param"].clone(), body["message"].as_str().unwrap().to_owned())
        };
        let (status, param, message) = error(br#"{"texts": ["a", 1]}"#);
        assert_eq!((status, param), (422, "texts[1]".into()));
        assert_eq!(message, "`texts[1]`: expected a string, found the number 1");
        assert_eq!(error(b"{}"), (422, "texts".into(), "missing field `texts`".into()));
        assert_eq!(
            error(br#"[["a"], null]"#),
            (422, "body".into(), "the body: expected an object, found a list".into())
        );
        for body in [
            &b""[..],
            b"{",
            b"{\"texts\": [\"\xff\"]}",
            br#"{"texts": []} {}"#,
            br#"{"texts": [], "number": 1e999}"#,
            br#"{"texts": ["\ud800"]}"#,
        ] {
            let (status, param, message) = error(body);
            assert_eq!((status, param), (400, serde_json::Value::Null), "{body:?}");
            assert!(message.starts_with("the body is not JSON: "), "{message}");
        }
        let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
        assert!((400..=422).contains(&error(&deep).0));
        for (body, place) in [
            (r#"{"texts": ["a"], "texts": ["a"]}"#, "texts"),
            (r#"{"texts": [{"a": {"b": 1, "c": [], "b": {}}}]}"#, "texts[0].a.b"),
            (r#"{"texts": ["a"], "more": [0, {"": 1, "": 1}]}"#, "more[1]."),
        ] {
            let (status, param, message) = error(body.as_bytes());
            assert_eq!((status, param), (422, place.into()), "{message}");
            assert!(message.starts_with(&format!("`{place}` is there twice")), "{message}");
        }
        let shown = error(b"{\n\"texts\": [],\n  \"texts\": []}").2;
        assert_eq!(shown, "`texts` is there twice, the second time in line 3, column 11; remove one of them");
        assert!(parse::<Small>(br#"{"texts": ["a"], "more": 1}"#).is_ok());
        assert!(parse::<Small>("\u{feff}{\"texts\": []}".as_bytes()).is_ok());
    }

    #[test]
    fn a_content_type_is_json() {
        let is = |kind: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            is_json(&headers)
        };
        assert!(is("application/json") && is("Application/JSON; charset=utf-8") && is("application/x+json"));
        assert!(!is("text/plain") && !is("application/jsonp") && !is_json(&HeaderMap::new()));
    }
}
