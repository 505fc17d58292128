//! [`TokenRewards`]: the rewards at every token of a candidate.

use super::scorer::Scorer;

/// The rewards at every token of a candidate's turn, the end of the turn included: those of the answer so far. The last ones
/// are the rewards of the candidate.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TokenRewards {
    /// `[tokens][heads]`.
    pub rewards: Vec<Vec<f32>>,
}

impl Scorer {
    /// The rewards of this scorer's head at every token; `None` for a likelihood.
    pub fn token_rewards(&self, of: &TokenRewards) -> Option<Vec<f64>> {
        match self {
            Scorer::Reward { index, .. } => Some(
                of.rewards
                    .iter()
                    .map(|rewards| rewards.get(*index).copied().map_or(f64::NAN, f64::from))
                    .collect(),
            ),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_has_rewards_at_every_token_and_a_likelihood_has_none() {
        let rewards = TokenRewards { rewards: vec![vec![1.0, 2.0], vec![3.0, 4.0]] };
        let head = |index| Scorer::Reward { head: "b".into(), index };
        assert_eq!(head(1).token_rewards(&rewards), Some(vec![2.0, 4.0]));
        assert_eq!(Scorer::LoglikMean.token_rewards(&rewards), None);
    }
}
