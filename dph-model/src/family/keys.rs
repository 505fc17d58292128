//! [`unknown_keys`]: the keys of a `config.json` that nothing reads.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

use super::bert::BertConfig;
use super::config_text::TABLES;
use super::gpt_neox::GptNeoxConfig;
use super::gpt2::Gpt2Config;
use super::llama::LlamaConfig;
use super::lswt::LswtConfig;
use super::openai_gpt::OpenAiGptConfig;
use super::opt::OptConfig;
use super::qwen::QwenConfig;
use super::settings::RopeScaling;

/// A key that neither this crate nor transformers knows for a model's family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownKey {
    /// The key, below its parents.
    pub path: Vec<String>,
    /// The keys that are read at this place.
    pub known: Vec<&'static str>,
}

/// The unknown keys of the contents of a `config.json`; none if its `model_type` is not supported.
///
/// Keys that transformers writes but that do not change what is computed here, such as `torch_dtype`, are not unknown.
pub fn unknown_keys(config: &Map<String, Value>) -> Vec<UnknownKey> {
    let model_type = config.get("model_type").and_then(Value::as_str).unwrap_or_default();
    let Some(mut known) = family_keys(model_type) else { return Vec::new() };
    known.push("model_type");
    let mut unknown = unknown_in(config, &[], &known);
    for table in TABLES {
        if let (true, Some(Value::Object(keys))) = (known.contains(&table), config.get(table)) {
            unknown.extend(unknown_in(keys, &[table], &fields::<RopeScaling>()));
        }
    }
    unknown
}

fn unknown_in(keys: &Map<String, Value>, parents: &[&str], known: &[&'static str]) -> Vec<UnknownKey> {
    let is_unknown = |key: &&String| !known.contains(&key.as_str()) && !IGNORED.contains(&key.as_str());
    let path = |key: &String| parents.iter().copied().chain([key.as_str()]).map(String::from).collect();
    keys.keys().filter(is_unknown).map(|key| UnknownKey { path: path(key), known: known.to_vec() }).collect()
}

/// The keys that are read for a `model_type`; `None` if it is not supported.
fn family_keys(model_type: &str) -> Option<Vec<&'static str>> {
    Some(match model_type {
        "llama" => fields::<LlamaConfig>(),
        "qwen2" | "qwen3" => [fields::<LlamaConfig>(), QwenConfig::WINDOW_KEYS.to_vec()].concat(),
        "gpt_neox" => fields::<GptNeoxConfig>(),
        "gpt2" => fields::<Gpt2Config>(),
        "openai-gpt" => fields::<OpenAiGptConfig>(),
        "opt" => fields::<OptConfig>(),
        "bert" => fields::<BertConfig>(),
        "lsw_transformer" | "lswt" => fields::<LswtConfig>(),
        _ => return None,
    })
}

/// The keys that transformers (version 5.2) writes into the `config.json` of a supported family and that are not read: they concern
/// dropout, generation, other outputs, or other uses of a model.
#[rustfmt::skip]
const IGNORED: &[&str] = &[
    "_attn_implementation", "_attn_implementation_autoset", "_commit_hash", "_name_or_path", "add_cross_attention", "architectures",
    "attention_dropout", "attention_probs_dropout_prob", "attn_implementation", "attn_pdrop", "auto_map", "bad_words_ids",
    "begin_suppress_tokens", "bos_token_id", "chunk_size_feed_forward", "classifier_dropout", "cross_attention_hidden_size",
    "decoder_start_token_id", "diversity_penalty", "do_sample", "dropout", "dtype", "early_stopping", "embd_pdrop",
    "encoder_no_repeat_ngram_size", "eos_token_id", "exponential_decay_length_penalty", "finetuning_task",
    "forced_bos_token_id", "forced_eos_token_id", "gradient_checkpointing", "hidden_dropout", "hidden_dropout_prob", "id2label",
    "is_decoder", "is_encoder_decoder", "is_llama_config", "label2id", "layerdrop", "length_penalty", "max_length",
    "min_length", "n_ctx", "no_repeat_ngram_size", "num_beam_groups", "num_beams", "num_labels", "num_return_sequences",
    "output_attentions", "output_hidden_states", "output_scores", "pad_token_id", "position_embedding_type",
    "predict_special_tokens", "prefix", "pretraining_tp", "problem_type", "pruned_heads", "quantization_config",
    "remove_invalid_values", "reorder_and_upcast_attn", "repetition_penalty", "resid_pdrop", "return_dict",
    "return_dict_in_generate", "rope_interleaved", "sep_token_id", "summary_activation", "summary_first_dropout",
    "summary_proj_to_labels", "summary_type", "summary_use_proj", "suppress_tokens", "task_specific_params", "temperature",
    "tf_legacy_loss", "tie_encoder_decoder", "tie_word_embeddings", "tokenizer_class", "top_k", "top_p", "torch_dtype",
    "torchscript", "transformers.js_config", "transformers_version", "typical_p", "use_bfloat16", "use_cache",
];

/// The names under which a struct is read, with their aliases.
fn fields<'de, T: Deserialize<'de>>() -> Vec<&'static str> {
    let mut names = Vec::new();
    // Reading always fails: there is no value, only the names are recorded.
    let _ = T::deserialize(FieldNames(&mut names));
    names
}

/// Records the names of the fields of a struct instead of reading it.
struct FieldNames<'a>(&'a mut Vec<&'static str>);

/// The end of a reading that only records names.
#[derive(Debug)]
struct NoValue;

impl<'de> Deserializer<'de> for FieldNames<'_> {
    type Error = NoValue;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, NoValue> {
        Err(NoValue)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, NoValue> {
        self.0.extend(fields);
        Err(NoValue)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl fmt::Display for NoValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no value")
    }
}

impl std::error::Error for NoValue {}

impl Error for NoValue {
    fn custom<T: fmt::Display>(_message: T) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::SUPPORTED_MODEL_TYPES;

    fn unknown(json: &str) -> Vec<String> {
        let keys = serde_json::from_str(json).unwrap();
        unknown_keys(&keys).iter().map(|key| key.path.join(".")).collect()
    }

    #[test]
    fn every_family_knows_its_keys() {
        for model_type in SUPPORTED_MODEL_TYPES {
            let known = family_keys(model_type).unwrap();
            assert!(known.len() > 8 && known.contains(&"vocab_size"), "{model_type}: {known:?}");
        }
        let window = r#"{"use_sliding_window": true, "sliding_window": 1, "max_window_layers": 2, "layer_types": ["x"]}"#;
        let window: Map<String, Value> = serde_json::from_str(window).unwrap();
        assert!(QwenConfig::WINDOW_KEYS.iter().all(|key| window.contains_key(*key)));
    }

    #[test]
    fn keys_that_nothing_reads_are_unknown() {
        assert!(
            unknown(r#"{"model_type": "lswt", "n_layers": 1, "pad_token_id": 3, "torch_dtype": "f"}"#)
                .is_empty()
        );
        assert_eq!(unknown(r#"{"model_type": "lswt", "n_layer": 1, "n_head": 2}"#), ["n_layer", "n_head"]);
        assert_eq!(unknown(r#"{"model_type": "gpt2", "n_layers": 1, "n_layer": 2}"#), ["n_layers"]);
        assert!(unknown(r#"{"model_type": "qwen3", "hidden_size": 1, "sliding_window": null}"#).is_empty());
        assert!(unknown(r#"{"model_type": "unheard-of", "x": 1}"#).is_empty());
        let scaling = r#"{"model_type": "llama", "rope_scaling": {"type": "llama3", "factr": 2}}"#;
        assert_eq!(unknown(scaling), ["rope_scaling.factr"]);
    }
}
