//! [`disagreements`]: the documents on which two scorers disagree most.

use dph_core::{CandidateScores, Scorer};

use crate::calibration::probabilities;
use crate::outcomes::prediction;
use crate::results::DocumentScores;

/// The number of documents that are shown for a head.
pub(crate) const SHOWN: usize = 20;

/// A document for which two scorers pick different candidates.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Disagreement<'a> {
    /// The document.
    pub document: &'a DocumentScores,
    /// The distance of the distributions over the candidates, from 0 to 1: half of the sum of absolute differences.
    pub distance: f64,
    /// The candidate that each scorer picks.
    pub picked: [usize; 2],
    /// The probabilities of the candidates by each scorer: the softmax of its values.
    pub probabilities: [Vec<f64>; 2],
}

/// The [`SHOWN`] documents on which the picks of two scorers differ and their probabilities differ most, the most first.
pub(crate) fn disagreements<'a>(
    documents: &'a [DocumentScores],
    heads: &[String],
    scorers: [&Scorer; 2],
) -> Vec<Disagreement<'a>> {
    let one = |document: &'a DocumentScores| {
        document.gold?;
        let scores: Vec<CandidateScores> =
            document.candidates.iter().map(|candidate| candidate.scores(heads)).collect();
        let of = |scorer: &Scorer| {
            let values: Vec<f64> = scores.iter().map(|scores| scorer.value(scores)).collect();
            Some((prediction(document.kind, scorer, &scores)?, probabilities(&values)?))
        };
        let ((a, p), (b, q)) = (of(scorers[0])?, of(scorers[1])?);
        let distance = p.iter().zip(&q).map(|(p, q)| (p - q).abs()).sum::<f64>() / 2.0;
        (a != b).then_some(Disagreement { document, distance, picked: [a, b], probabilities: [p, q] })
    };
    let mut found: Vec<Disagreement> = documents.iter().filter_map(one).collect();
    found.sort_by(|a, b| b.distance.total_cmp(&a.distance));
    found.truncate(SHOWN);
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use dph_core::CandidateSet;

    use super::*;

    #[test]
    fn the_largest_difference_comes_first_and_agreement_is_left_out() {
        let heads = ["h".to_string()];
        let document = |id: &str, rewards: [f32; 2], loglik: [f64; 2]| {
            let set = CandidateSet { id: id.into(), gold: Some(0), ..CandidateSet::default() };
            let scores = [0, 1].map(|index: usize| CandidateScores {
                loglik: loglik[index],
                tokens: 1,
                rewards: vec![rewards[index]],
                ..CandidateScores::default()
            });
            DocumentScores::new("t", "test", &set, &scores, &heads)
        };
        let documents = [
            document("agree", [9.0, -9.0], [-1.0, -9.0]),
            document("little", [0.1, 0.0], [-1.1, -1.0]),
            document("much", [-4.0, 4.0], [-1.0, -5.0]),
            document("nan", [f32::NAN, 4.0], [-1.0, -5.0]),
        ];
        let reward = Scorer::Reward { head: "h".into(), index: 0 };
        let found = disagreements(&documents, &heads, [&reward, &Scorer::LoglikMean]);
        let ids: Vec<(&str, [usize; 2])> =
            found.iter().map(|one| (one.document.id.as_str(), one.picked)).collect();
        assert_eq!(ids, [("much", [1, 0]), ("little", [0, 1])]);
        assert!(found[0].distance > 0.97 && found[1].distance < 0.06, "{found:?}");
    }
}
