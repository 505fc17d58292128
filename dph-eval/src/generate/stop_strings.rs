//! [`StopStrings`]: texts that end an answer.

use dph_data::{ChatError, ChatTokenizer};

/// Texts that end an answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct StopStrings {
    texts: Vec<String>,
    /// The last tokens of an answer that hold a stop string if the newest token completes one.
    reach: usize,
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
        let texts: Vec<String> = texts.iter().filter(|text| !text.is_empty()).cloned().collect();
        // A token has at least one byte. The first token of a decoded text may lose its space, and bytes that are no whole
        // character are replaced.
        let reach = texts.iter().map(|text| text.len() + 4).max().unwrap_or(0);
        Self { texts, reach }
    }

    /// The answer before the first stop string in it. Its last token is tokenised anew if the stop string begins inside of it.
    ///
    /// Called after every token: only the last tokens are decoded unless they hold a stop string.
    pub fn find(&self, tokens: &[u32], tokenizer: &ChatTokenizer) -> Result<Option<Cut>, ChatError> {
        if self.texts.is_empty() {
            return Ok(None);
        }
        let last = tokenizer.decode(&tokens[tokens.len().saturating_sub(self.reach)..])?;
        if self.first(&last).is_none() {
            return Ok(None);
        }
        let text = tokenizer.decode(tokens)?;
        let Some(end) = self.first(&text) else { return Ok(None) };
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

    /// Where the first stop string begins.
    fn first(&self, text: &str) -> Option<usize> {
        self.texts.iter().filter_map(|stop| text.find(stop.as_str())).min()
    }
}
