//! Whole texts: their likelihoods are those of their windows.

use dph_core::{CandidateScores, CandidateSet, Scorer};
use dph_data::{TaskData, WholeText, WrittenLength};

use crate::bench::plan::PlannedTask;
use crate::results::{DocumentScores, ScoredCandidate};

/// The scorer of whole texts, whichever scorers are chosen for other tasks.
pub(crate) const SCORER: Scorer = Scorer::LoglikSum;

/// The texts of a task as documents with one candidate, given the scores of their windows.
pub(crate) fn text_documents(
    planned: &PlannedTask,
    data: &TaskData,
    scores: &[Vec<CandidateScores>],
) -> Vec<DocumentScores> {
    let document = |text: &WholeText| {
        let WrittenLength { words, bytes, chars } = text.length;
        let windows = scores.get(text.sets.clone()).unwrap_or_default().iter().flatten();
        let whole = CandidateScores { bytes, chars, ..CandidateScores::default() };
        let whole = windows.fold(whole, |whole, window| CandidateScores {
            loglik: whole.loglik + window.loglik,
            tokens: whole.tokens + window.tokens,
            ..whole
        });
        let set = CandidateSet { id: text.id.clone(), ..CandidateSet::default() };
        let candidate = ScoredCandidate { words: Some(words), ..ScoredCandidate::new(&whole, &[]) };
        DocumentScores {
            kind: planned.task.kind,
            candidates: vec![candidate],
            ..DocumentScores::new(&planned.task.name, &planned.split, &set, &[], &[])
        }
    };
    data.whole_texts.texts.iter().map(document).collect()
}
