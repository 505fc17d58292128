//! [`RankRequest`]: a prompt and the answers to rank, as a line of JSON.

use dph_core::CandidateSet;
use dph_data::{ChatError, ChatTokenizer, Message};
use serde_json::{Map, Value};

/// A prompt and the candidate answers to it.
///
/// As JSON: `{"prompt": "Who wrote it?", "candidates": ["Ann.", "Bob."], "id": 7}`, where `prompt` may also be a list of
/// messages `{"role": …, "content": …}` and `id`, which is only handed back, is optional. Other keys are ignored.
#[derive(Debug, Clone, PartialEq)]
pub struct RankRequest {
    /// Handed back with the answer.
    pub id: Option<Value>,
    /// The messages before the answer.
    pub prompt: Vec<Message>,
    /// The answers; at least one.
    pub candidates: Vec<String>,
}

/// A line that is no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The line is not JSON.
    #[error("not JSON: {message}")]
    Json {
        /// What the parser said.
        message: String,
    },
    /// The line is JSON, but not an object.
    #[error("needs an object {{\"prompt\": …, \"candidates\": […]}}, but there is {found}")]
    NotAnObject {
        /// What there is.
        found: &'static str,
    },
    /// A field is missing.
    #[error("the field `{field}` is missing; there is {}", if present.is_empty() { "none".into() } else { present.join(", ") })]
    Missing {
        /// The field.
        field: &'static str,
        /// The fields that are there.
        present: Vec<String>,
    },
    /// A field is not what it should be.
    #[error("`{field}` needs {expected}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it should be.
        expected: &'static str,
    },
}

impl RankRequest {
    /// A request from a line of JSON.
    ///
    /// # Errors
    /// What is wrong with the line.
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

    /// The request as tokens; `id` names the set.
    ///
    /// # Errors
    /// Messages that the tokenizer's chat template refuses.
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
        expected: "a text, or a list of messages {\"role\": \"user\", \"content\": \"…\"}",
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
    let wrong =
        RequestError::Field { field: "candidates", expected: "a list of texts, with at least one in it" };
    let texts: Vec<String> = serde_json::from_value(candidates).map_err(|_| wrong.clone())?;
    if texts.is_empty() { Err(wrong) } else { Ok(texts) }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_is_a_text_or_messages() {
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
    fn a_wrong_line_says_what_is_wrong() {
        for (line, expected) in [
            ("{", "not JSON: EOF while parsing an object at line 1 column 1"),
            ("[1]", r#"needs an object {"prompt": …, "candidates": […]}, but there is a list"#),
            (
                r#"{"prompt": "x", "candidate": ["a"]}"#,
                "the field `candidates` is missing; there is candidate",
            ),
            ("{}", "the field `prompt` is missing; there is none"),
            (
                r#"{"prompt": "x", "candidates": []}"#,
                "`candidates` needs a list of texts, with at least one in it",
            ),
            (
                r#"{"prompt": "x", "candidates": [1]}"#,
                "`candidates` needs a list of texts, with at least one in it",
            ),
            (
                r#"{"prompt": [], "candidates": ["a"]}"#,
                r#"`prompt` needs a text, or a list of messages {"role": "user", "content": "…"}"#,
            ),
            (
                r#"{"prompt": [{"content": "x"}], "candidates": ["a"]}"#,
                r#"`prompt` needs a text, or a list of messages {"role": "user", "content": "…"}"#,
            ),
        ] {
            assert_eq!(RankRequest::parse(line).unwrap_err().to_string(), expected, "{line}");
        }
    }
}
