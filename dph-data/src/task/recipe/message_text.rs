//! [`conversation`]: the messages in a text that is a transcript or the JSON of messages.

use serde_json::{Deserializer, Value as Json};

use super::message::{CONVERSATIONS, is_role, messages, unwrapped};
use super::transcript::transcript;
use crate::chat::Message;
use crate::rows::{MarkedJson, RowProblem, SkipReason, is_message, without_marks};

/// The keys with which messages begin.
const FIRST_KEYS: [&str; 4] = ["role", "content", "from", "value"];

/// How many characters without blanks tell what a text is.
const OPENING: usize = 24;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// The messages in a text that is a transcript or the JSON of a conversation; `None` for any other text.
///
/// The JSON is a list of messages, one message, messages one after another, a list of messages that are JSON in texts, or an object that holds a
/// list of messages. It may be JSON in JSON.
pub(super) fn conversation(key: &str, text: &str) -> Result<Option<Vec<Message>>, RowProblem> {
    let text = text.trim_start_matches(BYTE_ORDER_MARK);
    if let Some(messages) = transcript(text) {
        return Ok(Some(messages));
    }
    let wrong = |message: String| RowProblem::new(SkipReason::WrongType, message);
    let opening: String = text.chars().filter(|c| !c.is_whitespace()).take(OPENING).collect();
    if let Some(list) = opening.strip_prefix("array(")
        && ["'", "\""].iter().any(|quote| begins_as_messages(list, quote))
    {
        return Err(wrong(format!(
            "`{key}` is an array of numpy as text; write messages as JSON (json.dumps(array.tolist()))"
        )));
    }
    if begins_as_messages(&opening, "'")
        || begins_as_object_of_python(&opening)
        || has_roles(text, &opening, "'")
    {
        return Err(wrong(format!(
            "`{key}` is a list or dict of Python as text; write messages as JSON (json.dumps)"
        )));
    }
    let is_escaped = |quote| begins_as_messages(&opening, quote) || has_roles(text, &opening, quote);
    if ["\\\"", "\"\""].into_iter().any(is_escaped) {
        return Err(wrong(format!(
            "`{key}` is JSON of messages whose quotation marks are escaped once too often (\\\" or \"\"); write it with json.dumps, once"
        )));
    }
    if opening.starts_with("\"[{") || opening.starts_with("\"{") {
        // JSON in JSON.
        return match serde_json::from_str::<String>(text) {
            Ok(inner) => conversation(key, &inner),
            Err(_) => Ok(None),
        };
    }
    if !["[{\"", "{\"", "[\"{"].iter().any(|start| opening.starts_with(start)) {
        return Ok(None);
    }
    let value = match values(text) {
        (mut values, None) if values.len() == 1 => unwrapped(values.remove(0)),
        (values, None) => values.into(),
        (values, Some(error)) if begins_as_messages(&opening, "\"") || values.iter().any(is_message) => {
            let problem = match error.is_eof() {
                true => "these end early; is the text cut?".to_owned(),
                false => format!("these are not valid ({error}); write them with json.dumps"),
            };
            return Err(wrong(format!("`{key}` begins as messages in JSON, but {problem}")));
        }
        (_, Some(_)) => return Ok(None),
    };
    let value = match value {
        Json::Array(items) => items.into_iter().map(message_in_text).collect(),
        other => other,
    };
    if !is_message(&value) && !value.as_array().is_some_and(|items| items.iter().all(is_message)) {
        return Ok(None);
    }
    let value = without_marks(value).map_err(|problem| wrong(format!("`{key}`: {problem}")))?;
    messages(key, value).map(Some)
}

/// Whether a text without blanks begins as a list of messages, with this quotation mark.
fn begins_as_messages(opening: &str, quote: &str) -> bool {
    FIRST_KEYS.iter().any(|key| opening.starts_with(&format!("[{{{quote}{key}{quote}:")))
}

/// Whether a text is a list of objects, with this quotation mark, in which there is a role. Other keys may come first.
fn has_roles(text: &str, opening: &str, quote: &str) -> bool {
    if !opening.starts_with(&format!("[{{{quote}")) {
        return false;
    }
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    ["role", "from"].iter().any(|key| {
        let named = format!("{quote}{key}{quote}:{quote}");
        let mut roles = text.split(&named).skip(1);
        roles.any(|rest| is_role(rest.split(quote).next().unwrap_or_default()))
    })
}

/// Whether a text without blanks begins as a message of Python, or as a dict that holds messages.
fn begins_as_object_of_python(opening: &str) -> bool {
    let of_message = ["role", "from"].iter().any(|key| {
        let rest = opening.strip_prefix(&format!("{{'{key}':'"));
        rest.is_some_and(|rest| is_role(rest.split('\'').next().unwrap_or_default()))
    });
    of_message || CONVERSATIONS.iter().any(|key| opening.starts_with(&format!("{{'{key}':[{{'")))
}

/// The JSON values that follow one another in a text. The error is one behind them, unless what is there is no object: then the text is other
/// than JSON, and there are no values.
fn values(text: &str) -> (Vec<Json>, Option<serde_json::Error>) {
    let mut values = Vec::new();
    let mut stream = Deserializer::from_str(text).into_iter();
    while let Some(value) = stream.next() {
        match value {
            Ok(MarkedJson(value)) => values.push(value),
            Err(error) => {
                let is_object = text[stream.byte_offset()..].trim_start().starts_with('{');
                return if is_object { (values, Some(error)) } else { (Vec::new(), Some(error)) };
            }
        }
    }
    (values, None)
}

/// The message that is JSON in a text; any other value as it is.
fn message_in_text(value: Json) -> Json {
    let inner = value.as_str().and_then(|text| serde_json::from_str(text).ok());
    match inner {
        Some(MarkedJson(inner)) if is_message(&inner) => inner,
        _ => value,
    }
}
