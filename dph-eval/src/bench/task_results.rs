//! From the scores of the documents to the results of tasks and suites.

use dph_core::{CandidateScores, Scorer};
use dph_data::{Kind, TaskData, TaskMetric};

use crate::bench::plan::{BenchPlan, PlannedTask};
use crate::bench::suite::{Suite, SuiteTask};
use crate::metrics::{Estimate, Outcome, chance_level, mean_of_metrics, measure};
use crate::results::{Measurement, Results, SuiteResult, TaskResult};

/// The results of one scorer on a task: one for each metric.
pub(crate) fn task_results(
    planned: &PlannedTask,
    data: &TaskData,
    scorer: &Scorer,
    scores: &[Vec<CandidateScores>],
) -> Vec<TaskResult> {
    let outcomes: Vec<Outcome> = data
        .sets
        .iter()
        .zip(scores)
        .filter_map(|(set, scores)| {
            let predicted = prediction(planned.task.kind, scorer, scores);
            Some(Outcome { predicted, gold: set.gold?, score: data.scores.get(&set.id).copied() })
        })
        .collect();
    let skipped = data.skipped.counts();
    let result = |metric: &TaskMetric| {
        let estimate = measure(*metric, &outcomes)?;
        Some(TaskResult {
            task: planned.task.name.clone(),
            split: planned.split.clone(),
            scorer: scorer.to_string(),
            metric: metric.to_string(),
            measurement: estimate.into(),
            documents: data.sets.len(),
            skipped: skipped.iter().map(|(reason, &count)| (reason.as_str().to_owned(), count)).collect(),
            chance: chance_level(*metric, &data.sets),
        })
    };
    planned.task.metrics.iter().filter_map(result).collect()
}

/// The candidate that a scorer picks.
///
/// Ties go to the first candidate, as in the reference implementation. In a preference pair the gold answer is always the first,
/// so there a tie picks none. If all values are NaN, none is picked.
fn prediction(kind: Kind, scorer: &Scorer, scores: &[CandidateScores]) -> Option<usize> {
    let picked = scorer.choose(scores)?;
    let value = scorer.value(&scores[picked]);
    let tie = || (0..scores.len()).any(|index| index != picked && scorer.value(&scores[index]) == value);
    (kind != Kind::Preference || !tie()).then_some(picked)
}

/// The result of one scorer on a suite, given the results of its tasks; `None` if one is missing.
pub(crate) fn suite_result(
    suite: &Suite,
    plan: &BenchPlan,
    results: &Results,
    scorer: &Scorer,
) -> Option<SuiteResult> {
    let scorer = scorer.to_string();
    // A suite names a task by name or path, a result by name only.
    let name = |part: &SuiteTask| {
        plan.tasks.iter().find(|task| task.requested == part.task).map(|task| task.task.name.clone())
    };
    let task_estimate = |part: &SuiteTask, estimate: &dyn Fn(&TaskResult) -> Option<Estimate>| {
        let name = name(part)?;
        let is = |result: &&TaskResult| {
            result.task == name && result.split == part.split && result.scorer == scorer
        };
        let metrics: Option<Vec<Estimate>> = results.results.iter().filter(is).map(estimate).collect();
        mean_of_metrics(&metrics?)
    };
    let estimate = suite.combine(|part| {
        task_estimate(part, &|result| {
            let Measurement { value, stderr, .. } = result.measurement;
            Some(Estimate { value, stderr })
        })
    })?;
    let chance = suite.combine(|part| {
        task_estimate(part, &|result| result.chance.map(|value| Estimate { value, stderr: None }))
    });
    Some(SuiteResult {
        suite: suite.name.clone(),
        measurement: estimate.into(),
        chance: chance.map(|chance| chance.value),
        scorer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tie_in_a_pair_and_nan_pick_nothing() {
        let scores = |rewards: &[f32]| -> Vec<CandidateScores> {
            rewards
                .iter()
                .map(|&reward| CandidateScores { rewards: vec![reward], ..Default::default() })
                .collect()
        };
        let scorer = Scorer::Reward { head: "preference".into(), index: 0 };
        let picked = |kind, rewards: &[f32]| prediction(kind, &scorer, &scores(rewards));
        assert_eq!(picked(Kind::Preference, &[1.0, 0.0]), Some(0));
        assert_eq!(picked(Kind::Preference, &[0.0, 0.0]), None);
        assert_eq!(picked(Kind::Preference, &[0.0, 1.0]), Some(1));
        assert_eq!(picked(Kind::Preference, &[f32::NAN, f32::NAN]), None);
        assert_eq!(picked(Kind::Choice, &[0.0, 2.0, 2.0]), Some(1));
        assert_eq!(picked(Kind::Choice, &[f32::NAN, f32::NAN]), None);
        assert_eq!(picked(Kind::Choice, &[f32::NAN, 0.0]), Some(1));
        assert_eq!(picked(Kind::Choice, &[]), None);
    }
}
