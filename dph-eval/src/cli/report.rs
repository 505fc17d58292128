//! `dph-eval report`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use dph_core::terminal::Failure;
use dph_eval::{Bench, DOCUMENTS_FILE, FileError, HtmlReport, METRICS_FILE, Results, ResultsError, Table};

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

    /// Also write one page to this file: results beside the published ones, learning curves, rewards, reliability, accuracy by length, and
    /// the documents on which head and likelihood disagree most. It can be mailed: it loads nothing
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl ReportArgs {
    pub fn run(self, out: &mut dyn Write) -> Result<(), Failure> {
        let lists: Vec<_> = self.runs.iter().map(|run| Results::load_all(run)).collect::<Result<_, _>>()?;
        let runs = lists.concat();
        let text = if self.json {
            serde_json::to_string_pretty(&runs).map_err(Failure::work)? + "\n"
        } else if self.markdown {
            Table::new(&runs).to_markdown()
        } else {
            Table::new(&runs).for_stdout()
        };
        if let Some(path) = self.html {
            let page = page(&self.runs, lists)?.to_html();
            dph_core::write_atomically(&path, page.as_bytes())
                .map_err(|source| FileError::Io { path, source })?;
        }
        out.write_all(text.as_bytes())?;
        Ok(())
    }
}

/// The page of these runs and their results.
fn page(runs: &[PathBuf], lists: Vec<Vec<Results>>) -> Result<HtmlReport, ResultsError> {
    let (mut benches, mut metrics) = (Vec::new(), Vec::new());
    for (run, results) in runs.iter().zip(lists) {
        let name = results.first().map_or(String::new(), |results| results.name.clone());
        let path = run.join(METRICS_FILE);
        if path.is_file() {
            metrics.push((name, path));
        }
        let has_documents = results.len() == 1 && run.join(DOCUMENTS_FILE).is_file();
        for results in results {
            benches.push(match has_documents {
                true => Bench::beside(results, run)?,
                false => Bench { results, ..Bench::new("") },
            });
        }
    }
    let name = |name: &String| if runs.len() > 1 { name.clone() } else { String::new() };
    let metrics: Vec<(String, &Path)> =
        metrics.iter().map(|(run, path)| (name(run), path.as_path())).collect();
    let title = match &benches[..] {
        [one] => one.results.name.clone(),
        all => format!("{} evaluations", all.len()),
    };
    Ok(HtmlReport::new(title).benches(&benches).curves(&metrics))
}
