//! The JSON of requests and answers, in the forms of others.

pub mod chat;
pub mod completions;
mod document;
mod generation;
mod messages;
mod models;
mod one_or_many;
mod pairs;
mod query;
mod refused;
pub mod rerank;
pub mod score;
pub mod tei;
mod text_prompts;

pub use generation::{Generating, GenerationUsage, Judgement, SelectionSchema, StreamOptions, finish_reason};
pub use models::{Health, ModelInfo, ModelList};
pub use one_or_many::OneOrMany;
pub use refused::{Refused, RequestBody};
pub use text_prompts::TextPrompt;
