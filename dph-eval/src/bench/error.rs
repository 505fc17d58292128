//! [`BenchError`]: why a benchmark cannot be run.

use dph_data::{Classes, DataError, Style};

use crate::model::ModelError;
use crate::pass::ScoreError;
use crate::scorer_choice::ScorerError;

/// Why a benchmark cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// Rewards are requested from a model without a preference head.
    #[error("`{model}` has no preference head; train one with `dph-train`, or use the scorer `log`")]
    NoHead {
        /// The model.
        model: String,
    },
    /// Conversations are requested from a model without a chat format.
    #[error(
        "`{model}` has no chat format: its tokenizer_config.json has no `chat_template` and its vocabulary no <|im_start|> and \
         <|im_end|>; use the style `plain`, add a `chat_template`, or evaluate a classifier with the scorer `classifier`"
    )]
    NoChat {
        /// The model.
        model: String,
    },
    /// The head was trained on documents of another style.
    #[error(
        "the preference head of `{name}` was trained on documents in the style `{head}`, and the evaluation is in the style `{style}`: \
         the head reads the state behind an answer, which differs; evaluate in the style `{head}`, or use the scorer `log`"
    )]
    Style {
        /// The name of the head.
        name: String,
        /// The style that it was trained on.
        head: Style,
        /// The style of the evaluation.
        style: Style,
    },
    /// A head does not fit the model.
    #[error("{name}: {source}")]
    Head {
        /// The name of the head.
        name: String,
        /// Why it does not fit.
        source: Box<ModelError>,
    },
    /// The data cannot be loaded.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A scorer that the model does not have.
    #[error(transparent)]
    Scorer(#[from] ScorerError),
    /// There are no documents on which the weight of a mixture can be chosen.
    #[error(
        "`mixture:{head}`: its weight is chosen on the training splits of the tasks, and none of them can be used; add \
         <task>/train.jsonl to the data, or give the weights: the scorer `reward:0.7*a+0.3*b`"
    )]
    NoTraining {
        /// The head.
        head: String,
    },
    /// The classes of a task are not those of a classifier.
    #[error(
        "`{model}` has the outputs {}, and the task `{task}` needs {classes}; evaluate it on the task that it was trained for",
        outputs.join(", ")
    )]
    Classes {
        /// The model.
        model: String,
        /// Its outputs.
        outputs: Vec<String>,
        /// The task.
        task: String,
        /// What the task predicts.
        classes: Classes,
    },
    /// The scorer `classifier` is combined with what a classifier does not have.
    #[error(
        "the scorer `classifier` is used alone: a classifier has neither likelihoods nor rewards, and no few-shot examples"
    )]
    ClassifierAlone,
    /// The files of the model can no longer be read.
    #[error(transparent)]
    Model(Box<ModelError>),
    /// A batch does not fit the model.
    #[error(transparent)]
    Batch(#[from] ScoreError),
    /// A document does not fit the model.
    #[error("{task}/{split}: {source}")]
    Score {
        /// The task.
        task: String,
        /// The split.
        split: String,
        /// Which and why.
        source: ScoreError,
    },
}
