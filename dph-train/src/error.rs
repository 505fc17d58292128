//! [`TrainError`]: errors of an experiment.

use std::io;
use std::path::{Path, PathBuf};

use dph_core::Style;
use dph_core::terminal::numbers::listed;

/// Most names that are shown of a list.
const SHOWN: usize = 8;

/// An error that prevents an experiment from starting or stops it.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(feature = "cli", derive(miette::Diagnostic))]
#[non_exhaustive]
pub enum TrainError {
    /// A file or directory could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A file of a run has invalid content.
    #[error("{}: the file is damaged ({message}); restore it, or start another run with --out", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The problem and its position.
        message: String,
    },
    /// There is no language model at `model.path`.
    #[error("model.path: there is no model {}; set it to a Hugging Face style directory, a .gguf file or hf:owner/name, here or with --set model.path=DIR", path.display())]
    NoModel {
        /// The path.
        path: PathBuf,
    },
    /// A checkpoint could not be written or read.
    #[error("checkpoint {}: {message}", path.display())]
    Checkpoint {
        /// The checkpoint's directory.
        path: PathBuf,
        /// The cause.
        message: String,
    },
    /// Training stopped before its last step.
    #[error("stage `{stage}`: {message}")]
    Training {
        /// Name of the stage.
        stage: String,
        /// The cause.
        message: String,
    },
    /// A gradient is NaN or infinite.
    #[error(
        "stage `{stage}`: the gradients of step {step} are not finite; lower `lr` or increase `warmup`, and start another run with --out"
    )]
    NotFinite {
        /// Name of the stage.
        stage: String,
        /// The step.
        step: usize,
    },
    /// The run directory contains another experiment.
    #[error("{}: this run has other settings: {}; resume it with the same settings, or start another run with --out", dir.display(), differing.join(", "))]
    OtherExperiment {
        /// The run directory.
        dir: PathBuf,
        /// The keys that differ.
        differing: Vec<String>,
    },
    /// A stage or an evaluation of the run used other data.
    #[error("{}: `{artifact}` used other data: {differences}; restore the data, or start again without --resume", dir.display())]
    OtherData {
        /// The run directory.
        dir: PathBuf,
        /// The stage, `evaluations/<stage>` or `results.json`.
        artifact: String,
        /// The data sets that differ.
        differences: String,
    },
    /// The model at `model.path` has changed since the run began.
    #[error("{}: this run began with another model at {}: its content hash was {then} and is now {now}; restore the model, or start again without --resume", dir.display(), model.display())]
    OtherModel {
        /// The run directory.
        dir: PathBuf,
        /// The model.
        model: PathBuf,
        /// The content hash at the beginning of the run.
        then: String,
        /// The content hash now.
        now: String,
    },
    /// A directory has the name of a stage or an evaluation, but this run did not make it.
    #[error("{}: this directory was not made by this run; move it to another place", path.display())]
    NotAnExport {
        /// The directory.
        path: PathBuf,
    },
    /// The run directory has files, but no run.
    #[error("{}: this directory is not empty and contains no run; choose another one with --out", dir.display())]
    NotARun {
        /// The directory.
        dir: PathBuf,
    },
    /// The run directory cannot be created.
    #[error("{}: the run directory cannot be created: {source}; choose another one with --out", dir.display())]
    NotCreated {
        /// The directory.
        dir: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The run directory is used by another process.
    #[error("{}: another process writes to this run; wait until it ends, or start another run with --out", dir.display())]
    Locked {
        /// The run directory.
        dir: PathBuf,
    },
    /// There are no rows of any task of a sweep over tasks.
    #[error("there are no rows of any task of the sweep: {split}")]
    NoTask {
        /// The missing split of the first task.
        split: Box<dph_data::SplitNotFound>,
    },
    /// A stage has no training data, or far too few for its batch.
    #[error("stage `{stage}`: {message}")]
    NoData {
        /// Name of the stage.
        stage: String,
        /// The missing data and the remedy.
        message: String,
    },
    /// The loss is NaN or infinite.
    #[error(
        "stage `{stage}`: the loss of step {step} is not finite; {}. Its batch contains the sets {}",
        match checkpoint {
            Some(path) => format!("the last good checkpoint is {}", path.display()),
            None => "there is no checkpoint yet".into(),
        },
        listed(sets, SHOWN)
    )]
    #[cfg_attr(
        feature = "cli",
        diagnostic(help(
            "a lower `lr`, a longer `warmup` or a smaller `clip` usually helps; if the same sets are named each time, check their data"
        ))
    )]
    NonFinite {
        /// The stage.
        stage: String,
        /// The step.
        step: usize,
        /// The names of the sets in the batch of the step.
        sets: Vec<String>,
        /// The last checkpoint.
        checkpoint: Option<PathBuf>,
    },
    /// The weights of the model need more memory than the machine has.
    #[error("the weights of the model need {needed} of memory, but this machine has {total}")]
    #[cfg_attr(
        feature = "cli",
        diagnostic(help(
            "`[model] precision = \"bf16\"` halves the memory of a frozen model; otherwise choose a smaller model"
        ))
    )]
    DoesNotFit {
        /// The memory that the weights need.
        needed: String,
        /// The memory of the machine.
        total: String,
    },
    /// The tokenizer produces tokens outside the model's vocabulary.
    #[error(
        "the tokenizer produces token {token}, but the model has a vocabulary of {vocab}: the tokenizer belongs to another model; use the tokenizer of this model"
    )]
    OtherTokenizer {
        /// The token, from a short conversation.
        token: u32,
        /// Size of the model's vocabulary.
        vocab: usize,
    },
    /// The model's context is not longer than the shortest prompt.
    #[error(
        "the model's context of {context} tokens has no room for an answer: the shortest prompt has {tokens} tokens; use a model with a longer context"
    )]
    NoRoom {
        /// Number of tokens of the shortest prompt.
        tokens: usize,
        /// The length of the model's context in tokens.
        context: usize,
    },
    /// The language model of a stage has no output matrix.
    #[error(
        "stage `{stage}` trains the language model, but `[model] path` is a reward model without an output matrix; train a head on it \
         (`objective = {{ dph = {{}} }}`), or name the language model that it was made of"
    )]
    NoOutput {
        /// The stage.
        stage: String,
    },
    /// An encoder has an objective that needs a causal language model.
    #[error(
        "stage `{stage}`: `{objective}` needs a causal language model, and `{model_type}` at `[model] path` is an encoder; train it as a \
         classifier (`objective = {{ classify = {{}} }}`), or name a causal language model"
    )]
    Encoder {
        /// The stage.
        stage: String,
        /// Its objectives.
        objective: String,
        /// The type of the model.
        model_type: &'static str,
    },
    /// A task needs other outputs than a classifier has.
    #[error(
        "stage `{stage}`: the task `{task}` needs {classes}, and the model has the outputs {} (`id2label` in its config.json); to train a new \
         classification layer, set `objective = {{ classify = {{ new_layer = true }} }}`",
        outputs.join(", ")
    )]
    Classes {
        /// The stage.
        stage: String,
        /// The outputs of the model.
        outputs: Vec<String>,
        /// The task.
        task: String,
        /// What the task predicts.
        classes: dph_data::Classes,
    },
    /// The context of a classifier is too short.
    #[error(
        "stage `{stage}`: two texts of one letter have {tokens} tokens with the special tokens of the tokenizer, and the model's context has \
         {context}; use a model with a longer context"
    )]
    NoRoomForTexts {
        /// The stage.
        stage: String,
        /// Number of tokens of the shortest texts.
        tokens: usize,
        /// The length of the model's context in tokens.
        context: usize,
    },
    /// A head is trained in one style and evaluated in another.
    #[error(
        "stage `{stage}` trains a head on documents in the style `{style}`, and the evaluation is in the style `{eval}`: the head reads \
         the state behind an answer, which differs; give the stage and `[eval]` the same `style`"
    )]
    Style {
        /// The stage.
        stage: String,
        /// Its style.
        style: Style,
        /// The style of the evaluation.
        eval: Style,
    },
    /// A sweep is run as a single experiment, or a single experiment as a sweep.
    #[error("{0}")]
    Sweep(&'static str),
    /// A variant of a sweep cannot run.
    #[error("variant {variant}: {source}")]
    Variant {
        /// The variant.
        variant: String,
        /// The reason.
        source: Box<TrainError>,
    },
    /// A variant of a sweep depends on work of another variant that failed.
    #[error("same error as variant {variant}: {message}")]
    AsAnother {
        /// The other variant.
        variant: String,
        /// The error of the other variant.
        message: String,
    },
    /// A pattern of tensor names does not match any parameter.
    #[error(transparent)]
    Pattern(#[from] dph_model::PatternError),
    /// The aggregation of the head does not fit the model.
    #[error("head.aggregation: {0}")]
    Aggregation(#[from] dph_core::AggregationError),
    /// A task is unknown or its definition is invalid.
    #[error(transparent)]
    #[cfg_attr(feature = "cli", diagnostic(transparent))]
    Task(#[from] dph_data::DefinitionError),
    /// A data set cannot be loaded.
    #[error(transparent)]
    Data(#[from] dph_data::DataError),
    /// The weights of a mixture are invalid.
    #[error(transparent)]
    Mixture(#[from] dph_data::MixtureError),
    /// The tokenizer cannot be used.
    #[error(transparent)]
    Tokenizer(#[from] dph_data::ChatError),
    /// The tokenizer of a new model cannot be built.
    #[error(transparent)]
    NewTokenizer(#[from] dph_data::TokenizerError),
    /// The language model cannot be loaded or written.
    #[error(transparent)]
    Files(#[from] dph_model::CheckpointError),
    /// The classifier cannot be loaded or written.
    #[error(transparent)]
    Classifier(Box<dph_model::ClassifierError>),
    /// The configuration of a new language model is invalid.
    #[error("model.new: {0}")]
    Config(#[from] dph_model::ConfigError),
    /// A batch does not fit the language model.
    #[error(transparent)]
    Input(#[from] dph_model::InputError),
    /// The language model cannot score a candidate set.
    #[error(transparent)]
    Sets(#[from] dph_eval::ScoreError),
    /// The exported model cannot be opened or written.
    #[error(transparent)]
    Model(#[from] dph_eval::ModelError),
    /// The evaluation cannot be planned.
    #[error(transparent)]
    #[cfg_attr(feature = "cli", diagnostic(transparent))]
    Plan(#[from] dph_eval::PlanError),
    /// The evaluation failed.
    #[error(transparent)]
    Bench(#[from] dph_eval::BenchError),
    /// The results cannot be written.
    #[error(transparent)]
    Results(#[from] dph_eval::ResultsError),
    /// A device cannot be used.
    #[error(transparent)]
    Device(#[from] dph_core::DeviceError),
    /// A head could not be written or read.
    #[error(transparent)]
    Head(#[from] dph_core::HeadFileError),
}

impl From<dph_model::ClassifierError> for TrainError {
    fn from(error: dph_model::ClassifierError) -> Self {
        Self::Classifier(Box::new(error))
    }
}

impl TrainError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }

    /// A file of a run is not what the program wrote.
    pub(crate) fn damaged(path: &Path, error: &serde_json::Error) -> Self {
        Self::Damaged { path: path.into(), message: error.to_string() }
    }
}
