//! The pre-tokenisers by their names in `tokenizer.ggml.pre`.
//!
//! The regular expressions are those of `llama-vocab.cpp`. Normalisers, which a GGUF file does not have, are those of the models'
//! `tokenizer.json`.

use dph_core::tokenizer_files::parts::{QWEN_2, byte_level, sequence, split, split_byte_level};
use serde_json::{Value, json};

use super::Gguf;
use crate::checkpoint::CheckpointError;

/// Llama 3: words, and numbers of at most three digits.
const LLAMA_3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Qwen 3.5: as Qwen 2, and combining marks belong to words.
const QWEN_35: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Falcon: signs in a row before the words of GPT-2, and numbers in groups of three digits behind them.
const FALCON_SIGNS: &str = r"[\p{P}\$\+<=>\^~\|`]+";
const FALCON_DIGITS: &str = "[0-9][0-9][0-9]";
/// DeepSeek: line breaks, words, signs, texts without spaces and numbers, one after another.
const LINE_BREAK: &str = r"[\r\n]";
const WITHOUT_SPACES: &str = "[一-龥ࠀ-一가-퟿]+";
const DEEPSEEK_WORDS: &str = "\\s?[A-Za-z\u{b5}\u{c0}-\u{d6}\u{d8}-\u{f6}\u{f8}-\u{1ba}\u{1bc}-\u{1bf}\u{1c4}-\u{293}\u{295}-\u{2af}\
    \u{370}-\u{373}\u{376}\u{377}\u{37b}-\u{37d}\u{37f}\u{386}\u{388}-\u{38a}\u{38c}\u{38e}-\u{3a1}\u{3a3}-\u{3f5}\
    \u{3f7}-\u{481}\u{48a}-\u{52f}\u{531}-\u{556}\u{10a0}-\u{10c5}\u{13a0}-\u{13f5}\u{13f8}-\u{13fd}\
    \u{1c90}-\u{1cba}\u{1cbd}-\u{1cbf}\u{1d00}-\u{1d2b}\u{1d6b}-\u{1d77}\u{1d79}-\u{1d9a}\u{1e00}-\u{1f15}\
    \u{1f18}-\u{1f1d}\u{1f20}-\u{1f45}\u{1f48}-\u{1f4d}\u{1f50}-\u{1f57}\u{1f59}\u{1f5b}\u{1f5d}\u{1f5f}-\u{1f7d}\
    \u{1f80}-\u{1fb4}\u{1fb6}-\u{1fbc}\u{1fbe}\u{1fc2}-\u{1fc4}\u{1fc6}-\u{1fcc}\u{1fd0}-\u{1fd3}\u{1fd6}-\u{1fdb}\
    \u{1fe0}-\u{1fec}\u{1ff2}-\u{1ff4}\u{1ff6}-\u{1ffc}\u{2102}\u{2107}\u{210a}-\u{2113}\u{2115}\u{2119}-\u{211d}\
    \u{2124}\u{2126}\u{2128}\u{212a}-\u{212d}\u{212f}-\u{2134}\u{2139}\u{213c}-\u{213f}\u{2145}-\u{2149}\u{214e}\
    \u{2183}\u{2184}\u{2c00}-\u{2c7b}\u{2c7e}-\u{2ce4}\u{2ceb}-\u{2cee}\u{2cf2}\u{2cf3}\u{a640}-\u{a66d}\
    \u{a680}-\u{a69b}\u{a722}-\u{a76f}\u{a771}-\u{a787}\u{a78b}-\u{a78e}\u{ab70}-\u{abbf}\u{fb00}-\u{fb06}\
    \u{fb13}-\u{fb17}\u{ff21}-\u{ff3a}\u{ff41}-\u{ff5a}\u{10400}-\u{1044f}\u{104b0}-\u{104d3}\u{104d8}-\u{104fb}\
    \u{10c80}-\u{10cb2}\u{10cc0}-\u{10cf2}\u{118a0}-\u{118df}\u{1e900}-\u{1e943}]+";
const DEEPSEEK_SIGNS: &str = r"\s?[!-/:-~！-／：-～‘-‟　-。]+";

/// The names of [`Gguf::pre_tokenizer`] for an error message.
const NAMES: &str = "gpt-2, mpt, olmo, smollm, starcoder, refact, command-r, falcon, deepseek-llm, deepseek-coder, llama-bpe, qwen2, qwen35";

/// What happens to a text before it is merged into tokens.
#[derive(Debug)]
pub(super) struct PreTokenizer {
    pub normalizer: Value,
    pub pre_tokenizer: Value,
    /// Whether a word that is a token is not split.
    pub ignore_merges: bool,
}

impl Gguf {
    /// The pre-tokeniser of a byte-level vocabulary.
    pub(super) fn pre_tokenizer(&self) -> Result<PreTokenizer, CheckpointError> {
        let nfc = || json!({ "type": "NFC" });
        let gpt2 = || byte_level(false, true, true);
        let digits = || json!({ "type": "Digits", "individual_digits": true });
        let name = self.text("tokenizer.ggml.pre")?;
        let (normalizer, pre_tokenizer) = match name {
            Some("gpt-2") => (Value::Null, gpt2()),
            None if matches!(self.architecture.as_str(), "gpt2" | "gptneox") => (Value::Null, gpt2()),
            // GPT-NeoX and Pythia as well, under the name of OLMo. MPT has the same tokenizer.
            Some("olmo" | "mpt") => (nfc(), gpt2()),
            Some("smollm" | "starcoder" | "refact") => (Value::Null, sequence([digits(), gpt2()])),
            Some("command-r") => (nfc(), sequence([digits(), gpt2()])),
            Some("falcon") => (Value::Null, sequence([split(FALCON_SIGNS), gpt2(), split(FALCON_DIGITS)])),
            Some("deepseek-llm") => {
                let splits = [LINE_BREAK, DEEPSEEK_WORDS, DEEPSEEK_SIGNS, r"\s+$", WITHOUT_SPACES, r"\p{N}+"];
                (Value::Null, split_byte_level(&splits, false))
            }
            Some("deepseek-coder") => {
                let splits = [LINE_BREAK, r"\s?\p{L}+", r"\s?\p{P}+", WITHOUT_SPACES, r"\p{N}"];
                (Value::Null, split_byte_level(&splits, false))
            }
            Some("llama-bpe" | "llama3" | "llama-v3") => (Value::Null, split_byte_level(&[LLAMA_3], false)),
            Some("qwen2") => (nfc(), split_byte_level(&[QWEN_2], false)),
            Some("qwen35") => (nfc(), split_byte_level(&[QWEN_35], false)),
            // llama.cpp warns and splits texts by a default that few models have: other tokens than those of training.
            None | Some("default") => {
                let what = match name {
                    None => "the key tokenizer.ggml.pre is missing",
                    Some(_) => {
                        "the key tokenizer.ggml.pre is `default`, the name for a tokenizer that the writer did not know"
                    }
                };
                return Err(self.unsupported(format!(
                    "{what}, so it is not known how texts are split into words; if you know the name of the tokenizer, write it with \
                     `gguf-new-metadata --pre-tokenizer NAME IN OUT` of llama.cpp's package gguf; supported are {NAMES}. Or use the \
                     Hugging Face directory of this model"
                )));
            }
            Some(other) => {
                return Err(self.unsupported(format!(
                    "the key tokenizer.ggml.pre is `{other}`, which is not supported; supported are {NAMES}. Use the Hugging Face \
                     directory of this model"
                )));
            }
        };
        let ignore_merges = matches!(name, Some("llama-bpe" | "llama3" | "llama-v3"));
        Ok(PreTokenizer { normalizer, pre_tokenizer, ignore_merges })
    }
}
