//! `dph-data render`.

use std::io::{BufRead, Write};
use std::path::PathBuf;

use clap::Args;
use dph_core::terminal::Failure;
use dph_data::{CandidateSet, ChatFormat, ChatOptions, ChatTokenizer, Message, TokenView};
use serde::Deserialize;
use serde_json::json;

/// The flags of `render`.
#[derive(Debug, Args)]
pub(crate) struct Render {
    /// The directory of the tokenizer
    #[arg(long, value_name = "DIR")]
    tokenizer: PathBuf,
    /// The format of conversations, `chatml` or `template` [default: as the directory says]
    #[arg(long, value_name = "FORMAT")]
    chat: Option<ChatFormat>,
}

/// A line of the input.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Conversation {
    Messages { messages: Vec<Message> },
    Candidates { prompt: Prompt, candidates: Vec<String> },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Prompt {
    Text(String),
    Messages(Vec<Message>),
}

impl Render {
    pub(crate) fn run(
        &self,
        json: bool,
        input: &mut dyn BufRead,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        let options = ChatOptions { format: self.chat, ..ChatOptions::default() };
        let tokenizer = ChatTokenizer::from_dir_with(&self.tokenizer, &options).map_err(Failure::request)?;
        let mut number = 0;
        for (index, line) in input.lines().enumerate() {
            let line = line.map_err(Failure::work)?;
            if line.trim().is_empty() {
                continue;
            }
            let problem = |message: String| Failure::request(format!("stdin:{}: {message}", index + 1));
            let conversation: Conversation =
                serde_json::from_str(&line).map_err(|error| match error.is_data() {
                    true => problem(EXPECTED.to_owned()),
                    false => problem(format!("not JSON: {error}")),
                })?;
            let view = conversation
                .candidate_set(&tokenizer)
                .and_then(|set| TokenView::new(&tokenizer, &set))
                .map_err(|error| problem(error.to_string()))?;
            number += 1;
            match json {
                true => writeln!(out, "{}", json!(view))?,
                false => writeln!(out, "=== {number}\n{}", view.to_text())?,
            }
        }
        match number {
            0 => Err(Failure::request(format!("stdin has no conversation. {EXPECTED}"))),
            _ => Ok(()),
        }
    }
}

const EXPECTED: &str = "A line is {\"messages\": [{\"role\": \"user\", \"content\": \"…\"}, …]} or \
                        {\"prompt\": text or messages, \"candidates\": [\"…\", …]}";

impl Conversation {
    /// The tokens. A conversation that ends with the assistant's message has this one candidate, another one has none.
    fn candidate_set(self, tokenizer: &ChatTokenizer) -> Result<CandidateSet, dph_data::ChatError> {
        let (prompt, candidates) = match self {
            Self::Messages { mut messages } => {
                let answer = messages.pop_if(|last| last.role == "assistant");
                (messages, answer.map(|answer| answer.content.into_text()).into_iter().collect())
            }
            Self::Candidates { prompt: Prompt::Text(text), candidates } => {
                (vec![Message::user(text)], candidates)
            }
            Self::Candidates { prompt: Prompt::Messages(messages), candidates } => (messages, candidates),
        };
        tokenizer.candidate_set("", &prompt, &candidates, None)
    }
}
