//! [`Results::mean`]: the mean over runs with different seeds.

use crate::bench::HELD_OUT;
use crate::metrics::deviation;
use crate::results::format::{Measurement, Results, SuiteResult, TaskResult};

impl Results {
    /// The mean over runs that differ only in their seed, with the standard deviation `std` over the runs (with n − 1, and
    /// none for a single run) and their number `runs`. It has no standard error: the runs share their documents.
    ///
    /// A task or suite that is missing in one of the runs is left out. The number of documents is that of the first run or, for
    /// rows that training held out, which depend on the seed, that of all runs together.
    ///
    /// ```
    /// assert!(dph_eval::Results::mean("three seeds", &[]).results.is_empty());
    /// ```
    pub fn mean(name: impl Into<String>, runs: &[Self]) -> Self {
        let mut mean = Self::new(name);
        let Some(first) = runs.first() else { return mean };
        mean.style = first.style.filter(|style| runs.iter().all(|run| run.style == Some(*style)));
        mean.few_shot = first.few_shot;
        for result in &first.results {
            let same = |other: &&TaskResult| {
                (&other.task, &other.split, &other.scorer, &other.metric)
                    == (&result.task, &result.split, &result.scorer, &result.metric)
            };
            let all = runs.iter().map(|run| run.results.iter().find(same)).collect::<Option<Vec<_>>>();
            if let Some(all) = all {
                // Every seed holds out other rows.
                let documents = match result.split == HELD_OUT {
                    true => all.iter().map(|result| result.documents).sum(),
                    false => result.documents,
                };
                let measurement = mean_measurement(all.iter().map(|result| result.measurement).collect());
                mean.results.push(TaskResult { measurement, documents, ..result.clone() });
            }
        }
        for result in &first.suites {
            let same =
                |other: &&SuiteResult| (&other.suite, &other.scorer) == (&result.suite, &result.scorer);
            let all = runs.iter().map(|run| run.suites.iter().find(same).map(|other| other.measurement));
            if let Some(measurement) = all.collect::<Option<Vec<_>>>().map(mean_measurement) {
                mean.suites.push(SuiteResult { measurement, ..result.clone() });
            }
        }
        mean
    }
}

/// The mean of the values of some runs and their standard deviation.
fn mean_measurement(runs: Vec<Measurement>) -> Measurement {
    let values: Vec<f64> = runs.iter().map(|run| run.value).collect();
    let value = values.iter().sum::<f64>() / values.len() as f64;
    Measurement { value, std: deviation(&values), runs: Some(runs.len()), ..Measurement::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(value: f64) -> Results {
        let mut results = Results::new("x");
        for (scorer, value) in [("loglik-mean", 0.5), ("reward:preference", value)] {
            results.results.push(TaskResult {
                task: "boolq".into(),
                split: "validation".into(),
                scorer: scorer.into(),
                metric: "accuracy".into(),
                measurement: Measurement { value, stderr: Some(0.1), ..Measurement::default() },
                documents: 9,
                skipped: Default::default(),
                truncated: 0,
                chance: Some(0.5),
                window: None,
            });
            let suite = SuiteResult {
                suite: "s".into(),
                scorer: scorer.into(),
                measurement: Measurement { value, stderr: Some(0.1), ..Measurement::default() },
                chance: None,
                parts: Vec::new(),
            };
            results.suites.push(suite);
        }
        results
    }

    #[test]
    fn a_mean_has_the_deviation_over_the_runs_and_no_standard_error() {
        let mean = Results::mean("mean", &[run(0.6), run(0.7), run(0.8)]);
        assert_eq!(mean.name, "mean");
        let value_and_std = |index: usize| {
            let Measurement { value, std, .. } = mean.results[index].measurement;
            (value, std.unwrap_or(9.0))
        };
        assert_eq!(value_and_std(0), (0.5, 0.0));
        let (value, std) = value_and_std(1);
        assert!((value - 0.7).abs() < 1e-12 && (std - 0.1).abs() < 1e-12, "{value} {std}");
        assert!((mean.suites[1].measurement.value - 0.7).abs() < 1e-12);
        assert!(
            mean.results
                .iter()
                .all(|result| result.measurement.stderr.is_none() && result.measurement.runs == Some(3))
        );
        assert!(
            mean.suites
                .iter()
                .all(|suite| suite.measurement.stderr.is_none() && suite.measurement.runs == Some(3))
        );
        let one = Results::mean("one", &[run(0.6)]);
        assert_eq!((one.results[1].measurement.std, one.results[1].measurement.runs), (None, Some(1)));
    }

    #[test]
    fn a_task_that_one_run_lacks_is_left_out() {
        let mut other = run(0.9);
        other.results.remove(1);
        let mean = Results::mean("mean", &[run(0.6), other]);
        assert_eq!((mean.results.len(), mean.suites.len()), (1, 2));
    }

    #[test]
    fn held_out_documents_of_all_seeds_are_counted() {
        let held_out = |value| {
            let mut run = run(value);
            run.results.iter_mut().for_each(|result| result.split = HELD_OUT.into());
            run
        };
        let mean = Results::mean("mean", &[held_out(0.6), held_out(0.8)]);
        assert_eq!(mean.results[1].documents, 18);
        assert_eq!(Results::mean("mean", &[run(0.6), run(0.8)]).results[1].documents, 9);
    }
}
