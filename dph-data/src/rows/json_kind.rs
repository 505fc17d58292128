//! What a JSON value is, in words.

use serde_json::Value as Json;

use super::stand_ins::phrase;

/// The type of a value in the terms of JSON, or the phrase of what it stands for.
pub(crate) fn json_kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(fields) => {
            let own = fields.keys().next().filter(|_| fields.len() == 1);
            own.and_then(|key| phrase(key)).unwrap_or("an object")
        }
    }
}

/// Whether a value is a message: an object with `role` and `content`, or with `from` and `value`.
pub(crate) fn is_message(value: &Json) -> bool {
    ["role", "from"].iter().any(|key| value.get(key).is_some_and(Json::is_string))
        && ["content", "value", "tool_calls"].iter().any(|key| value.get(key).is_some())
}
