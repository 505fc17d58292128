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
//! The rooms, in the order in which data go through them:
//!
//! - `task/`: a [`Task`] is a TOML file; `recipe/` is what it says about rows, compiled, and makes a [`Document`] of each row.
//! - `rows/` reads the files: [`read_rows`], with a [`RowProblem`] for each row that cannot be used.
//! - `load/` locates the files of a split and loads it: [`Documents`] (words), [`TaskData`] (tokens), and what was [`Skipped`].
//! - `chat/` has messages and the [`ChatTokenizer`], which makes a [`CandidateSet`] of each document.
//! - `order/`: [`plan_batches`] groups sets for the device, [`Mixture`] says which set comes next.
//! - `synthetic/` generates a [`World`] to learn in: rows for every kind of task without any file.
//! - `cli/` is the program `dph-data`.
//!
//! Nothing here knows of tensors.

mod chat;
mod document;
#[cfg(feature = "cli")]
mod failure;
mod invalid_toml;
mod load;
mod order;
mod random;
mod rows;
mod synthetic;
mod task;

pub use chat::{
    CHAT_FILE, ChatError, ChatFormat, ChatOptions, ChatTokenizer, Message, Supervise, TokenData,
    TokenizerError, add_special_tokens, train_tokenizer,
};
pub use document::Document;
pub use dph_core::{Candidate, CandidateSet};
pub use invalid_toml::{InvalidToml, TomlProblem};
pub use load::{DataError, Documents, Holdout, HoldoutSide, SplitNotFound, TaskData, TaskLoadOptions};
pub use order::{
    Mixture, MixtureError, MixtureItem, draw_distractor, plan_batches, plan_rows, plan_set_batches,
};
pub use rows::{Row, RowProblem, RowsError, SkipReason, Skipped, SkippedRow, read_rows};
pub use synthetic::World;
pub use task::{Kind, Task, TaskError, TaskMetric};
