//! [`SpecialIds`]: the ids of the start, end and padding tokens.

use tokenizers::Tokenizer;

use crate::chat::error::ChatError;
use crate::chat::files::tokenizer_files::TokenizerFiles;
use crate::chat::layout::chatml::{IM_END, IM_START};
use crate::chat::options::ChatOptions;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SpecialIds {
    pub bos: Option<u32>,
    pub eos: Option<u32>,
    pub pad: Option<u32>,
    pub start: Option<u32>,
    pub end_of_turn: u32,
}

impl SpecialIds {
    /// The ids that the files name, or else the ids of common names. `end_of_turn` is set later.
    pub(crate) fn find(
        files: &TokenizerFiles,
        vocabulary: &Tokenizer,
        options: &ChatOptions,
    ) -> Result<Self, ChatError> {
        let named = |token: &Option<String>| token.as_ref().and_then(|token| vocabulary.token_to_id(token));
        // Common names, for tokenizers without a configuration.
        let usual = |names: &[&str]| names.iter().find_map(|name| vocabulary.token_to_id(name));
        let eos = named(&files.tokens.eos)
            .or_else(|| files.id("eos_token_id"))
            .or_else(|| usual(&["</s>", "<|endoftext|>", "<eos>"]));
        let bos = named(&files.tokens.bos)
            .or_else(|| files.id("bos_token_id"))
            .or_else(|| usual(&["<s>", "<bos>"]));
        let pad = named(&files.tokens.pad).or_else(|| files.id("pad_token_id")).or_else(|| usual(&["<pad>"]));
        let turns = [IM_START, IM_END].map(|token| vocabulary.token_to_id(token));
        let start = match &options.start {
            Some(token) => Some(vocabulary.token_to_id(token).ok_or_else(|| ChatError::NoToken {
                token: token.clone(),
                needed_by: "the option `start`",
            })?),
            None => [bos, eos].into_iter().flatten().find(|id| !turns.contains(&Some(*id))),
        };
        Ok(Self { bos, eos, pad, start, end_of_turn: 0 })
    }
}
