//! Results as tables, plots and pages.

mod bars;
mod cells;
mod chart;
mod columns;
mod curves;
mod disagreements;
mod escape;
mod figure;
mod figures;
mod finished_run;
mod html;
mod page_table;
mod published;
mod seeds;
mod spread;
mod sweep_table;
mod table;

pub(crate) use columns::{Bold, Cell, Columns};
pub use curves::METRICS_FILE;
pub(crate) use figure::Figure;
pub use finished_run::{BASE, EVALUATIONS_DIR, Evaluation, FinishedRun, RESOLVED_FILE, directory_name};
pub use html::{HTML_FILE, HtmlReport};
pub use seeds::means_over_seeds;
pub use sweep_table::SweepRow;
pub use table::{REPORT_FILE, Table};
