//! Messages in the fields of rows: as text, as objects, or as transcripts.

use serde::Deserialize;
use serde_json::Value as Json;

use super::template::{Expr, Fields};
use crate::chat::{ASSISTANT, Content, Message, USER};
use crate::rows::{RowProblem, SkipReason};

/// The messages before an answer that is a plain text.
pub(crate) fn prompt_messages(
    user: Option<String>,
    prompt: &Expr,
    fields: &Fields<'_>,
) -> Result<Vec<Message>, RowProblem> {
    let messages = given(user, prompt, fields)?;
    if messages.last().is_none_or(|message| message.role == ASSISTANT) {
        return Err(RowProblem::new(
            SkipReason::MissingField,
            format!("there is no prompt: no field `{}`", prompt.source()),
        ));
    }
    Ok(messages)
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
    let value = json(key, expression.require(fields)?)?;
    if let Json::String(text) = value {
        return Ok(match transcript(&text) {
            Some(mut messages) => match messages.pop() {
                Some(last) if last.role == ASSISTANT => (messages, last.content.into_text()),
                _ => return Err(no_answer(key)),
            },
            None => (Vec::new(), text),
        });
    }
    let mut messages = messages(key, value)?;
    match messages.pop() {
        Some(last) if last.role == ASSISTANT && last.content.is_absent() => Err(RowProblem::new(
            SkipReason::MissingField,
            format!(
                "the last message in `{key}` has no content; answers that only call tools are not supported"
            ),
        )),
        Some(last) if last.role == ASSISTANT => Ok((messages, last.content.into_text())),
        _ => Err(no_answer(key)),
    }
}

fn no_answer(key: &str) -> RowProblem {
    RowProblem::new(
        SkipReason::MissingField,
        format!("the conversation in `{key}` does not end with an assistant's message"),
    )
}

fn given_prompt(expression: &Expr, fields: &Fields<'_>) -> Result<Vec<Message>, RowProblem> {
    let value = expression.eval(fields)?;
    if value.is_undefined() || value.is_none() {
        return Ok(Vec::new());
    }
    match json("prompt", value)? {
        Json::String(text) => Ok(match transcript(&text) {
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

fn json(key: &str, value: minijinja::Value) -> Result<Json, RowProblem> {
    serde_json::to_value(value).map_err(|error| {
        RowProblem::new(SkipReason::WrongType, format!("`{key}` is not plain data: {error}"))
    })
}

fn messages(key: &str, value: Json) -> Result<Vec<Message>, RowProblem> {
    match value {
        Json::Array(items) => items.into_iter().map(|item| message(key, item)).collect(),
        item => Ok(vec![message(key, item)?]),
    }
}

fn message(key: &str, value: Json) -> Result<Message, RowProblem> {
    let wrong = || {
        RowProblem::new(
            SkipReason::WrongType,
            format!(
                "`{key}` must be text or messages, objects with `role` and `content` (or `from` and `value`) as text"
            ),
        )
    };
    let Json::Object(mut fields) = value else { return Err(wrong()) };
    let is_sharegpt = fields.contains_key("from");
    let mut field = |names: [&str; 2]| names.iter().find_map(|name| fields.shift_remove(*name));
    let role = match field(["role", "from"]).as_ref().and_then(Json::as_str).ok_or_else(wrong)? {
        "human" => USER.to_owned(),
        "gpt" => ASSISTANT.to_owned(),
        other => other.to_owned(),
    };
    let content = match field(["content", "value"]) {
        Some(content) => Content::deserialize(content).map_err(|error| {
            RowProblem::new(SkipReason::WrongType, format!("a message in `{key}`: {error}"))
        })?,
        None if fields.contains_key("tool_calls") => Content::absent(),
        None => return Err(wrong()),
    };
    // ShareGPT has keys such as `weight`, which are no part of a message.
    fields.retain(|_, value| !is_sharegpt && !value.is_null());
    Ok(Message { role, content, extra: fields })
}

/// The turns of a transcript "\n\nHuman: …\n\nAssistant: …"; `None` for any other text.
fn transcript(text: &str) -> Option<Vec<Message>> {
    const MARKS: [(&str, &str); 2] = [("\n\nHuman:", USER), ("\n\nAssistant:", ASSISTANT)];
    let mut rest = text;
    let mut turns = Vec::new();
    MARKS.iter().find(|(mark, _)| rest.starts_with(mark))?;
    while let Some((mark, role)) = MARKS.iter().find(|(mark, _)| rest.starts_with(mark)) {
        rest = &rest[mark.len()..];
        let end = MARKS.iter().filter_map(|(mark, _)| rest.find(mark)).min().unwrap_or(rest.len());
        turns.push(Message::new(*role, rest[..end].trim()));
        rest = &rest[end..];
    }
    Some(turns)
}
