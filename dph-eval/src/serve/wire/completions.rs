//! `/v1/completions` of OpenAI.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::generation::{GenerationUsage, Judgement, generation_request};
use super::refused::{OF_COMPLETIONS, OF_GENERATION, Refused, RequestBody};
use super::text_prompts::TextPrompts;

generation_request! {
    /// Texts that are continued.
    pub struct CompletionRequest {
        /// The text, its tokens, or a list of these.
        pub prompt: TextPrompts,
        /// Whether the log-probability of each token is returned: 0, as those of other tokens are not supported.
        #[serde(default)]
        #[schemars(range(max = 0))]
        pub logprobs: Option<usize>,
    }
}

impl RequestBody for CompletionRequest {
    const REFUSED: &'static [&'static [Refused]] = &[OF_GENERATION, OF_COMPLETIONS];
}

/// Continuations of texts.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CompletionResponse<'a> {
    /// Name of this response.
    pub id: &'a str,
    /// Always `text_completion`.
    pub object: &'static str,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// The model.
    pub model: &'a str,
    /// The seed that gives the same continuations again.
    pub seed: i64,
    /// The continuations, those of the first text first, and of each text the best first.
    pub choices: Vec<CompletionChoice>,
    /// Numbers of tokens; null in the parts of a stream before the last one, if they are wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Option<GenerationUsage>>,
}

/// A continuation, or a part of it in a stream.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CompletionChoice {
    /// Its number.
    pub index: usize,
    /// The text.
    pub text: String,
    /// The log-probabilities of its tokens, if they are wanted.
    pub logprobs: Option<CompletionLogprobs>,
    /// Why it ended: `stop`, `length` or `rejected`.
    pub finish_reason: Option<&'static str>,
    /// The reward so far, in a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_reward: Option<f64>,
    #[serde(flatten)]
    pub judgement: Option<Judgement>,
}

/// The log-probabilities of tokens.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CompletionLogprobs {
    /// The text of each token that was drawn. Where a stop string begins inside of a token, that token is whole here.
    pub tokens: Vec<String>,
    /// Natural logarithm of its probability in the model's own distribution.
    pub token_logprobs: Vec<f32>,
    /// Always null.
    pub top_logprobs: Option<Vec<Value>>,
    /// Where the text of each token begins in the continuation, in characters.
    pub text_offset: Vec<usize>,
}
