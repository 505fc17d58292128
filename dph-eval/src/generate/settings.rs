//! [`BestOf`]: how answers are generated and one of them is chosen.

use std::fmt;
use std::str::FromStr;

use dph_model::Sampling;
use serde::{Deserialize, Serialize};

use crate::generate::rejection::Rejection;
use crate::generate::stopping::Stopping;

/// How answers to a prompt are generated and one of them is chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct BestOf {
    /// Number of answers, at least 1.
    pub answers: usize,
    /// How their tokens are drawn. Its stop tokens are those of the tokenizer, whatever is set here.
    pub sampling: Sampling,
    /// Texts that end an answer. They do not belong to it.
    pub stop_strings: Vec<String>,
    /// How one of the answers is chosen.
    pub selection: Selection,
    /// Index of the reward head that is used.
    pub head: usize,
    /// Wherever the reward chooses or drops answers, this weight times the mean log-probability of the tokens is added to it. With many
    /// answers, the highest reward alone is often that of an unlikely answer which the head misjudges.
    pub loglik_weight: f64,
    /// Drops answers with low rewards while they grow.
    pub rejection: Option<Rejection>,
    /// Ends before all answers are generated.
    pub stopping: Option<Stopping>,
    /// Whether the reward at every token is kept.
    pub token_rewards: bool,
}

impl Default for BestOf {
    fn default() -> Self {
        Self {
            answers: 1,
            sampling: Sampling::default(),
            stop_strings: Vec::new(),
            selection: Selection::Reward,
            head: 0,
            loglik_weight: 0.0,
            rejection: None,
            stopping: None,
            token_rewards: false,
        }
    }
}

impl BestOf {
    /// The value by which answers are compared: the reward of the head, and `loglik_weight` times the mean log-probability of the
    /// tokens. NaN without a reward.
    pub(crate) fn value(&self, rewards: &[f32], loglik: f64, tokens: usize) -> f64 {
        let reward = rewards.get(self.head).map_or(f64::NAN, |&reward| reward.into());
        match self.loglik_weight {
            0.0 => reward,
            weight => reward + weight * loglik / tokens.max(1) as f64,
        }
    }
}

/// How an answer is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// The highest reward, with [`BestOf::loglik_weight`].
    #[default]
    Reward,
    /// The highest mean log-probability of its tokens.
    Loglik,
    /// The highest self-certainty: the mean divergence of the distributions that its tokens were drawn from from the uniform one
    /// (arXiv 2502.18581).
    SelfCertainty,
    /// Any answer; the seed and the prompt determine which.
    Random,
}

impl Selection {
    /// All of them, with their names.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("reward", Self::Reward),
        ("loglik", Self::Loglik),
        ("self-certainty", Self::SelfCertainty),
        ("random", Self::Random),
    ];
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, selection)| selection == self).map_or("", |(name, _)| name);
        f.write_str(name)
    }
}

impl FromStr for Selection {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::NAMES.iter().find(|(name, _)| *name == text);
        found.map(|(_, selection)| *selection).ok_or_else(|| {
            let names: Vec<&str> = Self::NAMES.iter().map(|(name, _)| *name).collect();
            format!("there is no selection `{text}`; choose one of {}", names.join(", "))
        })
    }
}
