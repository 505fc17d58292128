//! From the scores of the documents to the results of a task.

use std::collections::BTreeMap;

use dph_core::Scorer;
use dph_data::TaskData;

use crate::bench::plan::PlannedTask;
use crate::metrics::{bootstrap, chance_level, measure, percentile_interval, seed, value};
use crate::outcomes::{is_scored, sample};
use crate::results::{DocumentScores, Measurement, TaskResult};

/// Why a document does not count: one of its scores is NaN or infinite.
pub(crate) const NOT_FINITE: &str = "not-finite";

/// The results of a task: one for each scorer and metric. Documents that a scorer cannot score do not count. `heads` are the names of the rewards.
pub(crate) fn task_results(
    planned: &PlannedTask,
    data: &TaskData,
    heads: &[String],
    scorers: &[Scorer],
    documents: &[DocumentScores],
) -> Vec<TaskResult> {
    let documents: Vec<&DocumentScores> = documents.iter().collect();
    let skipped = data.skipped.counts();
    let skipped: BTreeMap<String, usize> =
        skipped.iter().map(|(reason, &count)| (reason.as_str().to_owned(), count)).collect();
    let metrics = &planned.task.metrics;
    let of_scorer = |scorer: &Scorer| {
        let sample = sample(&[&documents], heads, scorer, metrics);
        let scored = documents.iter().filter(|document| is_scored(document, heads, scorer)).count();
        let mut skipped = skipped.clone();
        if scored < documents.len() {
            skipped.insert(NOT_FINITE.to_owned(), documents.len() - scored);
        }
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
                documents: scored,
                skipped: skipped.clone(),
                truncated: data.cut,
                chance: chance_level(metric, &data.sets, &data.right),
                window: metric.is_of_texts().then_some(data.whole_texts.window),
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use dph_core::{CandidateScores, CandidateSet};

    use super::*;
    use crate::bench::plan::BenchPlan;
    use crate::bench::unscored::unscored;

    #[test]
    fn a_document_with_a_reward_that_is_not_finite_is_in_no_figure() {
        let set = |id: &str| CandidateSet { id: id.into(), gold: Some(0), ..CandidateSet::default() };
        let data = TaskData {
            task: "boolq".into(),
            split: "validation".into(),
            sets: ["a", "b", "c"].map(set).to_vec(),
            rows: 3,
            ..TaskData::default()
        };
        let plan = BenchPlan::new(&[], &["boolq"], &[]).unwrap();
        let heads = ["h".to_string()];
        let rewards = [[1.0, 0.0], [2.0, f32::NAN], [0.0, 1.0]];
        let documents: Vec<DocumentScores> = data
            .sets
            .iter()
            .zip(rewards)
            .map(|(set, rewards)| {
                let scores = |reward| CandidateScores { rewards: vec![reward], ..CandidateScores::default() };
                DocumentScores::new("boolq", "validation", set, &rewards.map(scores), &heads)
            })
            .collect();
        let scorers = [Scorer::Reward { head: "h".into(), index: 0 }];
        let result = task_results(&plan.tasks[0], &data, &heads, &scorers, &documents).remove(0);
        assert_eq!((result.measurement.value, result.documents, result.skipped["not-finite"]), (0.5, 2, 1));
        let unscored = unscored(&plan.tasks[0], &data, &heads, &scorers, &documents);
        assert_eq!((unscored.len(), &unscored[0].documents[..]), (1, &["b".to_string()][..]));
    }
}
