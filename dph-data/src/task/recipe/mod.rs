//! The compiled templates and expressions of a task, which convert a row into a document.

mod body;
mod choice;
mod classify;
mod fit;
mod instruction;
mod known_names;
mod list;
mod message;
mod message_text;
mod messages;
mod plain;
mod preference;
mod scored_answer;
mod selection;
mod template;
mod transcript;
mod values;

pub(crate) use body::{Body, Recipe};
pub(crate) use choice::Choice;
pub(crate) use classify::{Classify, Target as ClassifyTarget};
pub(crate) use instruction::{Instruction, Target};
pub(crate) use list::List;
pub use messages::{read_messages, read_prompt};
pub(crate) use plain::{Contexts, Plain};
pub(crate) use preference::Preference;
pub(crate) use scored_answer::ScoredAnswer;
pub(crate) use selection::{JOINED, RowSelection};
pub(crate) use template::{Expr, Template};
