//! [`Table`]: results in the shape of the paper's tables.

use std::collections::BTreeMap;
use std::path::Path;

use dph_core::write_atomically;

use crate::bench_plan::HELD_OUT;
use crate::report::Columns;
use crate::report::html::escape;
use crate::report::spread::{Spread, common_meaning, meaning};
use crate::results::{Results, ResultsError, TaskResult};
use crate::statistics::wilson_interval;

/// File name of the table, beside `results.json`.
pub const REPORT_FILE: &str = "report.md";

/// The metric that goes without saying.
const USUAL_METRIC: &str = "accuracy";

/// Results of one or several runs as a table: a row for each scorer, a column for each task, then the suites.
///
/// Values are per cent, followed by ± and their standard error or, for a mean over runs, the standard deviation over the
/// runs; a note below the table says which. The first row shows what guessing would give, the last one the number of
/// documents that were scored.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub(super) columns: Columns,
    pub(super) notes: Vec<String>,
}

/// A column: a task with its split and metric, or a suite.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Column {
    Task { task: String, split: String, metric: String },
    Suite(String),
}

impl Table {
    /// The table of these results. With more than one, every row is headed by the name of its run.
    pub fn new(runs: &[Results]) -> Self {
        let columns = columns(runs);
        let mut rows = vec![heading(&columns)];
        let chance = same_or_each(runs, |run| {
            columns.iter().map(|column| percent(chance(run, column), None)).collect()
        });
        let documents = same_or_each(runs, |run| {
            columns
                .iter()
                .map(|column| documents(run, column).map_or(String::new(), |documents| documents.to_string()))
                .collect()
        });
        rows.extend(chance.into_iter().map(|(run, cells)| row(run, "chance", cells)));
        for run in runs {
            for scorer in scorers(run) {
                let cells = columns.iter().map(|column| value(run, column, scorer)).collect();
                rows.push(row(run.name.clone(), scorer, cells));
            }
        }
        rows.extend(documents.into_iter().map(|(run, cells)| row(run, "documents", cells)));
        let mut left = 2;
        if runs.len() <= 1 {
            left = 1;
            for row in &mut rows {
                row.remove(0);
            }
        }
        Self { columns: Columns { left, rows }, notes: notes(runs) }
    }

    /// The same table with a further note below it.
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Aligned plain text.
    pub fn to_text(&self) -> String {
        self.with_notes(self.columns.to_text(), "")
    }

    /// Markdown.
    pub fn to_markdown(&self) -> String {
        self.with_notes(self.columns.to_markdown(), "- ")
    }

    /// An HTML table, with its notes as a list.
    pub(crate) fn to_html(&self) -> String {
        let notes: String = self.notes.iter().map(|note| format!("<li>{}</li>\n", escape(note))).collect();
        match notes.is_empty() {
            true => self.columns.to_html(),
            false => format!("{}<ul>\n{notes}</ul>\n", self.columns.to_html()),
        }
    }

    /// Writes `report.md` with this title and table into a directory that exists, atomically.
    ///
    /// # Errors
    /// The file cannot be written; an old one is then still there.
    pub fn save(&self, title: &str, dir: &Path) -> Result<(), ResultsError> {
        let path = dir.join(REPORT_FILE);
        let text = format!("# {title}\n\n{}", self.to_markdown());
        write_atomically(&path, text.as_bytes()).map_err(|source| ResultsError::Io { path, source })
    }

    fn with_notes(&self, mut text: String, mark: &str) -> String {
        if !self.notes.is_empty() {
            text.push('\n');
        }
        for note in &self.notes {
            text.push_str(&format!("{mark}{note}\n"));
        }
        text
    }
}

/// Tasks in the order in which they first appear, then suites.
pub(super) fn columns(runs: &[Results]) -> Vec<Column> {
    let tasks = runs.iter().flat_map(|run| &run.results).map(|result| Column::Task {
        task: result.task.clone(),
        split: result.split.clone(),
        metric: result.metric.clone(),
    });
    let suites = runs.iter().flat_map(|run| &run.suites).map(|result| Column::Suite(result.suite.clone()));
    let mut columns: Vec<Column> = Vec::new();
    for column in tasks.chain(suites) {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    columns
}

pub(super) fn heading(columns: &[Column]) -> Vec<String> {
    let names = columns.iter().map(|column| match column {
        Column::Suite(suite) => suite.clone(),
        Column::Task { task, split, metric } => {
            let other_split = |other: &Column| {
                matches!(other, Column::Task { task: name, split: other, .. } if name == task && other != split)
            };
            let name =
                if columns.iter().any(other_split) { format!("{task}/{split}") } else { task.clone() };
            if metric == USUAL_METRIC { name } else { format!("{name} ({metric})") }
        }
    });
    ["run".to_string(), "scorer".to_string()].into_iter().chain(names).collect()
}

fn row(run: String, scorer: &str, cells: Vec<String>) -> Vec<String> {
    [run, scorer.to_string()].into_iter().chain(cells).collect()
}

/// The cells of every run, headed by its name; only once, without a name, where all runs have the same.
fn same_or_each(runs: &[Results], cells: impl Fn(&Results) -> Vec<String>) -> Vec<(String, Vec<String>)> {
    let each: Vec<_> = runs.iter().map(|run| (run.name.clone(), cells(run))).collect();
    match each.split_first() {
        Some((first, others)) if others.iter().all(|(_, cells)| *cells == first.1) => {
            vec![(String::new(), first.1.clone())]
        }
        _ => each,
    }
}

/// The scorers of a run in the order in which they first appear.
pub(super) fn scorers(run: &Results) -> Vec<&str> {
    let mut scorers: Vec<&str> = Vec::new();
    for scorer in run.results.iter().map(|r| &r.scorer).chain(run.suites.iter().map(|s| &s.scorer)) {
        if !scorers.contains(&scorer.as_str()) {
            scorers.push(scorer);
        }
    }
    scorers
}

fn of_column<'a>(run: &'a Results, column: &Column) -> impl Iterator<Item = &'a TaskResult> {
    run.results.iter().filter(move |result| {
        matches!(column, Column::Task { task, split, metric }
            if result.task == *task && result.split == *split && result.metric == *metric)
    })
}

pub(super) fn value(run: &Results, column: &Column, scorer: &str) -> String {
    match column {
        Column::Task { .. } => of_column(run, column)
            .find(|result| result.scorer == scorer)
            .map(|result| percent(Some(result.value), result.spread())),
        Column::Suite(suite) => run
            .suites
            .iter()
            .find(|result| result.suite == *suite && result.scorer == scorer)
            .map(|result| percent(Some(result.value), result.spread())),
    }
    .unwrap_or_default()
}

pub(super) fn chance(run: &Results, column: &Column) -> Option<f64> {
    match column {
        Column::Task { .. } => of_column(run, column).find_map(|result| result.chance),
        Column::Suite(suite) => {
            run.suites.iter().filter(|result| result.suite == *suite).find_map(|result| result.chance)
        }
    }
}

pub(super) fn documents(run: &Results, column: &Column) -> Option<usize> {
    of_column(run, column).map(|result| result.documents).next()
}

pub(super) fn percent(value: Option<f64>, spread: Option<Spread>) -> String {
    match (value, spread) {
        (None, _) => String::new(),
        // As wide as a value with its spread, so that the decimal points stand in one line.
        (Some(value), None) => format!("{:.1}      ", 100.0 * value),
        (Some(value), Some(spread)) => format!("{:.1} ±{:>4.1}", 100.0 * value, 100.0 * spread.value()),
    }
}

/// What the cells leave out: the interval of an accuracy on held-out rows, the documents that could not be used, and what ±
/// stands for.
pub(super) fn notes(runs: &[Results]) -> Vec<String> {
    let held_out = runs.iter().flat_map(|run| {
        let name = if runs.len() > 1 { format!("{}: ", run.name) } else { String::new() };
        run.results.iter().filter_map(move |result| Some(format!("{name}{}", held_out(result)?)))
    });
    let mut notes: Vec<String> = held_out.chain(skipped(runs)).collect();
    match common_meaning(runs) {
        Some(meaning) => notes.push(format!("± is the {meaning}")),
        None => notes
            .extend(runs.iter().filter_map(|run| Some(format!("{}: ± is the {}", run.name, meaning(run)?)))),
    }
    notes
}

/// What a scorer reaches on rows that training held out, with its interval.
fn held_out(result: &TaskResult) -> Option<String> {
    let TaskResult { task, split, scorer, metric, value, documents, .. } = result;
    let (low, high) =
        wilson_interval(*value, *documents).filter(|_| split == HELD_OUT && metric == USUAL_METRIC)?;
    Some(format!(
        "{task}/{split}: {scorer} is right on {:.1} % of {documents} held-out documents, 95 % interval {:.1} to {:.1}",
        100.0 * value,
        100.0 * low,
        100.0 * high
    ))
}

/// The documents that could not be used, by task and reason.
fn skipped(runs: &[Results]) -> Vec<String> {
    let mut skipped: BTreeMap<String, &BTreeMap<String, usize>> = BTreeMap::new();
    for run in runs {
        for result in run.results.iter().filter(|result| !result.skipped.is_empty()) {
            let run = if runs.len() > 1 { format!("{}: ", run.name) } else { String::new() };
            skipped.insert(format!("{run}{}/{}", result.task, result.split), &result.skipped);
        }
    }
    skipped
        .into_iter()
        .map(|(place, reasons)| {
            let reasons: Vec<String> =
                reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
            format!("{place}: skipped {}", reasons.join(", "))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::SuiteResult;

    fn result(task: &str, split: &str, scorer: &str, value: f64, stderr: Option<f64>) -> TaskResult {
        TaskResult {
            task: task.into(),
            split: split.into(),
            scorer: scorer.into(),
            metric: "accuracy".into(),
            value,
            stderr,
            std: None,
            runs: None,
            documents: 200,
            skipped: BTreeMap::new(),
            chance: Some(0.25),
        }
    }

    fn run(name: &str, reward: f64) -> Results {
        let mut results = Results::new(name);
        for (scorer, value) in [("loglik-mean", 0.412), ("loglik-sum", 0.385), ("reward:preference", reward)]
        {
            results.results.push(result("arc_easy", "test", scorer, value, Some(0.035)));
            results.results.push(result("boolq", "validation", scorer, value + 0.2, Some(0.1034)));
            results.suites.push(SuiteResult {
                suite: "two".into(),
                scorer: scorer.into(),
                value: value + 0.1,
                stderr: Some(0.02),
                std: None,
                runs: None,
                chance: Some(0.375),
            });
        }
        results.results[1].skipped = BTreeMap::from([("too-long".into(), 3), ("unlabelled".into(), 1)]);
        results
    }

    #[test]
    fn one_run() {
        let table = Table::new(&[run("smollm2", 0.467)]);
        insta::assert_snapshot!("one_run_text", table.to_text());
        insta::assert_snapshot!("one_run_markdown", table.to_markdown());
    }

    #[test]
    fn several_runs() {
        let mut other = run("other|run", 0.5);
        other.results.retain(|result| result.task == "arc_easy" && result.scorer != "loglik-sum");
        other.suites.clear();
        other.results.push(result("arc_easy", "validation", "reward:preference", 1.0, None));
        let table = Table::new(&[run("smollm2", 0.467), other]);
        insta::assert_snapshot!("several_runs_text", table.to_text());
        insta::assert_snapshot!("several_runs_markdown", table.to_markdown());
    }

    #[test]
    fn a_task_has_a_column_for_each_metric() {
        let mut run = Results::new("x");
        for (task, metric, value) in
            [("mrpc", "accuracy", 0.7), ("mrpc", "f1", 0.8), ("cola", "matthews", -0.1)]
        {
            run.results.push(TaskResult {
                metric: metric.into(),
                chance: (metric != "f1").then_some(0.0),
                ..result(task, "validation", "loglik-mean", value, Some(0.01))
            });
        }
        insta::assert_snapshot!(Table::new(&[run]).to_text());
    }

    #[test]
    fn a_table_says_what_its_spread_is() {
        let runs = [run("one", 0.5), run("two", 0.7)];
        let note = |runs: &[Results]| Table::new(runs).to_text().lines().last().map(String::from);
        assert_eq!(note(&runs).as_deref(), Some("± is the standard error"));
        let mean = Results::mean("mean", &runs);
        let text = Table::new(std::slice::from_ref(&mean)).to_text();
        assert!(text.ends_with("\n± is the standard deviation over 2 seeds\n"), "{text}");
        assert!(text.contains("60.0 ±14.1") && text.contains("41.2 ± 0.0"), "{text}");
        let text = Table::new(&[mean, runs[0].clone()]).to_text();
        assert!(
            text.ends_with(
                "\nmean: ± is the standard deviation over 2 seeds\none: ± is the standard error\n"
            ),
            "{text}"
        );
        // A single run has no deviation, and then there is no ±.
        let text = Table::new(&[Results::mean("mean", &runs[..1])]).to_text();
        assert!(!text.contains('±'), "{text}");
    }

    #[test]
    fn nothing_is_a_heading() {
        assert_eq!(Table::new(&[]).to_text(), "scorer\n──────\n");
    }
}
