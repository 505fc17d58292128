//! `/rerank` and `/predict` of text-embeddings-inference.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pairs::Pairs;
use super::query::Query;
use super::refused::{Refused, RequestBody};

/// Texts to rank.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "RankRequest")]
pub struct RerankRequest {
    /// What the texts answer.
    pub query: Query,
    /// The answers.
    #[schemars(length(min = 1))]
    pub texts: Vec<String>,
    /// Rewards instead of their sigmoid.
    #[serde(default)]
    pub raw_scores: Option<bool>,
    /// Whether the texts are returned as well.
    #[serde(default)]
    pub return_text: Option<bool>,
    /// Whether answers that do not fit into the context of the model are cut; else they are an error.
    #[serde(default)]
    pub truncate: Option<bool>,
    /// The end at which answers are cut [default: Right].
    #[serde(default)]
    pub truncation_direction: Option<Direction>,
    /// The model; the first one if it is not given.
    #[serde(default)]
    pub model: Option<String>,
    /// The reward head; the first one if it is not given.
    #[serde(default)]
    pub head: Option<String>,
}

impl RequestBody for RerankRequest {
    const REFUSED: &'static [&'static [Refused]] = &[];
}

/// Pairs to score.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct PredictRequest {
    /// The pairs.
    pub inputs: Pairs,
    /// Rewards instead of their sigmoid.
    #[serde(default)]
    pub raw_scores: Option<bool>,
    /// Whether answers that do not fit into the context of the model are cut; else they are an error.
    #[serde(default)]
    pub truncate: Option<bool>,
    /// The end at which answers are cut [default: Right].
    #[serde(default)]
    pub truncation_direction: Option<Direction>,
    /// The model; the first one if it is not given.
    #[serde(default)]
    pub model: Option<String>,
    /// The reward head; all if it is not given.
    #[serde(default)]
    pub head: Option<String>,
}

impl RequestBody for PredictRequest {
    const REFUSED: &'static [&'static [Refused]] = &[];
}

/// The end at which a text is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Direction {
    /// The beginning is dropped.
    #[serde(alias = "left")]
    Left,
    /// The end is dropped.
    #[serde(alias = "right")]
    Right,
}

/// A text with its score. An answer has them in descending order of their scores.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Rank {
    /// Index of the text in the request.
    pub index: usize,
    /// Sigmoid of its reward, or its reward.
    pub score: f64,
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// The score of a head.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Prediction {
    /// Name of the head.
    pub label: String,
    /// Sigmoid of the reward, or the reward.
    pub score: f64,
}

/// The scores of a pair, in descending order, or of each pair of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Predictions {
    One(Vec<Prediction>),
    Many(Vec<Vec<Prediction>>),
}
