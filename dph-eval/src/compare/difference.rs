//! The difference of two scorers on a task or a suite: its value, interval and p-value.

use dph_data::TaskMetric;

use crate::compare::mcnemar::{EXACT_BELOW, mcnemar};
use crate::compare::power::{detectable, detectable_accuracy};
use crate::metrics::{
    Outcome, Sample, Weighted, bootstrap, deviation, mean_value, p_value, parts_value, percentile_interval,
    permutations, sum_of_resamples, value,
};

/// A p-value below this shows a difference.
pub(crate) const SIGNIFICANT: f64 = 0.05;

/// The outcomes of the documents of a task for two scorers.
pub(crate) struct TaskSample {
    /// The metrics of the task.
    pub metrics: Vec<TaskMetric>,
    /// The outcomes, A's first.
    pub sample: Sample<(Outcome, Outcome)>,
    /// Seed of its resamples; every task of a suite has its own.
    pub seed: u64,
}

/// A task of a suite, or several parts that share documents, with their shares of the mean.
pub(crate) struct Part<'a> {
    pub task: &'a TaskSample,
    /// The share of each part.
    pub weights: Vec<f64>,
}

impl Part<'_> {
    /// Its share of the difference, B minus A.
    fn difference(&self, pairs: &Weighted<(Outcome, Outcome)>) -> f64 {
        match &self.weights[..] {
            [weight] => weight * difference(&self.task.metrics, pairs),
            weights => {
                let [a, b] = sides(pairs).map(|side| parts_value(&self.task.metrics, weights, &side));
                b - a
            }
        }
    }
}

/// The difference of two scorers: B minus A.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Difference {
    pub a: f64,
    pub b: f64,
    /// Its 95 % interval; `None` for a single document or group.
    pub interval: Option<[f64; 2]>,
    /// Two-sided, without correction for several tests.
    pub p: f64,
    /// The name of the test.
    pub test: &'static str,
    /// The smallest difference that so many documents can show.
    pub detectable: Option<f64>,
}

/// The difference of a metric.
pub(crate) fn task_difference(task: &TaskSample, metric: TaskMetric) -> Difference {
    let counts = task.sample.counts();
    let [a, b] = sides(&counts).map(|side| value(metric, &side));
    let replicates = bootstrap(&task.sample, task.seed, |pairs| difference(&[metric], pairs));
    let (p, test) = test(task, metric);
    let detectable = match mcnemar_applies(task, metric) {
        true => {
            let [only_a, only_b] = discordant(&counts);
            // With none, one is the least that could have been there.
            let share = (only_a + only_b).max(1) as f64 / task.sample.documents().max(1) as f64;
            detectable_accuracy(share, task.sample.documents())
        }
        false => detectable_mean(&replicates),
    };
    let interval = percentile_interval(replicates).filter(|_| task.sample.len() > 1);
    Difference { a, b, interval, p, test, detectable }
}

/// The difference of the weighted means of tasks; the metrics of a task share its weight equally.
pub(crate) fn suite_difference(parts: &[Part<'_>]) -> Difference {
    let mean = |side: usize| -> f64 {
        let of_part = |part: &Part<'_>| {
            let outcomes = &sides(&part.task.sample.counts())[side];
            parts_value(&part.task.metrics, &part.weights, outcomes)
        };
        parts.iter().map(of_part).sum()
    };
    let replicates = sum_of_resamples(
        parts.iter().map(|part| bootstrap(&part.task.sample, part.task.seed, |pairs| part.difference(pairs))),
    );
    let detectable = detectable_mean(&replicates);
    Difference {
        a: mean(0),
        b: mean(1),
        interval: percentile_interval(replicates),
        p: suite_p_value(parts),
        test: PERMUTATION,
        detectable,
    }
}

/// The two-sided p-value of the difference of a metric.
pub(crate) fn task_p_value(task: &TaskSample, metric: TaskMetric) -> f64 {
    test(task, metric).0
}

/// The two-sided p-value of the difference of the weighted means of tasks: a permutation test.
pub(crate) fn suite_p_value(parts: &[Part<'_>]) -> f64 {
    let observed: f64 = parts.iter().map(|part| part.difference(&part.task.sample.counts())).sum();
    let under_null = sum_of_resamples(
        parts
            .iter()
            .map(|part| permutations(&part.task.sample, part.task.seed, |pairs| part.difference(pairs))),
    );
    p_value(observed, &under_null)
}

const PERMUTATION: &str = "permutation";

fn test(task: &TaskSample, metric: TaskMetric) -> (f64, &'static str) {
    if mcnemar_applies(task, metric) {
        let [only_a, only_b] = discordant(&task.sample.counts());
        let name = if only_a + only_b < EXACT_BELOW { "exact McNemar" } else { "McNemar" };
        return (mcnemar(only_a, only_b), name);
    }
    let observed = difference(&[metric], &task.sample.counts());
    let under_null = permutations(&task.sample, task.seed, |pairs| difference(&[metric], pairs));
    (p_value(observed, &under_null), PERMUTATION)
}

/// McNemar's test is for independent documents that are right or wrong.
fn mcnemar_applies(task: &TaskSample, metric: TaskMetric) -> bool {
    metric == TaskMetric::Accuracy && task.sample.is_ungrouped()
}

/// The numbers of documents that are right on side A alone, and on side B alone.
fn discordant(pairs: &Weighted<(Outcome, Outcome)>) -> [usize; 2] {
    let count = |is: fn(bool, bool) -> bool| -> f64 {
        pairs.iter().filter(|((a, b), _)| is(a.right, b.right)).map(|(_, weight)| weight).sum()
    };
    [count(|a, b| a && !b), count(|a, b| !a && b)].map(|count| count as usize)
}

/// The difference of the mean of metrics, B minus A.
fn difference(metrics: &[TaskMetric], pairs: &Weighted<(Outcome, Outcome)>) -> f64 {
    let [a, b] = sides(pairs).map(|outcomes| mean_value(metrics, &outcomes));
    b - a
}

fn sides(pairs: &Weighted<(Outcome, Outcome)>) -> [Weighted<Outcome>; 2] {
    let side = |pick: fn(&(Outcome, Outcome)) -> Outcome| {
        pairs.iter().map(|(pair, weight)| (pick(pair), *weight)).collect()
    };
    [side(|(a, _)| *a), side(|(_, b)| *b)]
}

/// The smallest difference that a test can show; `None` where no resample differs from the others, which says nothing.
fn detectable_mean(replicates: &[f64]) -> Option<f64> {
    deviation(replicates).filter(|deviation| *deviation > 0.0).map(detectable)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn task(pairs: &[(bool, bool)], groups: usize) -> TaskSample {
        let outcome =
            |right: bool| Outcome::new(Some(usize::from(right)), 1, None).only_for(&[TaskMetric::Accuracy]);
        let names: Vec<String> = (0..groups).map(|group| group.to_string()).collect();
        let group = |index: usize| names.get(index % groups.max(1)).map(String::as_str);
        let outcomes = pairs.iter().enumerate();
        let sample = Sample::new(outcomes.map(|(index, &(a, b))| ((outcome(a), outcome(b)), group(index))));
        TaskSample { metrics: vec![TaskMetric::Accuracy], sample, seed: 5 }
    }

    fn pairs(both: usize, only_a: usize, only_b: usize, none: usize) -> Vec<(bool, bool)> {
        let of = |pair, times| std::iter::repeat_n(pair, times);
        of((true, true), both)
            .chain(of((true, false), only_a))
            .chain(of((false, true), only_b))
            .chain(of((false, false), none))
            .collect()
    }

    #[test]
    fn a_difference_of_accuracies() {
        let task = task(&pairs(100, 20, 40, 40), 0);
        let found = task_difference(&task, TaskMetric::Accuracy);
        assert_eq!((found.a, found.b, found.test), (0.6, 0.7, "McNemar"));
        assert_eq!(found.p, mcnemar(20, 40));
        let [low, high] = found.interval.unwrap();
        // The standard error of the difference is sqrt((0.3 − 0.01) / 200) = 0.0381.
        assert!((low - 0.025).abs() < 0.006 && (high - 0.175).abs() < 0.006, "{low} {high}");
        assert!((found.detectable.unwrap() - 0.108).abs() < 0.002, "{:?}", found.detectable);
        // The suite of this task alone has another test with nearly the same result.
        let suite = suite_difference(&[Part { task: &task, weights: vec![1.0] }]);
        assert_eq!((suite.a, suite.b, suite.interval), (found.a, found.b, found.interval));
        assert!((suite.p - found.p).abs() < 0.006, "{} {}", suite.p, found.p);
    }

    #[test]
    fn equal_sides_have_no_difference() {
        let found = task_difference(&task(&pairs(30, 0, 0, 10), 0), TaskMetric::Accuracy);
        assert_eq!((found.p, found.interval), (1.0, Some([0.0, 0.0])));
        assert!(found.detectable.unwrap() > 0.0);
    }

    /// Documents that are copies of one another have no more evidence than one of them.
    #[test]
    fn groups_are_taken_whole() {
        let once = pairs(10, 1, 6, 3);
        let copies: Vec<(bool, bool)> = (0..8).flat_map(|_| once.clone()).collect();
        let [alone, grouped, naive] = [task(&once, 0), task(&copies, once.len()), task(&copies, 0)]
            .map(|task| task_difference(&task, TaskMetric::Accuracy));
        assert_eq!((grouped.a, grouped.b, grouped.test), (alone.a, alone.b, "permutation"));
        assert!((grouped.p - alone.p).abs() < 0.02, "{} {}", grouped.p, alone.p);
        assert!(grouped.p > SIGNIFICANT && naive.p < 1e-6);
    }
}
