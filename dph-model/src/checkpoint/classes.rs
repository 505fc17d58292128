//! The classes of transformers that a `config.json` names.

use crate::family::CLASSIFIER;

/// The classes with a classification layer, by `model_type`.
const CLASSES: [(&str, &str); 7] = [
    ("llama", "LlamaForSequenceClassification"),
    ("qwen2", "Qwen2ForSequenceClassification"),
    ("qwen3", "Qwen3ForSequenceClassification"),
    ("gpt_neox", "GPTNeoXForSequenceClassification"),
    ("gpt2", "GPT2ForSequenceClassification"),
    ("openai-gpt", "OpenAIGPTForSequenceClassification"),
    ("opt", "OPTForSequenceClassification"),
];

/// How the names of classes of language models end.
const LANGUAGE_MODELS: [&str; 4] = ["ForCausalLM", "LMHeadModel", "DoubleHeadsModel", "Model"];

/// The class of transformers for a causal language model of this type with a classification layer.
pub fn classifier_class(model_type: &str) -> Option<&'static str> {
    CLASSES.iter().find(|(known, _)| *known == model_type).map(|(_, class)| *class)
}

/// Whether a class is one of transformers for a causal language model of a supported family, with an output matrix or a classification layer for
/// whole texts.
pub fn is_known_class(class: &str) -> bool {
    CLASSES.iter().any(|(_, classifier)| {
        let family = classifier.strip_suffix(CLASSIFIER).unwrap_or(classifier);
        let kind = class.strip_prefix(family);
        kind.is_some_and(|kind| kind == CLASSIFIER || LANGUAGE_MODELS.contains(&kind))
    })
}

/// Whether a class has labels for each token of a text.
pub fn is_token_classifier(class: &str) -> bool {
    class.ends_with("ForTokenClassification")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_known_by_their_whole_name() {
        for class in [
            "LlamaForCausalLM",
            "Qwen2ForSequenceClassification",
            "GPT2LMHeadModel",
            "OpenAIGPTDoubleHeadsModel",
            "OPTModel",
        ] {
            assert!(is_known_class(class), "{class}");
        }
        for class in [
            "LlamaForRewardModel",
            "LlamaForTokenClassification",
            "RewardModel",
            "LlamaForCausalLMWithValueHead",
            "",
        ] {
            assert!(!is_known_class(class), "{class}");
        }
    }
}
