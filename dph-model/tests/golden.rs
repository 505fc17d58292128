//! Golden vectors: the reference implementation and Hugging Face transformers, value by value, on flex.

#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "golden/authors_head.rs"]
mod authors_head;
#[path = "golden/choice.rs"]
mod choice;
#[path = "golden/hf.rs"]
mod hf;
#[path = "golden/lswt.rs"]
mod lswt;
#[path = "golden/model.rs"]
mod model;
#[path = "golden/reward_models.rs"]
mod reward_models;
