//! What a frozen model computes once for many sets, kept on disk: features for heads, references for DPO.

mod batch_file;
pub(crate) mod features;
pub(crate) mod reference;
