//! The value of a metric over documents, and its value for random choices.

use dph_core::CandidateSet;
use dph_data::TaskMetric;

use crate::metrics::estimate::{Estimate, accuracy, chance};
use crate::metrics::{classification, correlation, jackknife};

/// The prediction of a scorer for a document.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outcome {
    /// The candidate that was picked; `None` for a tie in a pair, or if all values are NaN.
    pub predicted: Option<usize>,
    /// The right candidate.
    pub gold: usize,
    /// The reference score, for metrics that need one.
    pub score: Option<f64>,
}

/// A metric over documents, with its standard error: by formula for accuracy, by the jackknife for the others.
///
/// An undefined correlation (one side is constant) is 0, as in the reference implementation. `None` without documents.
pub(crate) fn measure(metric: TaskMetric, outcomes: &[Outcome]) -> Option<Estimate> {
    match metric {
        TaskMetric::Accuracy => {
            let right = outcomes.iter().filter(|outcome| outcome.predicted == Some(outcome.gold)).count();
            accuracy(right, outcomes.len())
        }
        TaskMetric::F1 => jackknife::estimate(&classes(outcomes), classification::weighted_f1),
        TaskMetric::Matthews => jackknife::estimate(&classes(outcomes), classification::weighted_matthews),
        TaskMetric::Pearson => jackknife::estimate(&numbers(outcomes), correlation::weighted_pearson),
        TaskMetric::Spearman => jackknife::estimate(&numbers(outcomes), correlation::weighted_spearman),
    }
}

/// The expected metric of candidates that are picked uniformly at random.
///
/// For F1 this is the limit for many documents, `2 p q / (p + q)` with a fraction `p` of positive documents and a fraction `q` of
/// positive guesses. `None` without sets.
pub(crate) fn chance_level(metric: TaskMetric, sets: &[CandidateSet]) -> Option<f64> {
    let guesses = chance(sets)?;
    match metric {
        TaskMetric::Accuracy => Some(guesses),
        TaskMetric::F1 => {
            let positive = sets.iter().filter(|set| set.gold == Some(1)).count() as f64 / sets.len() as f64;
            Some(2.0 * positive * guesses / (positive + guesses))
        }
        TaskMetric::Matthews | TaskMetric::Pearson | TaskMetric::Spearman => Some(0.0),
    }
}

/// Predicted and gold class of each document; a document without a prediction has a class of its own.
fn classes(outcomes: &[Outcome]) -> Vec<(usize, usize)> {
    outcomes.iter().map(|outcome| (outcome.predicted.unwrap_or(usize::MAX), outcome.gold)).collect()
}

/// Predicted position and score of each document; NaN where one is missing.
fn numbers(outcomes: &[Outcome]) -> Vec<(f64, f64)> {
    let number = |outcome: &Outcome| {
        let predicted = outcome.predicted.map_or(f64::NAN, |predicted| predicted as f64);
        (predicted, outcome.score.unwrap_or(f64::NAN))
    };
    outcomes.iter().map(number).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn outcome(predicted: usize, gold: usize) -> Outcome {
        Outcome { predicted: Some(predicted), gold, score: Some(gold as f64) }
    }

    #[test]
    fn every_metric_of_the_same_outcomes() {
        let outcomes = [outcome(1, 1), outcome(0, 1), outcome(0, 0), outcome(0, 0)];
        let value = |metric| measure(metric, &outcomes).unwrap().value;
        assert_eq!(value(TaskMetric::Accuracy), 0.75);
        assert_eq!(value(TaskMetric::F1), 2.0 / 3.0);
        // Of two classes all three correlations are the phi coefficient.
        for metric in [TaskMetric::Matthews, TaskMetric::Pearson, TaskMetric::Spearman] {
            assert!((value(metric) - 1.0 / 3.0_f64.sqrt()).abs() < 1e-12, "{metric}");
        }
        assert!(
            TaskMetric::needs_score(TaskMetric::Pearson) && !TaskMetric::needs_score(TaskMetric::Matthews)
        );
    }

    #[test]
    fn undefined_metrics_are_zero_or_none() {
        let constant = [outcome(1, 0), outcome(1, 1), outcome(1, 1)];
        for metric in [TaskMetric::Matthews, TaskMetric::Pearson, TaskMetric::Spearman] {
            assert_eq!(measure(metric, &constant).unwrap().value, 0.0, "{metric}");
        }
        let lost = Outcome { predicted: None, gold: 1, score: Some(1.0) };
        let outcomes = [outcome(1, 1), outcome(0, 0), lost];
        assert_eq!(measure(TaskMetric::Pearson, &outcomes).unwrap().value, 0.0);
        assert_eq!(measure(TaskMetric::F1, &outcomes).unwrap().value, 2.0 / 3.0);
        assert!(measure(TaskMetric::Matthews, &outcomes).unwrap().value < 1.0);
        for metric in [TaskMetric::Accuracy, TaskMetric::F1, TaskMetric::Spearman] {
            assert_eq!(measure(metric, &[]), None);
            assert_eq!(measure(metric, &[outcome(1, 1)]).unwrap().stderr, None);
        }
    }

    #[test]
    fn the_chance_level_is_the_limit_of_random_choices() {
        let sets: Vec<CandidateSet> = (0..4)
            .map(|index| CandidateSet {
                candidates: vec![dph_core::Candidate::default(); 2],
                gold: Some(usize::from(index == 0)),
                ..CandidateSet::default()
            })
            .collect();
        assert_eq!(chance_level(TaskMetric::Accuracy, &sets), Some(0.5));
        // Of four documents one is positive: of four guesses two, a quarter of them right: precision 1/4, recall 1/2.
        assert_eq!(chance_level(TaskMetric::F1, &sets), Some(1.0 / 3.0));
        assert_eq!(chance_level(TaskMetric::Matthews, &sets), Some(0.0));
        assert_eq!(chance_level(TaskMetric::F1, &[]), None);
    }
}
