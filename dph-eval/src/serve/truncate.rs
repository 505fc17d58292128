//! Answers that are too long, without their end or their beginning.

use dph_core::CandidateSet;
use dph_data::{ChatError, Message};

use crate::model::Model;

/// The end of an answer at which tokens are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DroppedEnd {
    First,
    Last,
}

/// Times that an answer is cut. A cut may add tokens where the rest is tokenised differently.
const ROUNDS: usize = 8;

/// Drops the tokens of the answers in `set` that are too many for the context of the model. The set is returned as it is where the prompt
/// alone is too long.
///
/// # Errors
/// Text that cannot be tokenised.
pub(super) fn truncated(
    model: &Model,
    prompt: &[Message],
    answers: &[String],
    mut set: CandidateSet,
    dropped: DroppedEnd,
) -> Result<CandidateSet, ChatError> {
    let context = model.backbone.context();
    if set.prompt.len() >= context {
        return Ok(set);
    }
    let mut answers = answers.to_vec();
    for round in 0..ROUNDS {
        if set.sequence_len() <= context {
            break;
        }
        for (answer, candidate) in answers.iter_mut().zip(&set.candidates) {
            let excess = (set.prompt.len() + candidate.tokens.len()).saturating_sub(context);
            if excess > 0 {
                *answer = cut(model, answer, excess + round, dropped)?;
            }
        }
        set = model.tokenizer.candidate_set(set.id, prompt, &answers, None)?;
    }
    Ok(set)
}

/// A text without the tokens behind its first `most`.
///
/// # Errors
/// Text that cannot be tokenised.
pub(super) fn first_tokens(model: &Model, text: &str, most: usize) -> Result<String, ChatError> {
    match model.tokenizer.encode_text(text)?.len() {
        count if count > most => cut(model, text, count - most, DroppedEnd::Last),
        _ => Ok(text.to_owned()),
    }
}

/// A text without `count` of its tokens.
fn cut(model: &Model, text: &str, count: usize, dropped: DroppedEnd) -> Result<String, ChatError> {
    let tokens = model.tokenizer.encode_text(text)?;
    let count = count.min(tokens.len());
    let kept = match dropped {
        DroppedEnd::First => &tokens[count..],
        DroppedEnd::Last => &tokens[..tokens.len() - count],
    };
    // A character whose bytes are in several tokens may have lost some.
    let kept = model.tokenizer.decode(kept)?;
    Ok(match dropped {
        DroppedEnd::First => kept.trim_start_matches('\u{FFFD}').to_owned(),
        DroppedEnd::Last => kept.trim_end_matches('\u{FFFD}').to_owned(),
    })
}
