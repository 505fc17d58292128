//! [`ChatMl`]: the conversation format of the paper.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use dph_core::Ending;

use crate::chat::encode::encoder::Encoder;
use crate::chat::error::ChatError;
use crate::chat::layout::sequence::{AnswerTokens, Conversations, Tail, TokenSequence};
use crate::chat::message::{ASSISTANT, Message};

pub(crate) const IM_START: &str = "<|im_start|>";
pub(crate) const IM_END: &str = "<|im_end|>";

/// The format of the paper: the start token, then for each message `<|im_start|>{role}\n`, the content and `<|im_end|>\n`,
/// each tokenised separately and never merged.
#[derive(Default)]
pub(crate) struct ChatMl {
    /// The tokens of the format's own texts that were tokenised so far.
    known: RwLock<HashMap<String, Arc<[u32]>>>,
}

impl ChatMl {
    /// The tokens of a conversation that waits for an answer. `start` is its first token.
    pub(crate) fn prompt(
        &self,
        encoder: &Encoder,
        start: Option<u32>,
        messages: &[Message],
    ) -> Result<TokenSequence, ChatError> {
        let mut sequence = self.whole(encoder, start, messages)?;
        sequence.tokens.extend(self.opening(encoder, ASSISTANT)?.iter());
        Ok(sequence)
    }

    /// The conversations with each of these answers.
    pub(crate) fn conversations(
        &self,
        encoder: &Encoder,
        start: Option<u32>,
        messages: &[Message],
        answers: &[Message],
        ending: Ending,
    ) -> Result<Conversations, ChatError> {
        let prompt = self.prompt(encoder, start, messages)?;
        let tail = |answer: &Message| {
            let mut tail = TokenSequence::default();
            self.push_content(encoder, &mut tail, ASSISTANT, &answer.content)?;
            let mut last = tail.answers.remove(0);
            if ending != Ending::Turn {
                last.end = tail.tokens.len();
            }
            Ok(Tail { tokens: tail.tokens, last, next: None })
        };
        let tails = answers.iter().map(tail).collect::<Result<_, ChatError>>()?;
        Ok(Conversations { head: prompt.tokens, earlier: prompt.answers, tails })
    }

    /// A whole conversation.
    pub(crate) fn whole(
        &self,
        encoder: &Encoder,
        start: Option<u32>,
        messages: &[Message],
    ) -> Result<TokenSequence, ChatError> {
        let mut sequence = TokenSequence { tokens: start.into_iter().collect(), answers: Vec::new() };
        for message in messages {
            sequence.tokens.extend(self.opening(encoder, &message.role)?.iter());
            self.push_content(encoder, &mut sequence, &message.role, &message.content)?;
        }
        Ok(sequence)
    }

    /// Appends a content and the end of its turn.
    fn push_content(
        &self,
        encoder: &Encoder,
        sequence: &mut TokenSequence,
        role: &str,
        content: &str,
    ) -> Result<(), ChatError> {
        let start = sequence.tokens.len();
        sequence.tokens.extend(encoder.encode_content(content)?);
        let end = sequence.tokens.len();
        if role == ASSISTANT {
            sequence.answers.push(AnswerTokens { answer: start..end, end: end + 1 });
        }
        sequence.tokens.extend(self.own_text(encoder, &format!("{IM_END}\n"))?.iter());
        Ok(())
    }

    fn opening(&self, encoder: &Encoder, role: &str) -> Result<Arc<[u32]>, ChatError> {
        self.own_text(encoder, &format!("{IM_START}{role}\n"))
    }

    /// The tokens of a text of the format.
    fn own_text(&self, encoder: &Encoder, text: &str) -> Result<Arc<[u32]>, ChatError> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(tokens) = known.get(text) {
            return Ok(Arc::clone(tokens));
        }
        drop(known);
        let encoding = encoder.tokenizer().encode_fast(text, false);
        let encoding = encoding.map_err(ChatError::tokenise)?;
        let tokens: Arc<[u32]> = encoding.get_ids().into();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(known.entry(text.to_owned()).or_insert(tokens)))
    }
}
