//! The statistics of this crate beside those of scipy and statsmodels (`tests/fixtures/statistics.py`).
#![allow(clippy::unwrap_used)]

use std::path::Path;

use dph_data::TaskMetric;
use serde_json::Value;

use crate::compare::difference::{TaskSample, task_difference};
use crate::compare::holm::holm;
use crate::compare::mcnemar::mcnemar;
use crate::metrics::{Outcome, Sample, bootstrap, measure, percentile_interval, value};

fn cases(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/statistics.json");
    let json: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases = json[name].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

fn indices(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|value| value.as_u64().unwrap() as usize).collect()
}

#[test]
fn mcnemars_test_is_that_of_statsmodels() {
    for case in cases("mcnemar") {
        let [only_a, only_b] = ["only_a", "only_b"].map(|key| case[key].as_u64().unwrap() as usize);
        let (ours, theirs) = (mcnemar(only_a, only_b), number(&case["p"]));
        assert!((ours - theirs).abs() < 1e-10, "{case}: {ours}");
    }
}

#[test]
fn holms_correction_is_that_of_statsmodels() {
    for case in cases("holm") {
        let ours = holm(&numbers(&case["p"]));
        for (ours, theirs) in ours.iter().zip(numbers(&case["adjusted"])) {
            assert!((ours - theirs).abs() < 1e-12, "{case}");
        }
    }
}

#[test]
fn the_standard_error_of_groups_is_that_of_statsmodels() {
    for case in cases("cluster") {
        let groups: Vec<String> = indices(&case["group"]).iter().map(usize::to_string).collect();
        let outcomes = indices(&case["right"]).into_iter().map(|right| Outcome::new(Some(right), 1, None));
        let sample = Sample::new(outcomes.zip(groups.iter().map(|group| Some(group.as_str()))));
        let estimate = measure(TaskMetric::Accuracy, &sample).unwrap();
        assert!((estimate.value - number(&case["value"])).abs() < 1e-12);
        assert!((estimate.stderr.unwrap() - number(&case["stderr"])).abs() < 1e-9, "{estimate:?}");
    }
}

/// Both sides are random: the ends of an interval differ by about 3 % of the standard error, the p-values by about 0.005.
#[test]
fn intervals_and_permutation_tests_are_those_of_scipy() {
    for case in cases("bootstrap") {
        let metric = TaskMetric::named(case["metric"].as_str().unwrap()).unwrap();
        let (gold, score) = (indices(&case["gold"]), numbers(&case["score"]));
        let outcomes = |side: &str| -> Vec<Outcome> {
            let documents = indices(&case[side]).into_iter().zip(&gold).zip(&score);
            documents
                .map(|((predicted, gold), score)| Outcome::new(Some(predicted), *gold, Some(*score)))
                .collect()
        };
        let (a, b) = (outcomes("a"), outcomes("b"));
        let sample = Sample::new(a.iter().map(|outcome| (*outcome, None)));
        assert!((measure(metric, &sample).unwrap().value - number(&case["value"])).abs() < 1e-9, "{metric}");

        let interval =
            percentile_interval(bootstrap(&sample, 1, |outcomes| value(metric, outcomes))).unwrap();
        let limit = 0.15 * number(&case["stderr"]);
        for (ours, theirs) in interval.iter().zip(numbers(&case["interval"])) {
            assert!((ours - theirs).abs() < limit, "{metric}: {interval:?}, {}", case["interval"]);
        }

        // Ungrouped accuracies have McNemar's test, so here every document is a group of its own with a second one that is equal.
        let names: Vec<String> = (0..a.len()).map(|index| index.to_string()).collect();
        let pairs =
            || a.iter().copied().zip(b.iter().copied()).zip(names.iter().map(|name| Some(name.as_str())));
        let sample = Sample::new(pairs().chain(pairs()));
        let found = task_difference(&TaskSample { metrics: vec![metric], sample, seed: 2 }, metric);
        assert_eq!(found.test, "permutation");
        assert!((found.b - found.a - number(&case["difference"])).abs() < 1e-9, "{metric}");
        assert!((found.p - number(&case["p"])).abs() < 0.03, "{metric}: {}, {}", found.p, case["p"]);
    }
}
