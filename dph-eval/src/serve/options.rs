//! [`ServeOptions`]: limits of the service.

use std::time::Duration;

use crate::pass::DEFAULT_TOKEN_BUDGET;
use crate::serve::keys::ApiKeys;

/// What the service accepts, and how it computes.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// The keys of which a request must have one; without keys every request is accepted.
    pub keys: ApiKeys,
    /// Origins whose pages may call the service from a browser; `*` is any. None by default.
    pub cors_origins: Vec<String>,
    /// Names of the service, beside `localhost`, in the header `Host` of requests. Others are refused, if the service listens on loopback and
    /// has no keys. None by default.
    pub hosts: Vec<String>,
    /// Largest number of tokens that are computed together, padding included. A single request may have more.
    pub token_budget: usize,
    /// Most requests that are computed together.
    pub batch_requests: usize,
    /// Most requests to a model that wait or are computed. Further ones are refused with status 429.
    pub queue: usize,
    /// Largest body of a request in bytes.
    pub body_bytes: usize,
    /// Most answers in a request.
    pub candidates: usize,
    /// Most tokens in a request, each prompt counted once.
    pub request_tokens: usize,
    /// Most requests to a model whose answers grow at the same time. Further ones wait.
    pub generations: usize,
    /// Memory in bytes, for each model, for prompts that later ones may begin with; 0 keeps none.
    pub prefix_bytes: usize,
    /// Most answers that a request may have generated.
    pub answers: usize,
    /// Most tokens of a generated answer.
    pub answer_tokens: usize,
    /// Time for an answer, from the last byte of the request on.
    pub timeout: Duration,
    /// Time for the head of a request, and for its body, to arrive.
    pub read_timeout: Duration,
    /// Most connections at a time. Further ones wait.
    pub connections: usize,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            keys: ApiKeys::default(),
            cors_origins: Vec::new(),
            hosts: Vec::new(),
            token_budget: DEFAULT_TOKEN_BUDGET,
            batch_requests: 64,
            queue: 64,
            body_bytes: 2 << 20,
            candidates: 512,
            request_tokens: 65_536,
            generations: 16,
            prefix_bytes: 256_000_000,
            answers: 32,
            answer_tokens: 1024,
            timeout: Duration::from_secs(60),
            read_timeout: Duration::from_secs(10),
            connections: 1024,
        }
    }
}
