//! The families by their `model_type`.

/// The values of `model_type` that [`Family::parse`](super::Family::parse) supports.
pub const SUPPORTED_MODEL_TYPES: &[&str] =
    &["llama", "qwen2", "qwen3", "gpt_neox", "gpt2", "openai-gpt", "opt", "bert", "lsw_transformer", "lswt"];
