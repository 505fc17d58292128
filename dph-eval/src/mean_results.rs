//! The mean over the results of several runs.

use crate::results::{Results, SuiteResult, TaskResult};
use crate::statistics::Estimate;

impl Results {
    /// The mean over runs that differ only in their seed. In the place of standard errors it has the standard deviation over
    /// the runs (with n − 1), and none where there is only one.
    ///
    /// What one of the runs has no number for is left out.
    ///
    /// ```
    /// assert!(dph_eval::Results::mean("three seeds", &[]).results.is_empty());
    /// ```
    pub fn mean(name: impl Into<String>, runs: &[Self]) -> Self {
        let mut mean = Self::new(name);
        let Some(first) = runs.first() else { return mean };
        for result in &first.results {
            let same = |other: &&TaskResult| {
                (&other.task, &other.split, &other.scorer, &other.metric)
                    == (&result.task, &result.split, &result.scorer, &result.metric)
            };
            let values = runs.iter().map(|run| run.results.iter().find(same).map(|other| other.value));
            if let Some(Estimate { value, stderr }) = values.collect::<Option<Vec<f64>>>().map(spread) {
                mean.results.push(TaskResult { value, stderr, ..result.clone() });
            }
        }
        for result in &first.suites {
            let same =
                |other: &&SuiteResult| (&other.suite, &other.scorer) == (&result.suite, &result.scorer);
            let values = runs.iter().map(|run| run.suites.iter().find(same).map(|other| other.value));
            if let Some(Estimate { value, stderr }) = values.collect::<Option<Vec<f64>>>().map(spread) {
                mean.suites.push(SuiteResult { value, stderr, ..result.clone() });
            }
        }
        mean
    }
}

/// The mean of some values and their standard deviation.
fn spread(values: Vec<f64>) -> Estimate {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Estimate { value: mean, stderr: (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()) }
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
                value,
                stderr: Some(0.1),
                documents: 9,
                skipped: Default::default(),
                chance: Some(0.5),
            });
            let suite = SuiteResult {
                suite: "s".into(),
                scorer: scorer.into(),
                value,
                stderr: Some(0.1),
                chance: None,
            };
            results.suites.push(suite);
        }
        results
    }

    #[test]
    fn the_deviation_is_that_over_the_runs() {
        let mean = Results::mean("mean", &[run(0.6), run(0.7), run(0.8)]);
        assert_eq!(mean.name, "mean");
        let of = |index: usize| (mean.results[index].value, mean.results[index].stderr.unwrap_or(9.0));
        assert_eq!(of(0), (0.5, 0.0));
        assert!((of(1).0 - 0.7).abs() < 1e-12 && (of(1).1 - 0.1).abs() < 1e-12);
        assert!((mean.suites[1].value - 0.7).abs() < 1e-12);
        assert_eq!(Results::mean("one", &[run(0.6)]).results[1].stderr, None);
    }

    #[test]
    fn what_one_run_lacks_is_left_out() {
        let mut other = run(0.9);
        other.results.remove(1);
        let mean = Results::mean("mean", &[run(0.6), other]);
        assert_eq!((mean.results.len(), mean.suites.len()), (1, 2));
    }
}
