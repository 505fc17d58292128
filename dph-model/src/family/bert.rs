//! BERT (arXiv 1810.04805): a bidirectional encoder.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::settings::{activation, head_dim, only, unsupported};
use super::{ConfigError, ENCODER_CLASS, FileTensor, Translation};
use crate::decoder::{
    BlockParamKey, DecoderConfig, NormConfig, ParamKey, Part, PoolerConfig, Positions, Residual,
};

/// The classes whose other heads are not used.
const OTHERS: &[&str] =
    &["BertModel", "BertForPreTraining", "BertForMaskedLM", "BertForNextSentencePrediction"];

/// The keys of a BERT's `config.json` that are used. Absent keys have the defaults of Hugging Face.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct BertConfig {
    /// The class of the files.
    pub architectures: Option<Vec<String>>,
    /// Size of the vocabulary.
    pub vocab_size: usize,
    /// Size of a hidden state.
    pub hidden_size: usize,
    /// Inner size of the feed-forward network.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub num_hidden_layers: usize,
    /// Number of heads.
    pub num_attention_heads: usize,
    /// Longest sequence.
    pub max_position_embeddings: usize,
    /// Number of token types.
    pub type_vocab_size: usize,
    /// Activation of the feed-forward network.
    pub hidden_act: String,
    /// Epsilon of the norms.
    pub layer_norm_eps: f64,
    /// Only `absolute` is supported.
    pub position_embedding_type: String,
    /// Whether attention is causal. Only `false` is supported.
    pub is_decoder: bool,
    /// Names of the classes of a classifier, by their number.
    pub id2label: Option<BTreeMap<String, Value>>,
    /// Number of classes, in configurations that do not name them.
    pub num_labels: Option<usize>,
    /// Standard deviation of initial weights.
    pub initializer_range: f32,
}

impl Default for BertConfig {
    fn default() -> Self {
        Self {
            architectures: None,
            vocab_size: 30522,
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            max_position_embeddings: 512,
            type_vocab_size: 2,
            hidden_act: "gelu".into(),
            layer_norm_eps: 1e-12,
            position_embedding_type: "absolute".into(),
            is_decoder: false,
            id2label: None,
            num_labels: None,
            initializer_range: 0.02,
        }
    }
}

impl BertConfig {
    /// Number of classes; 0 without a classification head.
    fn labels(&self) -> Result<usize, ConfigError> {
        let Some(class) = self.architectures.iter().flatten().next() else { return Ok(0) };
        if class != ENCODER_CLASS {
            return match OTHERS.contains(&class.as_str()) {
                true => Ok(0),
                false => Err(unsupported(
                    "architectures",
                    class,
                    &format!("supported are {ENCODER_CLASS}, {}", OTHERS.join(", ")),
                )),
            };
        }
        let named = self.id2label.as_ref().map(BTreeMap::len);
        match named.or(self.num_labels).unwrap_or(2) {
            0 => Err(ConfigError::Sizes { problem: "the number of labels is 0".into() }),
            labels => Ok(labels),
        }
    }

    /// The name of class `index`; `LABEL_<index>` if the configuration does not name it.
    pub fn label(&self, index: usize) -> String {
        let named = self.id2label.as_ref().and_then(|labels| labels.get(&index.to_string()));
        match named.and_then(Value::as_str) {
            Some(name) => name.to_string(),
            None => format!("LABEL_{index}"),
        }
    }
}

impl Translation for BertConfig {
    fn decoder(&self) -> Result<DecoderConfig, ConfigError> {
        only("is_decoder", self.is_decoder, false)?;
        if self.position_embedding_type != "absolute" {
            return Err(unsupported(
                "position_embedding_type",
                &self.position_embedding_type,
                "supported is absolute",
            ));
        }
        Ok(DecoderConfig {
            vocab: self.vocab_size,
            context: self.max_position_embeddings,
            d_model: self.hidden_size,
            d_ffn: self.intermediate_size,
            n_layers: self.num_hidden_layers,
            n_heads: self.num_attention_heads,
            n_kv_heads: self.num_attention_heads,
            head_dim: head_dim(self.hidden_size, self.num_attention_heads)?,
            causal: false,
            d_vocab: None,
            token_types: self.type_vocab_size,
            positions: Positions::Learned { offset: 0 },
            input_norm: true,
            output_norm: false,
            tied_head: true,
            pooler: Some(PoolerConfig { labels: self.labels()? }),
            norm: NormConfig::layer(self.layer_norm_eps),
            residual: Residual::PostNorm,
            activation: activation("hidden_act", &self.hidden_act)?,
            gated: false,
            qkv_bias: true,
            attention_output_bias: true,
            mlp_bias: true,
            query_key_norm: None,
            registers: 0,
            init_std: self.initializer_range,
        })
    }

    fn tensors(&self, key: ParamKey, config: &DecoderConfig) -> Vec<FileTensor> {
        tensors(key, config)
    }

    fn prefix(&self) -> &'static str {
        PREFIX
    }

    fn is_harmless(&self, name: &str) -> bool {
        // The heads for masked tokens and for the next sentence.
        name.ends_with("embeddings.position_ids") || name.starts_with("cls.")
    }

    fn tied_head_name(&self) -> Option<&'static str> {
        None
    }
}

const PREFIX: &str = "bert.";

/// The tensors of a parameter. Loading and saving use this table.
fn tensors(key: ParamKey, config: &DecoderConfig) -> Vec<FileTensor> {
    let shape = config.shape(key);
    let one = |name: String| vec![FileTensor::new(name, shape.clone())];
    match key {
        ParamKey::Embedding => one("bert.embeddings.word_embeddings.weight".into()),
        ParamKey::Positions => one("bert.embeddings.position_embeddings.weight".into()),
        ParamKey::TokenTypes => one("bert.embeddings.token_type_embeddings.weight".into()),
        ParamKey::InputNorm(part) => one(format!("bert.embeddings.LayerNorm.{}", part.name())),
        ParamKey::Pooler(part) => one(format!("bert.pooler.dense.{}", part.name())),
        ParamKey::Classifier(part) => one(format!("classifier.{}", part.name())),
        ParamKey::Block(block, key) => {
            let name =
                |module: &str, part: Part| format!("bert.encoder.layer.{block}.{module}.{}", part.name());
            match key {
                BlockParamKey::Qkv(part) => {
                    let modules = ["attention.self.query", "attention.self.key", "attention.self.value"];
                    FileTensor::equal_parts(modules.map(|module| name(module, part)), &shape)
                }
                BlockParamKey::AttentionOutput(part) => one(name("attention.output.dense", part)),
                BlockParamKey::AttentionNorm(part) => one(name("attention.output.LayerNorm", part)),
                BlockParamKey::MlpInput(part) => one(name("intermediate.dense", part)),
                BlockParamKey::MlpOutput(part) => one(name("output.dense", part)),
                BlockParamKey::MlpNorm(part) => one(name("output.LayerNorm", part)),
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}
