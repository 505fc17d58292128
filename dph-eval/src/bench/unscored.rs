//! [`unscored`]: the documents that cannot be scored.

use dph_core::Scorer;
use dph_data::{SkipReason, TaskData};

use crate::bench::plan::PlannedTask;
use crate::bench::task_results::NOT_FINITE;
use crate::outcomes::is_scored;
use crate::results::{DocumentScores, Unscored};

/// The documents of a task that are too long for the model, and those with a score that is not finite; if every row needs an answer,
/// also the rows that cannot be used.
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
    let id = |place: &String| place.strip_prefix("document ").unwrap_or(place).to_owned();
    // A submission needs an answer to every row; otherwise rows that cannot be used are only counted.
    let is_named = |reason: SkipReason| {
        planned.unlabelled || matches!(reason, SkipReason::TooLong | SkipReason::NoPartner)
    };
    let mut all: Vec<Unscored> = data
        .skipped
        .counts()
        .into_keys()
        .filter(|reason| is_named(*reason))
        .map(|reason| {
            entry(reason.as_str(), Vec::new(), data.skipped.places(reason).iter().map(id).collect())
        })
        .collect();
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
