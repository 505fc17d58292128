//! Results for people to read.

mod columns;
mod table;

pub(crate) use columns::Columns;
pub use table::{REPORT_FILE, Table};
