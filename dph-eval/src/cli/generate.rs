//! `dph-eval generate`.

use std::io::Write;
use std::path::PathBuf;

use clap::{ArgGroup, Args};
use dph_core::terminal::{Failure, printable_text, say};
use dph_data::Message;
use dph_eval::{BestOf, GenerateRequest, GeneratedToken, Model};
use serde_json::json;

use super::chat::chat;
use super::device::DeviceArgs;
use super::generate_input::generate_all;
use super::generate_record::{record, selection_name};
use super::generate_settings::SettingsArgs;
use super::shown_answer::answer;
use super::token_rewards::{pieces, with_rewards};

/// Generate answers and choose the best
///
/// Prompts are given on the command line, in the terminal (--chat), or as lines of JSON:
///
///   {"prompt": "Who wrote it?", "id": 7, "gold": "Ann."}
///
/// `prompt` is a string or a list of messages {"role": …, "content": …}. `system`, a system message before it, `id` and `gold`, the right
/// answer or a list of right ones, are optional. "match" says when an answer equals it: "exact" (default), "normalized" (lower case, without punctuation and
/// articles), or "contains" (the normalised answer contains it). With --input, a line of JSON is printed for each prompt, as with
/// --json. With --out, a run that was interrupted is continued.
///
/// The prompt is computed once for all answers, and rewards are computed from the states of the same pass. An answer that reaches
/// --max-tokens, or fills the context of the model, is scored with an end-of-turn token; its "end" is then "length" or "context".
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["prompt", "input", "chat"])))]
pub struct GenerateArgs {
    /// The model, export or run
    dir: PathBuf,

    /// A single prompt
    #[arg(long, value_name = "P")]
    prompt: Option<String>,

    /// A system message before each prompt
    #[arg(long, value_name = "S")]
    system: Option<String>,

    /// A file with one prompt a line; `-` is stdin
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,

    /// The file of the results of --input [default: stdout]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["prompt", "chat"])]
    out: Option<PathBuf>,

    /// A conversation in the terminal
    #[arg(long, conflicts_with = "json")]
    chat: bool,

    /// A TOML file with settings: the flags from --best-of to --per-token as keys, such as `best_of = 16`
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,

    #[command(flatten)]
    best_of: SettingsArgs,

    /// Print the answer while it is generated; with --json, a line {"answer", "token", "text"} for each token of all answers
    #[arg(long, conflicts_with = "input")]
    stream: bool,

    /// Print one line of JSON: {"id", "answer", "right", "chosen", "selection", "answers": [{"text", "end", "tokens", "loglik",
    /// "self_certainty", "rewards", "same_tokens"}], "usage": {"prompt", "generated", "branches", "rescored"}}
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    device: DeviceArgs,
}

impl GenerateArgs {
    pub fn run(self, out: &mut dyn Write) -> Result<(), Failure> {
        let settings = self.best_of.clone().with_file(self.settings.as_deref())?;
        let model = self.device.open(&self.dir)?;
        let settings = settings.best_of(&model)?;
        if self.stream && settings.answers > 1 && !self.json {
            return Err(Failure::request(
                "--stream: which of several answers is chosen is known at the end; use --best-of 1, or --json for all of them",
            ));
        }
        let system = self.system.as_deref();
        if self.chat {
            return chat(&model, &settings, system, self.stream, out);
        }
        if let Some(input) = &self.input {
            let output = self.out.as_deref();
            return generate_all(&model, &settings, input, output, system, self.device.token_budget, out);
        }
        let prompt = vec![Message::user(self.prompt.clone().unwrap_or_default())];
        let request = GenerateRequest::new(prompt).with_system(system);
        self.answer(&model, &settings, &request, out)
    }

    /// Answers a single prompt.
    fn answer(
        &self,
        model: &Model,
        settings: &BestOf,
        request: &GenerateRequest,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        let mut show = |GeneratedToken { answer, token, .. }, text: &str| {
            match self.json {
                true => writeln!(out, "{}", json!({"answer": answer, "token": token, "text": text}))?,
                false => write!(out, "{}", printable_text(text))?,
            }
            Ok(out.flush()?)
        };
        let (set, rest) = answer(model, settings, request, self.stream.then_some(&mut show))?;
        if self.json {
            return Ok(writeln!(out, "{}", record(request, &set, settings, model))?);
        }
        writeln!(out, "{}", printable_text(&rest))?;
        if settings.token_rewards {
            let best = set.best();
            let tokens: Vec<u32> = best.drawn.iter().map(|(token, _)| *token).collect();
            let rewards = best.token_rewards.iter().filter_map(|of_token| of_token.get(settings.head));
            let line =
                with_rewards(&pieces(&tokens, &model.tokenizer)?, rewards.map(|&reward| f64::from(reward)));
            writeln!(out, "reward:{}: {line}", model.heads()[settings.head])?;
        }
        if settings.answers > 1 {
            say(&format!(
                "answer {} of {} by {}; {} tokens after the prompt",
                set.chosen + 1,
                set.answers.len(),
                selection_name(settings, model),
                set.usage.after_prompt()
            ));
        }
        Ok(())
    }
}
