//! `/v1/chat/completions` of OpenAI.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::generation::{GenerationUsage, Judgement, generation_request};
use super::messages::Messages;
use super::refused::{OF_CHATS, OF_GENERATION, Refused, RequestBody};

generation_request! {
    /// A conversation that waits for answers.
    pub struct ChatRequest {
        /// The messages before the answer.
        pub messages: Messages,
        /// The newer name of `max_tokens`.
        #[serde(default)]
        #[schemars(range(min = 1))]
        pub max_completion_tokens: Option<usize>,
        /// Whether the log-probability of each token is returned.
        #[serde(default)]
        pub logprobs: Option<bool>,
    }
}

impl RequestBody for ChatRequest {
    const REFUSED: &'static [&'static [Refused]] = &[OF_GENERATION, OF_CHATS];
}

/// Answers to a conversation.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ChatResponse {
    /// Name of this response.
    pub id: String,
    /// Always `chat.completion`.
    pub object: &'static str,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// The model.
    pub model: String,
    /// The seed that gives the same answers again.
    pub seed: i64,
    /// The answers, the best first.
    pub choices: Vec<ChatChoice>,
    /// Numbers of tokens.
    pub usage: GenerationUsage,
}

/// An answer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ChatChoice {
    /// Its place.
    pub index: usize,
    /// The answer.
    pub message: AnswerMessage,
    /// The log-probabilities of its tokens, if they are wanted.
    pub logprobs: Option<ChatLogprobs>,
    /// Why it ended: `stop`, `length` or `rejected`.
    pub finish_reason: &'static str,
    #[serde(flatten)]
    pub judgement: Judgement,
}

/// The message of an answer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AnswerMessage {
    /// Always `assistant`.
    pub role: &'static str,
    /// The text.
    pub content: String,
    /// Always null.
    pub refusal: Option<String>,
}

/// The log-probabilities of tokens.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ChatLogprobs {
    /// One for each token that was drawn. Where a stop string begins inside of a token, that token is whole here.
    pub content: Vec<TokenLogprob>,
}

/// The log-probability of a token.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct TokenLogprob {
    /// Its text.
    pub token: String,
    /// The bytes of its text.
    pub bytes: Vec<u8>,
    /// Natural logarithm of its probability in the model's own distribution.
    pub logprob: f32,
    /// Always empty.
    pub top_logprobs: Vec<Value>,
}

/// A part of a stream.
#[derive(Debug, Serialize)]
pub struct ChatChunk<'a> {
    pub id: &'a str,
    pub object: &'static str,
    pub created: u64,
    pub model: &'a str,
    pub seed: i64,
    pub choices: Vec<ChatDelta>,
    /// `Some(None)` is null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Option<GenerationUsage>>,
}

/// What is added to an answer.
#[derive(Debug, Serialize)]
pub struct ChatDelta {
    pub index: usize,
    pub delta: Delta,
    pub logprobs: Option<ChatLogprobs>,
    pub finish_reason: Option<&'static str>,
    /// The reward so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_reward: Option<f64>,
    #[serde(flatten)]
    pub judgement: Option<Judgement>,
}

/// Text that is added to an answer.
#[derive(Debug, Default, Serialize)]
pub struct Delta {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}
