//! What follows from the documents of all tasks together: the results of suites, and the p-values of differences from the
//! likelihood.

use std::collections::HashMap;

use dph_core::Scorer;

use crate::bench::plan::{BenchPlan, PlannedTask};
use crate::bench::suite::{Suite, SuiteTask};
use crate::compare::{Part, TaskSample, holm, suite_p_value, task_p_value};
use crate::metrics::{Estimate, bootstrap, mean_of_metrics, mean_value, percentile_interval, weighted_sum};
use crate::outcomes::{paired_sample, sample};
use crate::results::{DocumentScores, Measurement, Results, SuiteResult, TaskResult};

/// The name of the scorer that the others are compared with.
pub(crate) const BASELINE: &str = "loglik-mean";

/// Adds the results of the suites of a plan to those of its tasks, and all p-values. `heads` are the names of the rewards.
pub(crate) fn summarise(
    results: &mut Results,
    documents: &[DocumentScores],
    plan: &BenchPlan,
    heads: &[String],
    scorers: &[Scorer],
) {
    let mut by_task: HashMap<(&str, &str), Vec<&DocumentScores>> = HashMap::new();
    for document in documents {
        by_task.entry((document.task.as_str(), document.split.as_str())).or_default().push(document);
    }
    let scored = Scored { plan, heads, by_task };
    for suite in &plan.suites {
        let of_suite: Vec<SuiteResult> =
            scorers.iter().filter_map(|scorer| scored.suite_result(suite, results, scorer)).collect();
        results.suites.extend(of_suite);
    }
    let (baseline, others): (Vec<&Scorer>, Vec<&Scorer>) =
        scorers.iter().partition(|scorer| scorer.to_string() == BASELINE);
    if let [baseline] = baseline[..] {
        others.into_iter().for_each(|scorer| scored.compare(results, baseline, scorer));
    }
}

/// The documents of every task and split of a plan.
struct Scored<'a> {
    plan: &'a BenchPlan,
    heads: &'a [String],
    by_task: HashMap<(&'a str, &'a str), Vec<&'a DocumentScores>>,
}

impl Scored<'_> {
    /// The result of one scorer on a suite, given the results of its tasks; `None` if one is missing.
    fn suite_result(&self, suite: &Suite, results: &Results, scorer: &Scorer) -> Option<SuiteResult> {
        let name = scorer.to_string();
        let estimate_of = |part: &SuiteTask, estimate: &dyn Fn(&TaskResult) -> Option<Estimate>| {
            let task = &self.planned(part)?.task.name;
            let is = |result: &&TaskResult| {
                result.task == *task && result.split == part.split && result.scorer == name
            };
            let metrics: Option<Vec<Estimate>> = results.results.iter().filter(is).map(estimate).collect();
            mean_of_metrics(&metrics?)
        };
        let estimate = suite.combine(|part| {
            estimate_of(part, &|result| {
                let Measurement { value, stderr, .. } = result.measurement;
                Some(Estimate { value, stderr })
            })
        })?;
        let chance = suite.combine(|part| {
            estimate_of(part, &|result| result.chance.map(|value| Estimate { value, stderr: None }))
        });
        let parts = suite.parts(|part| Some(self.planned(part)?.task.name.clone()))?;
        let resamples = suite.tasks.iter().zip(&parts).filter_map(|(task, part)| {
            let planned = self.planned(task)?;
            let metrics = &planned.task.metrics;
            let sample = sample(self.documents(planned), self.heads, scorer, metrics);
            Some((part.weight, bootstrap(&sample, planned.seed(), |outcomes| mean_value(metrics, outcomes))))
        });
        let interval = estimate.stderr.and_then(|_| percentile_interval(weighted_sum(resamples)));
        Some(SuiteResult {
            suite: suite.name.clone(),
            measurement: Measurement { interval, ..estimate.into() },
            chance: chance.map(|chance| chance.value),
            parts,
            scorer: name,
        })
    }

    /// Sets the p-values of a scorer: those of the tasks are corrected together.
    fn compare(&self, results: &mut Results, baseline: &Scorer, scorer: &Scorer) {
        let name = scorer.to_string();
        let samples: Vec<TaskSample> =
            self.plan.tasks.iter().map(|planned| self.paired(planned, baseline, scorer)).collect();
        let mut tests = Vec::new();
        let chosen = self.plan.tasks.iter().zip(&samples).filter(|(planned, _)| !planned.is_of_texts());
        for (planned, sample) in chosen {
            for metric in &sample.metrics {
                let metric_name = metric.to_string();
                let is = |result: &TaskResult| {
                    result.task == planned.task.name
                        && result.split == planned.split
                        && result.scorer == name
                        && result.metric == metric_name
                };
                if let Some(place) = results.results.iter().position(is) {
                    tests.push((place, task_p_value(sample, *metric)));
                }
            }
        }
        let p_values: Vec<f64> = tests.iter().map(|(_, p)| *p).collect();
        for ((place, _), p) in tests.into_iter().zip(holm(&p_values)) {
            results.results[place].measurement.p_baseline = Some(p);
        }
        for suite in &self.plan.suites {
            let found =
                results.suites.iter_mut().find(|found| found.suite == suite.name && found.scorer == name);
            let Some(found) = found else { continue };
            let parts: Option<Vec<Part>> = suite
                .tasks
                .iter()
                .zip(&found.parts)
                .map(|(task, part)| {
                    let is =
                        |planned: &PlannedTask| planned.requested == task.task && planned.split == task.split;
                    let place = self.plan.tasks.iter().position(is)?;
                    Some(Part { task: &samples[place], weight: part.weight })
                })
                .collect();
            found.measurement.p_baseline = parts.map(|parts| suite_p_value(&parts));
        }
    }

    /// The outcomes of a task by two scorers.
    fn paired(&self, planned: &PlannedTask, a: &Scorer, b: &Scorer) -> TaskSample {
        let metrics = planned.task.metrics.clone();
        let pairs: Vec<[&DocumentScores; 2]> =
            self.documents(planned).iter().map(|document| [*document, *document]).collect();
        let sample = paired_sample(&pairs, [(self.heads, a), (self.heads, b)], &metrics);
        TaskSample { metrics, sample, seed: planned.seed() }
    }

    fn documents<'s>(&'s self, planned: &'s PlannedTask) -> &'s [&'s DocumentScores] {
        self.by_task.get(&(planned.task.name.as_str(), planned.split.as_str())).map_or(&[], Vec::as_slice)
    }

    /// The task of a suite: a suite names it by name or path, a result by name only.
    fn planned(&self, part: &SuiteTask) -> Option<&PlannedTask> {
        self.plan.tasks.iter().find(|task| task.requested == part.task && task.split == part.split)
    }
}
