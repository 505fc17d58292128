//! [`ScorerChoice`]: which scorers are used.

use std::fmt;
use std::str::FromStr;

use dph_core::suggestion::did_you_mean;
use dph_core::{Scorer, Style};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The words that name one or several scorers; others begin with `reward:` or `mixture:`.
const WORDS: [&str; 9] = [
    "log",
    "reward",
    "both",
    "loglik-mean",
    "loglik-sum",
    "loglik-byte",
    "loglik-char",
    "loglik-relative",
    "classifier",
];

/// Which scorers of a model are used. Its text form is
///
/// | text | scorers |
/// |---|---|
/// | `log` | the usual log-likelihoods |
/// | `reward` | the reward of each head |
/// | `both` | all of these |
/// | `loglik-mean`, `loglik-sum`, `loglik-byte`, `loglik-char` | one log-likelihood |
/// | `loglik-relative` | the log-likelihood minus that after a prompt without the question |
/// | `reward:HEAD` | the reward of one head |
/// | `reward:0.7*HEAD+0.3*HEAD` | a weighted sum of rewards |
/// | `classifier` | the class of a classifier, or the number of a regressor; it is used alone |
/// | `mixture:HEAD` | a reward and the mean log-likelihood, with a weight that is chosen on the training splits |
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ScorerChoice {
    /// The log-likelihood of the answer: the usual ones of the style of the documents.
    Log,
    /// The reward of each head.
    Reward,
    /// Both, in one pass over the model.
    Both,
    /// One log-likelihood.
    Likelihood(Scorer),
    /// A weighted sum of the rewards of some heads.
    Heads {
        /// Its text form without `reward:`, by which a head with this very name is found first.
        text: String,
        /// Weight and name of each head.
        terms: Vec<(f64, String)>,
    },
    /// The reward of a head and the mean log-likelihood, weighted.
    Mixture {
        /// The name of the head.
        head: String,
    },
    /// The class of a classifier.
    Classifier,
}

/// A text that does not name a scorer, or a scorer that a model does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScorerError {
    /// The text is not a scorer.
    #[error("`{text}` is not a scorer: {help}")]
    Unknown {
        /// The text.
        text: String,
        /// What could be meant.
        help: String,
    },
    /// The model has no head of this name.
    #[error("there is no head `{head}`: {help}")]
    NoHead {
        /// The name.
        head: String,
        /// The heads that there are.
        help: String,
    },
}

impl ScorerChoice {
    /// All usual scorers of a model with these reward heads.
    pub fn all(heads: &[String]) -> Self {
        if heads.is_empty() { Self::Log } else { Self::Both }
    }

    /// Whether log-likelihoods are used.
    pub fn log_likelihood(&self) -> bool {
        !matches!(self, Self::Reward | Self::Heads { .. } | Self::Classifier)
    }

    /// Whether the likelihood after a prompt without the question is used.
    pub fn unconditional(&self) -> bool {
        *self == Self::Likelihood(Scorer::LoglikRelative)
    }

    /// Whether rewards are used.
    pub fn rewards(&self) -> bool {
        !matches!(self, Self::Log | Self::Likelihood(_) | Self::Classifier)
    }

    /// The head whose weight in a mixture is chosen.
    pub fn mixture(&self) -> Option<&str> {
        match self {
            Self::Mixture { head } => Some(head),
            _ => None,
        }
    }

    /// The chosen scorers of documents in a style, for a model with these reward heads. The likelihood of plain text is also
    /// divided by its bytes and characters. `mixture` gives the scorer of a mixture with a head.
    ///
    /// # Errors
    /// A head that the model does not have.
    pub fn scorers(
        &self,
        style: Style,
        heads: &[String],
        mixture: &dyn Fn(&str) -> Option<Scorer>,
    ) -> Result<Vec<Scorer>, ScorerError> {
        let likelihoods: &[Scorer] = match style {
            Style::Chat => &Scorer::CHAT_LIKELIHOODS,
            Style::Plain => &Scorer::PLAIN_LIKELIHOODS,
        };
        Ok(match self {
            Self::Log => likelihoods.to_vec(),
            Self::Reward => Scorer::rewards(heads).collect(),
            Self::Both => likelihoods.iter().cloned().chain(Scorer::rewards(heads)).collect(),
            Self::Likelihood(scorer) => vec![scorer.clone()],
            Self::Classifier => vec![Scorer::Classifier],
            Self::Mixture { head } => {
                reward(head, heads)?;
                mixture(head).into_iter().collect()
            }
            Self::Heads { text, terms } => match (reward(text, heads), &terms[..]) {
                (Ok(whole), _) => vec![whole],
                (Err(error), [(1.0, _)]) => return Err(error),
                _ => {
                    let term = |(weight, head): &(f64, String)| Ok((*weight, reward(head, heads)?));
                    let terms = terms.iter().map(term).collect::<Result<_, _>>()?;
                    vec![Scorer::Sum { name: self.to_string(), terms }]
                }
            },
        })
    }
}

/// The scorer of a head.
pub(crate) fn reward(head: &str, heads: &[String]) -> Result<Scorer, ScorerError> {
    match heads.iter().position(|name| name == head) {
        Some(index) => Ok(Scorer::Reward { head: head.to_owned(), index }),
        None => {
            let names = heads.iter().map(String::as_str);
            let help = did_you_mean(head, names).unwrap_or_else(|| match heads {
                [] => "the model has no preference head; train one with `dph-train`".into(),
                heads => format!("the model has {}", heads.join(", ")),
            });
            Err(ScorerError::NoHead { head: head.to_owned(), help })
        }
    }
}

impl FromStr for ScorerChoice {
    type Err = ScorerError;

    fn from_str(text: &str) -> Result<Self, ScorerError> {
        let unknown = |help: String| ScorerError::Unknown { text: text.to_owned(), help };
        if let Some(head) = text.strip_prefix("mixture:").filter(|head| !head.is_empty()) {
            return Ok(Self::Mixture { head: head.to_owned() });
        }
        if let Some(sum) = text.strip_prefix("reward:").filter(|sum| !sum.is_empty()) {
            let term = |term: &str| {
                let (weight, head) = match term.split_once('*') {
                    Some((weight, head)) => (weight.trim().parse().ok()?, head.trim()),
                    None => (1.0, term.trim()),
                };
                Some((weight, head.to_owned()))
                    .filter(|(weight, head)| f64::is_finite(*weight) && !head.is_empty())
            };
            let terms = sum.split('+').map(term).collect::<Option<Vec<_>>>();
            let help = "a weighted sum of rewards is written as `reward:0.7*helpfulness+0.3*safety`";
            return Ok(Self::Heads {
                text: sum.to_owned(),
                terms: terms.ok_or_else(|| unknown(help.into()))?,
            });
        }
        let likelihoods =
            Scorer::PLAIN_LIKELIHOODS.into_iter().chain([Scorer::LoglikRelative]).map(Self::Likelihood);
        let all = [Self::Log, Self::Reward, Self::Both, Self::Classifier].into_iter().chain(likelihoods);
        all.into_iter().find(|choice| choice.to_string() == text).ok_or_else(|| {
            let list = format!("there are {}, reward:HEAD and mixture:HEAD", WORDS.join(", "));
            unknown(did_you_mean(text, WORDS).unwrap_or(list))
        })
    }
}

impl fmt::Display for ScorerChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log => f.write_str("log"),
            Self::Reward => f.write_str("reward"),
            Self::Both => f.write_str("both"),
            Self::Classifier => f.write_str("classifier"),
            Self::Likelihood(scorer) => scorer.fmt(f),
            Self::Heads { text, .. } => write!(f, "reward:{text}"),
            Self::Mixture { head } => write!(f, "mixture:{head}"),
        }
    }
}

impl TryFrom<String> for ScorerChoice {
    type Error = ScorerError;

    fn try_from(text: String) -> Result<Self, ScorerError> {
        text.parse()
    }
}

impl From<ScorerChoice> for String {
    fn from(choice: ScorerChoice) -> Self {
        choice.to_string()
    }
}

impl JsonSchema for ScorerChoice {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ScorerChoice".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "anyOf": [{ "enum": WORDS }, { "pattern": "^(reward|mixture):.+$" }],
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn choice(text: &str) -> ScorerChoice {
        text.parse().unwrap()
    }

    #[test]
    fn a_choice_is_a_part_of_all_scorers() {
        let heads = ["a".to_string(), "b".to_string()];
        let names = |text: &str, heads: &[String]| -> Vec<String> {
            let scorers = choice(text).scorers(Style::Chat, heads, &|_| None).unwrap();
            scorers.iter().map(Scorer::to_string).collect()
        };
        assert_eq!(names("log", &heads), ["loglik-mean", "loglik-sum"]);
        assert_eq!(names("reward", &heads), ["reward:a", "reward:b"]);
        assert_eq!(names("both", &heads).len(), 4);
        assert_eq!(ScorerChoice::all(&heads), choice("both"));
        assert_eq!(ScorerChoice::all(&[]), choice("log"));
        assert!(names("reward", &[]).is_empty());
        for text in
            ["loglik-mean", "loglik-relative", "classifier", "reward:b", "reward:0.7*a+0.3*b", "reward:a+b"]
        {
            assert_eq!(names(text, &heads), [text]);
            assert_eq!(choice(text).to_string(), text);
            assert_eq!(serde_json::from_str::<ScorerChoice>(&format!("{text:?}")).unwrap(), choice(text));
        }
        let plain = choice("both").scorers(Style::Plain, &heads, &|_| None).unwrap();
        let plain: Vec<String> = plain.iter().map(Scorer::to_string).collect();
        assert_eq!(
            plain,
            ["loglik-mean", "loglik-sum", "loglik-byte", "loglik-char", "reward:a", "reward:b"]
        );
        // A head may have a name that looks like a sum.
        assert_eq!(choice("reward:a+b").scorers(Style::Chat, &["a+b".into()], &|_| None).unwrap().len(), 1);
    }

    #[test]
    fn a_sum_weighs_its_heads() {
        let heads = ["help".to_string(), "safe".to_string()];
        let scorers = choice("reward:0.5*help+-2*safe").scorers(Style::Chat, &heads, &|_| None).unwrap();
        let scores = dph_core::CandidateScores { rewards: vec![3.0, 1.0], ..Default::default() };
        assert_eq!(scorers[0].value(&scores), -0.5);
    }

    #[test]
    fn what_is_not_a_scorer_is_explained() {
        let error = |text: &str| text.parse::<ScorerChoice>().unwrap_err().to_string();
        assert_eq!(error("loglik-men"), "`loglik-men` is not a scorer: did you mean `loglik-mean`?");
        assert!(
            error("zzz").ends_with("loglik-relative, classifier, reward:HEAD and mixture:HEAD"),
            "{}",
            error("zzz")
        );
        for text in ["reward:x*a", "reward:a+", "reward:0.5*", "reward:inf*a"] {
            assert!(error(text).contains("is written as `reward:0.7*helpfulness+0.3*safety`"), "{text}");
        }
        let heads = ["helpful".to_string()];
        let error = |text: &str, heads: &[String]| {
            choice(text).scorers(Style::Chat, heads, &|_| None).unwrap_err().to_string()
        };
        assert_eq!(error("reward:helpfull", &heads), "there is no head `helpfull`: did you mean `helpful`?");
        assert_eq!(error("reward:0.1*helpful+z", &heads), "there is no head `z`: the model has helpful");
        assert!(error("mixture:a", &[]).contains("the model has no preference head"));
    }
}
