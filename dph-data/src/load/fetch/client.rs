//! [`Client`]: requests to the hub, with redirects, pauses and errors that say what to do.

use std::cell::Cell;
use std::io::ErrorKind;
use std::time::Duration;

use dph_core::hub::Digest;
use serde::de::DeserializeOwned;
use ureq::http::{HeaderMap, Response, header};
use ureq::{Agent, Body};

use super::error::HubProblem;
use super::event::FetchEvent;
use super::patience::Patience;
use super::settings::HubSettings;

const REDIRECTS: usize = 10;
const CONNECT: Duration = Duration::from_secs(30);
/// The longest silence of the other side.
const SILENCE: Duration = Duration::from_secs(60);

/// Requests about one repository.
pub(super) struct Client {
    agent: Agent,
    pub endpoint: String,
    token: Option<String>,
    pub repository: String,
    pub revision: String,
    /// Whether the hub has answered.
    reached: Cell<bool>,
}

/// An answer, and what the hub says about the file on the way to it.
pub(super) struct Answer {
    pub response: Response<Body>,
    /// Whether the hub itself answers, and not the storage that it refers to.
    own: bool,
    pub size: Option<u64>,
    pub digest: Option<Digest>,
}

impl Client {
    pub fn new(settings: &HubSettings, repository: &str, revision: &str) -> Self {
        let agent = Agent::config_builder()
            // Redirects are followed here: another host does not get the token.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            // Byte ranges are those of the file.
            .accept_encoding("identity")
            .user_agent(concat!("dph-data/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(CONNECT))
            .timeout_recv_response(Some(SILENCE))
            .timeout_per_read(Some(SILENCE))
            .build()
            .new_agent();
        Self {
            agent,
            endpoint: settings.endpoint.clone(),
            token: settings.token.clone(),
            repository: repository.to_owned(),
            revision: revision.to_owned(),
            reached: Cell::new(false),
        }
    }

    /// The address of a file.
    pub fn file(&self, path: &str) -> String {
        let path: Vec<_> = path.split('/').map(encoded).collect();
        let Self { endpoint, repository, revision, .. } = self;
        format!("{endpoint}/datasets/{repository}/resolve/{}/{}", encoded(revision), path.join("/"))
    }

    /// The address of a question about the repository.
    pub fn api(&self, question: &str) -> String {
        format!("{}/api/datasets/{}/{question}", self.endpoint, self.repository)
    }

    /// An answer in JSON, and the address of its continuation.
    pub fn json<T: DeserializeOwned>(
        &self,
        url: &str,
        what: &str,
        notify: &mut dyn FnMut(FetchEvent<'_>),
    ) -> Result<(T, Option<String>), HubProblem> {
        let mut patience = Patience::default();
        loop {
            let mut answer = self.ask(url, what, None, &mut patience, notify)?;
            let next = answer
                .response
                .headers()
                .get_all(header::LINK)
                .iter()
                .find_map(|link| next_page(link.to_str().ok()?));
            match answer.response.body_mut().read_to_string() {
                Ok(text) => {
                    let parsed = serde_json::from_str(&text).map_err(|error| self.no_hub(&error))?;
                    return Ok((parsed, next));
                }
                Err(error) => {
                    let problem = format!("the connection to {} breaks off ({error})", self.endpoint);
                    patience.wait(problem, None, &self.endpoint, notify)?;
                }
            }
        }
    }

    /// The answer to a request, from this byte on. Requests that may succeed later are repeated.
    pub fn ask(
        &self,
        url: &str,
        what: &str,
        from: Option<u64>,
        patience: &mut Patience,
        notify: &mut dyn FnMut(FetchEvent<'_>),
    ) -> Result<Answer, HubProblem> {
        loop {
            let (problem, pause) = match self.follow(url, from) {
                Ok(answer) => {
                    self.reached.set(true);
                    let headers = answer.response.headers();
                    match answer.response.status().as_u16() {
                        200..=299 | 416 => return Ok(answer),
                        429 => (format!("{} gets too many requests", self.endpoint), pause(headers)),
                        status @ (408 | 500..=599) => {
                            (format!("{} answers with status {status}", self.endpoint), pause(headers))
                        }
                        // The address of the storage is valid for some time only.
                        status if !answer.own => {
                            (format!("the storage of {} answers with status {status}", self.endpoint), None)
                        }
                        status => return Err(self.refusal(status, headers, what)),
                    }
                }
                Err((
                    _,
                    error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::TooManyRedirects),
                )) => {
                    return Err(self.no_hub(&error));
                }
                Err((endpoint, error)) if !self.reached.get() && is_unreachable(&error) => {
                    return Err(HubProblem::Unreachable { endpoint, problem: error.to_string() });
                }
                Err((host, error)) => (format!("the connection to {host} fails ({error})"), None),
            };
            patience.wait(problem, pause, &self.endpoint, notify)?;
        }
    }

    /// The answer, or the host that failed.
    fn follow(&self, url: &str, from: Option<u64>) -> Result<Answer, (String, ureq::Error)> {
        let (mut url, mut size, mut digest) = (url.to_owned(), None, None);
        for _ in 0..=REDIRECTS {
            let own = origin(&url) == origin(&self.endpoint);
            let mut request = self.agent.get(&url);
            if let Some(token) = self.token.as_ref().filter(|_| own) {
                request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
            }
            if let Some(from) = from {
                request = request.header(header::RANGE, format!("bytes={from}-"));
            }
            let response = request.call().map_err(|error| (origin(&url).to_owned(), error))?;
            let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
            if own {
                size = text("x-linked-size").and_then(|size| size.parse().ok()).or(size);
                digest = ["x-linked-etag", "etag"]
                    .into_iter()
                    .find_map(|name| Digest::parse(text(name)?))
                    .or(digest);
            }
            let to = text("location").filter(|_| response.status().is_redirection());
            match to.map(|to| resolved(&url, to)) {
                None => return Ok(Answer { response, own, size, digest }),
                Some(to) => url = to,
            }
        }
        Err((self.endpoint.clone(), ureq::Error::TooManyRedirects))
    }

    fn refusal(&self, status: u16, headers: &HeaderMap, what: &str) -> HubProblem {
        let says = headers.get("x-error-message").and_then(|says| says.to_str().ok()).map(str::to_owned);
        match status {
            403 if headers.get("x-error-code").is_some_and(|code| code == "DisabledRepo") => {
                HubProblem::Disabled { endpoint: self.endpoint.clone(), repository: self.repository.clone() }
            }
            401 | 403 => HubProblem::Refused {
                endpoint: self.endpoint.clone(),
                repository: self.repository.clone(),
                with_token: self.token.is_some(),
                status,
                says,
            },
            404 => self.not_found(what, says),
            status => {
                let (endpoint, what) = (self.endpoint.clone(), self.place(what));
                HubProblem::Status { endpoint, status, what, says }
            }
        }
    }

    /// The repository lacks a folder or a file.
    pub fn not_found(&self, what: &str, says: Option<String>) -> HubProblem {
        let (endpoint, revision) = (self.endpoint.clone(), self.revision.clone());
        HubProblem::NotFound { endpoint, what: self.place(what), revision, says }
    }

    pub fn no_hub(&self, problem: &dyn std::fmt::Display) -> HubProblem {
        HubProblem::NoHub { endpoint: self.endpoint.clone(), problem: problem.to_string() }
    }

    fn place(&self, what: &str) -> String {
        format!("datasets/{}/{what}", self.repository).trim_end_matches('/').to_owned()
    }
}

fn is_unreachable(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed | ureq::Error::Timeout(_) => true,
        // The system has no kind for this.
        ureq::Error::Io(error) if error.to_string().contains("lookup address") => true,
        ureq::Error::Io(error) => matches!(
            error.kind(),
            ErrorKind::ConnectionRefused
                | ErrorKind::HostUnreachable
                | ErrorKind::NetworkUnreachable
                | ErrorKind::NetworkDown
                | ErrorKind::AddrNotAvailable
        ),
        _ => false,
    }
}

/// The pause that the hub asks for: `Retry-After` in seconds, or `t` of its header `ratelimit`.
fn pause(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let seconds = text("retry-after").and_then(|seconds| seconds.trim().parse().ok());
    let seconds = seconds.or_else(|| {
        text("ratelimit")?.split(';').find_map(|part| part.trim().strip_prefix("t=")?.parse().ok())
    });
    seconds.map(Duration::from_secs)
}

/// The next page in a header `Link`.
fn next_page(link: &str) -> Option<String> {
    let next = link.split(',').find(|link| link.contains("rel=\"next\""))?;
    Some(next.trim().strip_prefix('<')?.split_once('>')?.0.to_owned())
}

/// Scheme, host and port.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |colon| colon + 3);
    let end = url[host..].find(['/', '?', '#']).map_or(url.len(), |end| host + end);
    &url[..end]
}

/// The target of a redirect.
fn resolved(url: &str, to: &str) -> String {
    match to {
        to if to.contains("://") && !to.starts_with('/') => to.to_owned(),
        to if to.starts_with('/') => format!("{}{to}", origin(url)),
        to => format!(
            "{}/{to}",
            url.split(['?', '#']).next().and_then(|url| url.rsplit_once('/')).map_or(url, |(base, _)| base)
        ),
    }
}

/// A text as one segment of an address.
pub(super) fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_token_belongs_to_scheme_host_and_port() {
        assert_eq!(origin("https://hub.example/a/b"), "https://hub.example");
        for other in [
            "http://hub.example/a",
            "https://hub.example:81/",
            "https://hub.example.evil/",
            "https://a@hub.example/",
        ] {
            assert_ne!(origin(other), "https://hub.example", "{other}");
        }
    }

    #[test]
    fn redirects_are_absolute_or_relative() {
        let from = "https://hub.example/datasets/a/b?c=d/e";
        assert_eq!(resolved(from, "https://cdn.example/x?y=z"), "https://cdn.example/x?y=z");
        assert_eq!(resolved(from, "/api/x?u=http://y"), "https://hub.example/api/x?u=http://y");
        assert_eq!(resolved(from, "x"), "https://hub.example/datasets/a/x");
    }

    #[test]
    fn a_pause_is_in_seconds() {
        let pause = |name: &'static str, value: &'static str| {
            pause(&[(header::HeaderName::from_static(name), value.parse().unwrap())].into_iter().collect())
        };
        assert_eq!(pause("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(pause("ratelimit", "\"api\";r=0;t=55"), Some(Duration::from_secs(55)));
        assert_eq!(pause("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"), None);
        let link = "<https://hub.example/x?cursor=a>; rel=\"next\"";
        assert_eq!(next_page(link).unwrap(), "https://hub.example/x?cursor=a");
        assert_eq!(next_page("<https://hub.example/x>; rel=\"first\""), None);
    }

    #[test]
    fn segments_of_addresses_are_encoded() {
        assert_eq!(encoded("refs/convert/parquet"), "refs%2Fconvert%2Fparquet");
        assert_eq!(encoded("Precise IF"), "Precise%20IF");
    }
}
