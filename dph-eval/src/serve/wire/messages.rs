//! [`Messages`]: a conversation.

use std::borrow::Cow;

use dph_data::Message;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

/// A conversation with at least one message.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Value")]
pub struct Messages(pub Vec<Message>);

const EXPECTED: &str = r#"expected a list of messages {"role": "user", "content": "…"}"#;

impl TryFrom<Value> for Messages {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::Array(list) if !list.is_empty() => serde_json::from_value(Value::Array(list))
                .map(Self)
                .map_err(|error| format!("{EXPECTED}: {error}")),
            _ => Err(EXPECTED.into()),
        }
    }
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
                "role": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$", "examples": ["system", "user", "assistant"]},
                "content": {
                    "anyOf": [
                        {"type": "string"},
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
