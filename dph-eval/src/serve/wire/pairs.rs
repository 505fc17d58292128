//! [`Pairs`]: prompts with an answer each.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value;

/// A pair of prompt and answer, or a list of such pairs.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Value")]
pub struct Pairs {
    pub pairs: Vec<(String, String)>,
    /// Whether they were a list.
    pub is_batch: bool,
}

impl TryFrom<Value> for Pairs {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        const EXPECTED: &str = "expected a pair [prompt, answer], or a list of at least one such pair: a text alone has no reward";
        let is_batch = value.get(0).is_some_and(Value::is_array);
        let value = if is_batch { value } else { Value::Array(vec![value]) };
        let pairs = serde_json::from_value(value).map_err(|_| EXPECTED)?;
        Ok(Self { pairs, is_batch })
    }
}

impl JsonSchema for Pairs {
    fn schema_name() -> Cow<'static, str> {
        "Pairs".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let pair = json_schema!({"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2});
        json_schema!({
            "description": "A pair [prompt, answer], or a list of such pairs.",
            "anyOf": [pair, {"type": "array", "items": pair, "minItems": 1}],
        })
    }
}
