//! The fields of a request in a line of JSON.

use dph_data::{Message, RowProblem, read_json, read_prompt};
use serde_json::{Map, Value};

/// An invalid request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The line is not JSON, or has a key twice.
    #[error("{message}")]
    Json {
        /// What is wrong.
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
    /// The prompt is neither a text nor messages that an answer can follow.
    #[error("{message}")]
    Prompt {
        /// What is wrong.
        message: String,
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
        let not_json = |RowProblem { message, .. }| {
            // The first line of an object in many.
            let remedy =
                if message.contains("EOF while parsing") { "; write each request in one line" } else { "" };
            RequestError::Json { message: message + remedy }
        };
        match read_json(line).map_err(not_json)? {
            Value::Object(fields) => Ok(Self(fields)),
            Value::Array(_) => Err(RequestError::NotAnObject {
                expected,
                found: "a list; write each request in a line of its own",
            }),
            other => Err(RequestError::NotAnObject { expected, found: kind_of(&other) }),
        }
    }

    /// A field that must be there.
    pub fn take(&mut self, field: &'static str) -> Result<Value, RequestError> {
        self.get(field)
            .ok_or_else(|| RequestError::Missing { field, present: self.0.keys().cloned().collect() })
    }

    /// The messages in `prompt`, with the text in `system`, if there is one, before them.
    pub fn prompt(&mut self) -> Result<Vec<Message>, RequestError> {
        let prompt = self.take("prompt")?;
        let problem = |problem: RowProblem| RequestError::Prompt { message: problem.message };
        let mut messages = read_prompt(prompt).map_err(problem)?;
        match self.get("system") {
            None | Some(Value::Null) => {}
            Some(Value::String(system)) if messages[0].role != "system" => {
                messages.insert(0, Message::system(system));
            }
            Some(_) => {
                let expected =
                    "a string, and not be there if the messages in `prompt` begin with a system message";
                return Err(RequestError::Field { field: "system", expected });
            }
        }
        Ok(messages)
    }

    /// A field that may be there.
    pub fn get(&mut self, field: &str) -> Option<Value> {
        self.0.remove(field)
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
