//! Benchmark and preference rows as candidate sets for Direct Preference Heads.
//!
//! ```
//! use dph_data::{ChatTokenizer, TaskLoadOptions, Mixture, Task, TaskData, World, plan_set_batches};
//!
//! let folder = std::env::temp_dir().join(format!("dph-data-example-{}", std::process::id()));
//! World::default().write_tokenizer(&folder)?;                  // or any Hugging Face model directory
//! let tokenizer = ChatTokenizer::from_dir(&folder)?;
//! let task = Task::find("world")?;                           // or "hellaswag", …, or "my_task.toml"
//! let data = TaskData::load(&task, "data".as_ref(), "train", &tokenizer, &TaskLoadOptions::default())?;
//! for batch in plan_set_batches(&data.sets, 4096).iter().take(3) {
//!     assert!(batch.iter().all(|&index| data.sets[index].gold.is_some()));
//! }
//! let mixture = Mixture::new(&[(1.0, data.sets.len())], 42)?; // item k, now or after a restart
//! println!("{}", tokenizer.decode(&data.sets[mixture.item(7).row].prompt)?);
//! # std::fs::remove_dir_all(folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The modules, in the order in which data pass through them:
//!
//! - `task/`: a [`Task`] is read from a TOML file; its compiled templates (`recipe/`) convert each row into a [`Document`].
//! - `rows/` reads the files: [`read_rows`], with a [`RowProblem`] for each row that cannot be used.
//! - `load/` fetches, locates and loads a split: as [`Documents`] (text) or [`TaskData`] (tokens), with the rows that were [`Skipped`].
//! - `chat/`: messages, and the [`ChatTokenizer`], which converts each document into a [`CandidateSet`]. A [`TokenView`] shows
//!   the tokens.
//! - `order/`: [`plan_batches`] groups sets by length; a [`Mixture`] determines the next set to train on.
//! - `synthetic/`: a [`World`] generates rows without any file.
//! - `cli/`: the program `dph-data`.
//!
//! This crate does not use tensors.

mod chat;
mod definition_error;
mod definition_path;
mod document;
mod error_class;
mod invalid_toml;
mod load;
mod order;
mod python_space;
mod random;
mod rows;
mod synthetic;
mod task;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "cli")]
mod toml_report;

pub use chat::{
    CHAT_FILE, CandidateView, ChatError, ChatFormat, ChatOptions, ChatTokenizer, Content, LengthLimit,
    Message, Supervise, TextLayout, TextTokens, TokenData, TokenPart, TokenView, TokenizerError,
    add_special_tokens, train_tokenizer,
};
pub use definition_error::DefinitionError;
pub use definition_path::{is_toml, resolve_path};
pub use document::{ClassifiedText, Document, PlainPrompt};
pub use dph_core::{Candidate, CandidateSet, Ending, Style};
pub use invalid_toml::{InvalidToml, TomlProblem};
pub use load::{
    DataError, Documents, Holdout, HoldoutSide, LocateError, SplitNotFound, TaskData, TaskLoadOptions,
    WholeText, WholeTexts, WrittenLength,
};
pub use load::{
    FetchError, FetchEvent, FetchedSplit, HubProblem, HubSettings, data_directory, fetch, fetch_and_show,
    fetched_directory, missing_splits, origin_lines,
};
pub use order::{
    Mixture, MixtureError, MixtureItem, draw_distractor, draw_positions, plan_batches, plan_rows,
    plan_set_batches,
};
pub use rows::{
    Row, RowProblem, RowsError, SkipReason, Skipped, SkippedRow, UniqueJson, read_json, read_rows,
    what_instead_of_text,
};
pub use synthetic::World;
pub use task::{Classes, Kind, Task, TaskMetric, read_messages, read_prompt};
