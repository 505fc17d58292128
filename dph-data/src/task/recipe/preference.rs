//! [`Preference`]: one prompt, a chosen and a rejected answer, in the layouts in which people publish them.
//!
//! | prompt | chosen, rejected | known from |
//! |---|---|---|
//! | text | text | TRL "standard" |
//! | messages | messages or one message, the answer only | TRL "conversational", ShareGPT |
//! | text or nothing | whole conversations that share all but their last message | UltraFeedback binarized |
//! | text or messages | conversations that go on after the prompt | multi-turn sets |
//! | nothing | transcripts "\n\nHuman: …\n\nAssistant: …" that share all but their last turn | HH-RLHF |
//!
//! Messages may also be JSON in a text.

use super::messages::{absent, answer, check_prompt, given};
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
        let given = given(user, &self.prompt, fields)?;
        let prompt = join(given, before_chosen)
            .map_err(|message| RowProblem::new(SkipReason::NoSharedPrompt, message))?;
        check_prompt(&prompt, || {
            format!("the answers are not whole conversations, and {}", absent(&self.prompt, fields))
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

/// The prompt field joined with the messages before the answers. One of the two may hold the other; else the answers go on after the
/// prompt. The messages of the answers count where both have the same. Either may have the system message.
fn join(mut given: Vec<Message>, mut before: Vec<Message>) -> Result<Vec<Message>, String> {
    let take_system = |messages: &mut Vec<Message>| match messages.first() {
        Some(first) if first.role == SYSTEM => Some(messages.remove(0)),
        _ => None,
    };
    let system = match (take_system(&mut given), take_system(&mut before)) {
        (Some(given), Some(before)) if !is_same(&given, &before) => {
            return Err("the prompt and the conversations of the answers have different system messages; \
                        remove one of them"
                .to_owned());
        }
        (given, before) => before.or(given),
    };
    let starts_again = |given: &Message, before: &Message| given.role == USER && before.role == USER;
    let joined = if ends_with(&given, &before) && !are_same(&given, &before) {
        given
    } else if contains(&before, &given) || quotes(&before, &given) {
        before
    } else if given.last().zip(before.first()).is_some_and(|(given, before)| starts_again(given, before)) {
        return Err(
            "the conversations of the answers neither contain the prompt nor continue it; write the \
                    prompt at their beginning, or leave them only the answers"
                .to_owned(),
        );
    } else {
        given.extend(before);
        given
    };
    Ok(system.into_iter().chain(joined).collect())
}

/// Whether messages end with others.
fn ends_with(messages: &[Message], last: &[Message]) -> bool {
    messages.len() >= last.len() && are_same(&messages[messages.len() - last.len()..], last)
}

/// Whether the messages of a conversation are a part of another one.
fn contains(messages: &[Message], part: &[Message]) -> bool {
    part.is_empty() || messages.windows(part.len()).any(|window| are_same(window, part))
}

/// Whether a prompt of one text is empty or a part of a message, as where the answers have it with an instruction.
fn quotes(before: &[Message], given: &[Message]) -> bool {
    let [prompt] = given else { return false };
    let text = prompt.content.trim();
    // Whole words: "Hi" is no part of "High".
    let quoted = |content: &str| {
        content.match_indices(text).any(|(at, _)| {
            let (front, back) = (&content[..at], &content[at + text.len()..]);
            !front.ends_with(char::is_alphanumeric) && !back.starts_with(char::is_alphanumeric)
        })
    };
    before.iter().any(|message| message.role == prompt.role && (text.is_empty() || quoted(&message.content)))
}

/// Whether messages have the same roles and texts.
fn are_same(some: &[Message], others: &[Message]) -> bool {
    some.len() == others.len() && some.iter().zip(others).all(|(a, b)| is_same(a, b))
}

/// Whether two messages have the same role and text but for blanks at its ends. Other keys, such as the time of a message, may differ.
fn is_same(a: &Message, b: &Message) -> bool {
    a.role == b.role && a.content.trim() == b.content.trim()
}
