//! Tokenizers in other files than `tokenizer.json`, as the `tokenizer.json` that transformers makes of them.
//!
//! [`convert_tokenizer`] reads SentencePiece models (`tokenizer.model`, `spiece.model`) and byte-level byte-pair encodings
//! (`vocab.json` with `merges.txt`). [`parts`] and [`merges`] build the parts of a `tokenizer.json`; the reader of GGUF files
//! uses them as well.

mod added_tokens;
mod assemble;
mod byte_level;
mod class;
mod convert;
mod error;
mod files;
pub mod merges;
mod model_proto;
pub mod parts;
mod post_processor;
mod sentencepiece;
mod sentencepiece_classes;
mod settings;
mod special_tokens_map;

pub use convert::{ConvertedTokenizer, VOCABULARY_FILES, convert_tokenizer, is_vocabulary};
pub use error::TokenizerFilesError;
pub use files::TokenizerFileReader;
pub use special_tokens_map::tokenizer_config;
