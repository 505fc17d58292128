//! [`GenerationError`]: why answers cannot be generated.

use dph_data::ChatError;
use dph_model::{GenerateError, InputError};

use crate::pass::ScoreError;

/// Why answers cannot be generated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerationError {
    /// No answers.
    #[error("the number of answers is 0; it must be at least 1")]
    NoAnswers,
    /// The model has no preference head.
    #[error(
        "{model} has no preference head, which {needed_by} needs; train one with `dph-train`, or choose by loglik, self-certainty or random"
    )]
    NoHead {
        /// The model.
        model: String,
        /// What needs it.
        needed_by: &'static str,
    },
    /// The model has no such head.
    #[error("{model} has no reward head {index}; it has {heads}")]
    NoSuchHead {
        /// The model.
        model: String,
        /// The head.
        index: usize,
        /// Number of heads.
        heads: usize,
    },
    /// The head reads other states than those of conversations.
    #[error(
        "the preference head of {model} was trained on documents in the style `plain`, and answers are generated in \
         conversations, so {needed_by} is not possible; use a head that was trained in the style `chat`"
    )]
    PlainHead {
        /// The model.
        model: String,
        /// What is not possible.
        needed_by: &'static str,
    },
    /// Several answers that are all the same.
    #[error(
        "a temperature of 0 gives the same answer {answers} times; choose a temperature above 0, or one answer"
    )]
    Greedy {
        /// Number of answers.
        answers: usize,
    },
    /// A setting is out of range.
    #[error("{setting} is {value}; it must be {expected}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// The model gives no probabilities.
    #[error(
        "{model} is a reward model without an output matrix, so it cannot generate; rank answers of another model with it (`dph-eval rank`)"
    )]
    NoOutput {
        /// The model.
        model: String,
    },
    /// The head reads the end of the conversation, which an answer does not have while it grows.
    #[error(
        "the head of {model} reads the last token of the whole conversation, so {needed_by} is not possible while answers grow"
    )]
    ReadsConversation {
        /// The model.
        model: String,
        /// What is not possible.
        needed_by: &'static str,
    },
    /// The model's states change while an answer grows.
    #[error(
        "the states of {model} depend on the length of the sequence, so {needed_by} is not possible while answers grow"
    )]
    DependsOnLength {
        /// The model.
        model: String,
        /// What is not possible.
        needed_by: &'static str,
    },
    /// A prompt has no tokens.
    #[error("the prompt has no tokens, so nothing predicts the first token of an answer")]
    EmptyPrompt,
    /// A prompt leaves no room for an answer.
    #[error(
        "the prompt has {tokens} tokens, which leaves no room for an answer in the model's context of {context}; shorten it"
    )]
    PromptTooLong {
        /// Number of tokens.
        tokens: usize,
        /// Tokens that the model takes.
        context: usize,
    },
    /// A prompt or a setting of generation.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// The model refuses a token.
    #[error(transparent)]
    Input(#[from] InputError),
    /// An answer cannot be scored.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// Tokens that are no text.
    #[error(transparent)]
    Text(#[from] ChatError),
}
