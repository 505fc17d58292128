//! What can stop an experiment.

use std::io;
use std::path::{Path, PathBuf};

/// An experiment that cannot start or cannot go on.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(feature = "cli", derive(miette::Diagnostic))]
#[non_exhaustive]
pub enum TrainError {
    /// A file or directory could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no language model at the path that the experiment gives.
    #[error("model.path: there is no model {}; give a Hugging Face style directory, a .gguf file or hf:owner/name, also as --set model.path=DIR", path.display())]
    NoModel {
        /// The path.
        path: PathBuf,
    },
    /// A checkpoint could not be written or read.
    #[error("checkpoint {}: {message}", path.display())]
    Checkpoint {
        /// The checkpoint's directory.
        path: PathBuf,
        /// What happened.
        message: String,
    },
    /// Training stopped before its last step.
    #[error("stage `{stage}`: {message}")]
    Training {
        /// Name of the stage.
        stage: String,
        /// What happened.
        message: String,
    },
    /// A loss or gradient was not a number.
    #[error(
        "stage `{stage}`: the gradients of step {step} are not finite; lower the learning rate or raise the warm-up, and go on from the last checkpoint with --resume"
    )]
    NotFinite {
        /// Name of the stage.
        stage: String,
        /// The step.
        step: usize,
    },
    /// The run directory holds another experiment.
    #[error("{}: this run was made with other settings: {}; resume it with the same ones, or start another run with --out", dir.display(), differing.join(", "))]
    OtherExperiment {
        /// The run directory.
        dir: PathBuf,
        /// The keys that differ.
        differing: Vec<String>,
    },
    /// The run directory is used by another process.
    #[error("{}: another process is writing this run; wait for it, or start another run with --out", dir.display())]
    Locked {
        /// The run directory.
        dir: PathBuf,
    },
    /// A stage has nothing to train on.
    #[error("stage `{stage}`: {message}")]
    NoData {
        /// Name of the stage.
        stage: String,
        /// What is missing, and what to do.
        message: String,
    },
    /// The loss is not a number any more, or infinite.
    #[error(
        "stage `{stage}`: the loss of step {step} is not finite; {}. Its batch is the sets {}",
        match checkpoint {
            Some(path) => format!("the last good checkpoint is {}", path.display()),
            None => "there is no checkpoint yet".into(),
        },
        listed(sets)
    )]
    #[cfg_attr(
        feature = "cli",
        diagnostic(help(
            "a lower `lr`, a longer `warmup` or a smaller `clip` usually helps; if always the same sets are named, look at them"
        ))
    )]
    NonFinite {
        /// The stage.
        stage: String,
        /// The step.
        step: usize,
        /// Names of the sets of the step.
        sets: Vec<String>,
        /// The last checkpoint.
        checkpoint: Option<PathBuf>,
    },
    /// The weights of the model alone need more memory than there is.
    #[error("the weights of the model need {needed} of memory, and this machine has {total}")]
    #[cfg_attr(
        feature = "cli",
        diagnostic(help("`[model] precision = \"bf16\"` halves a frozen model; else choose a smaller one"))
    )]
    DoesNotFit {
        /// What the weights need.
        needed: String,
        /// What there is.
        total: String,
    },
    /// The tokenizer makes tokens that the model does not have.
    #[error(
        "the tokenizer makes token {token}, but the model has a vocabulary of {vocab}: the tokenizer belongs to another model"
    )]
    OtherTokenizer {
        /// A token of a short conversation.
        token: u32,
        /// Size of the model's vocabulary.
        vocab: usize,
    },
    /// The model's context is shorter than the shortest conversation.
    #[error(
        "the model's context of {context} tokens has no room for an answer: the shortest prompt has {tokens} tokens"
    )]
    NoRoom {
        /// Tokens of the shortest prompt.
        tokens: usize,
        /// The model's context.
        context: usize,
    },
    /// A sweep is run as one experiment, or an experiment as a sweep.
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
    /// A variant of a sweep shares something with another one that failed.
    #[error("for the same reason as {variant}: {message}")]
    AsAnother {
        /// The other variant.
        variant: String,
        /// Why that failed.
        message: String,
    },
    /// Patterns of tensor names do not name parameters.
    #[error(transparent)]
    Pattern(#[from] dph_model::PatternError),
    /// There is no such head.
    #[error("head.aggregation: {0}")]
    Aggregation(#[from] dph_core::AggregationError),
    /// A task cannot be had.
    #[error(transparent)]
    #[cfg_attr(feature = "cli", diagnostic(transparent))]
    Task(#[from] dph_data::TaskError),
    /// A data set cannot be loaded.
    #[error(transparent)]
    Data(#[from] dph_data::DataError),
    /// The weights of a mixture make no sense.
    #[error(transparent)]
    Mixture(#[from] dph_data::MixtureError),
    /// The tokenizer cannot be used.
    #[error(transparent)]
    Tokenizer(#[from] dph_data::ChatError),
    /// The tokenizer of a new model cannot be made.
    #[error(transparent)]
    NewTokenizer(#[from] dph_data::TokenizerError),
    /// The language model cannot be loaded or written.
    #[error(transparent)]
    Files(#[from] dph_model::CheckpointError),
    /// The configuration of a new language model makes no sense.
    #[error("model.new: {0}")]
    Config(#[from] dph_model::ConfigError),
    /// A batch does not fit the language model.
    #[error(transparent)]
    Input(#[from] dph_model::InputError),
    /// The language model cannot take a candidate set.
    #[error(transparent)]
    Sets(#[from] dph_eval::ScoreError),
    /// The exported model cannot be opened or written.
    #[error(transparent)]
    Model(#[from] dph_eval::ModelError),
    /// The evaluation cannot be planned.
    #[error(transparent)]
    #[cfg_attr(feature = "cli", diagnostic(transparent))]
    Plan(#[from] dph_eval::PlanError),
    /// The evaluation cannot be done.
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

impl TrainError {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.into(), source }
    }
}

impl TrainError {
    /// Whether the request was wrong, rather than that the work failed.
    pub fn is_request(&self) -> bool {
        if let Self::Variant { source, .. } = self {
            return source.is_request();
        }
        matches!(
            self,
            Self::NoModel { .. }
                | Self::OtherExperiment { .. }
                | Self::Locked { .. }
                | Self::Sweep(_)
                | Self::Task(_)
                | Self::Plan(_)
                | Self::Device(_)
                | Self::Config(_)
                | Self::Mixture(_)
                | Self::Aggregation(_)
                | Self::DoesNotFit { .. }
                | Self::OtherTokenizer { .. }
                | Self::NoRoom { .. }
                | Self::Pattern(_)
        )
    }
}

/// Some of many names.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
