//! What all families have in common: they learn, grow, are saved under the names of their files, and are counted.

#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "families/authors_head.rs"]
mod authors_head;
#[path = "families/config_files.rs"]
mod config_files;
#[path = "families/configs.rs"]
mod configs;
#[path = "families/encoder.rs"]
mod encoder;
#[path = "families/errors.rs"]
mod errors;
#[path = "families/files.rs"]
mod files;
#[path = "families/learning.rs"]
mod learning;
#[path = "families/published.rs"]
mod published;
