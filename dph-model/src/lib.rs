//! Causal language models and their files, on burn.
//!
//! ```no_run
//! use dph_core::{Batch, CandidateSet, Candidate, Layer, TargetTokens};
//! use dph_model::Backbone;
//!
//! let device = dph_core::device("flex")?;
//! let model = Backbone::load("models/SmolLM2-135M-Instruct", &device)?;
//! let answer = |tokens: &[u32]| Candidate::new(tokens.to_vec(), 4);
//! let set = CandidateSet { prompt: vec![1, 72], candidates: vec![answer(&[28, 2]), answer(&[99, 2])], ..Default::default() };
//! let batch = Batch::pack([&set], TargetTokens::Answer, model.pad_token());
//! let states = model.hidden_states(&batch, &[Layer::At(20), Layer::Last])?;   // each [rows, seq, d_model]
//! let log_probs = model.log_probs(states[1].clone(), &batch.targets);         // [targets]
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The path of a model, by module:
//!
//! | module | what it does |
//! |---|---|
//! | [`checkpoint`] | reads the files of a model (Hugging Face directory, GGUF, hub repository), and writes them in the layout of Hugging Face |
//! | [`family`] | translates a `config.json` into a [`DecoderConfig`], and names the tensors of the files |
//! | [`decoder`] | the one configurable decoder: parameters, blocks, key/value cache, and kernels for single devices |
//! | `backbone` | [`Backbone`]: hidden states and log-probabilities of a batch; its trained parameters |
//! | `generate` | [`Backbone::generate`]: continues prompts token by token; [`Prompts`] and [`Answers`]: many answers to a prompt that is computed once |
//! | `encoder` | [`Encoder`] (BERT): the same blocks, but no log-probabilities |
//! | `classifier` | [`TextClassifier`]: an encoder or a causal language model with a classification layer |

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod backbone;
pub mod checkpoint;
mod classifier;
pub mod decoder;
mod encoder;
mod error_class;
pub mod family;
mod generate;
#[cfg(feature = "testing")]
pub mod testing;

pub use backbone::{
    Backbone, Extension, LoraConfig, PatternError, Recompute, check_lora, check_patterns, fits,
};
pub use checkpoint::{
    CheckpointError, LoadOptions, ModelFiles, authors_head, content_hash, stored_head, stored_head_config,
    stored_head_warnings,
};
pub use classifier::{
    ClassNames, Classifier, ClassifierError, DecoderClassifier, TextClassifier, class_order,
    classifier_class, stored_labels,
};
pub use decoder::{Cache, DecoderConfig, InputError};
pub use encoder::{Encoder, Text};
pub use family::{ConfigError, Family, param_count, unknown_keys};
pub use generate::{
    AnswerId, Answers, Choice, Computed, Drawn, Finish, GenerateError, Generated, Prefix, PromptRequest,
    Prompts, Sampling, SamplingError,
};
