//! What requests for chat and text completions have in common.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::generate::Selection;

/// Defines a request with the fields that say how answers are generated, and [`Generating`] for it. The fields are in each struct, not in
/// a common one, so that an error names them.
macro_rules! generation_request {
    ($(#[$doc:meta])* pub struct $name:ident { $($(#[$field_doc:meta])* pub $field:ident: $kind:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize, JsonSchema)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $kind,)*
            /// The model; the first one if it is not given.
            #[serde(default)]
            pub model: Option<String>,
            /// Number of answers that are returned [default: 1].
            #[serde(default)]
            #[schemars(range(min = 1))]
            pub n: Option<usize>,
            /// Number of answers that are generated; the best `n` are returned, the best first [default: `n`].
            #[serde(default)]
            #[schemars(range(min = 1))]
            pub best_of: Option<usize>,
            /// Most tokens of an answer; the limit of the service if it is not given.
            #[serde(default)]
            #[schemars(range(min = 1))]
            pub max_tokens: Option<usize>,
            /// Divisor of the logits; 0 is greedy [default: 1].
            #[serde(default)]
            #[schemars(range(min = 0.0))]
            pub temperature: Option<f64>,
            /// Tokens are drawn from the most likely ones with this total probability [default: 1].
            #[serde(default)]
            #[schemars(range(max = 1.0), extend("exclusiveMinimum" = 0.0))]
            pub top_p: Option<f64>,
            /// Tokens are drawn from this number of most likely ones; 0 for all [default: 0].
            #[serde(default)]
            pub top_k: Option<usize>,
            /// Makes tokens less likely that have occurred; 1 for no penalty [default: 1].
            #[serde(default)]
            #[schemars(extend("exclusiveMinimum" = 0.0))]
            pub repetition_penalty: Option<f64>,
            /// With the same seed, a request has the same answers, up to the rounding that requests beside it and kept prompts
            /// change: with close probabilities another token may be drawn. A random one if it is not given.
            #[serde(default)]
            #[schemars(range(min = i64::MIN, max = i64::MAX))]
            pub seed: Option<i64>,
            /// Texts that end an answer and do not belong to it.
            #[serde(default)]
            pub stop: Option<$crate::serve::wire::OneOrMany<0>>,
            /// Whether the answers are sent while they grow, as server-sent events.
            #[serde(default)]
            pub stream: Option<bool>,
            /// What is sent at the end of a stream.
            #[serde(default)]
            pub stream_options: Option<$crate::serve::wire::StreamOptions>,
            /// How the best answers are chosen [default: reward, or loglik for a model without a preference head].
            #[serde(default)]
            #[schemars(with = "Option<crate::serve::wire::SelectionSchema>")]
            pub selection: Option<$crate::generate::Selection>,
            /// The reward head that chooses; the first one if it is not given.
            #[serde(default)]
            pub head: Option<String>,
            /// Wherever the reward chooses, this weight times the mean log-probability is added to it [default: 0].
            #[serde(default)]
            #[schemars(range(min = 0.0))]
            pub loglik_weight: Option<f64>,
            /// Whether a stream has the reward so far with every token.
            #[serde(default)]
            pub token_rewards: Option<bool>,
            /// Drops the half of the answers with the lowest rewards so far every so many tokens, until `n` are left, or one if
            /// `best_of` is `n`.
            #[serde(default)]
            #[schemars(range(min = 1))]
            pub reject_every: Option<usize>,
        }

        impl $name {
            /// The fields that all requests have.
            pub fn generating(&self) -> $crate::serve::wire::Generating<'_> {
                $crate::serve::wire::Generating {
                    model: self.model.as_deref(),
                    n: self.n,
                    best_of: self.best_of,
                    max_tokens: self.max_tokens,
                    max_tokens_field: "max_tokens",
                    temperature: self.temperature,
                    top_p: self.top_p,
                    top_k: self.top_k,
                    repetition_penalty: self.repetition_penalty,
                    seed: self.seed,
                    stop: self.stop.as_ref().map_or(&[], |stop| &stop.0),
                    streams: self.stream.unwrap_or_default(),
                    includes_usage: self.stream_options.as_ref().and_then(|options| options.include_usage).unwrap_or_default(),
                    selection: self.selection,
                    head: self.head.as_deref(),
                    loglik_weight: self.loglik_weight.unwrap_or_default(),
                    token_rewards: self.token_rewards.unwrap_or_default(),
                    reject_every: self.reject_every,
                }
            }
        }
    };
}
pub(in crate::serve) use generation_request;

/// How answers are generated, as a request says it.
#[derive(Debug, Clone, Copy)]
pub struct Generating<'a> {
    pub model: Option<&'a str>,
    pub n: Option<usize>,
    pub best_of: Option<usize>,
    pub max_tokens: Option<usize>,
    /// The field in which `max_tokens` was given.
    pub max_tokens_field: &'static str,
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub top_k: Option<usize>,
    pub repetition_penalty: Option<f64>,
    pub seed: Option<i64>,
    pub stop: &'a [String],
    pub streams: bool,
    pub includes_usage: bool,
    pub selection: Option<Selection>,
    pub head: Option<&'a str>,
    pub loglik_weight: f64,
    pub token_rewards: bool,
    pub reject_every: Option<usize>,
}

/// What is sent at the end of a stream.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct StreamOptions {
    /// Whether the numbers of tokens are sent.
    #[serde(default)]
    pub include_usage: Option<bool>,
}

/// The schema of [`Selection`].
#[derive(JsonSchema)]
#[schemars(rename = "Selection", rename_all = "kebab-case")]
#[allow(dead_code)]
pub enum SelectionSchema {
    /// The highest reward.
    Reward,
    /// The highest mean log-probability.
    Loglik,
    /// The highest self-certainty.
    SelfCertainty,
    /// Any, by the seed.
    Random,
}

/// What the model says of an answer beside its text.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Judgement {
    /// The reward of the head that chooses; null without a preference head.
    pub reward: Option<f64>,
    /// The rewards of all heads.
    pub rewards: BTreeMap<String, Option<f64>>,
    /// Sum of the log-probabilities of its tokens.
    pub loglik: Option<f64>,
    /// Number of its tokens.
    pub tokens: usize,
}

/// Numbers of tokens.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct GenerationUsage {
    /// Tokens of the prompts.
    pub prompt_tokens: usize,
    /// Tokens that were generated, those of discarded answers included.
    pub completion_tokens: usize,
    /// Both.
    pub total_tokens: usize,
}

/// Why an answer ended: `stop` (the model, or a stop string, ended it), `length`, or `rejected` (its reward was among the lowest).
pub fn finish_reason(end: crate::generate::AnswerEnd) -> &'static str {
    use crate::generate::AnswerEnd::{Context, Length, Rejected, Stop, StopString};
    match end {
        Stop | StopString => "stop",
        Length | Context => "length",
        Rejected => "rejected",
    }
}
