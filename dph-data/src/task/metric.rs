//! [`TaskMetric`]: how predictions are scored.

use std::fmt;

/// A metric of the predictions on a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskMetric {
    /// The share of documents whose best candidate is the gold one.
    Accuracy,
    /// The F1 score of the second candidate: the harmonic mean of its precision and its recall.
    F1,
    /// Matthews' correlation of predicted and gold positions.
    Matthews,
    /// Pearson's correlation of the predicted position with the document's score.
    Pearson,
    /// Spearman's correlation of the predicted position with the document's score.
    Spearman,
    /// The share of the probability of all candidates that the right ones have.
    Mass,
    /// The right candidates among those with the highest value, as a share of these: 1/k where k candidates tie and one is right.
    BestOf,
    /// The score of prompts with several right answers beside reference prompts with one (the subset Ties of RewardBench 2).
    Ties,
    /// `exp(-Σ loglik / Σ words)` of whole texts.
    WordPerplexity,
    /// `exp(-Σ loglik / Σ bytes)` of whole texts.
    BytePerplexity,
    /// `-Σ loglik / Σ bytes / ln 2` of whole texts.
    BitsPerByte,
}

impl TaskMetric {
    /// All metrics by their names.
    pub(crate) const ALL: [(&'static str, Self); 11] = [
        ("accuracy", Self::Accuracy),
        ("f1", Self::F1),
        ("matthews", Self::Matthews),
        ("pearson", Self::Pearson),
        ("spearman", Self::Spearman),
        ("mass", Self::Mass),
        ("best-of", Self::BestOf),
        ("ties", Self::Ties),
        ("word-perplexity", Self::WordPerplexity),
        ("byte-perplexity", Self::BytePerplexity),
        ("bits-per-byte", Self::BitsPerByte),
    ];

    /// The metrics of whole texts.
    pub(crate) const OF_TEXTS: [Self; 3] = [Self::WordPerplexity, Self::BytePerplexity, Self::BitsPerByte];

    /// How the ids of prompts with several right answers begin ([`Ties`](Self::Ties)).
    pub const TIED: &'static str = "tied:";
    /// How the ids of their reference prompts begin.
    pub const REFERENCE: &'static str = "ref:";

    /// The metric of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, metric)| *metric)
    }

    /// Whether the metric compares predictions with the score and not with the gold candidate.
    pub fn needs_score(self) -> bool {
        matches!(self, Self::Pearson | Self::Spearman)
    }

    /// Whether the metric is of the likelihood of whole texts. It is then no fraction, and lower is better.
    pub fn is_of_texts(self) -> bool {
        Self::OF_TEXTS.contains(&self)
    }
}

impl fmt::Display for TaskMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(_, metric)| metric == self).map_or("", |(name, _)| name);
        f.pad(name)
    }
}
