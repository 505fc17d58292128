//! What follows from the documents of all tasks together: the results of suites, and the p-values of differences from the
//! likelihood.

use std::collections::HashMap;

use dph_core::Scorer;
use dph_data::TaskMetric;

use crate::bench::plan::{BenchPlan, PlannedTask};
use crate::bench::suite::{Suite, SuiteTask};
use crate::blocks::{PartGroups, blocks};
use crate::compare::{Part, TaskSample, holm, suite_p_value, task_p_value};
use crate::metrics::{
    Estimate, Outcome, Sample, bootstrap, jackknife, mean_of_metrics, parts_value, percentile_interval,
    sum_of_resamples,
};
use crate::outcomes::{paired_sample, sample};
use crate::results::{DocumentScores, Measurement, Results, SuitePart, SuiteResult, TaskResult};

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

/// Parts of a suite that share documents, or one that does not.
struct Block<'a> {
    tasks: Vec<&'a PlannedTask>,
    weights: Vec<f64>,
}

impl Block<'_> {
    fn metrics(&self) -> &[TaskMetric] {
        self.tasks.first().map_or(&[], |planned| &planned.task.metrics)
    }

    /// Its share of the mean.
    fn value(&self, outcomes: &[(Outcome, f64)]) -> f64 {
        parts_value(self.metrics(), &self.weights, outcomes)
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
        let blocks = self.blocks(suite, &parts)?;
        let samples: Vec<Sample<Outcome>> = blocks
            .iter()
            .map(|block| {
                let documents: Vec<&[&DocumentScores]> =
                    block.tasks.iter().map(|planned| self.documents(planned)).collect();
                sample(&documents, self.heads, scorer, block.metrics())
            })
            .collect();
        let blocks = || blocks.iter().zip(&samples);
        let resamples = blocks().map(|(block, sample)| {
            bootstrap(sample, block.tasks[0].seed(), |outcomes| block.value(outcomes))
        });
        let stderr = match blocks().any(|(block, _)| block.tasks.len() > 1) {
            false => estimate.stderr,
            true => blocks()
                .map(|(block, sample)| jackknife(sample, |outcomes| block.value(outcomes))?.stderr)
                .map(|stderr| stderr.map(|stderr| stderr * stderr))
                .sum::<Option<f64>>()
                .map(f64::sqrt),
        };
        let estimate = Estimate { stderr, ..estimate };
        let interval = estimate.stderr.and_then(|_| percentile_interval(sum_of_resamples(resamples)));
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
            self.plan.tasks.iter().map(|planned| self.paired(&[planned], baseline, scorer)).collect();
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
            let Some(blocks) = self.blocks(suite, &found.parts) else { continue };
            let paired: Vec<TaskSample> =
                blocks.iter().map(|block| self.paired(&block.tasks, baseline, scorer)).collect();
            let part = |(block, task): (&Block<'_>, _)| Part { task, weights: block.weights.clone() };
            let parts: Vec<Part> = blocks.iter().zip(&paired).map(part).collect();
            found.measurement.p_baseline = Some(suite_p_value(&parts));
        }
    }

    /// The outcomes of a task, or of parts that share documents, by two scorers.
    fn paired(&self, tasks: &[&PlannedTask], a: &Scorer, b: &Scorer) -> TaskSample {
        let metrics = tasks.first().map(|planned| planned.task.metrics.clone()).unwrap_or_default();
        let pairs: Vec<Vec<[&DocumentScores; 2]>> = tasks
            .iter()
            .map(|planned| self.documents(planned).iter().map(|document| [*document, *document]).collect())
            .collect();
        let pairs: Vec<&[[&DocumentScores; 2]]> = pairs.iter().map(Vec::as_slice).collect();
        let sample = paired_sample(&pairs, [(self.heads, a), (self.heads, b)], &metrics);
        TaskSample { metrics, sample, seed: tasks.first().map_or(0, |planned| planned.seed()) }
    }

    /// The blocks of a suite; `None` if one of its tasks is not evaluated.
    fn blocks<'s>(&'s self, suite: &Suite, parts: &[SuitePart]) -> Option<Vec<Block<'s>>> {
        let tasks: Vec<&PlannedTask> =
            suite.tasks.iter().map(|task| self.planned(task)).collect::<Option<_>>()?;
        let groups = |planned: &&'s PlannedTask| -> PartGroups<'s> {
            let documents = self.documents(planned).iter();
            (&planned.task.name, documents.filter_map(|document| document.group.as_deref()).collect())
        };
        let groups: Vec<PartGroups> = tasks.iter().map(groups).collect();
        let block = |block: Vec<usize>| Block {
            tasks: block.iter().map(|&part| tasks[part]).collect(),
            weights: block.iter().map(|&part| parts[part].weight).collect(),
        };
        Some(blocks(&groups).into_iter().map(block).collect())
    }

    fn documents<'s>(&'s self, planned: &'s PlannedTask) -> &'s [&'s DocumentScores] {
        self.by_task.get(&(planned.task.name.as_str(), planned.split.as_str())).map_or(&[], Vec::as_slice)
    }

    /// The task of a suite: a suite names it by name or path, a result by name only.
    fn planned(&self, part: &SuiteTask) -> Option<&PlannedTask> {
        self.plan.tasks.iter().find(|task| task.requested == part.task && task.split == part.split)
    }
}
