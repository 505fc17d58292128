//! [`Rejection`]: answers with low rewards are dropped while they grow.

use dph_core::best_first;
use serde::{Deserialize, Serialize};

/// Every few tokens, the answers of a prompt with the lowest rewards so far are dropped. By default the number of answers is
/// halved every 8 tokens, until one is left.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rejection {
    /// Number of tokens between two rounds.
    pub every: usize,
    /// Share of the answers that is dropped in a round, from 0 to 1.
    pub fraction: f64,
    /// Fewest answers that are left. Answers that have ended count.
    pub minimum: usize,
}

impl Default for Rejection {
    fn default() -> Self {
        Self { every: 8, fraction: 0.5, minimum: 1 }
    }
}

/// An answer that was not dropped so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Contender {
    /// Index of the answer.
    pub answer: usize,
    /// Its reward so far, with `loglik_weight`.
    pub value: f64,
    /// Whether it still grows.
    pub grows: bool,
}

impl Rejection {
    /// Whether there is a round after this number of tokens.
    pub(crate) fn is_due(&self, tokens: usize) -> bool {
        tokens.is_multiple_of(self.every.max(1))
    }

    /// The answers of a prompt that are dropped: those that grow and are among the worst.
    pub(crate) fn rejected(&self, contenders: &[Contender]) -> Vec<usize> {
        let count = contenders.len();
        let kept = (count as f64 * (1.0 - self.fraction)).ceil() as usize;
        let kept = kept.max(self.minimum).max(1);
        let mut order: Vec<&Contender> = contenders.iter().collect();
        order.sort_by(|a, b| best_first(a.value, b.value));
        order
            .iter()
            .skip(kept)
            .filter(|contender| contender.grows)
            .map(|contender| contender.answer)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contenders(rewards: &[f64]) -> Vec<Contender> {
        let contender = |(answer, &value): (usize, &f64)| Contender { answer, value, grows: answer != 3 };
        rewards.iter().enumerate().map(contender).collect()
    }

    #[test]
    fn the_worst_are_dropped_and_what_has_ended_stays() {
        let halving = Rejection::default();
        assert_eq!(halving.rejected(&contenders(&[1.0, 4.0, f64::NAN, 0.0, 3.0])), [2]);
        assert_eq!(halving.rejected(&contenders(&[1.0, 4.0, 2.0])), [0]);
        assert!(halving.rejected(&contenders(&[1.0])).is_empty());
        let careful = Rejection { minimum: 3, ..halving };
        assert_eq!(careful.rejected(&contenders(&[5.0, 4.0, 2.0, 1.0, 0.0])), [4]);
        let none = Rejection { fraction: 1.0, minimum: 0, ..halving };
        assert_eq!(none.rejected(&contenders(&[1.0, 2.0])), [0], "one is always left");
        assert!([8, 16].iter().all(|&tokens| halving.is_due(tokens)) && !halving.is_due(9));
    }
}
