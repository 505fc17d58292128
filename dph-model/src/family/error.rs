//! What can be wrong with a `config.json`.

use super::model_types::SUPPORTED_MODEL_TYPES;

/// Why a `config.json` cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is not JSON, lacks a key, or a key has a value of the wrong type.
    #[error("{source}")]
    Json {
        /// What, where.
        #[from]
        source: serde_json::Error,
    },
    /// There is no `model_type`.
    #[error("the key `model_type` is missing; supported are {}", SUPPORTED_MODEL_TYPES.join(", "))]
    NoModelType,
    /// The family is not known.
    #[error("model_type `{model_type}` is not supported; supported are {}", SUPPORTED_MODEL_TYPES.join(", "))]
    UnknownModelType {
        /// As the file has it.
        model_type: String,
    },
    /// A key has a value that this implementation does not compute.
    #[error("`{key}` = {value} is not supported{}", hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default())]
    Unsupported {
        /// The key, with its parents.
        key: &'static str,
        /// The value, as JSON.
        value: String,
        /// What is supported.
        hint: Option<String>,
    },
    /// The sizes contradict each other.
    #[error("{problem}")]
    Sizes {
        /// How.
        problem: String,
    },
    /// An encoder is asked to be a language model.
    #[error(
        "model_type `{model_type}` is an encoder of {parameters} parameters, whose tokens see the whole text: it has no log-likelihood and cannot be a \
         backbone; load it as an `Encoder` or a `Classifier`"
    )]
    NotCausal {
        /// As the file has it.
        model_type: String,
        /// How many it has.
        parameters: usize,
    },
    /// A language model is asked to be an encoder.
    #[error("model_type `{model_type}` is a causal language model, not an encoder; load it as a `Backbone`")]
    NotAnEncoder {
        /// As the file has it.
        model_type: String,
    },
    /// An encoder has no classification head.
    #[error(
        "`architectures` does not name BertForSequenceClassification: there is no classification head; load it as an `Encoder`"
    )]
    NoClassifier,
}
