//! Objectives: what training minimises.
//!
//! | key | input | objective |
//! |---|---|---|
//! | `dph` | a reward for each candidate | separable, contrastive or listwise [`DphObjective`] |
//! | `dpo` | log-probabilities of answers, also under a frozen reference | [`DpoObjective`] |
//! | `orpo` | mean log-probabilities of answers | [`OrpoObjective`] |
//! | `kl` | whole distributions at the answers' tokens, also under a frozen reference | [`KlObjective`] |
//! | `sft` | log-probabilities of tokens | [`SftObjective`] |
//! | `simctg` | hidden states | [`SimctgObjective`] |
//! | `steer` | rewards of several heads, and labels | [`SteerObjective`] |
//! | `classify` | the logits of classes, or predicted numbers | [`ClassifyObjective`] |
//! | `likelihood` | rewards, and mean log-likelihoods of answers | [`LikelihoodObjective`] |
//! | `orthogonality` | weight matrices | [`OrthogonalityObjective`] |
//!
//! Each returns a [`Term`]: a loss, its weight and metrics. A stage minimises the weighted sum of its terms.

mod classify;
mod dph;
mod dpo;
mod kl;
mod likelihood;
mod listwise;
mod orpo;
mod orthogonality;
mod pairs;
mod reduction;
mod sft;
mod simctg;
mod smoothed;
mod steer;
mod term;

pub use classify::ClassifyObjective;
pub use dph::{DphForm, DphObjective, Penalised};
pub use dpo::{AnswerLogProbs, DpoObjective};
pub use kl::KlObjective;
pub use likelihood::LikelihoodObjective;
pub use orpo::OrpoObjective;
pub use orthogonality::OrthogonalityObjective;
pub use pairs::Pairs;
pub use reduction::SequenceReduction;
pub use sft::{SftObjective, token_accuracy};
pub use simctg::SimctgObjective;
pub use steer::{SteerBatch, SteerLoss, SteerObjective};
pub use term::{Term, TrainingMetric};
