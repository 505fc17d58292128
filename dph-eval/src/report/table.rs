//! [`Table`]: results as a table, with a row for each scorer.

use std::path::Path;

use crate::file_error::write_file;
use crate::report::cells::{chance, columns, documents, heading, notes, percent, scorers, value};
use crate::report::columns::Columns;
use crate::report::escape::escape;
use crate::results::{Results, ResultsError};

/// File name of the table, beside `results.json`.
pub const REPORT_FILE: &str = "report.md";

/// Results of one or several runs as a table: a row for each scorer, a column for each task, then the suites.
///
/// Values are per cent, followed by ± and their standard error or, for a mean over runs, the standard deviation over the
/// runs; a note below the table says which. The first row is the expected value of random choices, the last one the number of
/// documents.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub(super) columns: Columns,
    pub(super) notes: Vec<String>,
}

impl Table {
    /// The table of these results. With more than one run, every row begins with the name of its run.
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

    /// Adds a note below the table.
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
        let text = format!("# {title}\n\n{}", self.to_markdown());
        Ok(write_file(dir.join(REPORT_FILE), text.as_bytes())?)
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

fn row(run: String, scorer: &str, cells: Vec<String>) -> Vec<String> {
    [run, scorer.to_string()].into_iter().chain(cells).collect()
}

/// The cells of every run with its name; only once, without a name, if they are the same for all runs.
fn same_or_each(runs: &[Results], cells: impl Fn(&Results) -> Vec<String>) -> Vec<(String, Vec<String>)> {
    let each: Vec<_> = runs.iter().map(|run| (run.name.clone(), cells(run))).collect();
    match each.split_first() {
        Some((first, others)) if others.iter().all(|(_, cells)| *cells == first.1) => {
            vec![(String::new(), first.1.clone())]
        }
        _ => each,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::results::{Measurement, SuiteResult, TaskResult};

    fn result(task: &str, split: &str, scorer: &str, value: f64, stderr: Option<f64>) -> TaskResult {
        TaskResult {
            task: task.into(),
            split: split.into(),
            scorer: scorer.into(),
            metric: "accuracy".into(),
            measurement: Measurement { value, stderr, std: None, runs: None },
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
                measurement: Measurement { value: value + 0.1, stderr: Some(0.02), std: None, runs: None },
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
    fn a_table_without_results_is_a_heading() {
        assert_eq!(Table::new(&[]).to_text(), "scorer\n──────\n");
    }
}
