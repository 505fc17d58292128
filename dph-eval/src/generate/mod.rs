//! Answers that are generated, and the best of them.
//!
//! [`generate`] computes each prompt once, as a [`Generation`]. A `Wave` lets all answers grow together, with their rewards from the same pass; `rejection`
//! drops answers on the way, and `stopping` decides whether there is another wave. `rescore` scores what the states of
//! generation cannot, and `selection` chooses.

mod answer;
mod best_of;
mod check;
mod error;
mod generated_token;
mod generation;
mod gold_match;
mod growing_answer;
mod prefix_cache;
mod prompt_answers;
mod rejection;
mod request;
mod rescore;
mod selection;
mod settings;
mod stop_strings;
mod stopping;
mod text_stream;
mod wave;

pub use answer::{Answer, AnswerEnd, AnswerSet, Usage};
pub use best_of::generate;
#[cfg(feature = "serve")]
pub(crate) use check::check;
pub use check::check_prompt;
pub use error::GenerationError;
pub use generated_token::GeneratedToken;
pub use generation::Generation;
pub use gold_match::GoldMatch;
pub use prefix_cache::PrefixCache;
pub use rejection::Rejection;
pub use request::GenerateRequest;
pub use settings::{BestOf, Selection};
pub use stopping::Stopping;
pub use text_stream::TextStream;
