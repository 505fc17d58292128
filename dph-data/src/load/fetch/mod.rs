//! Rows by the name of their task: downloads the splits of tasks from their repositories on the Hugging Face Hub.
//!
//! A file is written as `NAME.<digest>.part` beside its place, checked and renamed, so a file under its name is complete. What is there is
//! not asked for again. A part is continued where it ends.

#[cfg(feature = "hub")]
mod client;
#[cfg(feature = "hub")]
mod download;
mod error;
mod event;
#[cfg(feature = "hub")]
mod listing;
#[cfg(feature = "hub")]
mod patience;
mod places;
#[cfg(feature = "hub")]
mod plan;
mod root;
mod settings;
mod shown;
mod split;

pub use error::{FetchError, HubProblem};
pub use event::FetchEvent;
pub use root::{data_directory, fetched_directory};
pub use settings::HubSettings;
pub use shown::{fetch_and_show, origin_lines};
pub use split::{FetchedSplit, fetch, missing_splits};
