//! `/score` and `/v1/score` of vLLM.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::one_or_many::OneOrMany;
use super::refused::{OF_SCORES, Refused, RequestBody};
use super::rerank::Usage;

/// Prompts and answers to score.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(extend("anyOf" = [
    {"properties": {"text_1": {"anyOf": [{"type": "string"}, {"maxItems": 1}]}}},
    {"properties": {"text_2": {"type": "array"}}},
]))]
pub struct ScoreRequest {
    /// The model; the first one if it is not given.
    #[serde(default)]
    pub model: Option<String>,
    /// A prompt for all answers, or one for each answer.
    #[serde(alias = "queries")]
    pub text_1: OneOrMany<1>,
    /// The answers.
    #[serde(alias = "documents")]
    pub text_2: OneOrMany<1>,
    /// Whether scores are the sigmoid of rewards (the default), or rewards.
    #[serde(default, alias = "activation")]
    pub use_activation: Option<bool>,
    /// The reward head; the first one if it is not given.
    #[serde(default)]
    pub head: Option<String>,
}

impl RequestBody for ScoreRequest {
    const REFUSED: &'static [&'static [Refused]] = &[OF_SCORES];
}

/// Scores of pairs.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ScoreResponse {
    /// Name of this answer.
    pub id: String,
    /// Always `list`.
    pub object: &'static str,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// The model.
    pub model: String,
    /// The pairs in the order of the request.
    pub data: Vec<Score>,
    /// Tokens that were computed.
    pub usage: Usage,
}

/// The score of a pair.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Score {
    /// Index of the pair.
    pub index: usize,
    /// Always `score`.
    pub object: &'static str,
    /// Sigmoid of the reward, or the reward.
    pub score: f64,
}
