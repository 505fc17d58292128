//! [`StopStrings`]: texts that end an answer.

use dph_data::{ChatError, ChatTokenizer};

/// Texts that end an answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct StopStrings {
    texts: Vec<String>,
}

/// An answer before a stop string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut {
    pub text: String,
    pub tokens: Vec<u32>,
}

impl StopStrings {
    /// Empty texts end nothing.
    pub fn new(texts: &[String]) -> Self {
        Self { texts: texts.iter().filter(|text| !text.is_empty()).cloned().collect() }
    }

    /// The answer before the first stop string in it. Its last token is tokenised anew if the stop string begins inside of it.
    pub fn find(&self, tokens: &[u32], tokenizer: &ChatTokenizer) -> Result<Option<Cut>, ChatError> {
        if self.texts.is_empty() {
            return Ok(None);
        }
        let text = tokenizer.decode(tokens)?;
        let Some(end) = self.texts.iter().filter_map(|stop| text.find(stop.as_str())).min() else {
            return Ok(None);
        };
        let kept = &text[..end];
        // The tokens whose text is in front of the stop string.
        let mut count = tokens.len();
        let mut before = text.clone();
        while count > 0 && !(before.len() <= end && kept.starts_with(&before)) {
            count -= 1;
            before = tokenizer.decode(&tokens[..count])?;
        }
        let mut own = tokens[..count].to_vec();
        own.extend(tokenizer.encode_text(&kept[before.len()..])?);
        Ok(Some(Cut { text: kept.to_owned(), tokens: own }))
    }
}
