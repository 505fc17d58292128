//! The `config.json` of a GGUF file.

use serde_json::{Map, Value, json};

use super::Gguf;
use crate::checkpoint::CheckpointError;

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
        let Some((_, model_type, class)) = ARCHITECTURES.iter().find(|(name, ..)| *name == self.architecture)
        else {
            let known: Vec<_> = ARCHITECTURES.iter().map(|(name, ..)| *name).collect();
            return Err(self.unsupported(format!(
                "general.architecture `{}` is not supported in GGUF files; supported are {}",
                self.architecture,
                known.join(", ")
            )));
        };
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
        let ids = self.token_ids();
        if let Some(config) = config.as_object_mut() {
            config.extend(there.map(|(key, value)| (key.clone(), value.clone())));
            config.extend(ids);
        }
        Ok(format!("{config:#}\n"))
    }

    /// The special tokens by their keys in configurations.
    pub(super) fn token_ids(&self) -> Map<String, Value> {
        let names = [("bos", "bos"), ("eos", "eos"), ("pad", "padding")];
        names
            .iter()
            .filter_map(|(name, raw)| {
                let id = self.metadata.count(&format!("tokenizer.ggml.{raw}_token_id"))?;
                Some((format!("{name}_token_id"), id.into()))
            })
            .collect()
    }

    fn llama_like(&self) -> Result<Value, CheckpointError> {
        let (hidden, heads) = (self.needed("embedding_length")?, self.needed("attention.head_count")?);
        let head_dim = self
            .count("attention.key_length")
            .or_else(|| self.count("rope.dimension_count"))
            .unwrap_or(hidden / heads.max(1));
        let theta = self.number("rope.freq_base").unwrap_or(10_000.0);
        let has = |tensor: &str| self.tensors.contains_key(tensor);
        let llama = self.architecture == "llama";
        Ok(json!({
            "hidden_size": hidden,
            "intermediate_size": self.needed("feed_forward_length")?,
            "num_hidden_layers": self.needed("block_count")?,
            "num_attention_heads": heads,
            "num_key_value_heads": self.count("attention.head_count_kv"),
            "head_dim": head_dim,
            "max_position_embeddings": self.count("context_length"),
            "hidden_act": "silu",
            "rms_norm_eps": self.number("attention.layer_norm_rms_epsilon"),
            "rope_theta": theta,
            "rope_scaling": self.rope_scaling(theta, head_dim)?,
            "attention_bias": llama.then(|| has("blk.0.attn_q.bias")),
            "mlp_bias": llama.then(|| has("blk.0.ffn_up.bias")),
        }))
    }

    fn gpt2(&self) -> Result<Value, CheckpointError> {
        Ok(json!({
            "n_embd": self.needed("embedding_length")?,
            "n_inner": self.needed("feed_forward_length")?,
            "n_layer": self.needed("block_count")?,
            "n_head": self.needed("attention.head_count")?,
            "n_positions": self.count("context_length"),
            "n_ctx": self.count("context_length"),
            "activation_function": "gelu_new",
            "layer_norm_epsilon": self.number("attention.layer_norm_epsilon"),
        }))
    }

    fn gpt_neox(&self) -> Result<Value, CheckpointError> {
        let (hidden, heads) = (self.needed("embedding_length")?, self.needed("attention.head_count")?);
        let rotated = self.count("rope.dimension_count").map(|rotated| {
            let head_dim = hidden / heads.max(1);
            rotated as f64 / head_dim.max(1) as f64
        });
        Ok(json!({
            "hidden_size": hidden,
            "intermediate_size": self.needed("feed_forward_length")?,
            "num_hidden_layers": self.needed("block_count")?,
            "num_attention_heads": heads,
            "max_position_embeddings": self.count("context_length"),
            "rotary_pct": rotated,
            "rotary_emb_base": self.number("rope.freq_base"),
            "rope_scaling": self.rope_scaling(10_000.0, hidden / heads.max(1))?,
            "layer_norm_eps": self.number("attention.layer_norm_epsilon"),
            "use_parallel_residual": self.metadata.truth(&self.key("use_parallel_residual")),
            "hidden_act": "gelu",
        }))
    }

    /// Number of token ids: the rows of the embedding, which may be more than the tokenizer has.
    fn vocab(&self) -> Result<usize, CheckpointError> {
        let embedding =
            self.tensors.get("token_embd.weight").and_then(|tensor| tensor.shape.first().copied());
        embedding.ok_or_else(|| self.unsupported("there is no tensor token_embd.weight"))
    }

    fn count(&self, key: &str) -> Option<usize> {
        self.metadata.count(&self.key(key))
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.metadata.number(&self.key(key))
    }

    fn needed(&self, key: &str) -> Result<usize, CheckpointError> {
        let key = self.key(key);
        let count = self.metadata.count(&key);
        count.ok_or_else(|| self.unsupported(format!("the key {key} is missing or is not one number")))
    }
}
