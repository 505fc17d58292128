//! Generation: continues many prompts at once, token by token.

mod sampling;

use burn::tensor::Tensor;
use dph_core::Layer;

use crate::backbone::Backbone;
use crate::decoder::{Cache, InputError};

use sampling::Sampler;
pub use sampling::{Sampling, SamplingError};

/// The continuation of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// The tokens after the prompt, without a stop token.
    pub tokens: Vec<u32>,
    /// Why generation ended.
    pub finish: Finish,
}

/// Why generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model generated a stop token.
    Stop,
    /// `max_tokens` tokens were generated.
    Length,
    /// The model's context is full.
    Context,
}

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

impl Backbone {
    /// Continues all prompts in one batch, each until a stop token, `max_tokens` or the end of the context.
    ///
    /// `on_token(prompt, token)` is called for each generated token with the index of its prompt. The continuation of a
    /// prompt depends on the prompt, the settings and its index, and on the other prompts only through floating-point
    /// rounding.
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
        for (prompt, tokens) in prompts.iter().enumerate() {
            if tokens.is_empty() {
                return Err(GenerateError::EmptyPrompt { prompt });
            }
            if tokens.len() > self.context() {
                let context = self.context();
                return Err(GenerateError::TooLong { prompt, tokens: tokens.len(), context });
            }
        }
        let mut out = vec![Generated { tokens: Vec::new(), finish: Finish::Length }; prompts.len()];
        if prompts.is_empty() || sampling.max_tokens == 0 {
            return Ok(out);
        }
        let mut samplers: Vec<Sampler> =
            prompts.iter().enumerate().map(|(place, prompt)| Sampler::new(sampling, place, prompt)).collect();

        let (padding, mut tokens) = padded(prompts, self.pad_token());
        let mut cache = match self.config().positions.depend_on_length() {
            true => Cache::with_padding(padding),
            false => Cache::with_rotated_keys(padding),
        };
        // The prompts that have not ended, in the order of the rows of the cache.
        let mut active: Vec<usize> = (0..prompts.len()).collect();
        loop {
            let last = self.extend(&tokens, active.len(), &mut cache, &[Layer::Last])?.remove(0);
            let logits = self.last_logits(last);
            tokens.clear();
            let mut rows = Vec::with_capacity(active.len());
            for (row, (&place, logits)) in active.iter().zip(logits.chunks_exact(self.vocab())).enumerate() {
                let token = samplers[place].next(logits);
                let generated = &mut out[place];
                if sampling.stop.contains(&token) {
                    generated.finish = Finish::Stop;
                    continue;
                }
                generated.tokens.push(token);
                on_token(place, token);
                if generated.tokens.len() == sampling.max_tokens {
                    continue;
                }
                if prompts[place].len() + generated.tokens.len() >= self.context() {
                    generated.finish = Finish::Context;
                    continue;
                }
                rows.push(row);
                tokens.push(token as i32);
            }
            if rows.is_empty() {
                return Ok(out);
            }
            if rows.len() < active.len() {
                cache.keep_rows(&rows);
                active = rows.iter().map(|&row| active[row]).collect();
            }
        }
    }

    /// The logits after the last token of each row, `[rows, vocab]`, flattened.
    fn last_logits(&self, last: Tensor<3>) -> Vec<f32> {
        let [rows, seq, _] = last.dims();
        let states: Vec<usize> = (1..=rows).map(|row| row * seq - 1).collect();
        let logits = self.logits_at(last, &states).into_data();
        // Converting each number would take longer than choosing a token.
        logits.try_to_vec().unwrap_or_else(|_| logits.iter::<f32>().collect())
    }
}

/// The padding of each prompt, and the prompts as rows of equal length, padded at their start.
fn padded(prompts: &[Vec<u32>], pad: u32) -> (Vec<usize>, Vec<i32>) {
    let longest = prompts.iter().map(Vec::len).max().unwrap_or(0);
    let padding: Vec<usize> = prompts.iter().map(|prompt| longest - prompt.len()).collect();
    let row = |prompt: &Vec<u32>| {
        let padding = std::iter::repeat_n(pad, longest - prompt.len());
        padding.chain(prompt.iter().copied()).map(|token| token as i32).collect::<Vec<_>>()
    };
    let tokens = prompts.iter().flat_map(row).collect();
    (padding, tokens)
}
