//! `dph-eval generate --chat`: a conversation in the terminal.

use std::io::Write;

use dph_core::terminal::{Failure, printable_text, say};
use dph_data::Message;
use dph_eval::{BestOf, GenerateRequest, Model, check_prompt, generate};

use super::generate_record::selection_name;
use super::line_editor::LineEditor;
use super::text_stream::TextStream;

const HELP: &str = "/reset forgets the conversation, /undo the last question and its answer, /quit or the end of the input ends.";

/// Asks for messages and answers them until the end of the input.
pub fn chat(
    model: &Model,
    settings: &BestOf,
    system: Option<&str>,
    stream: bool,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let mut editor = LineEditor::new().map_err(|error| Failure::work(format!("the terminal: {error}")))?;
    say(&format!("{}: {HELP}", model.name));
    let opening: Vec<Message> = system.map(Message::system).into_iter().collect();
    let mut messages = opening.clone();
    while let Some(line) =
        editor.read("> ").map_err(|error| Failure::work(format!("the terminal: {error}")))?
    {
        match line.trim() {
            "" => continue,
            "/quit" => break,
            "/reset" => messages.clone_from(&opening),
            "/undo" => messages.truncate(messages.len().saturating_sub(2).max(opening.len())),
            command if command.starts_with('/') => say(&format!("there is no command {command}; {HELP}")),
            text => {
                messages.push(Message::user(text));
                match answer(model, settings, &messages, stream, out) {
                    Ok(text) => messages.push(Message::assistant(text)),
                    Err(failure) => {
                        messages.pop();
                        say(&failure.to_string());
                    }
                }
            }
        }
    }
    Ok(())
}

/// Prints the answer to a conversation.
fn answer(
    model: &Model,
    settings: &BestOf,
    messages: &[Message],
    stream: bool,
    out: &mut dyn Write,
) -> Result<String, Failure> {
    let request = GenerateRequest { id: None, prompt: messages.to_vec(), gold: Vec::new() };
    let prompt = request.tokens(&model.tokenizer)?;
    check_prompt(model, &prompt)?;
    let mut text = TextStream::new(&model.tokenizer, &settings.stop_strings);
    let mut failed = None;
    let sets = generate(model, &[prompt], settings, &mut |token| {
        if stream && failed.is_none() {
            let shown = text.push(token.token).map_err(Failure::from).and_then(|piece| {
                write!(out, "{}", printable_text(&piece))?;
                Ok(out.flush()?)
            });
            failed = shown.err();
        }
    })?;
    if let Some(failure) = failed {
        return Err(failure);
    }
    let set = &sets[0];
    let rest = if stream { text.rest(&set.best().text) } else { &set.best().text };
    writeln!(out, "{}", printable_text(rest))?;
    out.flush()?;
    if settings.answers > 1 {
        let reward = set.best().scores.rewards.get(settings.head);
        let reward = reward.map_or_else(String::new, |reward| format!(", reward {reward:.4}"));
        say(&format!(
            "(answer {} of {} by {}{reward}, {} tokens)",
            set.chosen + 1,
            set.answers.len(),
            selection_name(settings, model),
            set.usage.after_prompt()
        ));
    }
    Ok(set.best().text.clone())
}
