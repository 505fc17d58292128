//! [`Prompts`]: prompts that were computed once, for any number of answers.

use std::sync::Arc;

use burn::tensor::Tensor;
use dph_core::Layer;

use super::error::GenerateError;
use super::last_layer::{LastToo, logits, states_at};
use super::prefix::Prefix;
use crate::backbone::{Backbone, Extension};
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

/// Prompts of one request to [`Backbone::prompts_together`].
#[derive(Debug, Clone, Copy)]
pub struct PromptRequest<'a> {
    /// The prompts.
    pub prompts: &'a [Vec<u32>],
    /// For a single prompt: a computed prompt, and the number of its first tokens that both have and that are not computed again.
    pub prefix: Option<(&'a Prefix, usize)>,
}

impl Backbone {
    /// Computes prompts, from which answers are generated. The states of `layers` are kept for the prompts and computed for
    /// the answers.
    ///
    /// # Errors
    ///
    /// If a layer does not exist, or a prompt is empty, longer than the context, or has a token that is not in the vocabulary.
    pub fn prompts(&self, prompts: &[Vec<u32>], layers: &[Layer]) -> Result<Prompts<'_>, GenerateError> {
        let mut all = self.prompts_together(&[PromptRequest { prompts, prefix: None }], layers)?;
        Ok(all.remove(0))
    }

    /// [`prompts`](Self::prompts) for several requests, in one pass over the model. Each request has the numbers that it has alone, and
    /// without a prefix, up to floating-point rounding.
    ///
    /// # Errors
    ///
    /// As for [`prompts`](Self::prompts), with the index of the prompt in its request.
    ///
    /// # Panics
    ///
    /// If a prefix has other layers, or it and the prompt do not begin with the same tokens, or the prompt has no further ones.
    pub fn prompts_together(
        &self,
        requests: &[PromptRequest<'_>],
        layers: &[Layer],
    ) -> Result<Vec<Prompts<'_>>, GenerateError> {
        requests.iter().try_for_each(|request| self.check_prompts(request.prompts))?;
        let mut parts: Vec<Part> = requests.iter().map(|request| self.part(request, layers)).collect();
        let needed = LastToo::new(layers);
        let filled = parts.iter_mut().filter(|part| part.rows > 0);
        let mut extensions: Vec<Extension<'_>> = filled.map(Part::extension).collect();
        let mut states = self.extend_together(&mut extensions, &needed.layers)?.into_iter();
        let mut ends = Vec::new();
        let mut computed = Vec::with_capacity(requests.len());
        for (request, part) in requests.iter().zip(parts) {
            let mut own = Vec::new();
            if part.rows > 0 {
                let (states, last) = needed.split(states.next().unwrap_or_default());
                let seq = last.dims()[1];
                let last_of_rows: Vec<usize> = (1..=part.rows).map(|row| row * seq - 1).collect();
                ends.extend(states_at(last, &last_of_rows));
                own = request.after_prefix(states);
            }
            computed.push(Prompts {
                backbone: self,
                tokens: request.prompts.to_vec(),
                layers: layers.to_vec(),
                cache: part.cache,
                logits: Arc::default(),
                states: own,
                padding: part.padding,
            });
        }
        let mut logits = logits(self, ends);
        for prompts in computed.iter_mut().rev() {
            let first = logits.len() - prompts.tokens.len() * self.vocab();
            prompts.logits = Arc::new(logits.split_off(first));
        }
        Ok(computed)
    }

    fn check_prompts(&self, prompts: &[Vec<u32>]) -> Result<(), GenerateError> {
        let context = self.context();
        for (prompt, tokens) in prompts.iter().enumerate() {
            match tokens.len() {
                0 => return Err(GenerateError::EmptyPrompt { prompt }),
                tokens if tokens > context => return Err(GenerateError::TooLong { prompt, tokens, context }),
                _ => {}
            }
        }
        Ok(())
    }

    /// What is computed for a request.
    fn part(&self, PromptRequest { prompts, prefix }: &PromptRequest<'_>, layers: &[Layer]) -> Part {
        if let (&Some((prefix, shared)), [prompt]) = (prefix, prompts) {
            let begins_so = shared < prompt.len() && prefix.tokens.get(..shared) == prompt.get(..shared);
            assert!(begins_so && prefix.layers == layers, "another prefix");
            let tokens = prompt[shared..].iter().map(|&token| token as i32).collect();
            return Part { tokens, rows: 1, padding: vec![0], cache: prefix.cache.first(shared) };
        }
        assert!(prefix.is_none(), "a prefix of several prompts");
        let (padding, tokens) = padded(prompts, self.pad_token());
        let cache = match self.is_packable() {
            true => Cache::with_rotated_keys(padding.clone()),
            false => Cache::with_padding(padding.clone()),
        };
        Part { tokens, rows: prompts.len(), padding, cache }
    }
}

impl PromptRequest<'_> {
    /// The states of the whole prompt, given those of the tokens that were computed.
    fn after_prefix(&self, states: Vec<Tensor<3>>) -> Vec<Tensor<3>> {
        let Some((prefix, shared)) = self.prefix else { return states };
        let joined = |(before, states): (&Tensor<3>, Tensor<3>)| {
            Tensor::cat(vec![before.clone().narrow(1, 0, shared), states], 1)
        };
        prefix.states.iter().zip(states).map(joined).collect()
    }
}

/// What is computed for a request in a pass.
struct Part {
    /// `[rows, seq]`, flattened.
    tokens: Vec<i32>,
    rows: usize,
    padding: Vec<usize>,
    /// What the tokens continue.
    cache: Cache,
}

impl Part {
    fn extension(&mut self) -> Extension<'_> {
        Extension { tokens: &self.tokens, rows: self.rows, cache: &mut self.cache }
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
