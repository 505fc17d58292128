//! [`Table`]: results as a table, with a row for each scorer.

use std::io::{self, IsTerminal};
use std::path::Path;

use crate::bench::BASELINE;
use crate::compare::SIGNIFICANT;
use crate::file_error::write_file;
use crate::report::cells::{chance_text, columns, documents, heading, notes, scorers, value};
use crate::report::columns::{Bold, Cell, Columns};
use crate::report::escape::escape;
use crate::results::{Results, ResultsError};

/// File name of the table, beside `results.json`.
pub const REPORT_FILE: &str = "report.md";

/// Results of one or several runs as a table: a row for each scorer, a column for each task, then the suites.
///
/// Values are per cent, followed by ± and their standard error or, for a mean over runs, the standard deviation over the
/// runs; a note below the table says which. A bold figure is significantly better than `loglik-mean` on the same documents. The first row is the expected value of random choices, the last one the number of
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
        let chance =
            same_or_each(runs, |run| columns.iter().map(|column| chance_text(run, column).into()).collect());
        let documents = same_or_each(runs, |run| {
            columns
                .iter()
                .map(|column| documents(run, column).map_or(String::new(), |documents| documents.to_string()))
                .map(Cell::from)
                .collect()
        });
        // Perplexities have none.
        let has_chance = columns.is_empty()
            || chance.iter().any(|(_, cells)| cells.iter().any(|cell| *cell != Cell::default()));
        let chance = chance.into_iter().filter(|_| has_chance);
        rows.extend(chance.map(|(run, cells)| row(run, "chance", cells)));
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

    /// Aligned plain text; a bold figure has a star before it.
    pub fn to_text(&self) -> String {
        self.with_notes(self.columns.to_text(Bold::Star), "", "*")
    }

    /// Aligned plain text for a terminal, with bold figures.
    pub fn to_terminal_text(&self) -> String {
        self.with_notes(self.columns.to_text(Bold::Terminal), "", "bold")
    }

    /// The text for stdout: that of a terminal if it is one and `NO_COLOR` is not set.
    pub fn for_stdout(&self) -> String {
        let plain = !io::stdout().is_terminal()
            || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if plain { self.to_text() } else { self.to_terminal_text() }
    }

    /// Markdown.
    pub fn to_markdown(&self) -> String {
        self.with_notes(self.columns.to_markdown(), "- ", "bold")
    }

    /// An HTML table, with its notes as a list.
    pub(crate) fn to_html(&self) -> String {
        let notes: String =
            self.all_notes("bold").map(|note| format!("<li>{}</li>\n", escape(&note))).collect();
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

    fn with_notes(&self, mut text: String, mark: &str, bold: &str) -> String {
        for (index, note) in self.all_notes(bold).enumerate() {
            let gap = if index == 0 { "\n" } else { "" };
            text.push_str(&format!("{gap}{mark}{note}\n"));
        }
        text
    }

    /// The notes; if figures stand out, with the meaning of `bold`, which is how they do.
    fn all_notes(&self, bold: &str) -> impl Iterator<Item = String> {
        let legend = format!(
            "{bold} is significantly better than {BASELINE} on the same documents (p < {SIGNIFICANT}; tasks with Holm's \
             correction over the row)"
        );
        self.notes.iter().cloned().chain(self.columns.has_bold().then_some(legend))
    }
}

fn row(run: String, scorer: &str, cells: Vec<Cell>) -> Vec<Cell> {
    [Cell::from(run), Cell::from(scorer)].into_iter().chain(cells).collect()
}

/// The cells of every run with its name; only once, without a name, if they are the same for all runs.
pub(super) fn same_or_each<T: Clone + PartialEq>(
    runs: &[Results],
    cells: impl Fn(&Results) -> Vec<T>,
) -> Vec<(String, Vec<T>)> {
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
            measurement: Measurement { value, stderr, ..Measurement::default() },
            documents: 200,
            skipped: BTreeMap::new(),
            truncated: 0,
            chance: Some(0.25),
            window: None,
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
                measurement: Measurement { value: value + 0.1, stderr: Some(0.02), ..Measurement::default() },
                chance: Some(0.375),
                parts: Vec::new(),
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
    fn a_figure_that_is_significantly_better_than_the_likelihood_is_bold() {
        let mut run = run("smollm2", 0.467);
        let p_values = [(2, 0.03), (3, 0.01), (4, 0.2), (5, 0.05)];
        p_values.iter().for_each(|&(place, p)| run.results[place].measurement.p_baseline = Some(p));
        run.results[3].measurement.value = 0.3;
        run.suites[2].measurement.p_baseline = Some(0.049);
        let table = Table::new(&[run.clone()]);
        insta::assert_snapshot!("bold_text", table.to_text());
        insta::assert_snapshot!("bold_markdown", table.to_markdown());
        assert!(table.to_html().contains("<td><b>56.7 ± 2.0</b></td>"));
        // The first of them is only better by its value, which is not better.
        assert_eq!(table.to_terminal_text().matches("\u{1b}[1m").count(), 1);
        run.results.iter_mut().for_each(|result| result.measurement.p_baseline = Some(0.001));
        assert_eq!(Table::new(&[run]).to_text().matches('*').count(), 4);
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
