//! [`unscored`]: the documents that cannot be scored.

use dph_core::Scorer;
use dph_data::{SkipReason, TaskData};

use crate::bench::plan::PlannedTask;
use crate::bench::task_results::NOT_FINITE;
use crate::outcomes::is_scored;
use crate::results::{DocumentScores, Unscored};

/// The documents of a task that are too long for the model, and those with a score that is not finite.
pub(crate) fn unscored(
    planned: &PlannedTask,
    data: &TaskData,
    heads: &[String],
    scorers: &[Scorer],
    documents: &[DocumentScores],
) -> Vec<Unscored> {
    let entry = |reason: &str, scorers, documents| Unscored {
        task: planned.task.name.clone(),
        split: planned.split.clone(),
        reason: reason.to_owned(),
        scorers,
        documents,
    };
    let too_long = data.skipped.places(SkipReason::TooLong);
    let id = |place: &String| place.strip_prefix("document ").unwrap_or(place).to_owned();
    let mut all = vec![entry(SkipReason::TooLong.as_str(), Vec::new(), too_long.iter().map(id).collect())];
    for scorer in scorers {
        let lost = documents.iter().filter(|document| !is_scored(document, heads, scorer));
        let ids: Vec<String> = lost.map(|document| document.id.clone()).collect();
        match all.iter_mut().find(|other| other.reason == NOT_FINITE && other.documents == ids) {
            Some(same) => same.scorers.push(scorer.to_string()),
            None => all.push(entry(NOT_FINITE, vec![scorer.to_string()], ids)),
        }
    }
    all.retain(|entry| !entry.documents.is_empty());
    all
}
