//! Results as tables, plots and pages.

mod cells;
mod chart;
mod columns;
mod curves;
mod disagreements;
mod escape;
mod figure;
mod figures;
mod html;
mod page_table;
mod published;
mod spread;
mod sweep_table;
mod table;

pub(crate) use columns::{Bold, Cell, Columns};
pub use curves::METRICS_FILE;
pub(crate) use figure::Figure;
pub use html::{HTML_FILE, HtmlReport};
pub use sweep_table::SweepRow;
pub use table::{REPORT_FILE, Table};
