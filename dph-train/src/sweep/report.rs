//! The results and reports of a sweep.

use std::path::Path;

use dph_eval::{HTML_FILE, HtmlReport, Results, SweepRow, Table};

use super::job::Job;
use super::outcome::SweepOutcome;
use crate::error::TrainError;
use crate::experiment::file::ExperimentFile;
use crate::experiment::sweep::{Axis, Sweep};

/// Writes `results.json`, `report.md` and `report.html` of a sweep into its directory.
pub(super) fn write(
    file: &ExperimentFile,
    sweep: &Sweep,
    mut jobs: Vec<Job<'_>>,
    dir: &Path,
) -> Result<SweepOutcome, TrainError> {
    let mut found = Vec::new();
    for job in jobs.iter_mut().filter(|job| job.failed.is_none()) {
        match job.row() {
            Ok(row) => found.push(row),
            Err(error) => job.fail(error),
        }
    }
    let failed: Vec<(String, TrainError)> =
        jobs.into_iter().filter_map(|job| Some((job.variant.label.clone(), job.failed?))).collect();
    let results: Vec<Results> = found.iter().map(|row| row.results.clone()).collect();
    let (rows, mut table) = table(&sweep.axes, found);
    for (label, error) in &failed {
        table = table.with_note(format!("{label}: failed: {error}"));
    }

    let name = &file.experiment.name;
    table.save(name, dir)?;
    let links: Vec<(String, String)> = results
        .iter()
        .map(|results| (results.name.clone(), format!("{}/{HTML_FILE}", results.name)))
        .collect();
    HtmlReport::new(name)
        .table(&table)
        .plot(&plot(name, &rows))
        .heading("Variants")
        .links(&links)
        .details("The experiment", &file.source)
        .save(dir)?;
    Results::save_all(&results, dir)?;
    Ok(SweepOutcome { results, table, failed })
}

/// The rows of the table, and the table. If several seeds are swept, the rows are means over the seeds.
fn table(axes: &[Axis], found: Vec<SweepRow>) -> (Vec<SweepRow>, Table) {
    let names = |axes: &[&Axis]| axes.iter().map(|axis| axis.name.clone()).collect::<Vec<_>>();
    let all: Vec<&Axis> = axes.iter().collect();
    let seeds = axes.iter().position(|axis| axis.key == "seed" && axis.values.len() > 1);
    let Some(seeds) = seeds else {
        let table = Table::for_sweep(&names(&all), &found);
        return (found, table);
    };
    let others: Vec<&Axis> =
        all.iter().enumerate().filter(|(at, _)| *at != seeds).map(|(_, axis)| *axis).collect();
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

/// The results that compare all variants by their first reward or, without a head, by their first scorer.
fn plot(name: &str, rows: &[SweepRow]) -> Results {
    let mut all = Results::new(name);
    for SweepRow { values, results, .. } in rows {
        let scorers = || results.results.iter().map(|result| &result.scorer);
        let first = scorers().find(|scorer| scorer.starts_with("reward:")).or_else(|| scorers().next());
        let label = values.join(", ");
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
