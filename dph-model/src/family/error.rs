//! [`ConfigError`]: an invalid or unsupported `config.json`.

use super::model_types::SUPPORTED_MODEL_TYPES;

/// Why a `config.json` cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is not JSON, lacks a key, or a key has a value of the wrong type.
    #[error("{source}")]
    Json {
        /// The error and its position.
        #[from]
        source: serde_json::Error,
    },
    /// The value of a key has the wrong type.
    #[error("`{key}` = {value}: {problem}")]
    Value {
        /// The key, with its parents.
        key: String,
        /// The value, as JSON.
        value: String,
        /// The expected type.
        problem: String,
    },
    /// Two keys for the same setting have different values.
    #[error(
        "`{table}.type` = {old:?} and `{table}.rope_type` = {new:?} disagree; remove the one that is wrong"
    )]
    RopeTypes {
        /// The key of the table.
        table: &'static str,
        /// The value of the older key.
        old: String,
        /// The value of the newer key.
        new: String,
    },
    /// There is no `model_type`.
    #[error("the key `model_type` is missing; supported are {}", SUPPORTED_MODEL_TYPES.join(", "))]
    NoModelType,
    /// The family is not known.
    #[error("model_type `{model_type}` is not supported; supported are {}", SUPPORTED_MODEL_TYPES.join(", "))]
    UnknownModelType {
        /// The value in the file.
        model_type: String,
    },
    /// The value of a key is not supported.
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
        /// The contradiction.
        problem: String,
    },
    /// The model is an encoder, not a language model.
    #[error(
        "model_type `{model_type}` is an encoder of {parameters} parameters, whose tokens see the whole text: it has no log-likelihood and cannot be a \
         backbone; it can be used as a classifier (`dph-eval bench`, or a stage with the objective `classify`)"
    )]
    NotCausal {
        /// The value in the file.
        model_type: String,
        /// Its number of parameters.
        parameters: usize,
    },
    /// The model is a language model, not an encoder.
    #[error("model_type `{model_type}` is a causal language model, not an encoder")]
    NotAnEncoder {
        /// The value in the file.
        model_type: String,
    },
    /// An encoder has no classification head.
    #[error(
        "`architectures` does not name BertForSequenceClassification: there is no classification head; train one with the objective `classify`"
    )]
    NoClassifier,
}
