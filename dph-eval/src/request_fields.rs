//! The fields of a request in a line of JSON.

use dph_data::Message;
use serde_json::{Map, Value};

/// An invalid request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The line is not JSON.
    #[error("not JSON: {message}")]
    Json {
        /// The message of the parser.
        message: String,
    },
    /// The line is JSON, but not an object.
    #[error("expected an object {expected}, found {found}")]
    NotAnObject {
        /// The expected form.
        expected: &'static str,
        /// The type of the value.
        found: &'static str,
    },
    /// A field is missing.
    #[error("the field `{field}` is missing{}", if present.is_empty() { String::new() } else { format!("; other fields are {}", present.join(", ")) })]
    Missing {
        /// The field.
        field: &'static str,
        /// The other fields of the object.
        present: Vec<String>,
    },
    /// A field has a wrong type.
    #[error("`{field}` must be {expected}")]
    Field {
        /// The field.
        field: &'static str,
        /// The expected type.
        expected: &'static str,
    },
}

/// The fields of a request.
pub(crate) struct RequestFields(Map<String, Value>);

impl RequestFields {
    /// Parses a line of JSON, which should have the form `expected`.
    pub fn parse(line: &str, expected: &'static str) -> Result<Self, RequestError> {
        match serde_json::from_str(line).map_err(|error| RequestError::Json { message: error.to_string() })? {
            Value::Object(fields) => Ok(Self(fields)),
            other => Err(RequestError::NotAnObject { expected, found: kind_of(&other) }),
        }
    }

    /// A field that must be there.
    pub fn take(&mut self, field: &'static str) -> Result<Value, RequestError> {
        self.get(field)
            .ok_or_else(|| RequestError::Missing { field, present: self.0.keys().cloned().collect() })
    }

    /// A field that may be there.
    pub fn get(&mut self, field: &str) -> Option<Value> {
        self.0.remove(field)
    }
}

/// The messages of a prompt: a string is a user's message.
pub(crate) fn messages(prompt: Value) -> Result<Vec<Message>, RequestError> {
    let wrong = RequestError::Field {
        field: "prompt",
        expected: "a string, or a list of messages {\"role\": \"user\", \"content\": \"…\"}",
    };
    match prompt {
        Value::String(text) => Ok(vec![Message::user(text)]),
        Value::Array(list) if !list.is_empty() => {
            serde_json::from_value(Value::Array(list)).map_err(|_| wrong)
        }
        _ => Err(wrong),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
