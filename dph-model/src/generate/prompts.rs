//! [`Prompts`]: prompts that were computed once, for any number of answers.

use std::sync::Arc;

use burn::tensor::Tensor;
use dph_core::Layer;

use super::error::GenerateError;
use super::last_layer::{LastToo, logits, states_at};
use super::prefix::Prefix;
use crate::backbone::Backbone;
use crate::decoder::Cache;

/// Prompts after one pass over them: answers continue from here, and the prompts are not computed again.
#[derive(Debug)]
pub struct Prompts<'a> {
    pub(super) backbone: &'a Backbone,
    pub(super) tokens: Vec<Vec<u32>>,
    pub(super) layers: Vec<Layer>,
    pub(super) cache: Cache,
    /// The logits after each prompt, `[prompts, vocab]`.
    pub(super) logits: Arc<Vec<f32>>,
    states: Vec<Tensor<3>>,
    padding: Vec<usize>,
}

impl Backbone {
    /// Computes prompts, from which answers are generated. The states of `layers` are kept for the prompts and computed for
    /// the answers.
    ///
    /// # Errors
    ///
    /// If a layer does not exist, or a prompt is empty, longer than the context, or has a token that is not in the vocabulary.
    pub fn prompts(&self, prompts: &[Vec<u32>], layers: &[Layer]) -> Result<Prompts<'_>, GenerateError> {
        let context = self.context();
        for (prompt, tokens) in prompts.iter().enumerate() {
            match tokens.len() {
                0 => return Err(GenerateError::EmptyPrompt { prompt }),
                tokens if tokens > context => return Err(GenerateError::TooLong { prompt, tokens, context }),
                _ => {}
            }
        }
        let (padding, tokens) = padded(prompts, self.pad_token());
        let mut cache = match self.is_packable() {
            true => Cache::with_rotated_keys(padding.clone()),
            false => Cache::with_padding(padding.clone()),
        };
        let mut computed = Prompts {
            backbone: self,
            tokens: prompts.to_vec(),
            layers: layers.to_vec(),
            cache: Cache::default(),
            logits: Arc::default(),
            states: Vec::new(),
            padding,
        };
        if !prompts.is_empty() {
            let needed = LastToo::new(layers);
            let states = self.extend(&tokens, prompts.len(), &mut cache, &needed.layers)?;
            let (states, last) = needed.split(states);
            let seq = last.dims()[1];
            let ends: Vec<usize> = (1..=prompts.len()).map(|row| row * seq - 1).collect();
            computed.logits = Arc::new(logits(self, states_at(last, &ends)));
            (computed.states, computed.cache) = (states, cache);
        }
        Ok(computed)
    }
}

impl Backbone {
    /// Computes a prompt whose first `shared` tokens are those of a prefix and are not computed again. The numbers are those of
    /// [`prompts`](Self::prompts), up to floating-point rounding.
    ///
    /// # Errors
    ///
    /// As for [`prompts`](Self::prompts).
    ///
    /// # Panics
    ///
    /// If the prefix or the prompt does not begin with these tokens, or the prompt has no further ones.
    pub fn prompt_after(
        &self,
        prefix: &Prefix,
        shared: usize,
        prompt: &[u32],
    ) -> Result<Prompts<'_>, GenerateError> {
        let (tokens, context) = (prompt.len(), self.context());
        assert!(shared < tokens && prefix.tokens[..shared] == prompt[..shared], "another prefix");
        if tokens > context {
            return Err(GenerateError::TooLong { prompt: 0, tokens, context });
        }
        let mut cache = prefix.cache.first(shared);
        let needed = LastToo::new(&prefix.layers);
        let rest: Vec<i32> = prompt[shared..].iter().map(|&token| token as i32).collect();
        let states = self.extend(&rest, 1, &mut cache, &needed.layers)?;
        let (states, last) = needed.split(states);
        let joined = |(before, states): (&Tensor<3>, Tensor<3>)| {
            Tensor::cat(vec![before.clone().narrow(1, 0, shared), states], 1)
        };
        Ok(Prompts {
            backbone: self,
            tokens: vec![prompt.to_vec()],
            layers: prefix.layers.clone(),
            cache,
            logits: Arc::new(logits(self, states_at(last, &[rest.len() - 1]))),
            states: prefix.states.iter().zip(states).map(joined).collect(),
            padding: vec![0],
        })
    }
}

impl Prompts<'_> {
    /// What later prompts may begin with, if there is one prompt. `None` for models whose numbers depend on the length of the sequence.
    pub fn prefix(&self) -> Option<Prefix> {
        let [tokens] = &self.tokens[..] else { return None };
        self.cache.keys_are_rotated().then(|| Prefix {
            tokens: tokens.clone(),
            layers: self.layers.clone(),
            cache: self.cache.clone(),
            states: self.states.clone(),
        })
    }

    /// The tokens of each prompt.
    pub fn tokens(&self) -> &[Vec<u32>] {
        &self.tokens
    }

    /// The states of the requested layers for the prompts, `[prompts, seq, d_model]` each, padded at the start of a row.
    pub fn states(&self) -> &[Tensor<3>] {
        &self.states
    }

    /// Number of padding tokens before each prompt.
    pub fn padding(&self) -> &[usize] {
        &self.padding
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
