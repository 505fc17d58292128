//! Messages in the fields of rows: as text, as objects, or as transcripts.

use serde_json::Value as Json;

use super::message::{messages, no_messages};
use super::message_text::conversation;
use super::template::{Expr, Fields};
use super::transcript::half;
use super::values::{is_missing, kind_name};
use crate::chat::{ASSISTANT, Message};
use crate::rows::{RowProblem, SkipReason, contained_phrase};

/// The messages before an answer that is a plain text.
pub(crate) fn prompt_messages(
    user: Option<String>,
    prompt: &Expr,
    fields: &Fields<'_>,
) -> Result<Vec<Message>, RowProblem> {
    let messages = given(user, prompt, fields)?;
    check_prompt(&messages, || absent(prompt, fields))?;
    Ok(messages)
}

/// Why a prompt without messages has none.
pub(super) fn absent(prompt: &Expr, fields: &Fields<'_>) -> String {
    let source = prompt.source();
    match prompt.eval(fields) {
        Ok(value) if is_missing(&value) && !value.is_undefined() => {
            format!("`{source}` is {}", kind_name(&value))
        }
        Ok(value) if !value.is_undefined() => format!("`{source}` is empty"),
        _ => format!("no field `{source}`; there is {}", fields.names()),
    }
}

/// Rejects messages that no answer can follow. `missing` says why there are none.
pub(super) fn check_prompt(messages: &[Message], missing: impl FnOnce() -> String) -> Result<(), RowProblem> {
    let message = match messages.last() {
        Some(last) if last.role == ASSISTANT => {
            "the prompt ends with a message of the assistant; it must end before the answer, with the message that is answered".to_owned()
        }
        Some(_) => return Ok(()),
        None => format!("there is no prompt: {}", missing()),
    };
    Err(RowProblem::new(SkipReason::MissingField, message))
}

/// The prompt: the rendered template of the task or, without one, the field of the row.
pub(super) fn given(
    user: Option<String>,
    prompt: &Expr,
    fields: &Fields<'_>,
) -> Result<Vec<Message>, RowProblem> {
    match user {
        Some(user) => Ok(vec![Message::user(user)]),
        None => given_prompt(prompt, fields),
    }
}

/// The messages before an answer, if the field holds a conversation, and the answer.
pub(crate) fn answer(
    key: &'static str,
    expression: &Expr,
    fields: &Fields<'_>,
) -> Result<(Vec<Message>, String), RowProblem> {
    let mut messages = match field(key, expression, expression.require(fields)?)? {
        Json::String(text) => match conversation(key, &text)? {
            Some(messages) => messages,
            None => return Ok((Vec::new(), text)),
        },
        value => messages(key, value)?,
    };
    match messages.pop() {
        Some(last) if last.role == ASSISTANT && last.content.is_absent() => Err(RowProblem::new(
            SkipReason::MissingField,
            format!(
                "the last message in `{key}` has no content; answers that only call tools are not supported"
            ),
        )),
        Some(last) if last.role == ASSISTANT => Ok((messages, last.content.into_text())),
        last => {
            let instead = last.map_or_else(String::new, |last| format!(", but with one of `{}`", last.role));
            Err(RowProblem::new(
                SkipReason::MissingField,
                format!("the conversation in `{key}` does not end with an assistant's message{instead}"),
            ))
        }
    }
}

fn given_prompt(expression: &Expr, fields: &Fields<'_>) -> Result<Vec<Message>, RowProblem> {
    let value = expression.eval(fields)?;
    if is_missing(&value) {
        return Ok(Vec::new());
    }
    let prompt = field("prompt", expression, value)?;
    let messages = from_json(prompt.clone())?;
    match (prompt, &messages[..]) {
        (Json::String(text), [only]) if *only == Message::user(&*text) => check_whole(&text)?,
        _ => {}
    }
    Ok(messages)
}

/// The messages of a prompt in a request, which are read as those of rows: the prompt is a text, a message or a list of messages, roles have
/// their usual names, and `from` and `value` may stand for `role` and `content`.
///
/// # Errors
///
/// What is neither a text nor messages, no message, or an end that no answer can follow.
pub fn read_prompt(value: Json) -> Result<Vec<Message>, RowProblem> {
    let messages = from_json(value)?;
    check_prompt(&messages, || "`prompt` is empty".to_owned())?;
    Ok(messages)
}

/// The messages of a whole conversation in a request, which are read as those of rows. `key` names the value in errors.
///
/// # Errors
///
/// What is no message and no list of messages.
pub fn read_messages(key: &str, value: Json) -> Result<Vec<Message>, RowProblem> {
    messages(key, value)
}

fn from_json(prompt: Json) -> Result<Vec<Message>, RowProblem> {
    match prompt {
        Json::String(text) => Ok(match conversation("prompt", &text)? {
            Some(mut messages) => {
                // A transcript that ends with an open "Assistant:" waits for the answer.
                messages.pop_if(|last| last.role == ASSISTANT && last.content.is_empty());
                messages
            }
            None => vec![Message::user(text)],
        }),
        value => messages("prompt", value),
    }
}

/// The text or the messages in a field.
fn field(key: &str, expression: &Expr, value: minijinja::Value) -> Result<Json, RowProblem> {
    let value = json(key, value)?;
    if matches!(value, Json::String(_) | Json::Array(_) | Json::Object(_)) {
        return Ok(value);
    }
    let source = expression.source();
    let of_key = if source == key { String::new() } else { format!(" (for `{key}`)") };
    Err(no_messages(&format!("the field `{source}`{of_key}"), &value))
}

/// Rejects a text that is half of a conversation. As a plain prompt it would keep the mark of the user.
fn check_whole(text: &str) -> Result<(), RowProblem> {
    let Some((mark, answer)) = half(text) else { return Ok(()) };
    let message = format!(
        "the prompt begins with `{mark}`, but has no `{answer}`, so that it is half of a conversation; write the text of the user alone, or complete it"
    );
    Err(RowProblem::new(SkipReason::WrongType, message))
}

fn json(key: &str, value: minijinja::Value) -> Result<Json, RowProblem> {
    let wrong = |message| RowProblem::new(SkipReason::WrongType, message);
    let value =
        serde_json::to_value(value).map_err(|error| wrong(format!("`{key}` is not plain data: {error}")))?;
    if let Some(phrase) = contained_phrase(&value) {
        return Err(wrong(format!("`{key}` needs text or messages, but there is {phrase}")));
    }
    Ok(value)
}
