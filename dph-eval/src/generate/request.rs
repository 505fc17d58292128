//! [`GenerateRequest`]: a prompt that waits for an answer, as a line of JSON.

use dph_data::{ChatError, ChatTokenizer, Message};
use serde_json::Value;

use crate::generate::gold_match::GoldMatch;
use crate::request_fields::{RequestError, RequestFields};

const EXAMPLE: &str = r#"{"prompt": …}"#;

/// A prompt that waits for an answer.
///
/// As JSON: `{"prompt": "Who wrote it?", "id": 7, "gold": "Ann."}`. `prompt` may also be a list of messages `{"role": …,
/// "content": …}`, which are read as those of rows for training; `system` is the text of a system message before them. `id` is optional and is returned with the answer. `gold` is the right answer, or a list of right answers, if
/// there is one. `match` says when an answer equals it: "exact" (the default), "normalized" or "contains", see [`GoldMatch`]. Other
/// keys are ignored.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateRequest {
    /// Returned with the answer.
    pub id: Option<Value>,
    /// The messages before the answer.
    pub prompt: Vec<Message>,
    /// Right answers; empty if none is known.
    pub gold: Vec<String>,
    /// When an answer equals one of them.
    pub gold_match: GoldMatch,
}

impl GenerateRequest {
    /// A prompt without a right answer.
    pub fn new(prompt: Vec<Message>) -> Self {
        Self { id: None, prompt, gold: Vec::new(), gold_match: GoldMatch::default() }
    }

    /// Parses a line of JSON.
    ///
    /// # Errors
    /// A line that is not a valid request.
    pub fn parse(line: &str) -> Result<Self, RequestError> {
        let mut fields = RequestFields::parse(line, EXAMPLE)?;
        let prompt = fields.prompt()?;
        let gold = match fields.get("gold") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::String(text)) => vec![text],
            Some(list) => serde_json::from_value(list).map_err(|_| RequestError::Field {
                field: "gold",
                expected: "a string, or a list of strings",
            })?,
        };
        let gold_match = match fields.get("match") {
            None | Some(Value::Null) => GoldMatch::default(),
            Some(name) => serde_json::from_value(name).map_err(|_| RequestError::Field {
                field: "match",
                expected: "\"exact\", \"normalized\" or \"contains\"",
            })?,
        };
        Ok(Self { id: fields.get("id"), prompt, gold, gold_match })
    }

    /// The request with a system message before its own messages, unless it begins with one.
    #[must_use]
    pub fn with_system(mut self, system: Option<&str>) -> Self {
        let has_own = self.prompt.first().is_some_and(|message| message.role == "system");
        if let Some(system) = system.filter(|_| !has_own) {
            self.prompt.insert(0, Message::system(system));
        }
        self
    }

    /// The tokens of the prompt.
    ///
    /// # Errors
    /// Messages that the chat template of the tokenizer rejects.
    pub fn tokens(&self, tokenizer: &ChatTokenizer) -> Result<Vec<u32>, ChatError> {
        tokenizer.prompt(&self.prompt)
    }

    /// Whether an answer is right; `None` if no right answer is known.
    pub fn is_right(&self, answer: &str) -> Option<bool> {
        let is_match = |gold: &String| self.gold_match.is_match(answer, gold);
        (!self.gold.is_empty()).then(|| self.gold.iter().any(is_match))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_request_has_a_prompt_and_may_have_right_answers() {
        let request =
            GenerateRequest::parse(r#"{"prompt": "Who?", "id": 7, "gold": ["Ann.", "Bob."]}"#).unwrap();
        assert_eq!(
            (request.id.clone(), request.prompt.clone()),
            (Some(7.into()), vec![Message::user("Who?")])
        );
        assert_eq!((request.is_right(" Bob.\n"), request.is_right("Cid.")), (Some(true), Some(false)));
        let plain = GenerateRequest::parse(r#"{"prompt": [{"role": "user", "content": "Hi"}]}"#).unwrap();
        assert_eq!(plain.is_right("Hi"), None);
        let error = |line| GenerateRequest::parse(line).unwrap_err().to_string();
        assert!(error("[]").contains("expected an object {\"prompt\": …}, found a list"));
        assert!(error(r#"{"text": 1}"#).contains("`prompt` is missing; other fields are text"));
        let wider = r#"{"prompt": "x", "gold": "Bob", "match": "contains"}"#;
        assert_eq!(GenerateRequest::parse(wider).unwrap().is_right("It was Bob."), Some(true));
        assert!(error(r#"{"prompt": "x", "match": "same"}"#).contains("`match` must be \"exact\""));
        assert!(error(r#"{"prompt": "x", "gold": 1}"#).contains("`gold` must be a string"));
    }
}
