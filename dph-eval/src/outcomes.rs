//! The outcomes of scored documents: what a scorer picks, and whether it is right.

use std::collections::{BTreeSet, HashMap};

use dph_core::{CandidateScores, Scorer, Style};
use dph_data::{Kind, TaskMetric};

use crate::metrics::{Outcome, Sample, TextLikelihood, best_of, mass, ties};
use crate::results::{DocumentScores, Results};
use crate::scorer_choice::{ScorerChoice, reward};

/// What the metrics of a task need to know of a scorer's choices or of whole texts; other documents without a gold candidate,
/// and those with a score that is not finite, are left out.
///
/// `parts` are the documents of one task, or of several parts of a suite that are taken together.
pub(crate) fn sample(
    parts: &[&[&DocumentScores]],
    heads: &[String],
    scorer: &Scorer,
    metrics: &[TaskMetric],
) -> Sample<Outcome> {
    let of_part = |(part, documents): (usize, &&[&DocumentScores])| {
        let outcomes = outcomes(documents, heads, scorer, metrics).into_iter();
        let groups = documents.iter().map(|document| document.group.clone());
        let found = outcomes.zip(groups).filter_map(|(outcome, group)| Some((outcome?, group)));
        found.map(move |(outcome, group)| (Outcome { part, ..outcome }, group)).collect::<Vec<_>>()
    };
    let found: Vec<(Outcome, Option<String>)> = parts.iter().enumerate().flat_map(of_part).collect();
    Sample::new(found.iter().map(|(outcome, group)| (*outcome, group.as_deref())))
}

/// As [`sample`], for the choices of two scorers for the same documents. Each side is its documents with the heads and the scorer.
pub(crate) fn paired_sample(
    parts: &[&[[&DocumentScores; 2]]],
    sides: [(&[String], &Scorer); 2],
    metrics: &[TaskMetric],
) -> Sample<(Outcome, Outcome)> {
    let of_part = |(part, documents): (usize, &&[[&DocumentScores; 2]])| {
        let [a, b] = [0, 1].map(|side: usize| {
            let documents: Vec<&DocumentScores> = documents.iter().map(|pair| pair[side]).collect();
            outcomes(&documents, sides[side].0, sides[side].1, metrics)
        });
        let groups = documents.iter().map(|pair| pair[0].group.clone());
        let pairs = a.into_iter().zip(b).zip(groups);
        let tagged = |outcome: Outcome| Outcome { part, ..outcome };
        let pairs = pairs.filter_map(|((a, b), group)| Some(((tagged(a?), tagged(b?)), group)));
        pairs.collect::<Vec<_>>()
    };
    let found: Vec<_> = parts.iter().enumerate().flat_map(of_part).collect();
    Sample::new(found.iter().map(|(pair, group)| (*pair, group.as_deref())))
}

/// The names of the rewards of some documents.
pub(crate) fn heads(documents: &[DocumentScores]) -> Vec<String> {
    let candidates = documents.iter().flat_map(|document| &document.candidates);
    let heads: BTreeSet<&String> = candidates.flat_map(|candidate| candidate.rewards.keys()).collect();
    heads.into_iter().cloned().collect()
}

/// The scorer of this name in results, for these heads.
pub(crate) fn scorer_named(name: &str, results: &Results, heads: &[String]) -> Option<Scorer> {
    let mixture = |head: &str| {
        let mixture = results.mixtures.iter().find(|mixture| mixture.scorer == name)?;
        Some(mixture.of_reward(&reward(head, heads).ok()?))
    };
    let scorers = name.parse::<ScorerChoice>().ok()?.scorers(Style::Plain, heads, &mixture).ok()?;
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

/// The outcome of each document; `None` without a gold candidate, unless it is a whole text, and, if the metrics are for pairs of prompts, for the
/// reference prompts and those without one.
fn outcomes(
    documents: &[&DocumentScores],
    heads: &[String],
    scorer: &Scorer,
    metrics: &[TaskMetric],
) -> Vec<Option<Outcome>> {
    let of_pairs = metrics.contains(&TaskMetric::Ties);
    let finite =
        |document: &DocumentScores| Some(scores(document, heads)).filter(|scores| is_finite(scorer, scores));
    let values = |scores: &[CandidateScores]| -> Vec<f64> {
        scores.iter().map(|scores| scorer.value(scores)).collect()
    };
    let references: HashMap<&str, &DocumentScores> = match of_pairs {
        true => documents
            .iter()
            .filter_map(|one| Some((one.id.strip_prefix(TaskMetric::REFERENCE)?, *one)))
            .collect(),
        false => HashMap::new(),
    };
    let outcome = |document: &&DocumentScores| {
        let scores = finite(document)?;
        if document.kind == Kind::Text {
            let text = document.candidates.first()?;
            let (loglik, words) = (text.loglik?, text.words?);
            return Some(Outcome::of_text(TextLikelihood { loglik, words, bytes: text.bytes }));
        }
        let (own, right) = (values(&scores), document.right_candidates());
        let credit = match of_pairs {
            true => {
                let reference = references.get(document.id.strip_prefix(TaskMetric::TIED)?)?;
                ties((&own, right), (&values(&finite(reference)?), reference.right_candidates()))
            }
            false => best_of(&own, right),
        };
        let predicted = prediction(document.kind, scorer, &scores);
        let outcome = Outcome::new(predicted, document.gold?, document.score);
        let number = document.predicted.filter(|_| *scorer == Scorer::Classifier);
        Some(Outcome { mass: mass(&own, right), credit, number, ..outcome }.only_for(metrics))
    };
    documents.iter().map(outcome).collect()
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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::metrics::measure;

    /// The file of scores that is made by hand beside its values (`tests/fixtures/reward_bench_2.json`).
    #[test]
    fn reward_bench_2_by_hand() {
        let path =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reward_bench_2.json");
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let heads = ["preference".to_string()];
        let scorer = scorer_named("reward:preference", &Results::new("x"), &heads).unwrap();
        for (name, metric) in [("best_of", TaskMetric::BestOf), ("ties", TaskMetric::Ties)] {
            let documents: Vec<DocumentScores> =
                serde_json::from_value(json[name]["documents"].clone()).unwrap();
            let documents: Vec<&DocumentScores> = documents.iter().collect();
            let sample = sample(&[&documents], &heads, &scorer, &[metric]);
            let found = measure(metric, &sample).unwrap();
            let expected = json[name]["value"].as_f64().unwrap();
            assert!((found.value - expected).abs() < 1e-9, "{name}: {found:?}");
            assert_eq!(sample.documents(), json[name]["scored"].as_u64().unwrap() as usize);
        }
    }

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
