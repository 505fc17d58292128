//! Names of the files of a model.

/// Name of the file with the configuration.
pub const CONFIG_FILE: &str = "config.json";
/// Name of the file with all weights.
pub const WEIGHTS_FILE: &str = "model.safetensors";
/// Name of the index of the shards.
pub const INDEX_FILE: &str = "model.safetensors.index.json";
/// Name of the file with the tokenizer.
pub const TOKENIZER_FILE: &str = "tokenizer.json";
/// Name of the file with the chat template, if it is not among the settings of the tokenizer.
pub(super) const CHAT_TEMPLATE_FILE: &str = "chat_template.jinja";
/// Name of the file with the settings of generation.
pub(super) const GENERATION_CONFIG_FILE: &str = "generation_config.json";
/// Name of the file with the settings of the tokenizer.
pub(super) const TOKENIZER_CONFIG_FILE: &str = "tokenizer_config.json";

/// The optional files of a model: its tokenizer, generation settings and chat format.
pub const COMPANION_FILES: [&str; 7] = [
    TOKENIZER_FILE,
    TOKENIZER_CONFIG_FILE,
    "special_tokens_map.json",
    "added_tokens.json",
    GENERATION_CONFIG_FILE,
    CHAT_TEMPLATE_FILE,
    "chat.json",
];

/// Name of the file with the configuration of an adapter of PEFT.
pub const ADAPTER_CONFIG_FILE: &str = "adapter_config.json";
