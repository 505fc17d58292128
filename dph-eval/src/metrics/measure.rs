//! The value of a metric over documents, and its value for random choices.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use dph_core::CandidateSet;
use dph_data::TaskMetric;

use crate::metrics::estimate::{Estimate, accuracy, chance};
use crate::metrics::perplexity::TextLikelihood;
use crate::metrics::sample::{Sample, Weighted};
use crate::metrics::{classification, correlation, jackknife, perplexity};

/// The prediction of a scorer for a document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    /// Whether a right candidate was picked.
    pub right: bool,
    /// The candidate that was picked; `None` for a tie in a pair, or if all values are NaN.
    pub predicted: Option<usize>,
    /// The right candidate.
    pub gold: usize,
    /// The reference score, for metrics that need one.
    pub score: Option<f64>,
    /// The share of the right candidates in the probability of all; 0 if the values are not numbers.
    pub mass: f64,
    /// The credit for the best candidates ([`best_of`](super::best_of)), or for a pair of prompts ([`ties`](super::ties)).
    pub credit: f64,
    /// The number that a regressor predicts; without one, correlations are of the position of the picked candidate.
    pub number: Option<f64>,
    /// The likelihood of a whole text; there are no other numbers then.
    pub text: Option<TextLikelihood>,
    /// The number of its part, where several parts of a suite are taken together.
    pub part: usize,
}

impl Outcome {
    /// The outcome of picking a candidate.
    pub(crate) fn new(predicted: Option<usize>, gold: usize, score: Option<f64>) -> Self {
        Self {
            right: predicted == Some(gold),
            predicted,
            gold,
            score,
            mass: 0.0,
            credit: 0.0,
            number: None,
            text: None,
            part: 0,
        }
    }

    /// The outcome of a whole text.
    pub(crate) fn of_text(text: TextLikelihood) -> Self {
        Self { text: Some(text), ..Self::new(None, 0, None) }
    }

    /// The outcome without what these metrics do not depend on, so that more outcomes are equal.
    pub(crate) fn only_for(self, metrics: &[TaskMetric]) -> Self {
        let used = |is: fn(TaskMetric) -> bool| metrics.iter().any(|metric| is(*metric));
        let kept = |value: f64, is: fn(TaskMetric) -> bool| if used(is) { value } else { 0.0 };
        let mass = kept(self.mass, |metric| metric == TaskMetric::Mass);
        let credit = kept(self.credit, |metric| matches!(metric, TaskMetric::BestOf | TaskMetric::Ties));
        let score = self.score.filter(|_| used(TaskMetric::needs_score));
        let number = self.number.filter(|_| used(TaskMetric::needs_score));
        let of_classes = used(|metric| {
            use TaskMetric::{F1, Matthews, Pearson, Spearman};
            matches!(metric, F1 | Matthews | Pearson | Spearman)
        });
        match of_classes {
            true => Self { score, mass, credit, number, ..self },
            false => Self { predicted: None, gold: 0, score, mass, credit, number, ..self },
        }
    }

    fn key(&self) -> impl Ord + use<> {
        let (mass, credit) = (self.mass.to_bits(), self.credit.to_bits());
        let text = self.text.map(|text| (text.loglik.to_bits(), text.words, text.bytes));
        let [score, number] = [self.score, self.number].map(|value| value.map(f64::to_bits));
        (self.right, self.predicted, self.gold, score, number, mass, credit, text, self.part)
    }

    /// What the metric is the mean of, if it is a mean over documents.
    fn term(&self, metric: TaskMetric) -> Option<f64> {
        match metric {
            TaskMetric::Accuracy => Some(f64::from(u8::from(self.right))),
            TaskMetric::Mass => Some(self.mass),
            TaskMetric::BestOf | TaskMetric::Ties => Some(self.credit),
            _ => None,
        }
    }
}

// By the bits of the score, so that every outcome equals itself.
impl PartialEq for Outcome {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Outcome {}

impl PartialOrd for Outcome {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Outcome {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// The value of a metric.
///
/// An undefined correlation (one side is constant) is 0, as in the reference implementation.
pub(crate) fn value(metric: TaskMetric, outcomes: &[(Outcome, f64)]) -> f64 {
    let value = match metric {
        TaskMetric::Accuracy | TaskMetric::Mass | TaskMetric::BestOf | TaskMetric::Ties => {
            let all: f64 = outcomes.iter().map(|(_, weight)| weight).sum();
            let terms =
                outcomes.iter().map(|(outcome, weight)| weight * outcome.term(metric).unwrap_or_default());
            terms.sum::<f64>() / all
        }
        TaskMetric::F1 => classification::weighted_f1(&classes(outcomes)),
        TaskMetric::Matthews => classification::weighted_matthews(&classes(outcomes)),
        TaskMetric::Pearson => correlation::weighted_pearson(&numbers(outcomes)),
        TaskMetric::Spearman => correlation::weighted_spearman(&numbers(outcomes)),
        TaskMetric::WordPerplexity | TaskMetric::BytePerplexity | TaskMetric::BitsPerByte => {
            perplexity::value(metric, &texts(outcomes))
        }
    };
    if value.is_nan() { 0.0 } else { value }
}

/// The mean of several metrics, which count as one.
pub(crate) fn mean_value(metrics: &[TaskMetric], outcomes: &[(Outcome, f64)]) -> f64 {
    metrics.iter().map(|metric| value(*metric, outcomes)).sum::<f64>() / metrics.len().max(1) as f64
}

/// The weighted sum of the mean of metrics over parts; an outcome has the number of its part.
pub(crate) fn parts_value(metrics: &[TaskMetric], weights: &[f64], outcomes: &[(Outcome, f64)]) -> f64 {
    let value = |(part, weight): (usize, &f64)| {
        let of_part: Vec<_> = outcomes.iter().filter(|(outcome, _)| outcome.part == part).copied().collect();
        weight * mean_value(metrics, &of_part)
    };
    match weights {
        [weight] => weight * mean_value(metrics, outcomes),
        _ => weights.iter().enumerate().map(value).sum(),
    }
}

/// A metric over documents, with its standard error: by formula for means over documents, by the jackknife for the others. Documents of one
/// group are left out together.
///
/// `None` without documents.
pub(crate) fn measure(metric: TaskMetric, sample: &Sample<Outcome>) -> Option<Estimate> {
    match metric {
        TaskMetric::Accuracy if sample.is_ungrouped() => {
            let counts = sample.counts();
            let right = counts.iter().filter(|(outcome, _)| outcome.right).map(|(_, count)| *count as usize);
            accuracy(right.sum(), sample.documents())
        }
        TaskMetric::Accuracy | TaskMetric::Mass | TaskMetric::BestOf | TaskMetric::Ties => {
            jackknife::of_a_mean(sample, |outcome| outcome.term(metric).unwrap_or_default())
        }
        _ if metric.is_of_texts() => perplexity::estimate(metric, sample, |outcome| outcome.text),
        _ => jackknife::estimate(sample, |outcomes| value(metric, outcomes)),
    }
}

/// The expected metric of candidates that are picked uniformly at random.
///
/// `right` are the candidates that are right, for each set with more than one, by its id. For F1 this is the limit for many documents, `2 p q / (p + q)` with a fraction `p` of positive documents and a fraction `q` of
/// positive guesses. `None` without sets.
pub(crate) fn chance_level(
    metric: TaskMetric,
    sets: &[CandidateSet],
    right: &BTreeMap<String, Vec<usize>>,
) -> Option<f64> {
    let guesses = chance(sets)?;
    match metric {
        TaskMetric::Accuracy => Some(guesses),
        TaskMetric::F1 => {
            let positive = sets.iter().filter(|set| set.gold == Some(1)).count() as f64 / sets.len() as f64;
            Some(2.0 * positive * guesses / (positive + guesses))
        }
        TaskMetric::Matthews | TaskMetric::Pearson | TaskMetric::Spearman => Some(0.0),
        TaskMetric::Ties => None,
        TaskMetric::WordPerplexity | TaskMetric::BytePerplexity | TaskMetric::BitsPerByte => None,
        TaskMetric::Mass | TaskMetric::BestOf => {
            let share = |set: &CandidateSet| {
                right.get(&set.id).map_or(1, Vec::len) as f64 / set.candidates.len().max(1) as f64
            };
            Some(sets.iter().map(share).sum::<f64>() / sets.len() as f64)
        }
    }
}

/// The share of the candidates `right` in the probability of all, if `values` are their logarithms up to a constant.
///
/// 0 if no value is a number.
pub(crate) fn mass(values: &[f64], right: &[usize]) -> f64 {
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weight = |value: f64| if value == greatest { 1.0 } else { (value - greatest).exp() };
    let weights: Vec<f64> =
        values.iter().map(|&value| if value.is_nan() { 0.0 } else { weight(value) }).collect();
    let total: f64 = weights.iter().sum();
    let of_right: f64 = right.iter().filter_map(|&index| weights.get(index)).sum();
    if total > 0.0 { of_right / total } else { 0.0 }
}

fn texts(outcomes: &[(Outcome, f64)]) -> Weighted<TextLikelihood> {
    outcomes.iter().filter_map(|(outcome, weight)| Some((outcome.text?, *weight))).collect()
}

/// Predicted and gold class; a document without a prediction has a class of its own.
fn classes(outcomes: &[(Outcome, f64)]) -> Weighted<(usize, usize)> {
    let class = |outcome: &Outcome| (outcome.predicted.unwrap_or(usize::MAX), outcome.gold);
    outcomes.iter().map(|(outcome, weight)| (class(outcome), *weight)).collect()
}

/// Predicted number or position, and score; NaN where one is missing.
fn numbers(outcomes: &[(Outcome, f64)]) -> Weighted<(f64, f64)> {
    let number = |outcome: &Outcome| {
        let predicted = outcome.number.or(outcome.predicted.map(|predicted| predicted as f64));
        (predicted.unwrap_or(f64::NAN), outcome.score.unwrap_or(f64::NAN))
    };
    outcomes.iter().map(|(outcome, weight)| (number(outcome), *weight)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn outcome(predicted: usize, gold: usize) -> Outcome {
        Outcome::new(Some(predicted), gold, Some(gold as f64))
    }

    fn measure(metric: TaskMetric, outcomes: &[Outcome]) -> Option<Estimate> {
        let sample = Sample::new(outcomes.iter().map(|outcome| (outcome.only_for(&[metric]), None)));
        super::measure(metric, &sample)
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
    fn the_mass_is_the_share_of_the_right_candidates() {
        let values: Vec<f64> = [1.0_f64, 2.0, 5.0].map(|share| (share / 8.0).ln() - 900.0).to_vec();
        assert!((mass(&values, &[0, 2]) - 0.75).abs() < 1e-12);
        assert_eq!(mass(&[f64::NAN, f64::NAN], &[0]), 0.0);
        assert_eq!(mass(&[f64::NAN, -3.0], &[0]), 0.0);
        assert_eq!(mass(&[f64::NEG_INFINITY, f64::NEG_INFINITY], &[0]), 0.5);
        let of = |mass| Outcome { mass, ..outcome(0, 0) };
        let estimate = measure(TaskMetric::Mass, &[of(0.25), of(0.75)]).unwrap();
        assert_eq!(estimate.value, 0.5);
        assert!((estimate.stderr.unwrap() - 0.25).abs() < 1e-12);
        assert_eq!(measure(TaskMetric::Mass, &[]), None);
    }

    #[test]
    fn undefined_metrics_are_zero_or_none() {
        let constant = [outcome(1, 0), outcome(1, 1), outcome(1, 1)];
        for metric in [TaskMetric::Matthews, TaskMetric::Pearson, TaskMetric::Spearman] {
            assert_eq!(measure(metric, &constant).unwrap().value, 0.0, "{metric}");
        }
        let lost = Outcome::new(None, 1, Some(1.0));
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
        let none = BTreeMap::new();
        assert_eq!(chance_level(TaskMetric::Accuracy, &sets, &none), Some(0.5));
        // Of four documents one is positive: of four guesses two, a quarter of them right: precision 1/4, recall 1/2.
        assert_eq!(chance_level(TaskMetric::F1, &sets, &none), Some(1.0 / 3.0));
        assert_eq!(chance_level(TaskMetric::Matthews, &sets, &none), Some(0.0));
        assert_eq!(chance_level(TaskMetric::F1, &[], &none), None);
        let all_right = BTreeMap::from([(String::new(), vec![0, 1])]);
        assert_eq!(chance_level(TaskMetric::Mass, &sets, &none), Some(0.5));
        assert_eq!(chance_level(TaskMetric::Mass, &sets, &all_right), Some(1.0));
    }
}
