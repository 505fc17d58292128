//! Direct Preference Heads (arXiv 2405.20053) on burn: the method itself, free of any particular language model.
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
//! The path of the data: a [`CandidateSet`] (one prompt, its candidate answers) is laid out in a [`Batch`]; a
//! backbone turns the batch into hidden states; the [`aggregation`] picks one vector a candidate; the
//! [`PreferenceHead`] turns vectors into rewards; [`CandidateScores`] holds them beside the log-likelihood, and a
//! [`Scorer`] chooses.
//!
//! Shapes are written with `rows` (candidate sets in a batch), `seq` (padded tokens a row), `d_model` (size of a
//! hidden state), `d_ffn` (inner size of a feed-forward network) and `heads` (reward heads).

pub mod aggregation;
mod atomic;
pub mod batch;
mod best;
mod candidates;
mod device;
mod head_file;
mod init;
mod objective;
mod pooling;
mod preference_head;
mod scores;
mod slot;
mod standardise;
pub mod suggestion;
pub mod terminal;
#[cfg(feature = "testing")]
pub mod testing;

pub use aggregation::{
    Aggregation, AggregationError, Kept, KeptStates, KeptTokens, Layer, LayerPooling, LayerStates,
    TokenPooling,
};
pub use atomic::write_atomically;
pub use batch::{Batch, CandidateSpan, Target, TargetTokens};
pub use best::{best_first, best_index};
pub use candidates::{Candidate, CandidateSet};
pub use device::{DeviceError, device, known_devices};
pub use head_file::{CONFIG_FILE, HeadFileError, WEIGHTS_FILE};
pub use init::WeightInit;
pub use objective::{
    AnswerLogProbs, DphForm, DphObjective, DpoObjective, KlObjective, Metric, OrpoObjective,
    OrthogonalityObjective, Pairs, Penalised, SequenceReduction, SftObjective, SimctgObjective, SteerBatch,
    SteerLoss, SteerObjective, Term, token_accuracy,
};
pub use pooling::{Pooling, PoolingKind};
pub use preference_head::{PreferenceHead, PreferenceHeadConfig};
pub use scores::{CandidateScores, Scorer};
pub use standardise::Standardise;
