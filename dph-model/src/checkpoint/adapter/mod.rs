//! Adapters of PEFT (LoRA, arXiv 2106.09685): a directory with `adapter_config.json` and `adapter_model.safetensors`, which changes a
//! base model. The sum is computed when a weight is read.

pub(super) mod apply;
pub(super) mod classifier;
pub(super) mod config;
mod names;
mod targets;
pub(super) mod weights;
