//! [`RankRequest`]: a prompt with candidate answers, as a line of JSON.

use dph_core::CandidateSet;
use dph_data::{ChatError, ChatTokenizer, Message};
use serde_json::{Map, Value};

/// A prompt and the candidate answers to it.
///
/// As JSON: `{"prompt": "Who wrote it?", "candidates": ["Ann.", "Bob."], "id": 7}`. `prompt` may also be a list of messages
/// `{"role": …, "content": …}`. `id` is optional and is returned with the ranking. Other keys are ignored.
#[derive(Debug, Clone, PartialEq)]
pub struct RankRequest {
    /// Returned with the ranking.
    pub id: Option<Value>,
    /// The messages before the answer.
    pub prompt: Vec<Message>,
    /// The answers; at least one.
    pub candidates: Vec<String>,
}

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
    #[error("expected an object {{\"prompt\": …, \"candidates\": […]}}, found {found}")]
    NotAnObject {
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

impl RankRequest {
    /// Parses a line of JSON.
    ///
    /// # Errors
    /// A line that is not a valid request.
    pub fn parse(line: &str) -> Result<Self, RequestError> {
        let value: Value =
            serde_json::from_str(line).map_err(|error| RequestError::Json { message: error.to_string() })?;
        let Value::Object(mut fields) = value else {
            return Err(RequestError::NotAnObject { found: kind_of(&value) });
        };
        let prompt = take(&mut fields, "prompt")?;
        let candidates = take(&mut fields, "candidates")?;
        Ok(Self { id: fields.remove("id"), prompt: messages(prompt)?, candidates: texts(candidates)? })
    }

    /// Tokenises the request; `id` is the id of the set.
    ///
    /// # Errors
    /// Messages that the chat template of the tokenizer rejects.
    pub fn candidate_set(&self, id: String, tokenizer: &ChatTokenizer) -> Result<CandidateSet, ChatError> {
        tokenizer.candidate_set(id, &self.prompt, &self.candidates, None)
    }
}

fn take(fields: &mut Map<String, Value>, field: &'static str) -> Result<Value, RequestError> {
    fields
        .remove(field)
        .ok_or_else(|| RequestError::Missing { field, present: fields.keys().cloned().collect() })
}

fn messages(prompt: Value) -> Result<Vec<Message>, RequestError> {
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

fn texts(candidates: Value) -> Result<Vec<String>, RequestError> {
    let wrong = RequestError::Field { field: "candidates", expected: "a list of at least one string" };
    let texts: Vec<String> = serde_json::from_value(candidates).map_err(|_| wrong.clone())?;
    if texts.is_empty() { Err(wrong) } else { Ok(texts) }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_a_string_or_messages() {
        let short = RankRequest::parse(r#"{"prompt": "Hi", "candidates": ["a", "b"], "more": 1}"#).unwrap();
        assert_eq!(
            short,
            RankRequest {
                id: None,
                prompt: vec![Message::user("Hi")],
                candidates: vec!["a".into(), "b".into()]
            }
        );
        let long = r#"{"id": 7, "prompt": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}], "candidates": [""]}"#;
        let long = RankRequest::parse(long).unwrap();
        assert_eq!(long.prompt, [Message::system("Be kind."), Message::user("Hi")]);
        assert_eq!(long.id, Some(7.into()));
    }

    #[test]
    fn an_invalid_line_is_an_error_that_says_why() {
        for (line, expected) in [
            ("{", "not JSON: EOF while parsing an object at line 1 column 1"),
            ("[1]", r#"expected an object {"prompt": …, "candidates": […]}, found a list"#),
            (
                r#"{"prompt": "x", "candidate": ["a"]}"#,
                "the field `candidates` is missing; other fields are candidate",
            ),
            ("{}", "the field `prompt` is missing"),
            (r#"{"prompt": "x", "candidates": []}"#, "`candidates` must be a list of at least one string"),
            (r#"{"prompt": "x", "candidates": [1]}"#, "`candidates` must be a list of at least one string"),
            (
                r#"{"prompt": [], "candidates": ["a"]}"#,
                r#"`prompt` must be a string, or a list of messages {"role": "user", "content": "…"}"#,
            ),
            (
                r#"{"prompt": [{"content": "x"}], "candidates": ["a"]}"#,
                r#"`prompt` must be a string, or a list of messages {"role": "user", "content": "…"}"#,
            ),
        ] {
            assert_eq!(RankRequest::parse(line).unwrap_err().to_string(), expected, "{line}");
        }
    }
}
