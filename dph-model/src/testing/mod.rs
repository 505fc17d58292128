//! What the tests of several crates need of models: writers of the formats of other programs, for tiny models.
#![allow(clippy::unwrap_used, reason = "a test ends with a panic")]

pub mod gguf;
pub mod pickle;
