//! The command-line manner that the programs of this workspace share: failures and exit statuses, messages, tables,
//! progress, number formats and the allocator.
//!
//! A program's `main` is
//!
//! ```ignore
//! #[global_allocator]
//! static ALLOCATOR: terminal::Allocator = terminal::Allocator;
//!
//! fn main() -> ExitCode {
//!     terminal::run(|out| work(Arguments::parse(), out))
//! }
//! ```
//!
//! Without the feature `cli` there are only the parts that need no further crate: [`say`], [`numbers`], and [`Progress`]
//! as lines instead of a bar.

#[cfg(feature = "cli")]
mod allocator;
#[cfg(feature = "cli")]
mod failure;
#[cfg(feature = "cli")]
mod log;
#[cfg(feature = "cli")]
mod memory_size;
pub mod numbers;
mod printable;
mod progress;
#[cfg(feature = "cli")]
mod run;
mod say;
mod table;

#[cfg(feature = "cli")]
pub use allocator::{Allocator, keep_freed_memory};
#[cfg(feature = "cli")]
pub use failure::Failure;
#[cfg(feature = "cli")]
pub use log::{log_to_stderr, log_with_times_to_stderr};
#[cfg(feature = "cli")]
pub use memory_size::memory_size;
pub use printable::{printable_line, printable_text};
pub use progress::{Done, Progress};
#[cfg(feature = "cli")]
pub use run::{install_hook, run};
pub use say::say;
pub use table::{print_pairs, print_table};
