//! A small model of every causal family, and of every variant that has other parts.

use burn::tensor::{Device, Tensor};
use dph_core::{Batch, Candidate, CandidateSet, Layer, TargetTokens};
use dph_model::Backbone;
use serde_json::{Value, json};

pub const VOCAB: usize = 20;

pub fn flex() -> Device {
    dph_core::device("flex").unwrap()
}

/// Configurations with their names.
pub fn causal() -> Vec<(&'static str, Value)> {
    let qwen = json!({
        "model_type": "qwen2", "vocab_size": VOCAB, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": true, "initializer_range": 0.2,
    });
    let neox = json!({
        "model_type": "gpt_neox", "vocab_size": VOCAB, "hidden_size": 16, "intermediate_size": 12,
        "num_hidden_layers": 2, "num_attention_heads": 2, "initializer_range": 0.2,
    });
    let gpt = json!({
        "model_type": "gpt2", "vocab_size": VOCAB, "n_embd": 8, "n_head": 2, "n_layer": 2, "n_positions": 32,
        "initializer_range": 0.2,
    });
    let opt = json!({
        "model_type": "opt", "vocab_size": VOCAB, "hidden_size": 8, "ffn_dim": 12, "num_hidden_layers": 2,
        "num_attention_heads": 2, "max_position_embeddings": 32, "init_std": 0.2,
    });
    let llama = with(&qwen, "model_type", "llama");
    let lswt = json!({
        "model_type": "lsw_transformer", "vocab_size": VOCAB, "d_vocab": 6, "d_model": 8, "d_ffn": 12, "n_heads": 2,
        "n_layers": 2, "rope_positions": 32, "init_std": 0.2,
    });
    vec![
        ("qwen3", with(&with(&qwen, "model_type", "qwen3"), "head_dim", 6)),
        ("qwen2", qwen),
        ("gpt_neox, sequential", with(&neox, "use_parallel_residual", false)),
        ("gpt_neox", neox),
        ("openai-gpt", with(&gpt, "model_type", "openai-gpt")),
        ("gpt2", gpt),
        ("opt, factored", with(&with(&opt, "word_embed_proj_dim", 4), "do_layer_norm_before", false)),
        ("opt", opt),
        ("llama", llama),
        ("lswt", lswt),
    ]
}

/// The same configuration with another value of a key.
pub fn with(config: &Value, key: &str, value: impl Into<Value>) -> Value {
    let mut config = config.clone();
    config[key] = value.into();
    config
}

pub fn set() -> CandidateSet {
    let candidate = |tokens: &[u32]| Candidate::new(tokens.to_vec(), 0);
    CandidateSet {
        prompt: vec![1, 2, 3],
        candidates: vec![candidate(&[4, 9]), candidate(&[5, 6, 9])],
        ..CandidateSet::default()
    }
}

/// The log-probabilities of all tokens of a set.
pub fn log_probs(model: &Backbone) -> Tensor<1> {
    let batch = Batch::pack([&set()], TargetTokens::Turn, 0);
    let last = model.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0);
    model.log_probs(last, &batch.targets)
}

pub fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}
