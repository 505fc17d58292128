//! From files to documents and candidate sets: a split is located, read, templated, sampled and tokenised.

mod documents;
mod error;
mod fetch;
mod few_shot;
mod holdout;
mod locate;
mod names;
mod natural_order;
mod options;
mod pairs;
mod prompt_pairs;
mod saved;
mod sets;
mod split_files;
mod split_names;
mod split_rows;
mod task_data;
mod task_rows;
mod whole_text;

pub use documents::Documents;
pub use error::DataError;
pub use fetch::{
    FetchError, FetchEvent, FetchedSplit, HubProblem, HubSettings, data_directory, fetch, fetch_and_show,
    fetched_directory, missing_splits, origin_lines,
};
pub use holdout::{Holdout, HoldoutSide};
pub use locate::{LocateError, SplitNotFound};
pub use options::TaskLoadOptions;
pub use task_data::TaskData;
pub use whole_text::{WholeText, WholeTexts, WrittenLength};
