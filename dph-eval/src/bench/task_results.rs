//! From the scores of the documents to the results of a task.

use dph_core::Scorer;
use dph_data::TaskData;

use crate::bench::plan::PlannedTask;
use crate::metrics::{bootstrap, chance_level, measure, percentile_interval, seed, value};
use crate::outcomes::sample;
use crate::results::{DocumentScores, Measurement, TaskResult};

/// The results of a task: one for each scorer and metric. `heads` are the names of the rewards.
pub(crate) fn task_results(
    planned: &PlannedTask,
    data: &TaskData,
    heads: &[String],
    scorers: &[Scorer],
    documents: &[DocumentScores],
) -> Vec<TaskResult> {
    let documents: Vec<&DocumentScores> = documents.iter().collect();
    let skipped = data.skipped.counts();
    let metrics = &planned.task.metrics;
    let of_scorer = |scorer: &Scorer| {
        let sample = sample(&documents, heads, scorer, metrics);
        let result = |metric| {
            let estimate = measure(metric, &sample)?;
            let resamples = || bootstrap(&sample, planned.seed(), |outcomes| value(metric, outcomes));
            let interval = estimate.stderr.and_then(|_| percentile_interval(resamples()));
            Some(TaskResult {
                task: planned.task.name.clone(),
                split: planned.split.clone(),
                scorer: scorer.to_string(),
                metric: metric.to_string(),
                measurement: Measurement { interval, ..estimate.into() },
                documents: data.sets.len(),
                skipped: skipped.iter().map(|(reason, &count)| (reason.as_str().to_owned(), count)).collect(),
                truncated: data.cut,
                chance: chance_level(metric, &data.sets, &data.right),
            })
        };
        metrics.iter().filter_map(|metric| result(*metric)).collect::<Vec<_>>()
    };
    scorers.iter().flat_map(of_scorer).collect()
}

impl PlannedTask {
    /// Seed of the resamples of its documents.
    pub(crate) fn seed(&self) -> u64 {
        seed(&format!("{}/{}", self.task.name, self.split))
    }
}
