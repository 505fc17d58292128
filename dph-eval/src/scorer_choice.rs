//! [`ScorerChoice`]: which scorers are used.

use dph_core::{Scorer, Style};
use serde::{Deserialize, Serialize};

/// Which scorers of a model are used: its log-likelihood, its preference head, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[serde(rename_all = "lowercase")]
pub enum ScorerChoice {
    /// The log-likelihood of the answer, as mean and as sum over its tokens; in plain text also by byte and by character.
    Log,
    /// The reward of each head.
    Reward,
    /// Both, in one pass over the model.
    Both,
}

impl ScorerChoice {
    /// All scorers of a model with these reward heads.
    pub fn all(heads: &[String]) -> Self {
        if heads.is_empty() { Self::Log } else { Self::Both }
    }

    /// Whether log-likelihoods are used.
    pub fn log_likelihood(self) -> bool {
        self != Self::Reward
    }

    /// Whether rewards are used.
    pub fn rewards(self) -> bool {
        self != Self::Log
    }

    /// The chosen scorers of documents in a style, for a model with these reward heads. The likelihood of plain text is also
    /// divided by its bytes and characters.
    pub fn scorers(self, style: Style, heads: &[String]) -> Vec<Scorer> {
        let likelihoods: &[Scorer] = match style {
            Style::Chat => &Scorer::CHAT_LIKELIHOODS,
            Style::Plain => &Scorer::PLAIN_LIKELIHOODS,
        };
        let likelihoods = likelihoods.iter().filter(|_| self.log_likelihood()).cloned();
        let rewards = Scorer::all(heads).into_iter().filter(|scorer| !scorer.is_likelihood());
        likelihoods.chain(rewards.filter(|_| self.rewards())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_a_part_of_all_scorers() {
        let heads = ["a".to_string(), "b".to_string()];
        let names = |choice: ScorerChoice, heads: &[String]| -> Vec<String> {
            choice.scorers(Style::Chat, heads).iter().map(Scorer::to_string).collect()
        };
        assert_eq!(names(ScorerChoice::Log, &heads), ["loglik-mean", "loglik-sum"]);
        assert_eq!(names(ScorerChoice::Reward, &heads), ["reward:a", "reward:b"]);
        assert_eq!(names(ScorerChoice::all(&heads), &heads).len(), 4);
        assert_eq!(names(ScorerChoice::all(&[]), &[]), ["loglik-mean", "loglik-sum"]);
        assert!(names(ScorerChoice::Reward, &[]).is_empty());
        let plain = ScorerChoice::Both.scorers(Style::Plain, &heads);
        let plain: Vec<String> = plain.iter().map(Scorer::to_string).collect();
        assert_eq!(
            plain,
            ["loglik-mean", "loglik-sum", "loglik-byte", "loglik-char", "reward:a", "reward:b"]
        );
    }
}
