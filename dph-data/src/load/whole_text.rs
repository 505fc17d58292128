//! [`WholeTexts`]: plain text in windows, whose likelihoods add up to that of the text.

use std::ops::Range;

use dph_core::CandidateSet;

use crate::chat::{ChatError, ChatTokenizer};
use crate::document::Document;
use crate::python_space::is_python_space;

/// The texts of a split whose likelihood is measured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WholeTexts {
    /// Number of tokens of a window.
    pub window: usize,
    /// The texts, in the order of the rows.
    pub texts: Vec<WholeText>,
}

/// A text whose likelihood is the sum of those of its windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WholeText {
    /// The name of the document.
    pub id: String,
    /// Its windows in [`TaskData::sets`](crate::TaskData::sets).
    pub sets: Range<usize>,
    /// The words and bytes that perplexities are by.
    pub length: WrittenLength,
}

/// The length of a text as it is written: that of the key `original` of a task or else `text`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WrittenLength {
    /// Number of words: of whitespace-separated parts, as `len(re.split(r"\s+", text))` counts them in Python.
    pub words: usize,
    /// Number of UTF-8 bytes.
    pub bytes: usize,
    /// Number of characters (Unicode code points).
    pub chars: usize,
}

impl WrittenLength {
    fn new(text: &str) -> Self {
        let mut words = 1;
        let mut after_blank = false;
        for blank in text.chars().map(is_python_space) {
            words += usize::from(blank && !after_blank);
            after_blank = blank;
        }
        Self { words, bytes: text.len(), chars: text.chars().count() }
    }
}

/// The windows of a document, and its length.
pub(super) fn windows(
    document: &Document,
    tokenizer: &ChatTokenizer,
    window: Option<usize>,
) -> Result<(Vec<CandidateSet>, WrittenLength), ChatError> {
    let text = document.candidates.first().map_or("", String::as_str);
    let id = document.id.as_deref().unwrap_or_default();
    let mut sets = tokenizer.text_windows(text, window.unwrap_or(usize::MAX))?;
    for (index, set) in sets.iter_mut().enumerate() {
        set.id = if index == 0 { id.to_owned() } else { format!("{id}/{index}") };
    }
    Ok((sets, WrittenLength::new(document.original.as_deref().unwrap_or(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_counted_as_python_splits_them() {
        let words = |text: &str| WrittenLength::new(text).words;
        assert_eq!((words("One two\n\n three"), words(" x "), words(""), words("a\u{a0}b")), (3, 3, 1, 2));
        assert_eq!(WrittenLength::new("é x"), WrittenLength { words: 2, bytes: 4, chars: 3 });
    }
}
