//! The results and reports of a sweep.

use std::path::Path;

use dph_eval::{HTML_FILE, HtmlReport, Results, SweepRow, Table};

use super::job::Job;
use super::joined::Joined;
use super::outcome::SweepOutcome;
use crate::error::TrainError;
use crate::experiment::file::ExperimentFile;
use crate::experiment::sweep::{Axis, Sweep};

/// Writes `results.json`, `report.md` and `report.html` of a sweep into its directory. `left_out` are the tasks without rows, in words.
pub(super) fn write(
    file: &ExperimentFile,
    sweep: &Sweep,
    left_out: &[String],
    mut jobs: Vec<Job<'_>>,
    dir: &Path,
) -> Result<SweepOutcome, TrainError> {
    let name = &file.experiment.name;
    let joined = match sweep.task_axis() {
        Some(at) => Joined::all(name, sweep, at, &mut jobs)?,
        None => Vec::new(),
    };
    joined.iter().try_for_each(|joined| joined.save(dir, left_out))?;
    let found: Vec<SweepRow> = match sweep.task_axis() {
        Some(_) => joined.iter().map(|joined| joined.row.clone()).collect(),
        None => jobs.iter_mut().filter_map(row).collect(),
    };
    let mut notes = left_out.to_vec();
    for note in joined.iter().flat_map(|joined| &joined.notes) {
        if !notes.contains(note) {
            notes.push(note.clone());
        }
    }
    let done: Vec<&String> =
        jobs.iter().filter(|job| job.failed.is_none()).map(|job| &job.variant.label).collect();
    let links: Vec<(String, String)> = joined
        .iter()
        .map(|joined| &joined.directory)
        .chain(done.iter().copied())
        .map(|label| (label.clone(), format!("{label}/{HTML_FILE}")))
        .collect();
    let done = done.len();
    let failed: Vec<(String, TrainError)> =
        jobs.into_iter().filter_map(|job| Some((job.variant.label.clone(), job.failed?))).collect();
    let results: Vec<Results> = found.iter().map(|row| row.results.clone()).collect();
    let axes: Vec<&Axis> = sweep.axes.iter().filter(|axis| !axis.is_task()).collect();
    let (rows, mut table) = table(&axes, found);
    notes.extend(failed.iter().map(|(label, error)| format!("{label}: failed: {error}")));
    table = notes.into_iter().fold(table, Table::with_note);

    table.save(name, dir)?;
    HtmlReport::new(name)
        .table(&table)
        .plot(&plot(name, &rows))
        .heading("Variants")
        .links(&links)
        .details("The experiment", &file.source)
        .save(dir)?;
    Results::save_all(&results, dir)?;
    Ok(SweepOutcome { results, done, table, failed })
}

/// The row of a variant; `None` if it failed.
fn row(job: &mut Job<'_>) -> Option<SweepRow> {
    if job.failed.is_some() {
        return None;
    }
    job.row().map_err(|error| job.fail(error)).ok()
}

/// The rows of the table, and the table. If several seeds are swept, the rows are means over the seeds.
fn table(axes: &[&Axis], found: Vec<SweepRow>) -> (Vec<SweepRow>, Table) {
    let names = |axes: &[&Axis]| axes.iter().map(|axis| axis.name.clone()).collect::<Vec<_>>();
    let seeds = axes.iter().position(|axis| axis.key == "seed" && axis.values.len() > 1);
    let Some(seeds) = seeds else {
        let table = Table::for_sweep(&names(axes), &found);
        return (found, table);
    };
    let others: Vec<&Axis> =
        axes.iter().enumerate().filter(|(at, _)| *at != seeds).map(|(_, axis)| *axis).collect();
    let rows = means(seeds, found);
    let note = format!(
        "means over the seeds {}",
        axes[seeds].values.iter().map(crate::experiment::sweep::value_text).collect::<Vec<_>>().join(", ")
    );
    let table = Table::for_sweep(&names(&others), &rows).with_note(note);
    (rows, table)
}

/// The means of rows that differ only in the value at index `seeds`.
fn means(seeds: usize, rows: Vec<SweepRow>) -> Vec<SweepRow> {
    let mut groups: Vec<(Vec<String>, Vec<SweepRow>)> = Vec::new();
    for row in rows {
        let mut values = row.values.clone();
        values.remove(seeds);
        match groups.iter_mut().find(|(other, _)| *other == values) {
            Some((_, group)) => group.push(row),
            None => groups.push((values, vec![row])),
        }
    }
    let mean = |(values, group): (Vec<String>, Vec<SweepRow>)| {
        let results: Vec<Results> = group.iter().map(|row| row.results.clone()).collect();
        SweepRow {
            results: Results::mean(values.join(", "), &results),
            parameters: group[0].parameters,
            values,
        }
    };
    groups.into_iter().map(mean).collect()
}

/// The results that compare all variants by their first reward or, without a head, by their first scorer. A sweep over seeds alone has all
/// scorers of its only row.
fn plot(name: &str, rows: &[SweepRow]) -> Results {
    if let [SweepRow { values, results, .. }] = rows
        && values.is_empty()
    {
        return Results { name: name.into(), ..results.clone() };
    }
    let mut all = Results::new(name);
    for SweepRow { values, results, .. } in rows {
        let scorers = || results.results.iter().map(|result| &result.scorer);
        let first = scorers().find(|scorer| scorer.starts_with("reward:")).or_else(|| scorers().next());
        let label = format!("{}: {}", values.join(", "), first.map_or("", String::as_str));
        for result in results.results.iter().filter(|result| Some(&result.scorer) == first) {
            let mut result = result.clone();
            result.scorer.clone_from(&label);
            all.results.push(result);
        }
        for suite in results.suites.iter().filter(|suite| Some(&suite.scorer) == first) {
            let mut suite = suite.clone();
            suite.scorer.clone_from(&label);
            all.suites.push(suite);
        }
    }
    all
}
