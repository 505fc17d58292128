//! Direct Preference Heads (arXiv 2405.20053) on burn: the method itself, independent of any language model.
//!
//! A head scores the hidden states of candidate answers:
//!
//! ```
//! # if cfg!(feature = "flex") {
//! use burn::tensor::Tensor;
//! use dph_core::{DphObjective, PoolingKind, PreferenceHeadConfig};
//!
//! let device = dph_core::device("flex")?.autodiff();
//! let config = PreferenceHeadConfig { pooling: PoolingKind::SwigluBert, ..PreferenceHeadConfig::new(64, 256) };
//! let head = config.init(42, &device);
//! let chosen = head.forward(Tensor::ones([8, 64], &device)).squeeze_dim(1);
//! let rejected = head.forward(Tensor::zeros([8, 64], &device)).squeeze_dim(1);
//! let loss = DphObjective::default().forward(chosen, rejected).loss;
//! let gradients = loss.backward();
//! # }
//! # Ok::<(), dph_core::DeviceError>(())
//! ```
//!
//! The path of the data, by module:
//!
//! | module | what it does |
//! |---|---|
//! | `candidates` | a [`CandidateSet`] (one prompt, its candidate answers) is laid out in a [`Batch`]; a backbone turns the batch into hidden states |
//! | [`aggregation`] | computes one vector for each candidate from the hidden states |
//! | `head` | the [`PreferenceHead`]: aggregation, [`Standardise`], [`Pooling`] and reward heads turn states into rewards; its files |
//! | `scores` | [`CandidateScores`] holds the rewards and the log-likelihood of a candidate, and a [`Scorer`] chooses |
//! | `objective` | what training minimises: each objective gives a [`Term`] |
//! | `parameters` | initial values of the head's parameters, and their names in files |
//! | [`run_files`] | names of files of a run |
//! | [`text_file`], [`encoding`], [`path_kind`] | reads text files of people, and says what other files are |
//! | [`tokenizer_files`] | makes the `tokenizer.json` of a tokenizer in other files |
//! | `device`, `select`, `atomic`, `error_class` | a [`device`] by its name, rows by indices, files that are replaced atomically, and whether an error is that of a request |
//!
//! Shapes use `rows` (candidate sets in a batch), `seq` (padded tokens per row), `d_model` (size of a hidden state),
//! `d_ffn` (inner size of a feed-forward network) and `heads` (reward heads).

pub mod aggregation;
mod atomic;
mod candidates;
mod device;
pub mod encoding;
mod error_class;
pub mod git_lfs;
mod head;
pub mod hub;
mod objective;
pub mod panics;
mod parameters;
pub mod path_kind;
pub mod run_files;
mod scores;
mod select;
pub mod suggestion;
pub mod terminal;
#[cfg(feature = "testing")]
pub mod testing;
pub mod text_file;
pub mod tokenizer_files;

pub use aggregation::{
    Aggregation, AggregationError, Layer, LayerPooling, LayerStates, SelectedStates, StateSelection,
    TokenPooling, TokenSelection,
};
pub use atomic::{check_directory_of, write_atomically};
pub use candidates::{
    Batch, Candidate, CandidateSet, CandidateSpan, Ending, PADDING_SEGMENT, PROMPT_SEGMENT, PrefixRow,
    REST_SEGMENT, Style, Target, TargetTokens,
};
pub use device::{DeviceError, device, known_devices};
pub use error_class::{Classify, ErrorClass};
pub use head::{
    HEAD_CONFIG_FILE, HEAD_WEIGHTS_FILE, HeadFileError, LinearReward, NotLinear, Pooling, PoolingKind,
    PreferenceHead, PreferenceHeadConfig, RewardStream, Standardise,
};
pub use objective::{
    AnswerLogProbs, ClassifyObjective, DphForm, DphObjective, DpoObjective, KlObjective, LikelihoodObjective,
    OrpoObjective, OrthogonalityObjective, Pairs, Penalised, SequenceReduction, SftObjective,
    SimctgObjective, SteerBatch, SteerLoss, SteerObjective, Term, TrainingMetric, token_accuracy,
};
pub use parameters::WeightInit;
pub use scores::{CandidateScores, Scorer, TokenRewards, best_first, best_index};
pub use select::{index_tensor, select_rows};
