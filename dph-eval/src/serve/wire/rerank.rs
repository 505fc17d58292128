//! `/v1/rerank` and `/v2/rerank` of Cohere and Jina.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::document::Document;
use super::query::Query;
use super::refused::{OF_RANKINGS, Refused, RequestBody};

/// Documents to rank.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct RerankRequest {
    /// The model; the first one if it is not given.
    #[serde(default)]
    pub model: Option<String>,
    /// What the documents answer.
    pub query: Query,
    /// The answers.
    #[schemars(length(min = 1))]
    pub documents: Vec<Document>,
    /// How many of the best are returned; all if it is 0 or not given.
    #[serde(default)]
    pub top_n: Option<usize>,
    /// Whether the documents are returned as well.
    #[serde(default)]
    pub return_documents: Option<bool>,
    /// Whether documents that do not fit into the context of the model lose their end; else they are an error.
    #[serde(default)]
    pub truncation: Option<bool>,
    /// Most tokens of a document; longer ones lose their end.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub max_tokens_per_doc: Option<usize>,
    /// Rewards instead of their sigmoid.
    #[serde(default)]
    pub raw_scores: Option<bool>,
    /// The reward head; the first one if it is not given.
    #[serde(default)]
    pub head: Option<String>,
}

impl RequestBody for RerankRequest {
    const REFUSED: &'static [&'static [Refused]] = &[OF_RANKINGS];
}

/// Ranked documents.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RerankResponse {
    /// Name of this answer.
    pub id: String,
    /// The model.
    pub model: String,
    /// The documents in descending order of their scores.
    pub results: Vec<RerankResult>,
    /// Tokens that were computed.
    pub usage: Usage,
}

/// A document with its score.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RerankResult {
    /// Index of the document in the request.
    pub index: usize,
    /// Sigmoid of its reward, or its reward.
    pub relevance_score: f64,
    /// The document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<DocumentText>,
}

/// The text of a document.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DocumentText {
    /// The text.
    pub text: String,
}

/// Tokens that were computed.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct Usage {
    /// Tokens of prompts and answers, each prompt counted once.
    pub prompt_tokens: usize,
    /// The same.
    pub total_tokens: usize,
}

impl Usage {
    /// This number of tokens.
    pub fn new(tokens: usize) -> Self {
        Self { prompt_tokens: tokens, total_tokens: tokens }
    }
}
