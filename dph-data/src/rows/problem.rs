//! Why a single row cannot be used.

use std::fmt;

/// Why a row cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SkipReason {
    /// The line is not JSON, not UTF-8, has a key twice, or does not have the header's number of columns.
    Unreadable,
    /// The JSON value is not an object.
    NotAnObject,
    /// A field that the task needs is missing.
    MissingField,
    /// A field has a type that the task cannot use, such as a list where text is expected.
    WrongType,
    /// A template or expression of the task fails on the row.
    Template,
    /// There are fewer than two candidates.
    TooFewCandidates,
    /// The chosen and the rejected answer are the same text.
    IdenticalAnswers,
    /// The chosen and the rejected conversation do not share everything before the last answer.
    NoSharedPrompt,
    /// The row is one of several answers to a prompt, but the others are missing.
    NoPartner,
    /// Two answers to the same prompt have the same score.
    Tied,
    /// The row has no gold answer (a test split).
    Unlabelled,
    /// The gold answer is not a candidate.
    GoldOutOfRange,
    /// Prompt and answer have more tokens than allowed.
    TooLong,
    /// The chat template or the tokenizer fails on the row.
    Chat,
}

impl SkipReason {
    /// The reason as reports and `results.json` name it, such as `too-long`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::NotAnObject => "not-an-object",
            Self::MissingField => "missing-field",
            Self::WrongType => "wrong-type",
            Self::Template => "template",
            Self::TooFewCandidates => "too-few-candidates",
            Self::IdenticalAnswers => "identical-answers",
            Self::NoSharedPrompt => "no-shared-prompt",
            Self::NoPartner => "no-partner",
            Self::Tied => "tied",
            Self::Unlabelled => "unlabelled",
            Self::GoldOutOfRange => "gold-out-of-range",
            Self::TooLong => "too-long",
            Self::Chat => "chat",
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is said of a text with the character U+0000.
pub(super) const NUL: &str = "has NUL bytes, which no text has; is the file complete?";

/// What is wrong with one row.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct RowProblem {
    /// The kind of problem.
    pub reason: SkipReason,
    /// The problem in words.
    pub message: String,
}

impl RowProblem {
    pub(crate) fn new(reason: SkipReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}
