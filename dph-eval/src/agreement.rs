//! [`Agreement`]: how far the rewards of two copies of a model agree.

use dph_core::{CandidateScores, best_index};
use serde::Serialize;

use crate::metrics::pearson;

/// How far the rewards of a head agree between two models, over the same candidates.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Agreement {
    /// The name of the head.
    pub head: String,
    /// Number of candidates.
    pub candidates: usize,
    /// Number of prompts with several candidates.
    pub choices: usize,
    /// Of these, the number with the same best candidate.
    pub same_best: usize,
    /// Mean of the absolute differences.
    pub mean_difference: f64,
    /// Largest absolute difference.
    pub largest_difference: f64,
    /// Pearson's correlation; null if one side is constant.
    pub correlation: Option<f64>,
}

impl Agreement {
    /// The agreement of each head. Both lists have the scores of the candidates of each prompt, in the same order.
    pub fn of_heads(
        heads: &[String],
        first: &[Vec<CandidateScores>],
        second: &[Vec<CandidateScores>],
    ) -> Vec<Self> {
        heads.iter().enumerate().map(|(index, head)| Self::new(head, index, first, second)).collect()
    }

    fn new(
        head: &str,
        index: usize,
        first: &[Vec<CandidateScores>],
        second: &[Vec<CandidateScores>],
    ) -> Self {
        let rewards = |set: &[CandidateScores]| -> Vec<f64> {
            set.iter()
                .map(|scores| scores.rewards.get(index).map_or(f64::NAN, |reward| f64::from(*reward)))
                .collect()
        };
        let sets: Vec<(Vec<f64>, Vec<f64>)> =
            first.iter().zip(second).map(|(first, second)| (rewards(first), rewards(second))).collect();
        let (all_first, all_second): (Vec<f64>, Vec<f64>) =
            sets.iter().flat_map(|(first, second)| first.iter().copied().zip(second.iter().copied())).unzip();
        let apart = all_first.iter().zip(&all_second).map(|(first, second)| (first - second).abs());
        let choices: Vec<_> = sets.iter().filter(|(first, _)| first.len() > 1).collect();
        let is_same = |(first, second): &&&(Vec<f64>, Vec<f64>)| {
            best_index(first.iter().copied()) == best_index(second.iter().copied())
        };
        Self {
            head: head.into(),
            candidates: all_first.len(),
            choices: choices.len(),
            same_best: choices.iter().filter(is_same).count(),
            mean_difference: apart.clone().sum::<f64>() / all_first.len().max(1) as f64,
            largest_difference: apart.fold(0.0, f64::max),
            correlation: Some(pearson(&all_first, &all_second)).filter(|correlation| correlation.is_finite()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_and_shifted_rewards_agree_as_far_as_they_do() {
        let set = |rewards: &[f32]| -> Vec<CandidateScores> {
            let scores =
                |reward: &f32| CandidateScores { rewards: vec![*reward], ..CandidateScores::default() };
            rewards.iter().map(scores).collect()
        };
        let first = [set(&[1.0, 2.0]), set(&[3.0, 0.0]), set(&[5.0])];
        let second = [set(&[1.5, 2.5]), set(&[0.5, 1.0]), set(&[5.0])];
        let heads = ["a".to_string()];
        let same = &Agreement::of_heads(&heads, &first, &first)[0];
        assert_eq!((same.candidates, same.choices, same.same_best), (5, 2, 2));
        assert_eq!((same.mean_difference, same.largest_difference), (0.0, 0.0));
        assert!(same.correlation.is_some_and(|correlation| (correlation - 1.0).abs() < 1e-12));
        let other = &Agreement::of_heads(&heads, &first, &second)[0];
        assert_eq!((other.same_best, other.largest_difference, other.mean_difference), (1, 2.5, 0.9));
    }
}
