//! `dph-eval report`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use dph_core::terminal::Failure;
use dph_eval::{FileError, HtmlReport, Results, Table};

/// Print the results of several runs as one table
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Runs, sweeps, or output directories of `dph-eval bench`, or their results.json files
    #[arg(value_name = "RUN", required = true)]
    runs: Vec<PathBuf>,

    /// Print a list of their results.json instead of the table
    #[arg(long, conflicts_with = "markdown")]
    json: bool,

    /// Print the table as Markdown
    #[arg(long)]
    markdown: bool,

    /// Also write the table and plots as one page to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl ReportArgs {
    pub fn run(self, out: &mut dyn Write) -> Result<(), Failure> {
        let lists: Vec<_> = self.runs.iter().map(|run| Results::load_all(run)).collect::<Result<_, _>>()?;
        let runs: Vec<Results> = lists.into_iter().flatten().collect();
        let text = if self.json {
            serde_json::to_string_pretty(&runs).map_err(Failure::work)? + "\n"
        } else if self.markdown {
            Table::new(&runs).to_markdown()
        } else {
            Table::new(&runs).for_stdout()
        };
        if let Some(path) = self.html {
            let page = HtmlReport::new("Results").results(&runs).to_html();
            dph_core::write_atomically(&path, page.as_bytes())
                .map_err(|source| FileError::Io { path, source })?;
        }
        out.write_all(text.as_bytes())?;
        Ok(())
    }
}
