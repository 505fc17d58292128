//! `dph-eval generate --chat`: a conversation in the terminal.

use std::io::{self, IsTerminal, Write};

use dph_core::terminal::numbers::counted;
use dph_core::terminal::{Failure, printable_text, say};
use dph_data::Message;
use dph_eval::{BestOf, GenerateRequest, Model};

use super::generate_record::selection_name;
use super::line_editor::LineEditor;
use super::shown_answer::answer;

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
    let mut unanswered = 0;
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
                match print_answer(model, settings, &messages, stream, out) {
                    Ok(text) => messages.push(Message::assistant(text)),
                    Err(failure) => {
                        messages.pop();
                        unanswered += 1;
                        say(&failure.to_string());
                        if messages.len() > opening.len() {
                            say(HELP);
                        }
                    }
                }
            }
        }
    }
    match unanswered {
        0 => Ok(()),
        // Somebody at a terminal has seen it.
        _ if io::stdin().is_terminal() => Ok(()),
        count => Err(Failure::Partly(format!("{} got no answer", counted(count, "message")))),
    }
}

/// Prints the answer to a conversation.
fn print_answer(
    model: &Model,
    settings: &BestOf,
    messages: &[Message],
    stream: bool,
    out: &mut dyn Write,
) -> Result<String, Failure> {
    let request = GenerateRequest::new(messages.to_vec());
    let mut show = |_, text: &str| {
        write!(out, "{}", printable_text(text))?;
        Ok(out.flush()?)
    };
    let (set, rest) = answer(model, settings, &request, stream.then_some(&mut show))?;
    writeln!(out, "{}", printable_text(&rest))?;
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
