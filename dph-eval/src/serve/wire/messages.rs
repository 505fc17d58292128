//! [`Messages`]: a conversation.

use std::borrow::Cow;

use dph_data::Message;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use super::refused::asks_for_nothing;

/// A conversation with at least one message.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Value")]
pub struct Messages(pub Vec<Message>);

const EXPECTED: &str = r#"expected a list of messages {"role": "user", "content": "…"}"#;

impl TryFrom<Value> for Messages {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::Array(list) if !list.is_empty() => {
                let numbered = |(index, value)| {
                    message(value).map_err(|error| format!("{EXPECTED}: message {}: {error}", index + 1))
                };
                list.into_iter().enumerate().map(numbered).collect::<Result<_, _>>().map(Self)
            }
            _ => Err(EXPECTED.into()),
        }
    }
}

/// A message as that of a row, without tools. Content that is null is empty, and a developer is the system.
fn message(value: Value) -> Result<Message, String> {
    let Value::Object(mut fields) = value else { return Err("it is not an object".into()) };
    let is_of_tool = |role: &Value| matches!(role.as_str(), Some("tool" | "function"));
    let calls = ["tool_calls", "function_call"];
    if let Some(field) =
        calls.iter().find(|field| fields.get(**field).is_some_and(|calls| !asks_for_nothing(calls)))
    {
        return Err(format!("`{field}` is not supported: a conversation is text"));
    }
    match fields.get_mut("role") {
        Some(role) if is_of_tool(role) => {
            return Err(format!("the role {role} is not supported: a conversation is text"));
        }
        Some(role) if *role == "developer" => *role = "system".into(),
        _ => {}
    }
    match fields.get_mut("content") {
        Some(content @ Value::Null) => *content = "".into(),
        Some(Value::Array(parts)) if !parts.iter().all(is_part) => {
            return Err(r#"a part of `content` must be {"type": "text", "text": "…"}"#.into());
        }
        _ => {}
    }
    serde_json::from_value(Value::Object(fields)).map_err(|error| error.to_string())
}

/// Whether it has the form of a part. Which types there are is up to [`Message`].
fn is_part(value: &Value) -> bool {
    value.is_object() && value.get("type").is_none_or(Value::is_string)
}

impl JsonSchema for Messages {
    fn schema_name() -> Cow<'static, str> {
        "Messages".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let message = generator.subschema_for::<MessageSchema>();
        json_schema!({"description": "A conversation.", "type": "array", "items": message, "minItems": 1})
    }
}

/// The schema of [`Message`].
pub struct MessageSchema;

impl JsonSchema for MessageSchema {
    fn schema_name() -> Cow<'static, str> {
        "Message".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A message of a conversation. Which roles may follow each other is up to the chat template of the model.",
            "type": "object",
            "properties": {
                "role": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$", "not": {"enum": ["tool", "function"]}, "examples": ["system", "user", "assistant"]},
                "content": {
                    "anyOf": [
                        {"type": ["string", "null"]},
                        {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
                                "required": ["text"],
                            },
                        },
                    ],
                },
            },
            "required": ["role", "content"],
        })
    }
}
