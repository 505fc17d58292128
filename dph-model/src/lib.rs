//! Causal language models and their files, on burn.
//!
//! ```no_run
//! use dph_core::{Batch, CandidateSet, Candidate, Layer, TargetTokens};
//! use dph_model::Backbone;
//!
//! let device = dph_core::device("flex")?;
//! let model = Backbone::load("models/SmolLM2-135M-Instruct", &device)?;
//! let answer = |tokens: &[u32]| Candidate { tokens: tokens.to_vec(), bytes: 4 };
//! let set = CandidateSet { prompt: vec![1, 72], candidates: vec![answer(&[28, 2]), answer(&[99, 2])], ..Default::default() };
//! let batch = Batch::pack([&set], TargetTokens::Answer, model.pad_token());
//! let states = model.hidden_states(&batch, &[Layer::At(20), Layer::Last])?;   // each [rows, seq, d_model]
//! let log_probs = model.log_probs(states[1].clone(), &batch.targets);         // [targets]
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! There is one [`decoder`], which is configured; a model [`family`] only translates a `config.json` and names
//! tensors; the [`checkpoint`] module reads the files of models, whatever they come in, and writes them in the layout of
//! Hugging Face. An [`Encoder`] (BERT) has the same blocks, but no log-probabilities.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod backbone;
pub mod checkpoint;
mod classifier;
pub mod decoder;
mod encoder;
#[cfg(feature = "cli")]
mod failure;
pub mod family;
mod generate;
mod init;
mod input;
mod kernels;
mod log_probs;
mod origin;
mod recompute;
#[cfg(feature = "testing")]
pub mod testing;
mod trainable;
mod vocabulary;

pub use backbone::Backbone;
pub use checkpoint::{CheckpointError, LoadOptions, ModelFiles, authors_head, content_hash};
pub use classifier::Classifier;
pub use decoder::{Cache, DecoderConfig};
pub use encoder::{Encoder, Text};
pub use family::{ConfigError, Family, param_count};
pub use generate::{Finish, GenerateError, Generated, Sampling};
pub use input::InputError;
pub use recompute::Recompute;
pub use trainable::{LoraConfig, PatternError, check_lora, check_patterns, fits};
