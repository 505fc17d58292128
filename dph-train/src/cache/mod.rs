//! Cached outputs of a frozen model: features for heads, reference log-probabilities for DPO.

mod batch_file;
pub(crate) mod features;
pub(crate) mod reference;
