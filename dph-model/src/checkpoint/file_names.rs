//! Names of the files of a model.

/// Name of the file with the configuration.
pub const CONFIG_FILE: &str = "config.json";
/// Name of the file with all weights.
pub const WEIGHTS_FILE: &str = "model.safetensors";
/// Name of the file that says which shard holds which weights.
pub const INDEX_FILE: &str = "model.safetensors.index.json";
/// Name of the file with the tokenizer.
pub const TOKENIZER_FILE: &str = "tokenizer.json";

/// The files that a model may have beside its configuration and its weights: its tokenizer, and how it talks.
pub const COMPANION_FILES: [&str; 7] = [
    TOKENIZER_FILE,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
    "chat_template.jinja",
    "chat.json",
];
