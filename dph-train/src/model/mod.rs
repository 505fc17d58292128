//! The initial model of an experiment: configuration and tokenizer.

pub(crate) mod source;
pub(crate) mod tokenizer;
