//! Names of the files of an export and of a run.

pub use dph_core::run_files::{BACKBONE_FILE, MANIFEST_FILE};
