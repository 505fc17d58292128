//! [`TaskLoadOptions`]: how a split is loaded.

use dph_core::Style;

use super::holdout::Holdout;
use crate::chat::TextLayout;

/// How a split is loaded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskLoadOptions {
    /// The wording of the documents.
    pub style: Style,
    /// Maximum number of documents: a seeded sample that is spread evenly over the usable rows (one from each of `limit` equal
    /// parts), in the order of the file. `None` uses all.
    pub limit: Option<usize>,
    /// Seed of the sample and of the few-shot examples.
    pub seed: u64,
    /// Number of few-shot examples: answered documents of the train split, drawn for each question.
    pub few_shot: usize,
    /// Whether all questions have the same few-shot examples, in the same order. The model then computes them once.
    pub same_examples: bool,
    /// Whether every few-shot example repeats its system message. Otherwise only the first message of the conversation may be one.
    pub repeat_system: bool,
    /// Maximum number of tokens of prompt and answer. Longer sets are skipped. In the style `plain`, they lose their first tokens
    /// as in lm-evaluation-harness, and are counted. Plain text is split into pieces.
    pub max_len: Option<usize>,
    /// Whether only likelihoods are needed. In the style `plain`, `max_len` then does not count the last token of an answer, which
    /// is predicted and not computed, as in lm-evaluation-harness.
    pub likelihood_only: bool,
    /// Whether plain text is laid out for its likelihood: in windows that predict each of its tokens once, see
    /// [`TaskData::whole_texts`](crate::TaskData::whole_texts). Otherwise it is cut into pieces to learn.
    pub whole_texts: bool,
    /// How texts are laid out for a classifier (table `[classify]` of the task). `None` loads prompts and answers in the style above.
    pub classify: Option<TextLayout>,
    /// Whether an unusable row is an error. Unlabelled rows count as unusable, rows that are too long do not.
    pub strict: bool,
    /// Whether rows without a gold answer are kept, with `gold` empty.
    pub keep_unlabelled: bool,
    /// Which side of a holdout is loaded. `None` loads all rows.
    pub holdout: Option<Holdout>,
}
