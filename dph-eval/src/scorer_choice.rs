//! [`ScorerChoice`]: which scorers are wanted.

use dph_core::Scorer;
use serde::{Deserialize, Serialize};

/// Which of a model's scorers are used: its own likelihood, its preference head, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ScorerChoice {
    /// The log-likelihood of the answer, as mean and as sum over its tokens.
    Log,
    /// The reward of each head.
    Reward,
    /// Both, in one pass over the model.
    Both,
}

impl ScorerChoice {
    /// Everything that a model with these reward heads can do.
    pub fn all(heads: &[String]) -> Self {
        if heads.is_empty() { Self::Log } else { Self::Both }
    }

    /// Whether log-likelihoods are wanted.
    pub fn log_likelihood(self) -> bool {
        self != Self::Reward
    }

    /// Whether rewards are wanted.
    pub fn rewards(self) -> bool {
        self != Self::Log
    }

    /// The scorers that are meant, of a model with these reward heads.
    pub fn scorers(self, heads: &[String]) -> Vec<Scorer> {
        let wanted = |scorer: &Scorer| match scorer {
            Scorer::Reward { .. } => self.rewards(),
            _ => self.log_likelihood(),
        };
        Scorer::all(heads).into_iter().filter(wanted).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_a_part_of_all_scorers() {
        let heads = ["a".to_string(), "b".to_string()];
        let names = |choice: ScorerChoice, heads: &[String]| -> Vec<String> {
            choice.scorers(heads).iter().map(Scorer::to_string).collect()
        };
        assert_eq!(names(ScorerChoice::Log, &heads), ["loglik-mean", "loglik-sum"]);
        assert_eq!(names(ScorerChoice::Reward, &heads), ["reward:a", "reward:b"]);
        assert_eq!(names(ScorerChoice::all(&heads), &heads).len(), 4);
        assert_eq!(names(ScorerChoice::all(&[]), &[]), ["loglik-mean", "loglik-sum"]);
        assert!(names(ScorerChoice::Reward, &[]).is_empty());
    }
}
