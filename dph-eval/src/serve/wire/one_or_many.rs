//! [`OneOrMany`]: a text or several.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

/// A text, or a list of texts.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Value")]
pub struct OneOrMany(pub Vec<String>);

impl TryFrom<Value> for OneOrMany {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        const EXPECTED: &str = "expected a string, or a list of at least one string";
        match value {
            Value::String(text) => Ok(Self(vec![text])),
            Value::Array(list) if !list.is_empty() => {
                serde_json::from_value(Value::Array(list)).map(Self).map_err(|_| EXPECTED)
            }
            _ => Err(EXPECTED),
        }
    }
}

impl JsonSchema for OneOrMany {
    fn schema_name() -> Cow<'static, str> {
        "OneOrMany".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A text, or a list of texts.",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
        })
    }
}
