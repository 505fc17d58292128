//! `dph-eval serve`.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use dph_core::terminal::{Failure, memory_size};

use super::device::{DeviceArgs, positive};

/// Answer requests over HTTP: rewards of answers, and answers with rewards
///
/// The service speaks the forms of text-embeddings-inference (/rerank, /predict), of Cohere and Jina (/v1/rerank), of vLLM (/score) and of
/// OpenAI (/v1/chat/completions, /v1/completions);
/// /openapi.json describes all of them. Requests that wait for the same model are computed together. SIGTERM and Ctrl-C end the
/// service when all accepted requests are answered.
#[derive(Debug, Args)]
#[cfg_attr(not(feature = "serve"), allow(dead_code))]
pub struct ServeArgs {
    /// A model, export or run, with the name that requests give as `model` [default: the name of the directory]; the first model
    /// answers requests that name none
    #[arg(required = true, value_name = "NAME=DIR")]
    models: Vec<NamedModel>,

    /// The address to listen on; port 0 takes a free one
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:8080",
        env = "DPH_LISTEN",
        hide_env_values = true,
        value_parser = address
    )]
    listen: SocketAddr,

    /// A file with keys, one a line; a request must have one of them in the header `Authorization: Bearer KEY`
    #[arg(long, value_name = "FILE")]
    api_keys: Option<PathBuf>,

    /// Further keys, separated by commas or lines; meant to be given in the environment, as other users see the arguments of a program
    #[arg(long, value_name = "KEYS", env = "DPH_API_KEYS", hide_env_values = true, hide = true)]
    api_key: Option<String>,

    /// An origin whose pages may call the service from a browser, such as https://example.org, or `*`; may be given several times
    #[arg(long, value_name = "ORIGIN")]
    cors_origin: Vec<String>,

    /// A host name of the service beside localhost, such as that of a proxy in front of it; may be given several times. Without keys, a
    /// service on loopback refuses requests to other names, since any web page can give a name of its own the address 127.0.0.1
    #[arg(long, value_name = "NAME", value_parser = host_name)]
    allow_host: Vec<String>,

    /// Most requests to a model that wait or are computed; further ones are refused with status 429
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = positive)]
    queue: usize,

    /// Most requests that are computed together; 1 computes each alone
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = positive)]
    batch_requests: usize,

    /// Largest body of a request in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 2 << 20, value_parser = positive)]
    max_body: usize,

    /// Most answers in a request
    #[arg(long, value_name = "N", default_value_t = 512, value_parser = positive)]
    max_candidates: usize,

    /// Most tokens in a request, its prompt counted once
    #[arg(long, value_name = "N", default_value_t = 65_536, value_parser = positive)]
    max_request_tokens: usize,

    /// Most answers that a request may have generated
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = positive)]
    max_answers: usize,

    /// Most tokens of a generated answer
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = positive)]
    max_answer_tokens: usize,

    /// Most requests to a model whose answers grow at the same time, a token of each in one pass; further ones wait
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = positive)]
    generations: usize,

    /// Memory for each model for prompts that later ones may begin with, such as a system prompt and the turns of a conversation, which are
    /// then not computed again; 0 keeps none
    #[arg(long, value_name = "SIZE", default_value = "256MB", value_parser = memory_size)]
    prefix_cache: usize,

    /// Seconds for an answer
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = positive)]
    timeout: usize,

    /// Seconds for the head of a request, and for its body, to arrive
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = positive)]
    read_timeout: usize,

    /// Most connections at a time
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = positive)]
    max_connections: usize,

    #[command(flatten)]
    device: DeviceArgs,
}

/// A model with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(feature = "serve"), allow(dead_code))]
struct NamedModel {
    name: Option<String>,
    dir: PathBuf,
}

impl FromStr for NamedModel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A path may have this sign, too, and a name slashes.
        let is_path = |name: &str| name.contains(['/', '\\']) && Path::new(text).exists();
        match text.split_once('=') {
            Some((name, dir)) if !is_path(name) => match (name.trim(), dir) {
                ("", _) | (_, "") => Err("expected NAME=DIR or DIR".into()),
                (name, dir) => Ok(Self { name: Some(name.into()), dir: dir.into() }),
            },
            _ => Ok(Self { name: None, dir: text.into() }),
        }
    }
}

/// An address, or a host name that is resolved.
fn address(text: &str) -> Result<SocketAddr, String> {
    let resolved = text.to_socket_addrs().ok().and_then(|mut found| found.next());
    resolved.ok_or_else(|| "expected HOST:PORT, such as 127.0.0.1:8080, localhost:8080 or [::1]:8080".into())
}

/// A host name without a port.
fn host_name(text: &str) -> Result<String, String> {
    match text.is_empty() || text.contains([':', '/', ' ']) {
        true => Err("expected a host name without a port, such as models.example.org".into()),
        false => Ok(text.into()),
    }
}

impl ServeArgs {
    #[cfg(not(feature = "serve"))]
    pub fn run(self) -> Result<(), Failure> {
        Err(Failure::request("this program was built without the service; build it with `--features serve`"))
    }

    #[cfg(feature = "serve")]
    pub fn run(self) -> Result<(), Failure> {
        use std::time::Duration;

        use dph_core::terminal::log_with_times_to_stderr;
        use dph_eval::serve::{ApiKeys, ServeOptions, Service};

        let file = self.api_keys.as_deref().map(ApiKeys::read).transpose().map_err(Failure::request)?;
        let given = self.api_key.as_deref().map(ApiKeys::separated);
        if given.as_ref().is_some_and(ApiKeys::is_empty) {
            return Err(Failure::request(
                "DPH_API_KEYS has no key, so everybody could use the service; write keys separated by commas, or unset the variable",
            ));
        }
        let keys = file.unwrap_or_default().and(given.unwrap_or_default());
        if self.models.len() > 1 && self.device.names_a_model() {
            return Err(Failure::request("--backbone and --base are for one model, and there are several"));
        }
        let options = ServeOptions {
            keys,
            cors_origins: self.cors_origin,
            hosts: self.allow_host,
            token_budget: self.device.token_budget,
            batch_requests: self.batch_requests,
            queue: self.queue,
            body_bytes: self.max_body,
            candidates: self.max_candidates,
            request_tokens: self.max_request_tokens,
            generations: self.generations,
            prefix_bytes: self.prefix_cache,
            answers: self.max_answers,
            answer_tokens: self.max_answer_tokens,
            timeout: Duration::from_secs(self.timeout as u64),
            read_timeout: Duration::from_secs(self.read_timeout as u64),
            connections: self.max_connections,
        };
        let open = |named: &NamedModel| {
            let model = self.device.open(&named.dir)?;
            // The directory as it was named: a link may lead to one of another name.
            let of_dir = || named.dir.file_name().map(|name| name.to_string_lossy().into_owned());
            let name = named.name.clone().or_else(of_dir).unwrap_or_else(|| model.name.clone());
            Ok((name, model))
        };
        let models = self.models.iter().map(open).collect::<Result<Vec<_>, Failure>>()?;
        log_with_times_to_stderr("warn,dph_eval=info");
        let needs_key = !options.keys.is_empty();
        let service = Service::new(models, options).map_err(Failure::request)?;
        run(service, self.listen, needs_key)
    }
}

/// Runs a service until the program is asked to end.
#[cfg(feature = "serve")]
fn run(service: dph_eval::serve::Service, address: SocketAddr, needs_key: bool) -> Result<(), Failure> {
    use dph_core::terminal::say;
    use tokio::net::TcpListener;

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::work(format!("the service cannot start: {error}")))?;
    runtime.block_on(async {
        let failed = |error| {
            Failure::request(format!("--listen {address}: {error}; choose another address, or port 0 for a free one"))
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stop = stop_signal().map_err(|error| Failure::work(format!("no signals: {error}")))?;
        if !needs_key && !address.ip().is_loopback() {
            say("warning: everybody who can reach this address can use the service; --api-keys asks for a key");
        }
        say(&format!("listening on http://{address}"));
        service.run(listener, stop).await;
        Ok(())
    })
}

/// Is ready when the program is asked to end. A second time ends it at once.
#[cfg(all(feature = "serve", unix))]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tokio::spawn(async move {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            std::process::exit(1);
        });
    })
}

/// Is ready when the program is asked to end.
#[cfg(all(feature = "serve", not(unix)))]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_model_may_have_a_name() {
        let of = |text: &str| text.parse::<NamedModel>().map(|model| (model.name, model.dir));
        assert_eq!(of("mine=runs/a"), Ok((Some("mine".into()), "runs/a".into())));
        assert_eq!(of("runs/a"), Ok((None, "runs/a".into())));
        assert_eq!(of("org/mine=runs/a"), Ok((Some("org/mine".into()), "runs/a".into())));
        let place = tempfile::tempdir().unwrap();
        let swept = place.path().join("form=a");
        std::fs::create_dir(&swept).unwrap();
        assert_eq!(of(swept.to_str().unwrap()), Ok((None, swept)));
        assert_eq!(of("a=runs/form=a"), Ok((Some("a".into()), "runs/form=a".into())));
        assert!(of("=x").is_err() && of("x=").is_err());
    }
}
