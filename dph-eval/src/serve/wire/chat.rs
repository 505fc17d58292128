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
#[derive(Debug, Serialize, JsonSchema)]
pub struct ChatChunk<'a> {
    /// Name of this answer.
    pub id: &'a str,
    /// Always `chat.completion.chunk`.
    pub object: &'static str,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// The model.
    pub model: &'a str,
    /// The seed that gives the same answers again.
    pub seed: i64,
    /// What is added to an answer; none in the part with the numbers of tokens.
    pub choices: Vec<ChatDelta>,
    /// Numbers of tokens; null in the parts before the last one, if they are wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Option<GenerationUsage>>,
}

/// What is added to an answer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ChatDelta {
    /// Its number.
    pub index: usize,
    /// The text that is added.
    pub delta: Delta,
    /// The log-probability of the token, if it is wanted.
    pub logprobs: Option<ChatLogprobs>,
    /// Why the answer ended: `stop`, `length` or `rejected`.
    pub finish_reason: Option<&'static str>,
    /// The reward so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_reward: Option<f64>,
    #[serde(flatten)]
    pub judgement: Option<Judgement>,
}

/// Text that is added to an answer.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct Delta {
    /// `assistant` in the first part of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}
