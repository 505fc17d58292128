//! One message of a row.

use serde::Deserialize;
use serde_json::Value as Json;

use crate::chat::{ASSISTANT, Content, Message, SYSTEM, USER};
use crate::rows::{RowProblem, SkipReason};

/// Names of roles, which are understood in any case of their letters. Other names are kept as they are.
const ROLES: [(&str, &str); 11] = [
    ("system", SYSTEM),
    ("user", USER),
    ("human", USER),
    ("prompter", USER),
    ("assistant", ASSISTANT),
    ("gpt", ASSISTANT),
    ("chatgpt", ASSISTANT),
    ("model", ASSISTANT),
    ("bot", ASSISTANT),
    ("ai", ASSISTANT),
    ("tool", "tool"),
];

/// The message in a value: an object with `role` and `content`, or with `from` and `value`. `index` is its position in `key`.
pub(super) fn message(key: &str, index: usize, value: Json) -> Result<Message, RowProblem> {
    let wrong = |message| RowProblem::new(SkipReason::WrongType, message);
    let no_message = || {
        wrong(format!(
            "`{key}` must be text or messages, objects with `role` and `content` (or `from` and `value`) as text"
        ))
    };
    let Json::Object(mut fields) = value else { return Err(no_message()) };
    let is_sharegpt = fields.contains_key("from");
    let mut field = |names: [&str; 2]| names.iter().find_map(|name| fields.shift_remove(*name));
    let role =
        field(["role", "from"]).as_ref().and_then(Json::as_str).map(standard_role).ok_or_else(no_message)?;
    let content = match field(["content", "value"]) {
        Some(Json::Null) => {
            return Err(wrong(format!(
                "message {} in `{key}` (`{role}`) has the content null; write its text, or leave the key out where it only calls tools",
                index + 1
            )));
        }
        Some(content) => {
            Content::deserialize(content).map_err(|error| wrong(format!("a message in `{key}`: {error}")))?
        }
        None if fields.contains_key("tool_calls") => Content::absent(),
        None => return Err(no_message()),
    };
    // ShareGPT has keys such as `weight`, which are no part of a message.
    fields.retain(|_, value| !is_sharegpt && !value.is_null());
    Ok(Message { role, content, extra: fields })
}

fn standard_role(name: &str) -> String {
    let known = ROLES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
    known.map_or(name, |(_, role)| role).to_owned()
}
