//! The outcomes of scored documents: what a scorer picks, and whether it is right.

use std::collections::BTreeSet;

use dph_core::{CandidateScores, Scorer, Style};
use dph_data::{Kind, TaskMetric};

use crate::metrics::{Outcome, Sample, mass};
use crate::results::DocumentScores;
use crate::scorer_choice::ScorerChoice;

/// What the metrics of a task need to know of a scorer's choices; documents without a gold candidate,
/// and those with a score that is not finite, are left out.
pub(crate) fn sample(
    documents: &[&DocumentScores],
    heads: &[String],
    scorer: &Scorer,
    metrics: &[TaskMetric],
) -> Sample<Outcome> {
    Sample::new(
        documents.iter().filter_map(|document| {
            Some((outcome(document, heads, scorer, metrics)?, document.group.as_deref()))
        }),
    )
}

/// As [`sample`], for the choices of two scorers for the same documents. Each side is a document with the heads and the scorer.
pub(crate) fn paired_sample(
    documents: &[[&DocumentScores; 2]],
    sides: [(&[String], &Scorer); 2],
    metrics: &[TaskMetric],
) -> Sample<(Outcome, Outcome)> {
    let outcomes = |pair: &[&DocumentScores; 2]| {
        let [a, b] = [0, 1].map(|side| outcome(pair[side], sides[side].0, sides[side].1, metrics));
        Some((a?, b?))
    };
    Sample::new(documents.iter().filter_map(|pair| Some((outcomes(pair)?, pair[0].group.as_deref()))))
}

/// The names of the rewards of some documents.
pub(crate) fn heads(documents: &[DocumentScores]) -> Vec<String> {
    let candidates = documents.iter().flat_map(|document| &document.candidates);
    let heads: BTreeSet<&String> = candidates.flat_map(|candidate| candidate.rewards.keys()).collect();
    heads.into_iter().cloned().collect()
}

/// The scorer of this name for these heads.
pub(crate) fn scorer_named(name: &str, heads: &[String]) -> Option<Scorer> {
    let scorers = name.parse::<ScorerChoice>().ok()?.scorers(Style::Plain, heads, &|_| None).ok()?;
    scorers.into_iter().find(|scorer| scorer.to_string() == name)
}

/// Whether all candidates have the scores that a scorer needs.
pub(crate) fn is_finite(scorer: &Scorer, scores: &[CandidateScores]) -> bool {
    scores.iter().all(|scores| scorer.is_finite(scores))
}

/// Whether a document has the scores that a scorer needs.
pub(crate) fn is_scored(document: &DocumentScores, heads: &[String], scorer: &Scorer) -> bool {
    is_finite(scorer, &scores(document, heads))
}

fn scores(document: &DocumentScores, heads: &[String]) -> Vec<CandidateScores> {
    document.candidates.iter().map(|candidate| candidate.scores(heads)).collect()
}

fn outcome(
    document: &DocumentScores,
    heads: &[String],
    scorer: &Scorer,
    metrics: &[TaskMetric],
) -> Option<Outcome> {
    let scores = scores(document, heads);
    if !is_finite(scorer, &scores) {
        return None;
    }
    let predicted = prediction(document.kind, scorer, &scores);
    let gold = document.gold?;
    let values: Vec<f64> = scores.iter().map(|scores| scorer.value(scores)).collect();
    let right = if document.right.is_empty() { &[gold][..] } else { &document.right };
    let outcome = Outcome::new(predicted, gold, document.score).with_mass(mass(&values, right));
    Some(outcome.only_for(metrics))
}

/// The candidate that a scorer picks.
///
/// Ties go to the first candidate, as in the reference implementation. In a preference pair the gold answer is always the first,
/// so there a tie picks none. If all values are NaN, none is picked.
pub(crate) fn prediction(kind: Kind, scorer: &Scorer, scores: &[CandidateScores]) -> Option<usize> {
    let picked = scorer.choose(scores)?;
    let value = scorer.value(&scores[picked]);
    let tie = || (0..scores.len()).any(|index| index != picked && scorer.value(&scores[index]) == value);
    (kind != Kind::Preference || !tie()).then_some(picked)
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
