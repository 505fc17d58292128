//! The model that an experiment names or describes, before a weight is read.

pub(crate) mod source;
pub(crate) mod tokenizer;
