//! The tokenizer of a GGUF file, converted to the files of Hugging Face.

use dph_core::tokenizer_files::merges::{by_score, merges};
use dph_core::tokenizer_files::parts::{Bpe, blanks, blanks_decoder, byte_level, template, vocab};
use serde_json::{Map, Value, json};

use super::Gguf;
use crate::checkpoint::CheckpointError;

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
        let Some(model) = self.metadata.text("tokenizer.ggml.model", bytes) else { return Ok(None) };
        let vocabulary = self.vocabulary()?;
        let (model, normalizer, pre_tokenizer, decoder) = match model {
            "gpt2" => {
                let merges = self.metadata.texts("tokenizer.ggml.merges", bytes);
                let merges = merges.ok_or_else(|| self.no("tokenizer.ggml.merges"))?;
                let pre = self.pre_tokenizer()?;
                let model = bpe(&vocabulary, json!(merges), None, pre.ignore_merges);
                (model, pre.normalizer, pre.pre_tokenizer, byte_level(false, true, false))
            }
            "llama" => {
                let scores = self.metadata.numbers("tokenizer.ggml.scores", bytes);
                let scores = scores.filter(|scores| scores.len() == vocabulary.tokens.len());
                let scores = scores.ok_or_else(|| self.no("tokenizer.ggml.scores"))?;
                let unknown = vocabulary.kinds.iter().position(|kind| *kind == kind::UNKNOWN);
                let merges = merges(vocabulary.tokens.iter().copied().enumerate(), by_score(&scores));
                let model = bpe(&vocabulary, json!(merges), unknown.map(|id| vocabulary.tokens[id]), false);
                let prefix = self.metadata.truth("tokenizer.ggml.add_space_prefix").unwrap_or(true);
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
            "post_processor": self.post_processor(&vocabulary),
            "decoder": decoder,
            "model": model,
        });
        Ok(Some(format!("{tokenizer:#}\n")))
    }

    /// The `tokenizer_config.json`, or `None` if the file has no tokenizer.
    pub fn tokenizer_config_json(&self) -> Result<Option<String>, CheckpointError> {
        let bytes = self.map.bytes();
        let Some(model) = self.metadata.text("tokenizer.ggml.model", bytes) else { return Ok(None) };
        let vocabulary = self.vocabulary()?;
        let mut config = Map::new();
        let class = if model == "llama" { "LlamaTokenizer" } else { "PreTrainedTokenizerFast" };
        config.insert("tokenizer_class".into(), class.into());
        for (name, raw) in [("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding")] {
            let id = self.metadata.count(&format!("tokenizer.ggml.{raw}_token_id"));
            if let Some(token) = id.and_then(|id| vocabulary.tokens.get(id)) {
                config.insert(format!("{name}_token"), (*token).into());
            }
        }
        for (name, key) in [("add_bos_token", "add_bos_token"), ("add_eos_token", "add_eos_token")] {
            if let Some(truth) = self.metadata.truth(&format!("tokenizer.ggml.{key}")) {
                config.insert(name.into(), truth.into());
            }
        }
        if let Some(template) = self.metadata.text("tokenizer.chat_template", bytes) {
            config.insert("chat_template".into(), template.into());
        }
        if let Some(context) = self.metadata.count(&self.key("context_length")) {
            config.insert("model_max_length".into(), context.into());
        }
        Ok(Some(format!("{:#}\n", Value::Object(config))))
    }

    /// The `generation_config.json`.
    pub fn generation_config_json(&self) -> String {
        format!("{:#}\n", Value::Object(self.token_ids()))
    }

    fn vocabulary(&self) -> Result<Vocabulary<'_>, CheckpointError> {
        let bytes = self.map.bytes();
        let tokens = self.metadata.texts("tokenizer.ggml.tokens", bytes);
        let tokens = tokens.ok_or_else(|| self.no("tokenizer.ggml.tokens"))?;
        let mut kinds = self.metadata.numbers("tokenizer.ggml.token_type", bytes).unwrap_or_default();
        // Without kinds, all tokens are normal.
        kinds.resize(tokens.len(), 1.0);
        Ok(Vocabulary { tokens, kinds })
    }

    /// The post-processor that adds the beginning-of-text token.
    fn post_processor(&self, vocabulary: &Vocabulary<'_>) -> Value {
        let id = self.metadata.count("tokenizer.ggml.bos_token_id");
        let adds = self.metadata.truth("tokenizer.ggml.add_bos_token");
        let llama = self.metadata.text("tokenizer.ggml.model", self.map.bytes()) == Some("llama");
        match id.and_then(|id| Some((id, *vocabulary.tokens.get(id)?))) {
            Some(bos) if adds.unwrap_or(llama) => template(Some((bos.1, bos.0)), None),
            _ => Value::Null,
        }
    }

    fn no(&self, key: &str) -> CheckpointError {
        self.unsupported(format!("the tokenizer lacks a usable {key}"))
    }
}

impl Vocabulary<'_> {
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
