//! [`Preference`]: one prompt, a chosen and a rejected answer, in the layouts in which people publish them.
//!
//! | prompt | chosen, rejected | known from |
//! |---|---|---|
//! | text | text | TRL "standard" |
//! | messages | messages or one message, the answer only | TRL "conversational", ShareGPT |
//! | text or nothing | whole conversations that share all but their last message | UltraFeedback binarized |
//! | nothing | transcripts "\n\nHuman: …\n\nAssistant: …" that share all but their last turn | HH-RLHF |
//!
//! Messages may also be JSON in a text.

use super::messages::{answer, check_prompt, given};
use super::template::{Expr, Fields};
use crate::chat::{Message, SYSTEM, USER};
use crate::rows::{RowProblem, SkipReason};

/// The expressions for the prompt and the two answers.
#[derive(Debug)]
pub(crate) struct Preference {
    pub prompt: Expr,
    pub chosen: Expr,
    pub rejected: Expr,
}

/// A prompt with a better and a worse answer.
pub(crate) struct Pair {
    pub prompt: Vec<Message>,
    pub chosen: String,
    pub rejected: String,
}

impl Preference {
    /// The pair in a row. `user` is the rendered template of the task; with it, the prompt field is not read.
    pub(crate) fn pair(&self, user: Option<String>, fields: &Fields<'_>) -> Result<Pair, RowProblem> {
        let (before_chosen, chosen) = answer("chosen", &self.chosen, fields)?;
        let (before_rejected, rejected) = answer("rejected", &self.rejected, fields)?;
        if !are_same(&before_chosen, &before_rejected) {
            return Err(RowProblem::new(
                SkipReason::NoSharedPrompt,
                "the chosen and the rejected conversation differ before their last answer",
            ));
        }
        let prompt = join(given(user, &self.prompt, fields)?, before_chosen);
        check_prompt(&prompt, || {
            let (source, names) = (self.prompt.source(), fields.names());
            format!("no field `{source}`, and the answers are not whole conversations; there is {names}")
        })?;
        if chosen == rejected {
            return Err(RowProblem::new(
                SkipReason::IdenticalAnswers,
                "the chosen and the rejected answer are the same",
            ));
        }
        Ok(Pair { prompt, chosen, rejected })
    }
}

/// The prompt field joined with the messages before the answers. If these are the end of the prompt, the prompt is whole; if they
/// repeat it or are a conversation of their own, they replace it, but for its system message; else they follow it.
fn join(given: Vec<Message>, before: Vec<Message>) -> Vec<Message> {
    let start = given.len().saturating_sub(before.len());
    if start > 0 && are_same(&given[start..], &before) {
        return given;
    }
    let repeats = before.get(..given.len()).is_some_and(|first| are_same(first, &given))
        || given.last().is_some_and(|last| before.last() == Some(last));
    let is_whole = before.iter().any(|message| message.role == USER);
    let is_system = |message: Option<&Message>| message.is_some_and(|message| message.role == SYSTEM);
    let kept = match (repeats || is_whole, is_system(given.first()) && !is_system(before.first())) {
        (false, _) => given.len(),
        (true, has_system) => usize::from(has_system),
    };
    given.into_iter().take(kept).chain(before).collect()
}

/// Whether messages have the same roles and texts. Other keys, such as the time of a message, may differ.
fn are_same(some: &[Message], others: &[Message]) -> bool {
    some.len() == others.len()
        && some.iter().zip(others).all(|(a, b)| a.role == b.role && *a.content == *b.content)
}
