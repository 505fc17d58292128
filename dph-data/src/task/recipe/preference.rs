//! [`Preference`]: one prompt, a chosen and a rejected answer, in the layouts in which people publish them.
//!
//! | prompt | chosen, rejected | known from |
//! |---|---|---|
//! | text | text | TRL "standard" |
//! | messages | messages or one message, the answer only | TRL "conversational", ShareGPT |
//! | text or nothing | whole conversations that share all but their last message | UltraFeedback binarized |
//! | nothing | transcripts "\n\nHuman: …\n\nAssistant: …" that share all but their last turn | HH-RLHF |

use super::messages::{answer, given};
use super::template::{Expr, Fields};
use crate::chat::{ASSISTANT, Content, Message, USER};
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
        // Other keys, such as the time of a message, need not be the same.
        let texts = |messages: &[Message]| -> Vec<(String, Content)> {
            messages.iter().map(|message| (message.role.clone(), message.content.clone())).collect()
        };
        if texts(&before_chosen) != texts(&before_rejected) {
            return Err(RowProblem::new(
                SkipReason::NoSharedPrompt,
                "the chosen and the rejected conversation differ before their last answer",
            ));
        }
        let prompt = join(given(user, &self.prompt, fields)?, before_chosen);
        if prompt.last().is_none_or(|message| message.role == ASSISTANT) {
            return Err(RowProblem::new(
                SkipReason::MissingField,
                format!(
                    "there is no prompt: no field `{}`, and the answers are not whole conversations",
                    self.prompt.source()
                ),
            ));
        }
        if chosen == rejected {
            return Err(RowProblem::new(
                SkipReason::IdenticalAnswers,
                "the chosen and the rejected answer are the same",
            ));
        }
        Ok(Pair { prompt, chosen, rejected })
    }
}

/// The prompt field joined with the messages before the answers: if these repeat the prompt they replace it, else they follow it.
fn join(given: Vec<Message>, before: Vec<Message>) -> Vec<Message> {
    let repeated = before.starts_with(&given)
        || given.last().is_some_and(|last| before.last() == Some(last))
        || before.iter().any(|message| message.role == USER);
    if repeated { before } else { given.into_iter().chain(before).collect() }
}
