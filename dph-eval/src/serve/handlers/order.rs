//! Scores of answers, and their order.

use dph_core::best_first;

/// The score of a reward: its sigmoid, or with `is_raw` the reward itself.
pub fn score_of(reward: f64, is_raw: bool) -> f64 {
    if is_raw { reward } else { sigmoid(reward) }
}

/// Index and reward of each answer, the highest reward first; equal ones keep their order. Their sigmoids may be equal where rewards
/// differ.
pub fn ordered(rewards: impl IntoIterator<Item = f64>) -> Vec<(usize, f64)> {
    let mut ordered: Vec<(usize, f64)> = rewards.into_iter().enumerate().collect();
    ordered.sort_by(|a, b| best_first(a.1, b.1));
    ordered
}

/// `1 / (1 + exp(-x))`, without an overflow.
fn sigmoid(x: f64) -> f64 {
    match x < 0.0 {
        true => x.exp() / (1.0 + x.exp()),
        false => 1.0 / (1.0 + (-x).exp()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_sigmoids_of_rewards() {
        assert_eq!(score_of(0.0, false), 0.5);
        assert!((score_of(2.0, false) - 0.880_797_077_977_882_3).abs() < 1e-15);
        assert!((score_of(-2.0, false) + score_of(2.0, false) - 1.0).abs() < 1e-15);
        assert_eq!((score_of(-1e9, false), score_of(1e9, false)), (0.0, 1.0));
        assert_eq!(score_of(-3.5, true), -3.5);
        assert_eq!(ordered([1.0, 50.0, 60.0, 1.0]), [(2, 60.0), (1, 50.0), (0, 1.0), (3, 1.0)]);
    }
}
