//! `dph-data render`.

use std::io::{BufRead, Write};
use std::path::PathBuf;

use clap::Args;
use dph_core::terminal::Failure;
use dph_data::{
    CandidateSet, ChatError, ChatFormat, ChatTokenizer, Message, PlainPrompt, RowProblem, Style, TokenView,
    read_messages, read_prompt,
};
use serde_json::{Value as Json, json};

use super::tokenizer;

/// The flags of `render`.
#[derive(Debug, Args)]
pub(crate) struct Render {
    /// The directory of a model, an export or a run, whose tokenizer is used
    #[arg(long, value_name = "DIR")]
    tokenizer: PathBuf,
    /// The format of conversations, `chatml` or `template` [default: that of the directory]
    #[arg(long, value_name = "FORMAT")]
    chat_format: Option<ChatFormat>,
    /// The style, `chat` or `plain`; in plain text the prompt is one text, and a blank stands between it and a candidate
    #[arg(long, value_name = "STYLE", default_value_t)]
    style: Style,
}

/// A line of the input: the messages before the answers, and the answers.
struct Conversation {
    prompt: Vec<Message>,
    candidates: Vec<Message>,
}

impl Render {
    pub(crate) fn run(
        &self,
        json: bool,
        input: &mut dyn BufRead,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        let tokenizer = tokenizer::open(&self.tokenizer, self.chat_format, self.style)?;
        let mut number = 0;
        for (index, line) in input.lines().enumerate() {
            let line = line.map_err(|error| Failure::request(format!("stdin:{}: {error}", index + 1)))?;
            if line.trim().is_empty() {
                continue;
            }
            let problem = |message: String| Failure::request(format!("stdin:{}: {message}", index + 1));
            let conversation = Conversation::parse(line.trim_start_matches('\u{feff}')).map_err(problem)?;
            let view = conversation
                .candidate_set(&tokenizer, self.style)
                .and_then(|set| TokenView::new(&tokenizer, &set).map_err(|error| error.to_string()))
                .map_err(problem)?;
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
    /// Parses a line. Other keys are ignored.
    fn parse(line: &str) -> Result<Self, String> {
        let mut line: Json = serde_json::from_str(line).map_err(|error| {
            // The parser sees one line.
            let error = error.to_string();
            format!("not JSON: {}", error.split(" at line").next().unwrap_or_default())
        })?;
        let mut field = |name: &str| line.get_mut(name).map(Json::take);
        if let Some(messages) = field("messages") {
            let mut messages = read_messages("messages", messages).map_err(described)?;
            let answer = messages.pop_if(|last| last.role == "assistant");
            return Ok(Self { prompt: messages, candidates: answer.into_iter().collect() });
        }
        let (Some(prompt), Some(candidates)) = (field("prompt"), field("candidates")) else {
            return Err(EXPECTED.to_owned());
        };
        let prompt = read_prompt(prompt).map_err(described)?;
        let candidates: Vec<String> = serde_json::from_value(candidates)
            .map_err(|error| format!("`candidates`: {error}. {EXPECTED}"))?;
        Ok(Self { prompt, candidates: candidates.into_iter().map(Message::assistant).collect() })
    }

    /// The tokens. A conversation that ends with the assistant's message has this one candidate, another one has none.
    fn candidate_set(self, tokenizer: &ChatTokenizer, style: Style) -> Result<CandidateSet, String> {
        let text = |error: ChatError| error.to_string();
        if style == Style::Chat {
            return tokenizer.candidate_messages("", &self.prompt, &self.candidates, None).map_err(text);
        }
        let [context] = &self.prompt[..] else {
            return Err("in the style `plain`, the prompt is one text".to_owned());
        };
        let contexts = vec![context.content.to_string()];
        let prompt = PlainPrompt { contexts, delimiter: " ".into(), ..PlainPrompt::default() };
        let candidates: Vec<String> =
            self.candidates.iter().map(|candidate| candidate.content.to_string()).collect();
        tokenizer.plain_set("", &prompt, &candidates, None, None).map(|(set, _)| set).map_err(text)
    }
}

fn described(problem: RowProblem) -> String {
    format!("{problem}. {EXPECTED}")
}
