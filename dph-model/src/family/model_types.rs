//! The families by their `model_type`.

/// The `model_type`s that [`Family::parse`](super::Family::parse) understands.
pub const SUPPORTED_MODEL_TYPES: &[&str] =
    &["llama", "qwen2", "qwen3", "gpt_neox", "gpt2", "openai-gpt", "opt", "bert", "lsw_transformer", "lswt"];
