//! The messages in a value of a row.

use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::chat::{ASSISTANT, Content, Message, SYSTEM, USER};
use crate::rows::{RowProblem, SkipReason, json_kind};

/// Names of roles, which are understood in any case of their letters.
const ROLES: [(&str, &str); 14] = [
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
    ("developer", "developer"),
    ("function", "function"),
    ("ipython", "ipython"),
];

/// The messages in a value: a list of messages, one message, or an object with such a list.
pub(super) fn messages(key: &str, value: Json) -> Result<Vec<Message>, RowProblem> {
    match unwrapped(value) {
        Json::Array(items) => {
            items.into_iter().enumerate().map(|(index, item)| message(key, index, item)).collect()
        }
        item @ Json::Object(_) => Ok(vec![message(key, 0, item)?]),
        other => Err(no_messages(&format!("`{key}`"), &other)),
    }
}

/// The problem of a value that is neither text nor messages, with its name in words.
pub(super) fn no_messages(name: &str, value: &Json) -> RowProblem {
    let message = format!("{name} must be {MESSAGES}, but is {}", json_kind(value));
    RowProblem::new(SkipReason::WrongType, message)
}

const MESSAGES: &str = "text or messages, objects with `role` and `content` (or `from` and `value`)";

/// The keys of objects that hold the messages of a conversation.
pub(super) const CONVERSATIONS: [&str; 3] = ["messages", "conversation", "conversations"];

/// The list of messages in an object such as `{"messages": […]}`; any other value as it is.
pub(super) fn unwrapped(mut value: Json) -> Json {
    let is_message = ["role", "from"].iter().any(|key| value.get(key).is_some());
    let mut lists = CONVERSATIONS.iter().filter(|key| value.get(key).is_some_and(Json::is_array));
    match (is_message, lists.next(), lists.next()) {
        (false, Some(key), None) => value[*key].take(),
        _ => value,
    }
}

/// The message in a value: an object with `role` and `content`, or with `from` and `value`. `index` is its position in `key`.
fn message(key: &str, index: usize, value: Json) -> Result<Message, RowProblem> {
    let wrong = |message| RowProblem::new(SkipReason::WrongType, message);
    let number = index + 1;
    let Json::Object(mut fields) = value else {
        return Err(wrong(format!(
            "`{key}` must be {MESSAGES}, but message {number} is {}",
            json_kind(&value)
        )));
    };
    let names = fields.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let there = if names.is_empty() { "nothing".to_owned() } else { names };
    let is_sharegpt = fields.contains_key("from");
    // Without `from`, a `value` beside the content is something else, such as a rating.
    let twice = if is_sharegpt { &SAME[..] } else { &[] };
    if let Some([one, other]) = twice.iter().find(|names| are_different(&fields, **names)) {
        return Err(wrong(format!(
            "message {number} in `{key}` has `{one}` and `{other}`, which mean the same, and they differ; leave one of them out"
        )));
    }
    let mut field = |names: [&str; 2]| {
        // null in one form does not hide the other one.
        let mut found: Vec<Json> = names.iter().filter_map(|name| fields.shift_remove(*name)).collect();
        let place = found.iter().position(|value| is_sharegpt && !value.is_null()).unwrap_or(0);
        (place < found.len()).then(|| found.swap_remove(place))
    };
    let role = match field(["role", "from"]) {
        Some(Json::String(role)) if role.trim().is_empty() => {
            return Err(wrong(format!("message {number} in `{key}` has an empty role")));
        }
        Some(Json::String(role)) => match standard_role(&role) {
            Some(role) => role.to_owned(),
            None => {
                let known = known_roles();
                return Err(wrong(format!(
                    "message {number} in `{key}` has the unknown role `{role}`; rename it to one of {known}"
                )));
            }
        },
        Some(other) => {
            let kind = json_kind(&other);
            return Err(wrong(format!(
                "message {number} in `{key}` needs a text as its role, but there is {kind}"
            )));
        }
        None => {
            return Err(wrong(format!(
                "message {number} in `{key}` has no `role` (or `from`); there is {there}"
            )));
        }
    };
    let content = match field(["content", "value"]) {
        Some(Json::Null) => {
            return Err(wrong(format!(
                "message {number} in `{key}` (`{role}`) has the content null; write its text, and an empty one where it only calls tools"
            )));
        }
        Some(Json::Array(parts)) if parts.is_empty() => {
            return Err(wrong(format!(
                "message {number} in `{key}` (`{role}`) has an empty list as its content; write its text, and an empty one where it only calls tools"
            )));
        }
        Some(content) => Content::deserialize(content)
            .map_err(|error| wrong(format!("message {number} in `{key}` (`{role}`): {error}")))?,
        None if fields.contains_key("tool_calls") => Content::absent(),
        None => {
            return Err(wrong(format!(
                "message {number} in `{key}` (`{role}`) has no `content` (or `value`); there is {there}"
            )));
        }
    };
    // ShareGPT has keys such as `weight`, which are no part of a message.
    fields.retain(|_, value| !is_sharegpt && !value.is_null());
    Ok(Message { role, content, extra: fields })
}

/// The keys of one thing in both forms of messages.
const SAME: [[&str; 2]; 2] = [["role", "from"], ["content", "value"]];

/// Whether a message has both keys, with different values. null is no value.
fn are_different(fields: &Map<String, Json>, [one, other]: [&str; 2]) -> bool {
    let value = |name: &str| {
        fields.get(name).filter(|value| !value.is_null()).map(|value| match (name, value) {
            ("role" | "from", Json::String(role)) => standard_role(role).unwrap_or(role).into(),
            _ => value.clone(),
        })
    };
    value(one).zip(value(other)).is_some_and(|(one, other)| one != other)
}

/// Whether a text is the name of a role.
pub(super) fn is_role(name: &str) -> bool {
    standard_role(name).is_some()
}

fn standard_role(name: &str) -> Option<&'static str> {
    ROLES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim())).map(|(_, role)| *role)
}

/// The roles with their other names, for messages.
fn known_roles() -> String {
    let roles = ROLES.iter().filter(|(name, role)| name == role).map(|(_, role)| {
        let others = ROLES.iter().filter(|(name, of)| of == role && name != role).map(|(name, _)| *name);
        match others.collect::<Vec<_>>().join(", ") {
            others if others.is_empty() => (*role).to_owned(),
            others => format!("{role} ({others})"),
        }
    });
    roles.collect::<Vec<_>>().join(", ")
}
