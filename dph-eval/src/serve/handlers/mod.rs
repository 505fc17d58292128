//! The handlers: from the JSON of a request to that of its answer.

mod chat;
mod completions;
mod created;
mod info;
mod order;
mod page;
mod rerank;
mod score;
mod tei;

pub use chat::chat;
pub use completions::completions;
pub use info::{health, metrics, model, models, openapi};
pub use page::page;
pub use rerank::rerank;
pub use score::score;
pub use tei::{predict, rerank as tei_rerank};
