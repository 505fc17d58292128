//! [`Document`]: a text that is ranked.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

/// A text, or an object with a text.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Value")]
pub struct Document(pub String);

impl TryFrom<Value> for Document {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let text = match value {
            Value::Object(mut object) => object.remove("text").unwrap_or_default(),
            other => other,
        };
        match text {
            Value::String(text) => Ok(Self(text)),
            _ => Err("expected a string, or an object {\"text\": \"…\"}"),
        }
    }
}

impl JsonSchema for Document {
    fn schema_name() -> Cow<'static, str> {
        "Document".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A text, or an object with a text.",
            "anyOf": [
                {"type": "string"},
                {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
            ],
        })
    }
}
