//! [`RankRequest`]: a prompt with candidate answers, as a line of JSON.

use dph_core::CandidateSet;
use dph_data::{ChatError, ChatTokenizer, Message};
use serde_json::Value;

use crate::request_fields::{RequestError, RequestFields};

const EXAMPLE: &str = r#"{"prompt": …, "candidates": […]}"#;

/// A prompt and the candidate answers to it.
///
/// As JSON: `{"prompt": "Who wrote it?", "candidates": ["Ann.", "Bob."], "id": 7}`. `prompt` may also be a list of messages
/// `{"role": …, "content": …}`, which are read as those of rows for training; `system` is the text of a system message before them. `id` is
/// optional and is returned with the ranking. Other keys are ignored.
#[derive(Debug, Clone, PartialEq)]
pub struct RankRequest {
    /// Returned with the ranking.
    pub id: Option<Value>,
    /// The messages before the answer.
    pub prompt: Vec<Message>,
    /// The answers; at least one.
    pub candidates: Vec<String>,
}

impl RankRequest {
    /// Parses a line of JSON.
    ///
    /// # Errors
    /// A line that is not a valid request.
    pub fn parse(line: &str) -> Result<Self, RequestError> {
        let mut fields = RequestFields::parse(line, EXAMPLE)?;
        let prompt = fields.prompt()?;
        let candidates = texts(fields.take("candidates")?)?;
        Ok(Self { id: fields.get("id"), prompt, candidates })
    }

    /// Tokenises the request; `id` is the id of the set.
    ///
    /// # Errors
    /// Messages that the chat template of the tokenizer rejects.
    pub fn candidate_set(&self, id: String, tokenizer: &ChatTokenizer) -> Result<CandidateSet, ChatError> {
        tokenizer.candidate_set(id, &self.prompt, &self.candidates, None)
    }
}

fn texts(candidates: Value) -> Result<Vec<String>, RequestError> {
    let wrong = RequestError::Field { field: "candidates", expected: "a list of at least one string" };
    let texts: Vec<String> = serde_json::from_value(candidates).map_err(|_| wrong.clone())?;
    if texts.is_empty() { Err(wrong) } else { Ok(texts) }
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
        // As in rows for training.
        for line in [
            r#"{"prompt": [{"from": "Human", "value": "Hi"}], "system": "Be kind.", "candidates": [""]}"#,
            r#"{"prompt": "[{\"role\": \"system\", \"content\": \"Be kind.\"}, {\"role\": \"USER\", \"content\": \"Hi\"}]", "candidates": [""]}"#,
        ] {
            assert_eq!(RankRequest::parse(line).unwrap().prompt, long.prompt, "{line}");
        }
    }

    #[test]
    fn an_invalid_line_is_an_error_that_says_why() {
        for (line, expected) in [
            ("{", "not JSON: EOF while parsing an object (column 1); write each request in one line"),
            (
                r#"{"prompt": "x", "candidates": ["a"], "more": [NaN]}"#,
                "not JSON: value 1 of `more` is NaN, which JSON lacks; write null, or leave the field out (column 47)",
            ),
            (
                r#"{"prompt": "x", "candidates": ["a"]},"#,
                "not JSON: a comma follows the object; JSON Lines have none between objects (column 37)",
            ),
            (
                r#"{'prompt': "x", "candidates": ["a"]}"#,
                "not JSON: a key needs double quotation marks, as json.dumps writes them (column 2)",
            ),
            (
                r#"{"prompt": "x", "candidates": ["a"], "prompt": "y"}"#,
                "`prompt` is there twice; rename or remove one of them",
            ),
            (
                r#"{"prompt": [{"role": "customer", "content": "x"}], "candidates": ["a"]}"#,
                "message 1 in `prompt` has the unknown role `customer`; rename it to one of system, user (human, prompter), assistant (gpt, chatgpt, model, bot, ai), tool, developer, function, ipython",
            ),
            (
                "[1]",
                r#"expected an object {"prompt": …, "candidates": […]}, found a list; write each request in a line of its own"#,
            ),
            (
                r#"{"prompt": "x", "candidate": ["a"]}"#,
                "the field `candidates` is missing; other fields are candidate",
            ),
            ("{}", "the field `prompt` is missing"),
            (r#"{"prompt": "x", "candidates": []}"#, "`candidates` must be a list of at least one string"),
            (r#"{"prompt": "x", "candidates": [1]}"#, "`candidates` must be a list of at least one string"),
            (r#"{"prompt": [], "candidates": ["a"]}"#, "there is no prompt: `prompt` is empty"),
            (
                r#"{"prompt": [{"content": "x"}], "candidates": ["a"]}"#,
                "message 1 in `prompt` has no `role` (or `from`); there is `content`",
            ),
            (
                r#"{"prompt": [{"role": "gpt", "content": "x"}], "candidates": ["a"]}"#,
                "the prompt ends with a message of the assistant; it must end before the answer, with the message that is answered",
            ),
            (
                r#"{"prompt": [{"role": "user", "content": null}], "candidates": ["a"]}"#,
                "message 1 in `prompt` (`user`) has the content null; write its text, and an empty one where it only calls tools",
            ),
            (
                r#"{"prompt": [{"role": "system", "content": "x"}, {"role": "user", "content": "x"}], "system": "y", "candidates": ["a"]}"#,
                "`system` must be a string, and not be there if the messages in `prompt` begin with a system message",
            ),
        ] {
            assert_eq!(RankRequest::parse(line).unwrap_err().to_string(), expected, "{line}");
        }
    }
}
