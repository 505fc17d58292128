//! [`OpenTurn`]: a prompt that ends where the assistant's answer begins.

use std::ops::Range;

use super::content::ContentEncoder;
use super::error::ChatError;
use super::layout::Piece;
use super::message::{ASSISTANT, Message};
use super::trim::{Trim, trimmed};

/// The tokens before an answer, and the tokens after it that end the turn.
pub(super) struct OpenTurn {
    pub prompt: Vec<u32>,
    /// The answers in the prompt, each with its end-of-turn token.
    pub earlier_answers: Vec<Range<usize>>,
    pub trim: (Trim, Trim),
    pub end: Vec<u32>,
}

impl OpenTurn {
    /// The open turn after these messages. `pieces` are the pieces of the messages and of one answer.
    pub(super) fn new(
        pieces: &[Piece],
        messages: &[Message],
        encoder: &ContentEncoder,
    ) -> Result<Self, ChatError> {
        let mut turn = Self {
            prompt: Vec::new(),
            earlier_answers: Vec::new(),
            trim: (Trim::Nothing, Trim::Nothing),
            end: Vec::new(),
        };
        let mut answered = false;
        let mut earlier = None;
        for piece in pieces {
            match piece {
                Piece::Control { ids, end_of_turn } if answered => {
                    turn.end.extend_from_slice(&ids[..*end_of_turn]);
                    return Ok(turn);
                }
                Piece::Control { ids, end_of_turn } => {
                    let end = turn.prompt.len() + end_of_turn;
                    turn.earlier_answers.extend(earlier.take().map(|start| start..end));
                    turn.prompt.extend_from_slice(ids);
                }
                Piece::Content { message, trim } if *message == messages.len() => {
                    turn.trim = *trim;
                    answered = true;
                }
                Piece::Content { message, trim } => {
                    earlier = (messages[*message].role == ASSISTANT).then_some(turn.prompt.len());
                    let content = trimmed(&messages[*message].content, *trim);
                    turn.prompt.extend(encoder.encode(content)?);
                }
            }
        }
        Ok(turn)
    }
}
