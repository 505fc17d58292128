//! Model families: the keys of a `config.json` and the names of the tensors in files.
//!
//! A family only translates. All families are computed by the one [`decoder`](crate::decoder).

mod bert;
mod config_text;
mod error;
mod file_tensor;
mod gpt2;
mod gpt_neox;
mod keys;
mod labels;
mod llama;
mod lswt;
mod model_types;
mod naming;
mod openai_gpt;
mod opt;
mod qwen;
mod settings;
mod translation;

use crate::decoder::{DecoderConfig, ParamKey};

pub use bert::BertConfig;
pub use config_text::as_json;
pub(crate) use config_text::keys;
use config_text::read;
pub use error::ConfigError;
pub use file_tensor::{FileTensor, Order};
pub use gpt_neox::GptNeoxConfig;
pub use gpt2::Gpt2Config;
pub use keys::{UnknownKey, unknown_keys};
pub(crate) use labels::{CLASSIFIER, ENCODER_CLASS, label_count, labelled};
pub use llama::LlamaConfig;
pub use lswt::LswtConfig;
pub(crate) use lswt::{POOLER, REWARDS};
pub use model_types::SUPPORTED_MODEL_TYPES;
pub use naming::Naming;
pub use openai_gpt::OpenAiGptConfig;
pub use opt::OptConfig;
pub use qwen::QwenConfig;
pub use settings::RopeScaling;
use translation::Translation;

/// A model family with the contents of its `config.json`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Family {
    /// SmolLM2, TinyLlama, LLaMA 1 to 3.
    Llama(Box<LlamaConfig>),
    /// Qwen1.5, Qwen2 and Qwen2.5.
    Qwen2(Box<QwenConfig>),
    /// Qwen3.
    Qwen3(Box<QwenConfig>),
    /// Pythia, GPT-NeoX.
    GptNeox(Box<GptNeoxConfig>),
    /// GPT-2.
    Gpt2(Gpt2Config),
    /// GPT-1.
    OpenAiGpt(OpenAiGptConfig),
    /// OPT.
    Opt(OptConfig),
    /// BERT, an [encoder](crate::Encoder).
    Bert(Box<BertConfig>),
    /// LSWT, the model of the paper.
    Lswt(LswtConfig),
}

impl Family {
    /// Reads the text of a `config.json`.
    ///
    /// # Errors
    ///
    /// If the family or one of its settings is not supported, or the text is invalid.
    pub fn parse(json: &str) -> Result<Self, ConfigError> {
        let keys = keys(json)?;
        let model_type =
            keys.get("model_type").and_then(|value| value.as_str()).ok_or(ConfigError::NoModelType)?;
        let family = match model_type {
            "llama" => Self::Llama(read(&keys)?),
            "qwen2" => Self::Qwen2(read(&keys)?),
            "qwen3" => Self::Qwen3(Box::new(QwenConfig::qwen3(read(&keys)?))),
            "gpt_neox" => Self::GptNeox(read(&keys)?),
            "gpt2" => Self::Gpt2(read(&keys)?),
            "openai-gpt" => Self::OpenAiGpt(read(&keys)?),
            "opt" => Self::Opt(read(&keys)?),
            "bert" => Self::Bert(read(&keys)?),
            "lsw_transformer" | "lswt" => Self::Lswt(read(&keys)?),
            _ => return Err(ConfigError::UnknownModelType { model_type: model_type.into() }),
        };
        settings::check_common(&keys)?;
        Ok(family)
    }

    /// The configuration of the decoder.
    ///
    /// # Errors
    ///
    /// If a setting is not supported, or the sizes contradict each other.
    pub fn decoder(&self) -> Result<DecoderConfig, ConfigError> {
        let config = self.translation().decoder()?;
        match config.contradiction().or_else(|| config.excess()) {
            Some(problem) => Err(ConfigError::Sizes { problem }),
            None => Ok(config),
        }
    }

    /// The configuration of the decoder of a causal language model, for a [`Backbone`](crate::Backbone).
    ///
    /// # Errors
    ///
    /// As for [`decoder`](Self::decoder), and for an encoder.
    pub fn causal_decoder(&self) -> Result<DecoderConfig, ConfigError> {
        match self.decoder()? {
            config if config.causal => Ok(config),
            config => {
                let (model_type, parameters) = (self.model_type().into(), config.param_count());
                Err(ConfigError::NotCausal { model_type, parameters })
            }
        }
    }

    /// The configuration of the decoder of an [`Encoder`](crate::Encoder).
    ///
    /// # Errors
    ///
    /// As for [`decoder`](Self::decoder), and for a causal language model.
    pub fn encoder(&self) -> Result<DecoderConfig, ConfigError> {
        match self.decoder()? {
            config if !config.causal => Ok(config),
            _ => Err(ConfigError::NotAnEncoder { model_type: self.model_type().into() }),
        }
    }

    /// The `model_type` of the family.
    pub fn model_type(&self) -> &'static str {
        match self {
            Self::Llama(_) => "llama",
            Self::Qwen2(_) => "qwen2",
            Self::Qwen3(_) => "qwen3",
            Self::GptNeox(_) => "gpt_neox",
            Self::Gpt2(_) => "gpt2",
            Self::OpenAiGpt(_) => "openai-gpt",
            Self::Opt(_) => "opt",
            Self::Bert(_) => "bert",
            Self::Lswt(_) => "lsw_transformer",
        }
    }

    /// The tensors of a parameter in a file. After conversion to [our order](FileTensor::to_ours) they are
    /// concatenated along their first axis. The names are the default ones, see [`Naming`].
    pub fn tensors(&self, key: ParamKey, config: &DecoderConfig) -> Vec<FileTensor> {
        self.translation().tensors(key, config)
    }

    /// Like [`tensors`](Self::tensors), with the names of a file.
    pub fn named_tensors(&self, key: ParamKey, config: &DecoderConfig, naming: Naming) -> Vec<FileTensor> {
        let tensors = self.tensors(key, config).into_iter();
        tensors.map(|tensor| FileTensor { name: naming.name(&tensor.name), ..tensor }).collect()
    }

    /// The naming of a file with the tensors `found`.
    pub fn naming(&self, found: &[&str], config: &DecoderConfig) -> Naming {
        let needed: Vec<FileTensor> =
            config.param_keys().into_iter().flat_map(|key| self.tensors(key, config)).collect();
        let needed: Vec<&str> = needed.iter().map(|tensor| tensor.name.as_str()).collect();
        Naming::detect(found, &needed, self.translation().prefix())
    }

    /// Whether a tensor that is not a parameter may be in the files of a model: buffers that can be computed, heads
    /// for other tasks, parts of a preference head.
    pub fn is_harmless(&self, name: &str) -> bool {
        self.translation().is_harmless(name)
    }

    /// The name of a tied output matrix, which some files store a second time.
    pub fn tied_head_name(&self) -> Option<&'static str> {
        self.translation().tied_head_name()
    }

    fn translation(&self) -> &dyn Translation {
        match self {
            Self::Llama(config) => &**config,
            Self::Qwen2(config) | Self::Qwen3(config) => &**config,
            Self::GptNeox(config) => &**config,
            Self::Gpt2(config) => config,
            Self::OpenAiGpt(config) => config,
            Self::Opt(config) => config,
            Self::Bert(config) => &**config,
            Self::Lswt(config) => config,
        }
    }
}

/// Whether a model has an output matrix: a tied one, or one of its class: `LlamaForCausalLM` and not
/// `LlamaForSequenceClassification`.
pub fn has_output(json: &str, config: &DecoderConfig) -> bool {
    config.tied_head || is_language_model(json)
}

fn is_language_model(json: &str) -> bool {
    let keys = keys(json).unwrap_or_default();
    class(&keys).is_none_or(|class| class.contains("LM"))
}

/// Whether the text of a `config.json` says of which class the model is.
pub(crate) fn names_class(json: &str) -> bool {
    class(&keys(json).unwrap_or_default()).is_some()
}

fn class(keys: &serde_json::Map<String, serde_json::Value>) -> Option<&str> {
    keys.get("architectures")?.get(0)?.as_str()
}

/// Number of parameters of the model that the text of a `config.json` describes; a tied output matrix counts once.
/// For BERT these are the encoder with its pooler, and the classifier if there is one. Nothing is allocated.
///
/// # Errors
///
/// As for [`Family::parse`] and [`Family::decoder`].
pub fn param_count(json: &str) -> Result<usize, ConfigError> {
    Ok(Family::parse(json)?.decoder()?.param_count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decoder::Positions;
    use serde_json::{Map, Value};

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
        assert_eq!((config.norm.epsilon, config.tied_head), (1e-6, false));
        let Positions::Rotary(rotary) = config.positions else { panic!("no rotation") };
        assert_eq!((rotary.theta, rotary.dims), (10_000.0, 8));
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
            "model_type `mamba` is not supported; supported are llama, qwen2, qwen3, gpt_neox, gpt2, openai-gpt, opt, bert, lsw_transformer, lswt"
        );
        assert_eq!(
            message(|keys| {
                keys.remove("model_type");
            }),
            "the key `model_type` is missing; supported are llama, qwen2, qwen3, gpt_neox, gpt2, openai-gpt, opt, bert, lsw_transformer, lswt"
        );
        let yarn = serde_json::json!({"rope_type": "yarn", "factor": 4.0});
        assert_eq!(
            change("rope_scaling", yarn),
            "`rope_scaling.rope_type` = \"yarn\" is not supported; supported are default, linear, llama3"
        );
        assert_eq!(
            change("hidden_act", "tanh".into()),
            "`hidden_act` = \"tanh\" is not supported; supported are silu, gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, \
             quick_gelu, relu"
        );
        assert_eq!(
            change("is_causal", false.into()),
            "`is_causal` = false is not supported; attention in both directions is computed for bert only"
        );
        assert!(llama(|keys| drop(keys.insert("is_causal".into(), true.into()))).is_ok());
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
        assert_eq!(
            message(|keys| drop(keys.insert("vocab_size".into(), 0.into()))),
            "the vocabulary is 0; it must be at least 1"
        );
        assert!(Family::parse("{").unwrap_err().to_string().contains("line 1"));
    }
}
