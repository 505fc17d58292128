//! [`TokenView`]: a candidate set as text, ids and pieces.

use std::fmt::Write;

use dph_core::CandidateSet;
use serde::Serialize;

use crate::chat::error::ChatError;
use crate::chat::tokenizer::ChatTokenizer;

/// A candidate set in a form to read: the tokens that are scored, with their texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenView {
    /// The tokens that all candidates share.
    pub prompt: TokenPart,
    /// The candidates, in their order.
    pub candidates: Vec<CandidateView>,
}

/// The tokens of a candidate that follow the prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CandidateView {
    /// Tokens before the answer that the candidates do not share.
    pub context: TokenPart,
    /// The answer, whose log-likelihood is measured.
    pub answer: TokenPart,
    /// The rest of the turn, up to its end-of-turn token.
    pub end: TokenPart,
}

/// Some tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenPart {
    /// Their text, control tokens included.
    pub text: String,
    /// Their ids.
    pub ids: Vec<u32>,
    /// The entries of the vocabulary.
    pub pieces: Vec<String>,
}

impl TokenView {
    /// The view of a set.
    ///
    /// # Errors
    /// Tokens that the decoder of the tokenizer rejects.
    pub fn new(tokenizer: &ChatTokenizer, set: &CandidateSet) -> Result<Self, ChatError> {
        let candidates = set.candidates.iter().map(|candidate| {
            let (tokens, answer) = (&candidate.tokens, &candidate.answer);
            let of_answer: Vec<u32> = candidate.answer_tokens().collect();
            Ok(CandidateView {
                context: TokenPart::new(tokenizer, &tokens[..answer.start])?,
                answer: TokenPart::new(tokenizer, &of_answer)?,
                end: TokenPart::new(tokenizer, tokens.get(answer.end..).unwrap_or_default())?,
            })
        });
        Ok(Self {
            prompt: TokenPart::new(tokenizer, &set.prompt)?,
            candidates: candidates.collect::<Result<_, ChatError>>()?,
        })
    }

    /// The view as lines of text: for each part its number of tokens, its text, and its tokens as `id piece`.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.prompt.write(&mut out, "prompt");
        for (index, candidate) in self.candidates.iter().enumerate() {
            let CandidateView { context, answer, end } = candidate;
            if !context.ids.is_empty() {
                context.write(&mut out, &format!("candidate {index}, own context"));
            }
            answer.write(&mut out, &format!("candidate {index}, answer"));
            end.write(&mut out, &format!("candidate {index}, end of the turn"));
        }
        out
    }
}

impl TokenPart {
    fn new(tokenizer: &ChatTokenizer, ids: &[u32]) -> Result<Self, ChatError> {
        let piece = |id: &u32| tokenizer.piece(*id).unwrap_or_else(|| format!("(no token {id})"));
        Ok(Self { text: tokenizer.decode(ids)?, ids: ids.to_vec(), pieces: ids.iter().map(piece).collect() })
    }

    fn write(&self, out: &mut String, name: &str) {
        let count = self.ids.len();
        let tokens = if count == 1 { "token" } else { "tokens" };
        let pieces: Vec<String> =
            self.ids.iter().zip(&self.pieces).map(|(id, piece)| format!("{id} {piece:?}")).collect();
        // Writing to a string does not fail.
        let _ = writeln!(out, "{name}: {count} {tokens}");
        if count > 0 {
            let _ = writeln!(out, "    {:?}\n    {}", self.text, pieces.join("  "));
        }
    }
}
