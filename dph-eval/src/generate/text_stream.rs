//! [`TextStream`]: the text of an answer while it grows.

use dph_data::{ChatError, ChatTokenizer};

/// The text of an answer, piece by piece.
pub struct TextStream<'a> {
    tokenizer: &'a ChatTokenizer,
    /// Texts that end the answer. They are not shown.
    stops: Vec<String>,
    /// Bytes that are held back, since a stop string may begin in them.
    held: usize,
    tokens: Vec<u32>,
    shown: usize,
}

impl<'a> TextStream<'a> {
    /// The text of an answer without tokens.
    pub fn new(tokenizer: &'a ChatTokenizer, stop_strings: &[String]) -> Self {
        let stops: Vec<String> = stop_strings.iter().filter(|stop| !stop.is_empty()).cloned().collect();
        let longest = stops.iter().map(String::len).max().unwrap_or(0);
        Self { tokenizer, held: longest.saturating_sub(1), stops, tokens: Vec::new(), shown: 0 }
    }

    /// The text that a token completes.
    ///
    /// # Errors
    /// Tokens that the decoder of the tokenizer rejects.
    pub fn push(&mut self, token: u32) -> Result<String, ChatError> {
        self.tokens.push(token);
        let text = self.tokenizer.decode(&self.tokens)?;
        // The bytes of a character may be spread over tokens.
        let whole = text.trim_end_matches('\u{FFFD}');
        let stop = self.stops.iter().filter_map(|stop| whole.find(stop.as_str())).min();
        let mut end = stop.unwrap_or(whole.len().saturating_sub(self.held));
        while !whole.is_char_boundary(end) {
            end -= 1;
        }
        let piece = whole.get(self.shown..end).unwrap_or_default().to_owned();
        self.shown += piece.len();
        Ok(piece)
    }

    /// What is left of the whole text.
    pub fn rest<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.shown..).unwrap_or_default()
    }
}
