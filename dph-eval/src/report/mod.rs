//! Results as tables, plots and pages.

mod cells;
mod columns;
mod escape;
mod figure;
mod html;
mod plot;
mod spread;
mod sweep_table;
mod table;

pub(crate) use columns::{Bold, Cell, Columns};
pub(crate) use figure::Figure;
pub use html::{HTML_FILE, HtmlReport};
pub use plot::{Curve, line_plot, results_plot};
pub use sweep_table::SweepRow;
pub use table::{REPORT_FILE, Table};
