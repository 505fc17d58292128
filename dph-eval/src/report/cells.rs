//! The columns and cells of the tables of results.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use dph_core::Scorer;
use dph_core::terminal::numbers::counted;
use dph_data::Style;

use crate::bench::{BASELINE, HELD_OUT};
use crate::compare::SIGNIFICANT;
use crate::metrics::wilson_interval;
use crate::report::columns::Cell;
use crate::report::figure::Figure;
use crate::report::spread::{common_meaning, meaning};
use crate::results::{Measurement, Results, SuiteResult, TaskResult};

/// The metric that headings do not name.
const USUAL_METRIC: &str = "accuracy";

/// A column: a task with its split and metric, or a suite.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Column {
    Task { task: String, split: String, metric: String },
    Suite(String),
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

pub(super) fn heading(columns: &[Column]) -> Vec<Cell> {
    let titles = ["run".to_string(), "scorer".to_string()].into_iter();
    titles.chain(names(columns)).map(Cell::from).collect()
}

/// The names of columns: a task has its split beside its name if there are several, and its metric unless that is accuracy.
pub(super) fn names(columns: &[Column]) -> Vec<String> {
    let name = |column: &Column| match column {
        Column::Suite(suite) => suite.clone(),
        Column::Task { task, split, metric } => {
            let other_split = |other: &Column| matches!(other, Column::Task { task: name, split: other, .. } if name == task && other != split);
            let name = if columns.iter().any(other_split) { format!("{task}/{split}") } else { task.clone() };
            if metric == USUAL_METRIC { name } else { format!("{name} ({metric})") }
        }
    };
    columns.iter().map(name).collect()
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

/// The value of a scorer; bold where it is significantly better than the likelihood on the same documents.
pub(super) fn value(run: &Results, column: &Column, scorer: &str) -> Cell {
    let Some(found) = measurement(run, column, scorer) else { return Cell::default() };
    let bold = against_baseline(run, column, &found) == Some(Ordering::Greater);
    Cell { text: figure(column).with_spread(found.value, found.spread()), bold }
}

/// How the figures of a column are written.
pub(super) fn figure(column: &Column) -> Figure {
    match column {
        Column::Task { metric, .. } => Figure::of_metric(metric),
        Column::Suite(_) => Figure::Share,
    }
}

/// How a value compares with that of the likelihood on the same documents; `None` if they do not differ significantly.
pub(super) fn against_baseline(run: &Results, column: &Column, found: &Measurement) -> Option<Ordering> {
    found.p_baseline.filter(|p| *p < SIGNIFICANT)?;
    found.value.partial_cmp(&measurement(run, column, BASELINE)?.value)
}

pub(super) fn measurement(run: &Results, column: &Column, scorer: &str) -> Option<Measurement> {
    match column {
        Column::Task { .. } => {
            of_column(run, column).find(|result| result.scorer == scorer).map(|result| result.measurement)
        }
        Column::Suite(suite) => {
            let is = |result: &&SuiteResult| result.suite == *suite && result.scorer == scorer;
            run.suites.iter().find(is).map(|result| result.measurement)
        }
    }
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

/// The chance level of a column as text.
pub(super) fn chance_text(run: &Results, column: &Column) -> String {
    chance(run, column).map_or(String::new(), |value| Figure::Share.with_spread(value, None))
}

/// The notes below a table: accuracies on held-out rows with their intervals, skipped documents, and the meaning of ±.
pub(super) fn notes(runs: &[Results]) -> Vec<String> {
    let held_out = runs.iter().flat_map(|run| {
        let name = if runs.len() > 1 { format!("{}: ", run.name) } else { String::new() };
        run.results.iter().filter_map(move |result| Some(format!("{name}{}", held_out(result)?)))
    });
    let mut notes: Vec<String> =
        plain(runs).into_iter().chain(held_out).chain(skipped(runs)).chain(truncated(runs)).collect();
    notes.extend(windows(runs));
    match common_meaning(runs) {
        Some(meaning) => notes.push(format!("± is the {meaning}")),
        None => notes
            .extend(runs.iter().filter_map(|run| Some(format!("{}: ± is the {}", run.name, meaning(run)?)))),
    }
    notes
}

/// The accuracy of a scorer on rows that training held out, with its interval.
fn held_out(result: &TaskResult) -> Option<String> {
    let TaskResult { task, split, scorer, metric, measurement, documents, .. } = result;
    let Measurement { value, runs, .. } = *measurement;
    let (low, high) =
        wilson_interval(value, *documents).filter(|_| split == HELD_OUT && metric == USUAL_METRIC)?;
    let of_runs = runs.map_or(String::new(), |runs| format!(" of {}", counted(runs, "seed")));
    Some(format!(
        "{task}/{split}: {scorer} is right on {:.1} % of {}{of_runs}, 95 % interval {:.1} to {:.1}",
        100.0 * value,
        counted(*documents, "held-out document"),
        100.0 * low,
        100.0 * high
    ))
}

/// The runs in the style `plain`.
fn plain(runs: &[Results]) -> Option<String> {
    let plain: Vec<&str> =
        runs.iter().filter(|run| run.style == Some(Style::Plain)).map(|run| run.name.as_str()).collect();
    let names = if plain.len() == runs.len() { String::new() } else { format!(" of {}", plain.join(", ")) };
    let style = "style plain: worded and tokenised as in lm-evaluation-harness, whose acc is loglik-sum and acc_norm loglik-char";
    (!plain.is_empty()).then(|| format!("{style}{names}"))
}

/// Numbers of documents without their beginning, by task.
fn truncated(runs: &[Results]) -> Vec<String> {
    of_results(runs, |result| {
        let count = counted(result.truncated, "document");
        // A classifier reads the beginning of a text.
        let end = if result.scorer == Scorer::Classifier.to_string() { "end" } else { "beginning" };
        let note =
            format!("{}/{}: {count} longer than the context, cut at the {end}", result.task, result.split);
        (result.truncated > 0).then_some(note)
    })
}

/// The windows of perplexities, by task.
fn windows(runs: &[Results]) -> Vec<String> {
    of_results(runs, |TaskResult { task, split, window, .. }| {
        let window = window.as_ref()?;
        Some(format!("{task}/{split}: not in per cent, lower is better; windows of {window} tokens"))
    })
}

/// Notes on results, each once; of several runs with the name of the run.
fn of_results(runs: &[Results], note: impl Fn(&TaskResult) -> Option<String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for run in runs {
        let name = if runs.len() > 1 { format!("{}: ", run.name) } else { String::new() };
        for note in run.results.iter().filter_map(&note) {
            let note = format!("{name}{note}");
            if !found.contains(&note) {
                found.push(note);
            }
        }
    }
    found
}

/// Numbers of skipped documents, by task and reason.
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
