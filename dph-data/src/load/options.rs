//! [`TaskLoadOptions`]: how a split is loaded.

use super::holdout::Holdout;

/// How a split is loaded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskLoadOptions {
    /// At most so many documents: a seeded sample spread evenly over the usable rows (one from each of `limit` equal
    /// stretches), in the order of the file. `None` takes all.
    pub limit: Option<usize>,
    /// Seed of the sample and of the few-shot examples.
    pub seed: u64,
    /// So many answered documents of the train split come before each question, drawn anew for each.
    pub few_shot: usize,
    /// Whether every few-shot example repeats its system message, or only the conversation's first message is one.
    pub repeat_system: bool,
    /// Sets whose longest sequence has more tokens are skipped; text is cut into pieces of this length.
    pub max_len: Option<usize>,
    /// Whether one unusable row is an error. An unlabelled row is one, too long a row is not.
    pub strict: bool,
    /// Whether rows without a gold answer are kept, with `gold` empty.
    pub keep_unlabelled: bool,
    /// Which side of a holdout is loaded. `None` loads all rows.
    pub holdout: Option<Holdout>,
}
