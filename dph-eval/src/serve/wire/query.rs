//! [`Query`]: what answers are given to.

use std::borrow::Cow;

use dph_data::Message;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use super::messages::{MessageSchema, Messages};

/// What answers are given to: a user's message as a text, or the messages before the answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Value")]
pub struct Query(pub Vec<Message>);

const EXPECTED: &str = r#"expected a string, or a list of messages {"role": "user", "content": "…"}"#;

impl TryFrom<Value> for Query {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Ok(Self(vec![Message::user(text)])),
            list @ Value::Array(_) => Messages::try_from(list).map(|messages| Self(messages.0)),
            _ => Err(EXPECTED.into()),
        }
    }
}

impl JsonSchema for Query {
    fn schema_name() -> Cow<'static, str> {
        "Query".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let message = generator.subschema_for::<MessageSchema>();
        json_schema!({
            "description": "What answers are given to: a user's message, or all messages before the answers.",
            "anyOf": [{"type": "string"}, {"type": "array", "items": message, "minItems": 1}],
        })
    }
}
