//! The `config.json` of a GGUF file.

use dph_core::terminal::numbers::counted;
use serde_json::{Map, Value, json};

use super::Gguf;
use super::cursor::Malformed;
use crate::checkpoint::CheckpointError;

/// The embedding of the tokens.
pub(super) const EMBEDDING: &str = "token_embd.weight";

/// The supported architectures with their `model_type` and class.
const ARCHITECTURES: [(&str, &str, &str); 5] = [
    ("llama", "llama", "LlamaForCausalLM"),
    ("qwen2", "qwen2", "Qwen2ForCausalLM"),
    ("qwen3", "qwen3", "Qwen3ForCausalLM"),
    ("gpt2", "gpt2", "GPT2LMHeadModel"),
    ("gptneox", "gpt_neox", "GPTNeoXForCausalLM"),
];

impl Gguf {
    /// The configuration in the format of Hugging Face.
    pub fn config_json(&self) -> Result<String, CheckpointError> {
        self.check_kind()?;
        let Some((_, model_type, class)) = ARCHITECTURES.iter().find(|(name, ..)| *name == self.architecture)
        else {
            let known: Vec<_> = ARCHITECTURES.iter().map(|(name, ..)| *name).collect();
            return Err(self.unsupported(format!(
                "general.architecture `{}` is not supported in GGUF files; supported are {}",
                if self.architecture.is_empty() { "(none)" } else { &self.architecture },
                known.join(", ")
            )));
        };
        self.check_computed()?;
        let mut config = json!({
            "architectures": [class], "model_type": model_type, "vocab_size": self.vocab()?,
            "tie_word_embeddings": !self.tensors.contains_key("output.weight"), "torch_dtype": "float16",
        });
        let sizes = match self.architecture.as_str() {
            "gpt2" => self.gpt2()?,
            "gptneox" => self.gpt_neox()?,
            _ => self.llama_like()?,
        };
        // Absent keys are not written, so that the defaults of the family apply.
        let there = sizes.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
        let ids = self.token_ids()?;
        if let Some(config) = config.as_object_mut() {
            config.extend(there.map(|(key, value)| (key.clone(), value.clone())));
            config.extend(ids);
        }
        Ok(format!("{config:#}\n"))
    }

    /// Fails for a file that holds something else than a model.
    fn check_kind(&self) -> Result<(), CheckpointError> {
        match self.text("general.type")? {
            Some("adapter") => Err(self.unsupported(
                "this is an adapter of llama.cpp (general.type = adapter), which is not read; use the adapter's directory of PEFT, or \
                 merge it with llama-export-lora",
            )),
            Some(kind) if kind != "model" => {
                Err(self.unsupported(format!("this is no language model (general.type = {kind})")))
            }
            _ => Ok(()),
        }
    }

    /// Fails for a file without weights, and for keys that would change what a model computes.
    fn check_computed(&self) -> Result<(), CheckpointError> {
        if self.tensors.is_empty() {
            return Err(self.unsupported("it has no weights, only a vocabulary"));
        }
        let causal = self.key("attention.causal");
        if self.checked(self.metadata.truth(&causal))? == Some(false) {
            return Err(self.unsupported(format!(
                "the key {causal} is false; attention in both directions is not computed for GGUF files"
            )));
        }
        for (key, neutral) in [("rope.scaling.attn_factor", 1.0), ("expert_count", 0.0)] {
            if let Some(value) = self.number(key)?.filter(|value| *value != neutral) {
                let key = self.key(key);
                return Err(
                    self.unsupported(format!("the key {key} is {value}; only {neutral} is supported"))
                );
            }
        }
        Ok(())
    }

    /// The special tokens by their keys in configurations.
    pub(super) fn token_ids(&self) -> Result<Map<String, Value>, CheckpointError> {
        let mut ids = Map::new();
        for (name, raw) in [("bos", "bos"), ("eos", "eos"), ("pad", "padding")] {
            if let Some(id) = self.token_id(raw)? {
                ids.insert(format!("{name}_token_id"), id.into());
            }
        }
        Ok(ids)
    }

    /// A special token. Some writers have -1 where there is none, or a number without a row for padding and unknown characters, which
    /// llama.cpp ignores as well.
    pub(super) fn token_id(&self, raw: &str) -> Result<Option<usize>, CheckpointError> {
        let key = format!("tokenizer.ggml.{raw}_token_id");
        let id = self.checked(self.metadata.whole(&key))?;
        let Some(id) = id.filter(|id| *id != -1 && *id != u32::MAX.into()) else { return Ok(None) };
        let rows = self.tensors.get(EMBEDDING).and_then(|tensor| tensor.shape.first().copied());
        match usize::try_from(id) {
            Ok(id) if rows.is_none_or(|rows| id < rows) => Ok(Some(id)),
            _ if id > 0 && ["padding", "unknown"].contains(&raw) => Ok(None),
            _ => Err(self.unsupported(format!(
                "the key {key} is {id}, but {EMBEDDING} has {} rows",
                rows.unwrap_or(0)
            ))),
        }
    }

    fn llama_like(&self) -> Result<Value, CheckpointError> {
        let (hidden, heads) =
            (self.needed("embedding_length")?, self.needed_of_layers("attention.head_count")?);
        let head_dim = self.count("attention.key_length")?.unwrap_or(hidden / heads.max(1));
        for key in ["rope.dimension_count", "attention.value_length"] {
            self.check_is(key, head_dim)?;
        }
        let theta = self.number("rope.freq_base")?.unwrap_or(10_000.0);
        let has = |tensor: &str| self.tensors.contains_key(tensor);
        let llama = self.architecture == "llama";
        Ok(json!({
            "hidden_size": hidden,
            "intermediate_size": self.needed_of_layers("feed_forward_length")?,
            "num_hidden_layers": self.needed("block_count")?,
            "num_attention_heads": heads,
            "num_key_value_heads": self.of_layers("attention.head_count_kv")?,
            "head_dim": head_dim,
            "max_position_embeddings": self.needed("context_length")?,
            "hidden_act": "silu",
            "rms_norm_eps": self.needed_number("attention.layer_norm_rms_epsilon")?,
            "rope_theta": theta,
            "rope_scaling": self.rope_scaling(theta, head_dim)?,
            "attention_bias": llama.then(|| has("blk.0.attn_q.bias")),
            "mlp_bias": llama.then(|| has("blk.0.ffn_up.bias")),
        }))
    }

    fn gpt2(&self) -> Result<Value, CheckpointError> {
        let context = self.needed("context_length")?;
        Ok(json!({
            "n_embd": self.needed("embedding_length")?,
            "n_inner": self.needed("feed_forward_length")?,
            "n_layer": self.needed("block_count")?,
            "n_head": self.needed("attention.head_count")?,
            "n_positions": context,
            "n_ctx": context,
            "activation_function": "gelu_new",
            "layer_norm_epsilon": self.needed_number("attention.layer_norm_epsilon")?,
        }))
    }

    fn gpt_neox(&self) -> Result<Value, CheckpointError> {
        let (hidden, heads) = (self.needed("embedding_length")?, self.needed("attention.head_count")?);
        let head_dim = hidden / heads.max(1);
        // As in llama.cpp, whole heads are rotated if the file says nothing.
        let rotated = self.count("rope.dimension_count")?.unwrap_or(head_dim);
        let theta = self.number("rope.freq_base")?.unwrap_or(10_000.0);
        let parallel = self.key("use_parallel_residual");
        Ok(json!({
            "hidden_size": hidden,
            "intermediate_size": self.needed("feed_forward_length")?,
            "num_hidden_layers": self.needed("block_count")?,
            "num_attention_heads": heads,
            "max_position_embeddings": self.needed("context_length")?,
            "rotary_pct": rotated as f64 / head_dim.max(1) as f64,
            "rotary_emb_base": theta,
            "rope_scaling": self.rope_scaling(theta, head_dim)?,
            "layer_norm_eps": self.needed_number("attention.layer_norm_epsilon")?,
            "use_parallel_residual": self.there(&parallel, self.metadata.truth(&parallel))?,
            "hidden_act": "gelu",
        }))
    }

    /// Number of token ids: the rows of the embedding, which may be more than the tokenizer has.
    fn vocab(&self) -> Result<usize, CheckpointError> {
        let embedding = self.tensors.get(EMBEDDING).and_then(|tensor| tensor.shape.first().copied());
        embedding.ok_or_else(|| self.unsupported(format!("there is no tensor {EMBEDDING}")))
    }

    fn count(&self, key: &str) -> Result<Option<usize>, CheckpointError> {
        self.checked(self.metadata.count(&self.key(key)))
    }

    /// A count that may be an array with a number for each layer, all of them the same.
    pub(super) fn of_layers(&self, key: &str) -> Result<Option<usize>, CheckpointError> {
        let key = self.key(key);
        if !self.metadata.is_array(&key) {
            return self.checked(self.metadata.count(&key));
        }
        let layers = self.needed("block_count")?;
        let values = self.checked(self.metadata.numbers(&key, self.map.bytes()))?.unwrap_or_default();
        let first = values.first().filter(|first| first.fract() == 0.0 && **first >= 0.0);
        match first {
            _ if values.len() != layers => Err(self.unsupported(format!(
                "the key {key} has {}, but the model has {}",
                counted(values.len(), "number"),
                counted(layers, "layer")
            ))),
            Some(first) if values.iter().all(|value| value == first) => Ok(Some(*first as usize)),
            _ => {
                let values: Vec<String> = values.iter().map(f64::to_string).collect();
                Err(self.unsupported(format!(
                    "the key {key} differs between the layers ({}); only one number for all layers is supported",
                    values.join(", ")
                )))
            }
        }
    }

    fn needed_of_layers(&self, key: &str) -> Result<usize, CheckpointError> {
        self.of_layers(key)?.ok_or_else(|| self.unsupported(format!("the key {} is missing", self.key(key))))
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<f64>, CheckpointError> {
        self.checked(self.metadata.number(&self.key(key)))
    }

    fn needed(&self, key: &str) -> Result<usize, CheckpointError> {
        let key = self.key(key);
        self.there(&key, self.metadata.count(&key))
    }

    fn needed_number(&self, key: &str) -> Result<f64, CheckpointError> {
        let key = self.key(key);
        self.there(&key, self.metadata.number(&key))
    }

    /// The value of a key that llama.cpp needs as well.
    fn there<T>(&self, key: &str, read: Result<Option<T>, Malformed>) -> Result<T, CheckpointError> {
        self.checked(read)?.ok_or_else(|| self.unsupported(format!("the key {key} is missing")))
    }

    /// Fails if a key is there with another value than the only one that the architecture computes.
    fn check_is(&self, key: &str, value: usize) -> Result<(), CheckpointError> {
        match self.count(key)? {
            Some(found) if found != value => Err(self.unsupported(format!(
                "the key {} is {found}, but the heads of this model have the size {value}",
                self.key(key)
            ))),
            _ => Ok(()),
        }
    }
}
