//! The tokenizer of a GGUF file, converted to the files of Hugging Face.

use std::collections::HashSet;

use dph_core::tokenizer_files::merges::{by_score, merges};
use dph_core::tokenizer_files::parts::{Bpe, blanks, blanks_decoder, byte_level, template, vocab};
use serde_json::{Map, Value, json};

use super::Gguf;
use super::config::EMBEDDING;
use crate::checkpoint::CheckpointError;

const MODEL: &str = "tokenizer.ggml.model";
const TOKENS: &str = "tokenizer.ggml.tokens";
const MERGES: &str = "tokenizer.ggml.merges";

/// Kinds of tokens, by the numbers of `enum llama_token_type`.
mod kind {
    pub const UNKNOWN: f64 = 2.0;
    pub const CONTROL: f64 = 3.0;
    pub const USER_DEFINED: f64 = 4.0;
}

/// The vocabulary of a file.
struct Vocabulary<'a> {
    tokens: Vec<&'a str>,
    kinds: Vec<f64>,
}

impl Gguf {
    /// The `tokenizer.json`, or `None` if the file has no tokenizer.
    pub fn tokenizer_json(&self) -> Result<Option<String>, CheckpointError> {
        let bytes = self.map.bytes();
        let Some(model) = self.text(MODEL)? else { return Ok(None) };
        let vocabulary = self.vocabulary()?;
        let (model, normalizer, pre_tokenizer, decoder) = match model {
            "gpt2" => {
                let merges = self.checked(self.metadata.texts(MERGES, bytes))?;
                let merges = merges.ok_or_else(|| self.no(MERGES))?;
                let pre = self.pre_tokenizer()?;
                if let Some(merge) = vocabulary.unknown_merge(&merges) {
                    return Err(self.unsupported(format!(
                        "{MERGES}: `{merge}` is not two tokens whose union is a token of {TOKENS}"
                    )));
                }
                let model = bpe(&vocabulary, json!(merges), None, pre.ignore_merges);
                (model, pre.normalizer, pre.pre_tokenizer, byte_level(false, true, false))
            }
            "llama" => {
                let scores = self.of_tokens("tokenizer.ggml.scores", vocabulary.tokens.len())?;
                let scores = scores.ok_or_else(|| self.no("tokenizer.ggml.scores"))?;
                let unknown = vocabulary.kinds.iter().position(|kind| *kind == kind::UNKNOWN);
                let merges = merges(vocabulary.tokens.iter().copied().enumerate(), by_score(&scores));
                let model = bpe(&vocabulary, json!(merges), unknown.map(|id| vocabulary.tokens[id]), false);
                let prefix =
                    self.checked(self.metadata.truth("tokenizer.ggml.add_space_prefix"))?.unwrap_or(true);
                (model, blanks(prefix), Value::Null, blanks_decoder(true, prefix))
            }
            other => {
                return Err(self.unsupported(format!(
                    "tokenizer.ggml.model `{other}` is not supported; supported are gpt2 and llama"
                )));
            }
        };
        let tokenizer = json!({
            "version": "1.0",
            "truncation": null,
            "padding": null,
            "added_tokens": vocabulary.added(),
            "normalizer": normalizer,
            "pre_tokenizer": pre_tokenizer,
            "post_processor": self.post_processor(&vocabulary)?,
            "decoder": decoder,
            "model": model,
        });
        Ok(Some(format!("{tokenizer:#}\n")))
    }

    /// The `tokenizer_config.json`, or `None` if the file has no tokenizer.
    pub fn tokenizer_config_json(&self) -> Result<Option<String>, CheckpointError> {
        let Some(model) = self.text(MODEL)? else { return Ok(None) };
        let vocabulary = self.vocabulary()?;
        let mut config = Map::new();
        let class = if model == "llama" { "LlamaTokenizer" } else { "PreTrainedTokenizerFast" };
        config.insert("tokenizer_class".into(), class.into());
        for (name, raw) in [("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding")] {
            if let Some(token) = self.token_id(raw)?.and_then(|id| vocabulary.tokens.get(id)) {
                config.insert(format!("{name}_token"), (*token).into());
            }
        }
        for (name, key) in [("add_bos_token", "add_bos_token"), ("add_eos_token", "add_eos_token")] {
            if let Some(truth) = self.checked(self.metadata.truth(&format!("tokenizer.ggml.{key}")))? {
                config.insert(name.into(), truth.into());
            }
        }
        if let Some(template) = self.text("tokenizer.chat_template")? {
            config.insert("chat_template".into(), template.into());
        }
        if let Some(context) = self.checked(self.metadata.count(&self.key("context_length")))? {
            config.insert("model_max_length".into(), context.into());
        }
        Ok(Some(format!("{:#}\n", Value::Object(config))))
    }

    /// The `generation_config.json`.
    pub fn generation_config_json(&self) -> Result<String, CheckpointError> {
        Ok(format!("{:#}\n", Value::Object(self.token_ids()?)))
    }

    fn vocabulary(&self) -> Result<Vocabulary<'_>, CheckpointError> {
        let tokens = self.checked(self.metadata.texts(TOKENS, self.map.bytes()))?;
        let tokens = tokens.ok_or_else(|| self.no(TOKENS))?;
        let rows = self.tensors.get(EMBEDDING).and_then(|tensor| tensor.shape.first().copied());
        if let Some(rows) = rows.filter(|rows| *rows < tokens.len()) {
            return Err(self.unsupported(format!(
                "{TOKENS} has {} tokens, but {EMBEDDING} has {rows} rows",
                tokens.len()
            )));
        }
        // Without kinds, all tokens are normal.
        let kinds = self.of_tokens("tokenizer.ggml.token_type", tokens.len())?;
        Ok(Vocabulary { kinds: kinds.unwrap_or_else(|| vec![1.0; tokens.len()]), tokens })
    }

    /// An array with a number for each token.
    fn of_tokens(&self, key: &str, tokens: usize) -> Result<Option<Vec<f64>>, CheckpointError> {
        match self.checked(self.metadata.numbers(key, self.map.bytes()))? {
            Some(numbers) if numbers.len() != tokens => Err(self.unsupported(format!(
                "the key {key} is an array of {}, but {TOKENS} has {tokens} tokens",
                numbers.len()
            ))),
            numbers => Ok(numbers),
        }
    }

    /// The post-processor that adds the beginning-of-text token.
    fn post_processor(&self, vocabulary: &Vocabulary<'_>) -> Result<Value, CheckpointError> {
        let id = self.token_id("bos")?;
        let adds = self.checked(self.metadata.truth("tokenizer.ggml.add_bos_token"))?;
        let llama = self.text(MODEL)? == Some("llama");
        Ok(match id.and_then(|id| Some((id, *vocabulary.tokens.get(id)?))) {
            Some(bos) if adds.unwrap_or(llama) => template(Some((bos.1, bos.0)), None),
            _ => Value::Null,
        })
    }

    fn no(&self, key: &str) -> CheckpointError {
        self.unsupported(format!("the tokenizer lacks a usable {key}"))
    }
}

impl Vocabulary<'_> {
    /// The first merge that does not join two tokens to another one.
    fn unknown_merge<'m>(&self, merges: &[&'m str]) -> Option<&'m str> {
        let known: HashSet<&str> = self.tokens.iter().copied().collect();
        let joins = |merge: &str| {
            let (left, right) = merge.split_once(' ')?;
            let are_known = known.contains(left) && known.contains(right);
            (are_known && known.contains(format!("{left}{right}").as_str())).then_some(())
        };
        merges.iter().copied().find(|merge| joins(merge).is_none())
    }

    /// The tokens that are not the result of a merge.
    fn added(&self) -> Vec<Value> {
        let control = |kind: f64| kind == kind::CONTROL || kind == kind::UNKNOWN;
        self.tokens
            .iter()
            .zip(&self.kinds)
            .enumerate()
            .filter(|(_, (_, kind))| control(**kind) || **kind == kind::USER_DEFINED)
            .map(|(id, (token, kind))| {
                json!({
                    "id": id, "content": token, "single_word": false, "lstrip": false, "rstrip": false,
                    "normalized": false, "special": control(*kind),
                })
            })
            .collect()
    }
}

fn bpe(vocabulary: &Vocabulary<'_>, merges: Value, unknown: Option<&str>, ignore_merges: bool) -> Value {
    let known = unknown.is_some();
    let bpe = Bpe { unknown, affix: None, fuse_unknown: known, byte_fallback: known, ignore_merges };
    bpe.model(vocab(vocabulary.tokens.iter().copied()), merges)
}
