//! Model families: how a `config.json` reads, and what the tensors are called in files.
//!
//! A family translates, and nothing more: the computation is that of the one [`decoder`](crate::decoder).

mod llama;
mod lswt;

use serde_json::{Map, Value};

use crate::decoder::{DecoderConfig, Slot};

pub use llama::LlamaConfig;
pub use lswt::LswtConfig;

/// The `model_type`s that [`Family::parse`] understands.
pub const SUPPORTED_MODEL_TYPES: &[&str] = &["llama", "lsw_transformer", "lswt"];

/// A model family with its configuration, as `config.json` has it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Family {
    /// SmolLM2, TinyLlama, LLaMA 1 to 3.
    Llama(Box<LlamaConfig>),
    /// The paper's own model.
    Lswt(LswtConfig),
}

/// A tensor of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileTensor {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

/// Why a `config.json` cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is not JSON, lacks a key, or a key has a value of the wrong type.
    #[error("{source}")]
    Json {
        /// What, where.
        #[from]
        source: serde_json::Error,
    },
    /// There is no `model_type`.
    #[error("the key `model_type` is missing; supported are {}", SUPPORTED_MODEL_TYPES.join(", "))]
    NoModelType,
    /// The family is not known.
    #[error("model_type `{model_type}` is not supported; supported are {}", SUPPORTED_MODEL_TYPES.join(", "))]
    UnknownModelType {
        /// As the file has it.
        model_type: String,
    },
    /// A key has a value that this implementation does not compute.
    #[error("`{key}` = {value} is not supported{}", hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default())]
    Unsupported {
        /// The key, with its parents.
        key: &'static str,
        /// The value, as JSON.
        value: String,
        /// What is supported.
        hint: Option<String>,
    },
    /// The sizes contradict each other.
    #[error("{problem}")]
    Sizes {
        /// How.
        problem: String,
    },
}

impl Family {
    /// Reads the text of a `config.json`.
    ///
    /// # Errors
    ///
    /// If the family or one of its settings is not supported, or the text is wrong.
    pub fn parse(json: &str) -> Result<Self, ConfigError> {
        let keys: Map<String, Value> = serde_json::from_str(json)?;
        let model_type = keys.get("model_type").and_then(Value::as_str).ok_or(ConfigError::NoModelType)?;
        Ok(match model_type {
            "llama" => Self::Llama(serde_json::from_str(json)?),
            "lsw_transformer" | "lswt" => Self::Lswt(serde_json::from_str(json)?),
            _ => return Err(ConfigError::UnknownModelType { model_type: model_type.into() }),
        })
    }

    /// The decoder that computes this model.
    ///
    /// # Errors
    ///
    /// If a setting is not supported, or the sizes contradict each other.
    pub fn decoder(&self) -> Result<DecoderConfig, ConfigError> {
        let config = match self {
            Self::Llama(llama) => llama.decoder()?,
            Self::Lswt(lswt) => lswt.decoder()?,
        };
        match config.contradiction().or_else(|| config.excess()) {
            Some(problem) => Err(ConfigError::Sizes { problem }),
            None => Ok(config),
        }
    }

    /// The tensors of a file that make up a parameter, concatenated along their first axis.
    pub fn tensors(&self, slot: Slot, config: &DecoderConfig) -> Vec<FileTensor> {
        match self {
            Self::Llama(_) => llama::tensors(slot, config),
            Self::Lswt(_) => lswt::tensors(slot, config),
        }
    }

    /// Whether a tensor that is no parameter of the decoder may lie in its files: buffers that can be computed, and
    /// parts of a preference head.
    pub fn is_harmless(&self, name: &str) -> bool {
        match self {
            Self::Llama(_) => name.ends_with(".rotary_emb.inv_freq"),
            Self::Lswt(_) => name.starts_with("reward_heads.") || name.starts_with("pooler_pipeline."),
        }
    }

    /// What a tied output matrix is called where a file holds it a second time.
    pub fn tied_head_name(&self) -> Option<&'static str> {
        match self {
            Self::Llama(_) => Some("lm_head.weight"),
            Self::Lswt(_) => None,
        }
    }
}

impl FileTensor {
    fn new(name: String, shape: Vec<usize>) -> Self {
        Self { name, shape }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn llama(change: impl FnOnce(&mut Map<String, Value>)) -> Result<DecoderConfig, ConfigError> {
        let mut keys: Map<String, Value> = serde_json::from_str(
            r#"{"model_type": "llama", "vocab_size": 256, "hidden_size": 32, "intermediate_size": 64,
                "num_hidden_layers": 2, "num_attention_heads": 4}"#,
        )
        .unwrap();
        change(&mut keys);
        Family::parse(&Value::Object(keys).to_string())?.decoder()
    }

    fn message(change: impl FnOnce(&mut Map<String, Value>)) -> String {
        llama(change).unwrap_err().to_string()
    }

    #[test]
    fn absent_keys_have_the_defaults_of_hugging_face() {
        let config = llama(|_| ()).unwrap();
        assert_eq!((config.n_kv_heads, config.head_dim, config.context), (4, 8, 2048));
        assert_eq!((config.rotary.theta, config.norm.epsilon, config.tied_head), (10_000.0, 1e-6, false));
    }

    #[test]
    fn what_is_not_supported_is_named() {
        let change = |key: &'static str, value: Value| {
            message(|keys| {
                keys.insert(key.into(), value);
            })
        };
        assert_eq!(
            change("model_type", "mamba".into()),
            "model_type `mamba` is not supported; supported are llama, lsw_transformer, lswt"
        );
        assert_eq!(
            message(|keys| {
                keys.remove("model_type");
            }),
            "the key `model_type` is missing; supported are llama, lsw_transformer, lswt"
        );
        let yarn = serde_json::json!({"rope_type": "yarn", "factor": 4.0});
        assert_eq!(
            change("rope_scaling", yarn),
            "`rope_scaling.rope_type` = \"yarn\" is not supported; supported are default, llama3"
        );
        assert_eq!(
            change("hidden_act", "relu".into()),
            "`hidden_act` = \"relu\" is not supported; supported are silu, gelu"
        );
        let factorless = serde_json::json!({"rope_type": "llama3"});
        assert!(change("rope_scaling", factorless).contains("factor"));
        assert!(change("quantization_config", serde_json::json!({})).contains("quantization_config"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(message(|keys| drop(keys.remove("hidden_size"))).contains("hidden_size"));
        assert_eq!(
            message(|keys| drop(keys.insert("num_key_value_heads".into(), 3.into()))),
            "4 query heads cannot share 3 key/value heads evenly"
        );
        assert_eq!(
            message(|keys| drop(keys.insert("head_dim".into(), 5.into()))),
            "the head size 5 is odd, a rotation needs pairs"
        );
        assert_eq!(message(|keys| drop(keys.insert("vocab_size".into(), 0.into()))), "the vocabulary is 0");
        assert!(Family::parse("{").unwrap_err().to_string().contains("line 1"));
    }
}
