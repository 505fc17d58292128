//! Generation: many answers to many prompts at once, token by token.

mod answers;
mod choice;
mod error;
mod finish;
mod last_layer;
mod prefix;
mod prompts;
mod sampling;
mod softmax;

use crate::backbone::Backbone;

pub use answers::{AnswerId, Answers, Computed};
pub use choice::{Choice, Drawn};
pub use error::GenerateError;
pub use finish::Finish;
pub use prefix::Prefix;
pub use prompts::{PromptRequest, Prompts};
pub use sampling::{Sampling, SamplingError};

/// The continuation of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// The tokens after the prompt, without a stop token.
    pub tokens: Vec<u32>,
    /// Why generation ended.
    pub finish: Finish,
}

impl Backbone {
    /// Continues all prompts in one batch, each until a stop token, `max_tokens` or the end of the context: one answer to each
    /// of [`prompts`](Self::prompts).
    ///
    /// `on_token(prompt, token)` is called for each generated token with the index of its prompt. The continuation of a
    /// prompt depends on the prompt and the settings, and on the other prompts only through floating-point rounding.
    ///
    /// States of earlier tokens are cached. For a model whose numbers depend on the length of the sequence (see
    /// [`is_packable`](Self::is_packable)) the result therefore differs from a computation without a cache; it equals
    /// the result of the authors' code.
    ///
    /// # Errors
    ///
    /// If a setting is invalid, or a prompt is empty, too long, or has a token that is not in the vocabulary.
    pub fn generate(
        &self,
        prompts: &[Vec<u32>],
        sampling: &Sampling,
        mut on_token: impl FnMut(usize, u32),
    ) -> Result<Vec<Generated>, GenerateError> {
        sampling.check()?;
        let mut out = vec![Generated { tokens: Vec::new(), finish: Finish::Length }; prompts.len()];
        let mut answers = Answers::one_each(self.prompts(prompts, &[])?, sampling, None)?;
        loop {
            for choice in answers.choose() {
                let generated = &mut out[choice.answer];
                if let Some(token) = choice.token {
                    generated.tokens.push(token);
                    on_token(choice.answer, token);
                }
                generated.finish = choice.finish.unwrap_or(generated.finish);
            }
            if answers.compute(false)?.is_none() {
                return Ok(out);
            }
        }
    }
}
