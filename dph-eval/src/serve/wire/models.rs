//! `/v1/models` and `/health`.

use schemars::JsonSchema;
use serde::Serialize;

/// The models of the service.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ModelList {
    /// Always `list`.
    pub object: &'static str,
    /// The models. The first one answers requests that name none.
    pub data: Vec<ModelInfo>,
}

/// A model.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ModelInfo {
    /// Its name in requests.
    pub id: String,
    /// Always `model`.
    pub object: &'static str,
    /// When it was loaded, in seconds since 1970.
    pub created: u64,
    /// Always `dph-eval`.
    pub owned_by: &'static str,
    /// Names of its reward heads.
    pub heads: Vec<String>,
    /// Tokens that a prompt and an answer may have.
    pub max_model_len: usize,
    /// Most answers that a request may have generated.
    pub max_answers: usize,
    /// Most tokens of a generated answer.
    pub max_answer_tokens: usize,
}

/// Whether the service answers.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Health {
    /// Always `ok`.
    pub status: &'static str,
}
