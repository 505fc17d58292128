//! [`PlainText`]: contexts with continuations in tokens, as lm-evaluation-harness makes them.

use tokenizers::Tokenizer;

use crate::chat::encode::encoder::Encoder;
use crate::chat::error::ChatError;
use crate::chat::layout::sequence::{AnswerTokens, Tail};
use crate::python_space::is_python_space;

/// The special tokens of plain text.
#[derive(Debug, Clone, Default)]
pub(crate) struct PlainText {
    /// Tokens that the post-processor of the tokenizer adds before a text.
    before: Vec<u32>,
    /// Tokens that it adds behind a text.
    after: Vec<u32>,
}

/// A continuation behind its context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Continuation {
    pub context: Vec<u32>,
    pub tokens: Vec<u32>,
}

impl PlainText {
    /// The special tokens that the post-processor of `tokenizer.json` adds, as in transformers 5.24.
    pub(crate) fn new(tokenizer: &Tokenizer) -> Result<Self, ChatError> {
        let probe = tokenizer.encode_fast("a", true).map_err(ChatError::tokenise)?;
        let (ids, special) = (probe.get_ids(), probe.get_special_tokens_mask());
        let is_special = |mask: &&u32| **mask == 1;
        let before = special.iter().take_while(is_special).count();
        let after = special[before..].iter().rev().take_while(is_special).count();
        Ok(Self { before: ids[..before].to_vec(), after: ids[ids.len() - after..].to_vec() })
    }

    /// A text with its special tokens. Control tokens that it spells stay text.
    fn encode(&self, encoder: &Encoder, text: &str) -> Result<Vec<u32>, ChatError> {
        Ok([&self.before[..], &encoder.encode_content(text)?, &self.after].concat())
    }

    /// The tokens of continuations, each behind its own context, or all behind the same.
    ///
    /// Blanks at the end of a context belong to the continuation. Both are tokenised together, and the continuation has the tokens
    /// behind those that the context has alone. A continuation of nothing has the token `start` before it.
    pub(crate) fn continuations(
        &self,
        encoder: &Encoder,
        contexts: &[&str],
        continuations: &[String],
        start: Option<u32>,
    ) -> Result<Vec<Continuation>, ChatError> {
        let mut known: Option<(&str, Vec<u32>)> = None;
        let pair = |(index, continuation): (usize, &String)| {
            let context = contexts.get(index).or(contexts.first()).copied().unwrap_or_default();
            let stripped = context.trim_end_matches(is_python_space);
            let whole = [context, continuation].concat();
            if stripped.is_empty() {
                let start = start.ok_or(ChatError::NoPrompt)?;
                let mut tokens = encoder.encode_content(&whole)?;
                // The text may begin with this token itself.
                if tokens.first() == Some(&start) {
                    tokens.remove(0);
                }
                return Ok(Continuation { context: vec![start], tokens });
            }
            let context = match &known {
                Some((text, tokens)) if *text == stripped => tokens.clone(),
                _ => self.encode(encoder, stripped)?,
            };
            known = Some((stripped, context.clone()));
            let whole = self.encode(encoder, &whole)?;
            let tokens = whole.get(context.len()..).unwrap_or_default().to_vec();
            Ok(Continuation { context, tokens })
        };
        continuations.iter().enumerate().map(pair).collect()
    }

    /// A text in windows, each of which predicts the next tokens behind its context, so that every token is predicted once.
    ///
    /// A window has `window` tokens that are computed: the first one `start` and the text without its next token, the others one token of
    /// context and as many to predict. The last one has more context instead of being shorter. These are the windows of
    /// `get_rolling_token_windows` of lm-evaluation-harness for a context of one token.
    pub(crate) fn windows(
        &self,
        encoder: &Encoder,
        text: &str,
        start: u32,
        window: usize,
    ) -> Result<Vec<Continuation>, ChatError> {
        let tokens = self.encode(encoder, text)?;
        let (mut windows, mut done) = (Vec::new(), 0);
        while done < tokens.len() {
            let end = tokens.len().min(done + window);
            let context = match done {
                0 => vec![start],
                _ => tokens[end - window - 1..done].to_vec(),
            };
            windows.push(Continuation { context, tokens: tokens[done..end].to_vec() });
            done = end;
        }
        Ok(windows)
    }
}

impl Continuation {
    /// Removes the first tokens of the context so that no more than `max_len` tokens are left. Returns whether there were more.
    pub(crate) fn cut(&mut self, max_len: usize) -> bool {
        let over = self.len().saturating_sub(max_len);
        self.context.drain(..over.min(self.context.len()));
        over > 0
    }

    /// Number of tokens.
    pub(crate) fn len(&self) -> usize {
        self.context.len() + self.tokens.len()
    }

    /// The continuation as the answer of a conversation. Of more than `max_len` tokens, the last one is predicted and not computed.
    pub(crate) fn into_tail(self, max_len: usize) -> Tail {
        let answer = self.context.len()..self.len();
        let is_full = self.len() > max_len;
        let mut tokens = [self.context, self.tokens].concat();
        let next = if is_full { tokens.pop() } else { None };
        Tail { last: AnswerTokens { answer, end: tokens.len() }, tokens, next }
    }
}
