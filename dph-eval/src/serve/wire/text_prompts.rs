//! [`TextPrompts`]: texts that are continued.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

use crate::serve::json_value::whole;

/// A text, its tokens, or a list of these.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Value")]
pub struct TextPrompts(pub Vec<TextPrompt>);

/// A text or its tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextPrompt {
    Text(String),
    Tokens(Vec<u32>),
}

impl TryFrom<Value> for TextPrompts {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        const EXPECTED: &str =
            "expected a string, a list of token numbers, or a list of at least one of these";
        let prompts = match value {
            Value::Array(list) if !list.first().is_some_and(Value::is_number) => {
                list.into_iter().map(TextPrompt::new).collect::<Option<Vec<_>>>()
            }
            one => TextPrompt::new(one).map(|one| vec![one]),
        };
        prompts.filter(|prompts| !prompts.is_empty()).map(Self).ok_or(EXPECTED)
    }
}

impl TextPrompt {
    fn new(value: Value) -> Option<Self> {
        let token = |number: &Value| whole(number).and_then(|number| u32::try_from(number).ok());
        match value {
            Value::String(text) => Some(Self::Text(text)),
            Value::Array(list) => list.iter().map(token).collect::<Option<_>>().map(Self::Tokens),
            _ => None,
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
