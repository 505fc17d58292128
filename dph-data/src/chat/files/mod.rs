//! The files of a tokenizer.

pub(crate) mod add_tokens;
pub(crate) mod tokenizer_files;
pub(crate) mod train;
pub(crate) mod vocabulary;
