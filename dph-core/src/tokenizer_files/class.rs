//! [`Class`]: the class of transformers that reads a tokenizer.

use serde_json::Value;

use super::settings::Settings;

/// A class of tokenizers in transformers 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Llama,
    Gemma,
    T5,
    Albert,
    Gpt2,
    Qwen2,
    Roberta,
    GptNeoX,
    /// `TokenizersBackend`: any file in its own settings.
    Generic,
}

/// Types of models and the class that is registered for them. Types that are registered for [`Class::Generic`] replace the
/// class that their tokenizer names.
const REGISTERED: [(Class, &[&str]); 9] = [
    (Class::Llama, &["idefics", "idefics2"]),
    (
        Class::Gemma,
        &[
            "gemma",
            "gemma2",
            "gemma3",
            "gemma3_text",
            "gemma3n",
            "gemma3n_text",
            "recurrent_gemma",
            "t5gemma",
        ],
    ),
    (Class::T5, &["t5", "mt5", "switch_transformers", "musicgen"]),
    (Class::Albert, &["albert", "yoso"]),
    (
        Class::Gpt2,
        &[
            "gpt2",
            "gpt_neo",
            "gptj",
            "opt",
            "phi",
            "codegen",
            "dbrx",
            "emu3",
            "starcoder2",
            "blip-2",
            "jais2",
        ],
    ),
    (
        Class::Qwen2,
        &[
            "qwen2",
            "qwen2_moe",
            "qwen2_vl",
            "qwen2_5_vl",
            "qwen2_audio",
            "qwen3",
            "qwen3_moe",
            "qwen3_next",
            "qwen3_vl",
        ],
    ),
    (Class::Roberta, &["roberta", "bart", "longformer", "roberta-prelayernorm", "data2vec-text"]),
    (
        Class::GptNeoX,
        &["gpt_neox", "olmo", "olmoe", "mpt", "mamba", "mamba2", "rwkv", "xlstm", "falcon_mamba"],
    ),
    (
        Class::Generic,
        &[
            "mistral",
            "mistral3",
            "mixtral",
            "ministral",
            "ministral3",
            "pixtral",
            "phi3",
            "phimoe",
            "granite",
            "granitemoe",
            "glm",
            "glm4",
            "gpt_bigcode",
            "stablelm",
            "olmo2",
            "olmo3",
            "persimmon",
            "internlm2",
            "internlm3",
            "jamba",
            "nemotron",
            "minicpm3",
            "ernie4_5",
            "llava",
            "modernbert",
            "smolvlm",
            "umt5",
        ],
    ),
];

/// Types of models whose registered class replaces the class that their tokenizer names, because repositories often name a
/// wrong one.
const TRUST_REGISTERED: [&str; 1] = ["qwen2"];

impl Class {
    /// The class that transformers 5.24 chooses: mostly the one that `tokenizer_config.json` names. The name of an unknown
    /// class is an error.
    pub fn choose(settings: &Settings) -> Result<Self, String> {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let declared = text(settings.config.get("tokenizer_class"));
        let declared = declared.or_else(|| text(settings.model.get("tokenizer_class")));
        let model = text(settings.model.get("model_type")).unwrap_or_default();
        let registered = REGISTERED.iter().find(|(_, types)| types.contains(&model.as_str()));
        match (declared, registered.map(|(class, _)| *class)) {
            (Some(_), Some(Self::Generic)) => Ok(Self::Generic),
            (Some(_), Some(class)) if TRUST_REGISTERED.contains(&model.as_str()) => Ok(class),
            (Some(name), _) => Self::parse(&name).ok_or(name),
            (None, class) => Ok(class.unwrap_or(Self::Generic)),
        }
    }

    /// What determines the class: a key of a file, with its value.
    pub fn origin(settings: &Settings) -> Option<String> {
        let files = [
            ("tokenizer_class", "tokenizer_config.json", &settings.config),
            ("tokenizer_class", "config.json", &settings.model),
            ("model_type", "config.json", &settings.model),
        ];
        files.into_iter().find_map(|(key, file, values)| {
            let value = values.get(key)?.as_str()?;
            Some(format!("`{key}` in {file} is {value}"))
        })
    }

    /// Whether the class reads `vocab.json` and `merges.txt`.
    pub fn is_byte_level(self) -> bool {
        matches!(self, Self::Gpt2 | Self::Qwen2 | Self::Roberta | Self::GptNeoX)
    }

    fn parse(name: &str) -> Option<Self> {
        match name.strip_suffix("Fast").unwrap_or(name) {
            "LlamaTokenizer" => Some(Self::Llama),
            "GemmaTokenizer" => Some(Self::Gemma),
            "T5Tokenizer" => Some(Self::T5),
            "AlbertTokenizer" => Some(Self::Albert),
            "GPT2Tokenizer" => Some(Self::Gpt2),
            "Qwen2Tokenizer" => Some(Self::Qwen2),
            "RobertaTokenizer" | "BartTokenizer" => Some(Self::Roberta),
            "GPTNeoXTokenizer" => Some(Self::GptNeoX),
            "PreTrainedTokenizer" | "TokenizersBackend" => Some(Self::Generic),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::*;
    use crate::tokenizer_files::files::TokenizerFileReader;

    fn choose(tokenizer: &str, model: &str) -> Result<Class, String> {
        let read = |name: &str| match name {
            "tokenizer_config.json" => Ok(format!(r#"{{"tokenizer_class": {tokenizer}}}"#).into_bytes()),
            "config.json" => Ok(format!(r#"{{"model_type": "{model}"}}"#).into_bytes()),
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        Class::choose(&Settings::read(&TokenizerFileReader { folder: Path::new(""), read: &read }).unwrap())
    }

    #[test]
    fn the_class_is_the_one_of_the_tokenizer_or_else_of_the_model() {
        assert_eq!(choose("\"LlamaTokenizerFast\"", "llama"), Ok(Class::Llama));
        assert_eq!(choose("\"GPT2Tokenizer\"", "llama"), Ok(Class::Gpt2));
        assert_eq!(choose("null", "opt"), Ok(Class::Gpt2));
        assert_eq!(choose("null", "llama"), Ok(Class::Generic));
        assert_eq!(choose("null", "unknown"), Ok(Class::Generic));
        assert_eq!(choose("\"LlamaTokenizer\"", "mistral"), Ok(Class::Generic));
        assert_eq!(choose("\"GPT2Tokenizer\"", "qwen2"), Ok(Class::Qwen2));
        assert_eq!(choose("\"GPT2Tokenizer\"", "qwen3"), Ok(Class::Gpt2));
        assert_eq!(choose("\"XLNetTokenizer\"", "xlnet"), Err("XLNetTokenizer".to_owned()));
    }
}
