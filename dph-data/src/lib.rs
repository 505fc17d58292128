//! Benchmark and preference rows as candidate sets for Direct Preference Heads.
//!
//! ```
//! use dph_data::{ChatTokenizer, LoadOptions, Mixture, Task, TaskData, World, plan_set_batches};
//!
//! let folder = std::env::temp_dir().join(format!("dph-data-example-{}", std::process::id()));
//! World::default().write_tokenizer(&folder)?;                  // or any Hugging Face model directory
//! let tokenizer = ChatTokenizer::from_dir(&folder)?;
//! let task = Task::find("world")?;                           // or "hellaswag", …, or "my_task.toml"
//! let data = TaskData::load(&task, "data".as_ref(), "train", &tokenizer, &LoadOptions::default())?;
//! for batch in plan_set_batches(&data.sets, 4096).iter().take(3) {
//!     assert!(batch.iter().all(|&index| data.sets[index].gold.is_some()));
//! }
//! let mixture = Mixture::new(&[(1.0, data.sets.len())], 42)?; // item k, now or after a restart
//! println!("{}", tokenizer.decode(&data.sets[mixture.item(7).row].prompt)?);
//! # std::fs::remove_dir_all(folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The way of the data: a [`Task`] (a TOML file) finds the files of a split and makes a [`Document`] of each row;
//! a [`ChatTokenizer`] makes a [`CandidateSet`] of each document; [`TaskData`] is the whole of it, with a report of the rows
//! that were [`Skipped`]. [`plan_batches`] groups sets for the device, [`Mixture`] says which set comes next.
//! Nothing here knows of tensors.

mod add_tokens;
mod batch;
mod chat;
mod chat_jinja;
mod chat_template;
mod choice;
mod content;
mod data_error;
mod document;
mod documents;
mod embedded;
#[cfg(feature = "cli")]
mod failure;
mod few_shot;
mod instruction;
mod invalid_toml;
mod load;
mod metric;
mod mixture;
mod preference;
mod random;
mod rows;
mod scored;
mod skipped;
mod split;
mod synthetic;
mod task;
mod task_body;
mod task_builder;
mod task_error;
mod task_file;
mod task_keys;
mod template;
mod tokenize;
mod tokenizer_files;
mod train_tokenizer;
mod unfold;

pub use add_tokens::add_special_tokens;
pub use batch::{plan_batches, plan_rows, plan_set_batches};
pub use chat::{CHAT_FILE, ChatError, ChatFormat, Message, Supervise, TokenData};
pub use data_error::DataError;
pub use document::Document;
pub use documents::Documents;
pub use dph_core::{Candidate, CandidateSet};
pub use invalid_toml::{InvalidToml, TomlProblem};
pub use load::{LoadOptions, TaskData};
pub use metric::Metric;
pub use mixture::{Mixture, MixtureError, MixtureItem, draw_distractor};
pub use rows::{Row, RowsError, read_rows};
pub use skipped::{RowProblem, SkipReason, Skipped, SkippedRow};
pub use split::SplitNotFound;
pub use synthetic::World;
pub use task::{Kind, Task};
pub use task_error::TaskError;
pub use tokenize::{ChatOptions, ChatTokenizer};
pub use train_tokenizer::{TokenizerError, train_tokenizer};
