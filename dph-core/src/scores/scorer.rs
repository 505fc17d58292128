//! [`CandidateScores`]: the results of a forward pass for a candidate, and [`Scorer`]: the value by which candidates
//! are compared.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::best::best_index;

/// The results of a forward pass for one candidate.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CandidateScores {
    /// Sum of the log-probabilities (natural logarithm) of the answer's tokens, given the prompt.
    pub loglik: f64,
    /// Number of answer tokens, without the end-of-turn token.
    pub tokens: usize,
    /// The same sum after a prompt without the question, for [`Scorer::LoglikRelative`]; `None` if it was not computed.
    #[serde(default)]
    pub unconditional: Option<f64>,
    /// Length of the answer in UTF-8 bytes.
    pub bytes: usize,
    /// Length of the answer in characters (Unicode code points).
    #[serde(default)]
    pub chars: usize,
    /// One reward for each head, in the order of the heads.
    pub rewards: Vec<f32>,
    /// The log-probability (natural logarithm) that a classifier gives to this candidate as a class; for a regressor the negative squared
    /// distance of the number that it predicts from the position of the candidate. `None` without a classifier.
    #[serde(default)]
    pub class: Option<f64>,
}

/// The value of [`CandidateScores`] by which candidates are compared.
///
/// Its text form is `loglik-mean`, `loglik-sum`, `loglik-byte`, `loglik-char`, `loglik-relative`, `reward:<head>`, `classifier`, or the
/// name of a weighted sum.
#[derive(Debug, Clone, PartialEq)]
pub enum Scorer {
    /// Mean log-probability of the answer's tokens.
    LoglikMean,
    /// Sum of the log-probabilities of the answer's tokens.
    LoglikSum,
    /// The sum of the log-probabilities of the answer's tokens, divided by the number of UTF-8 bytes of the answer.
    LoglikByte,
    /// The sum of the log-probabilities of the answer's tokens, divided by the number of characters of the answer: `acc_norm` of
    /// lm-evaluation-harness.
    LoglikChar,
    /// The sum of the log-probabilities of the answer's tokens, minus the same sum after a prompt without the question: how much
    /// the question adds to the likelihood of the answer (Brown et al., arXiv 2005.14165, section 2.4).
    LoglikRelative,
    /// A weighted sum of other scorers.
    Sum {
        /// Its name in results.
        name: String,
        /// Weight and scorer of each term.
        terms: Vec<(f64, Scorer)>,
    },
    /// The reward of a head.
    Reward {
        /// Name of the head.
        head: String,
        /// Index of the head in [`CandidateScores::rewards`].
        index: usize,
    },
    /// The log-probability of the candidate as a class, [`CandidateScores::class`].
    Classifier,
}

impl Scorer {
    /// The likelihoods of a conversation: mean and sum.
    pub const CHAT_LIKELIHOODS: [Scorer; 2] = [Scorer::LoglikMean, Scorer::LoglikSum];
    /// The likelihoods of plain text: mean, sum, and the sum by byte and by character.
    pub const PLAIN_LIKELIHOODS: [Scorer; 4] =
        [Scorer::LoglikMean, Scorer::LoglikSum, Scorer::LoglikByte, Scorer::LoglikChar];

    /// All scorers of conversations of a model with these reward heads: both likelihoods, then every head.
    pub fn all(heads: &[String]) -> Vec<Scorer> {
        Self::CHAT_LIKELIHOODS.into_iter().chain(Self::rewards(heads)).collect()
    }

    /// The scorer of every head.
    pub fn rewards(heads: &[String]) -> impl Iterator<Item = Scorer> + '_ {
        heads.iter().enumerate().map(|(index, head)| Scorer::Reward { head: head.clone(), index })
    }

    /// Whether it is a log-likelihood.
    pub fn is_likelihood(&self) -> bool {
        !matches!(self, Scorer::Reward { .. } | Scorer::Sum { .. } | Scorer::Classifier)
    }

    /// Whether the numbers that it is computed from are finite. A document with a candidate of which they are not cannot be
    /// evaluated.
    pub fn is_finite(&self, scores: &CandidateScores) -> bool {
        match self {
            Scorer::Reward { index, .. } => {
                scores.rewards.get(*index).is_some_and(|reward| reward.is_finite())
            }
            Scorer::Sum { terms, .. } => terms.iter().all(|(_, scorer)| scorer.is_finite(scores)),
            Scorer::LoglikRelative => {
                scores.loglik.is_finite() && scores.unconditional.is_some_and(f64::is_finite)
            }
            Scorer::Classifier => scores.class.is_some_and(f64::is_finite),
            _ => scores.loglik.is_finite(),
        }
    }

    /// The value of one candidate. Higher is better. An answer without tokens, bytes or characters has no likelihood that could
    /// be compared: its value is negative infinity.
    pub fn value(&self, scores: &CandidateScores) -> f64 {
        let mean = |length: usize| match length {
            0 => f64::NEG_INFINITY,
            length => scores.loglik / length as f64,
        };
        match self {
            Scorer::LoglikSum | Scorer::LoglikRelative if scores.tokens == 0 => f64::NEG_INFINITY,
            Scorer::LoglikSum => scores.loglik,
            Scorer::LoglikMean => mean(scores.tokens),
            Scorer::LoglikByte => mean(scores.bytes),
            Scorer::LoglikChar => mean(scores.chars),
            Scorer::LoglikRelative => scores.loglik - scores.unconditional.unwrap_or(f64::NAN),
            Scorer::Sum { terms, .. } => {
                terms.iter().map(|(weight, scorer)| weight * scorer.value(scores)).sum()
            }
            Scorer::Reward { index, .. } => scores.rewards.get(*index).copied().map_or(f64::NAN, f64::from),
            Scorer::Classifier => scores.class.unwrap_or(f64::NAN),
        }
    }

    /// Index of the best candidate by the rule of [`best_index`]; `None` if no candidate has a value that is a number.
    pub fn choose(&self, candidates: &[CandidateScores]) -> Option<usize> {
        best_index(candidates.iter().map(|scores| self.value(scores)))
    }
}

impl fmt::Display for Scorer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scorer::LoglikMean => f.write_str("loglik-mean"),
            Scorer::LoglikSum => f.write_str("loglik-sum"),
            Scorer::LoglikByte => f.write_str("loglik-byte"),
            Scorer::LoglikChar => f.write_str("loglik-char"),
            Scorer::LoglikRelative => f.write_str("loglik-relative"),
            Scorer::Sum { name, .. } => f.write_str(name),
            Scorer::Reward { head, .. } => write!(f, "reward:{head}"),
            Scorer::Classifier => f.write_str("classifier"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(loglik: f64, tokens: usize, reward: f32) -> CandidateScores {
        CandidateScores { loglik, tokens, rewards: vec![reward], ..CandidateScores::default() }
    }

    #[test]
    fn every_scorer_chooses_by_its_own_number() {
        let candidates = [scores(-4.0, 4, 0.5), scores(-3.0, 2, 0.0), scores(-9.0, 10, 0.1)];
        let choices: Vec<_> = Scorer::all(&["preference".into()])
            .iter()
            .map(|s| (s.to_string(), s.choose(&candidates)))
            .collect();
        assert_eq!(
            choices,
            [
                ("loglik-mean".to_string(), Some(2)),
                ("loglik-sum".to_string(), Some(1)),
                ("reward:preference".to_string(), Some(0)),
            ]
        );
    }

    #[test]
    fn a_likelihood_is_divided_by_the_length_that_its_name_says() {
        // Ten tokens, twenty characters of two bytes each.
        let scores =
            CandidateScores { loglik: -40.0, tokens: 10, bytes: 40, chars: 20, ..CandidateScores::default() };
        let values: Vec<_> =
            Scorer::PLAIN_LIKELIHOODS.iter().map(|by| (by.to_string(), by.value(&scores))).collect();
        let expected =
            [("loglik-mean", -4.0), ("loglik-sum", -40.0), ("loglik-byte", -1.0), ("loglik-char", -2.0)];
        assert_eq!(values, expected.map(|(name, value)| (name.to_string(), value)));
        let empty = CandidateScores { loglik: -1.0, tokens: 1, ..CandidateScores::default() };
        assert_eq!(Scorer::LoglikByte.value(&empty), f64::NEG_INFINITY);
        assert_eq!(Scorer::LoglikChar.value(&empty), f64::NEG_INFINITY);
    }

    #[test]
    fn terms_are_weighted_and_a_missing_one_is_no_number() {
        let candidates = [scores(-4.0, 4, 0.5), scores(-3.0, 2, 0.0)];
        let reward = Scorer::Reward { head: "preference".into(), index: 0 };
        let sum = |weight| Scorer::Sum {
            name: "mine".into(),
            terms: vec![(weight, reward.clone()), (1.0, Scorer::LoglikSum)],
        };
        assert_eq!((sum(1.0).value(&candidates[0]), sum(1.0).to_string().as_str()), (-3.5, "mine"));
        assert_eq!([1.0, 4.0].map(|weight| sum(weight).choose(&candidates)), [Some(1), Some(0)]);
        assert!(!sum(1.0).is_finite(&scores(-1.0, 1, f32::NAN)) && sum(1.0).is_finite(&candidates[0]));

        let relative = |unconditional| CandidateScores { unconditional, ..scores(-4.0, 4, 0.0) };
        assert_eq!(Scorer::LoglikRelative.value(&relative(Some(-5.5))), 1.5);
        assert!(Scorer::LoglikRelative.value(&relative(None)).is_nan());
        assert!(!Scorer::LoglikRelative.is_finite(&relative(None)));
        assert!(Scorer::LoglikSum.is_finite(&relative(None)));
    }

    #[test]
    fn an_empty_answer_is_never_the_most_likely() {
        let candidates = [scores(0.0, 0, 0.5), scores(-300.0, 2, 0.0)];
        let choices: Vec<_> =
            Scorer::all(&["preference".into()]).iter().map(|scorer| scorer.choose(&candidates)).collect();
        assert_eq!(choices, [Some(1), Some(1), Some(0)]);
    }

    #[test]
    fn the_first_of_equals_wins_and_nan_loses() {
        let tie = [scores(-1.0, 1, 1.0), scores(-1.0, 1, 1.0)];
        assert_eq!(Scorer::LoglikSum.choose(&tie), Some(0));
        let nan = [scores(f64::NAN, 1, 0.0), scores(-50.0, 1, 0.0)];
        assert_eq!(Scorer::LoglikSum.choose(&nan), Some(1));
        assert_eq!(Scorer::LoglikSum.choose(&nan[..1]), None);
        assert_eq!(Scorer::LoglikSum.choose(&[]), None);
    }
}
