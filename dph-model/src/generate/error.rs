//! [`GenerateError`]: why generation is not possible.

use super::sampling::SamplingError;
use crate::decoder::InputError;

/// Why generation is not possible.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// A setting is invalid.
    #[error(transparent)]
    Sampling(#[from] SamplingError),
    /// A prompt has a token that is not in the vocabulary.
    #[error(transparent)]
    Input(#[from] InputError),
    /// A prompt is empty: nothing would predict the first token.
    #[error("prompt {prompt} is empty; begin it with the model's start token")]
    EmptyPrompt {
        /// Index of the prompt.
        prompt: usize,
    },
    /// A prompt is longer than the context.
    #[error("prompt {prompt} has {tokens} tokens, but the model's context is {context}; shorten it")]
    TooLong {
        /// Index of the prompt.
        prompt: usize,
        /// Its length.
        tokens: usize,
        /// The context of the model.
        context: usize,
    },
}
