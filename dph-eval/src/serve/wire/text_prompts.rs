//! [`TextPrompts`]: texts that are continued.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

/// A text, its tokens, or a list of these.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Value")]
pub struct TextPrompts(pub Vec<TextPrompt>);

/// A text or its tokens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum TextPrompt {
    Text(String),
    Tokens(Vec<u32>),
}

impl TryFrom<Value> for TextPrompts {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        const EXPECTED: &str =
            "expected a string, a list of token numbers, or a list of at least one of these";
        let is_one = value.is_string() || value.get(0).is_some_and(Value::is_number);
        let value = if is_one { Value::Array(vec![value]) } else { value };
        match serde_json::from_value::<Vec<TextPrompt>>(value) {
            Ok(prompts) if !prompts.is_empty() => Ok(Self(prompts)),
            _ => Err(EXPECTED),
        }
    }
}

impl JsonSchema for TextPrompts {
    fn schema_name() -> Cow<'static, str> {
        "TextPrompts".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let token = json_schema!({"type": "integer", "minimum": 0, "maximum": u32::MAX});
        let tokens = json_schema!({"type": "array", "items": token, "minItems": 1});
        let text = json_schema!({"type": "string"});
        json_schema!({
            "description": "A text, its tokens, or a list of these.",
            "anyOf": [text, tokens, {"type": "array", "items": {"anyOf": [text, tokens]}, "minItems": 1}],
        })
    }
}
