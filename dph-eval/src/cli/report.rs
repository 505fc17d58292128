//! `dph-eval report`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use dph_core::path_kind::PathKind;
use dph_core::terminal::Failure;
use dph_core::text_file::read_text;
use dph_eval::{Bench, FileError, FinishedRun, HtmlReport, Results, ResultsError, Table, means_over_seeds};

use super::report_names::name_apart;

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
        let mut runs: Vec<FinishedRun> =
            self.runs.iter().map(|run| FinishedRun::load(run)).collect::<Result<_, _>>()?;
        name_apart(&mut runs, &self.runs);
        let text = if self.json {
            serde_json::to_string_pretty(&results(&runs, false)).map_err(Failure::work)? + "\n"
        } else if self.markdown {
            Table::new(&results(&runs, true)).to_markdown()
        } else {
            Table::new(&results(&runs, true)).for_stdout()
        };
        if let Some(path) = self.html {
            check_page(&path)?;
            let page = page(runs)?.to_html();
            dph_core::write_atomically(&path, page.as_bytes())
                .map_err(|source| FileError::Io { path, source })?;
        }
        out.write_all(text.as_bytes())?;
        Ok(())
    }
}

/// Refuses a file that is no page, such as one of a run.
fn check_page(path: &Path) -> Result<(), Failure> {
    let wrong =
        |why: String| Failure::request(format!("--html {}: {why}; choose another file", path.display()));
    match PathKind::of(path) {
        PathKind::Missing => Ok(()),
        PathKind::File => match read_text(path) {
            Ok(text) if text.is_empty() || is_page(&text) => Ok(()),
            _ => Err(wrong("this file is no page of `dph-eval report`, and would be overwritten".into())),
        },
        kind => Err(wrong(kind.to_string())),
    }
}

fn is_page(text: &str) -> bool {
    text.get(..15).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype html>"))
}

/// The results of all evaluations and, if asked for, the means of sweeps over seeds, each after the sweep.
fn results(runs: &[FinishedRun], with_means: bool) -> Vec<Results> {
    let of_run = |run: &FinishedRun| {
        let mut all: Vec<Results> = run.evaluations.iter().map(|found| found.results.clone()).collect();
        if with_means {
            all.extend(means(run, &all));
        }
        all
    };
    runs.iter().flat_map(of_run).collect()
}

fn means(run: &FinishedRun, results: &[Results]) -> Vec<Results> {
    if run.is_sweep { means_over_seeds(results) } else { Vec::new() }
}

/// The page of these runs.
fn page(runs: Vec<FinishedRun>) -> Result<HtmlReport, ResultsError> {
    let several = runs.len() > 1;
    let name = |run: &FinishedRun| if several { run.name.clone() } else { String::new() };
    let metrics: Vec<(String, PathBuf)> =
        runs.iter().flat_map(|run| run.metrics.iter().map(move |path| (name(run), path.clone()))).collect();
    let metrics: Vec<(String, &Path)> =
        metrics.iter().map(|(run, path)| (run.clone(), path.as_path())).collect();
    let experiments: Vec<(String, String)> =
        runs.iter().filter_map(|run| Some((name(run), run.experiment.clone()?))).collect();
    let alone = runs.first().filter(|run| !several && !run.is_sweep).map(|run| run.name.clone());
    let mut benches = Vec::new();
    for run in runs {
        let results: Vec<Results> = run.evaluations.iter().map(|found| found.results.clone()).collect();
        let means = means(&run, &results).into_iter().map(|results| Bench { results, ..Bench::new("") });
        for evaluation in run.evaluations {
            benches.push(evaluation.bench()?);
        }
        benches.extend(means);
    }
    let title = alone.unwrap_or_else(|| format!("{} evaluations", benches.len()));
    Ok(HtmlReport::new(title).benches(&benches).curves(&metrics).experiments(&experiments))
}
