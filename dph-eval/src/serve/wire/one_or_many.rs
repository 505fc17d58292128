//! [`OneOrMany`]: a text or several.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

/// A text, or a list of at least `LEAST` texts.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Value")]
pub struct OneOrMany<const LEAST: usize>(pub Vec<String>);

impl<const LEAST: usize> TryFrom<Value> for OneOrMany<LEAST> {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let texts = match value {
            Value::String(text) => Some(vec![text]),
            list @ Value::Array(_) => serde_json::from_value::<Vec<String>>(list).ok(),
            _ => None,
        };
        let expected = match LEAST {
            0 => "expected a string, or a list of strings",
            _ => "expected a string, or a list of at least one string",
        };
        texts.filter(|texts| texts.len() >= LEAST).map(Self).ok_or(expected)
    }
}

impl<const LEAST: usize> JsonSchema for OneOrMany<LEAST> {
    fn schema_name() -> Cow<'static, str> {
        if LEAST == 0 { "TextOrTexts" } else { "OneOrMany" }.into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A text, or a list of texts.",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": LEAST}],
        })
    }
}
