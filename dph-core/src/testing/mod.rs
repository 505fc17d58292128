//! What the tests of all crates share: the golden vectors, real data and models, and the runner of real programs.
//!
//! What a test needs and does not find is reported on stderr, and fails the test where `CI` is set.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a test ends with a panic")]

mod close;
mod device;
mod golden;
mod golden_tensors;
mod python;
mod real;
mod run;
mod say;

pub use close::assert_close;
pub use device::device;
pub use golden::{Golden, entries, list};
pub use golden_tensors::{GoldenTensor, number, read_tensors};
pub use python::{python, python_with};
pub use real::{
    case_folder, chromium, data_file, data_root, smollm2, smollm2_gguf, tokenizer_folder, tokenizer_folder_in,
};
pub use run::Run;
pub use say::say;
