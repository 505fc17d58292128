//! `dph-data show`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use dph_core::terminal::numbers::counted;
use dph_core::terminal::{Failure, printable_text};
use dph_core::text_file::read_text;
use dph_data::{ChatFormat, Document, Documents, Skipped, Style, Task, TaskLoadOptions, TokenView};
use serde_json::json;

use super::data::{Data, file_split};
use super::tokenizer;

/// The flags of `show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// An embedded task or a TOML file
    task: String,
    #[command(flatten)]
    data: Data,
    /// The style of the documents, `chat` or `plain`
    #[arg(long, value_name = "STYLE", default_value_t)]
    style: Style,
    /// The split [default: the first that exists of validation, test, train and the task's own; for a file the split that
    /// its name stands for, else train]
    #[arg(long)]
    split: Option<String>,
    /// Number of documents
    #[arg(long, value_name = "N", default_value_t = 3)]
    limit: usize,
    /// Print the tokens of the candidate sets: text, ids and pieces of the prompt, the answers and their ends
    #[arg(long, requires = "tokenizer")]
    tokens: bool,
    /// The directory of a model, an export or a run, whose tokenizer is used for --tokens
    #[arg(long, value_name = "DIR", requires = "tokens")]
    tokenizer: Option<PathBuf>,
    /// The format of conversations, `chatml` or `template` [default: that of the directory]
    #[arg(long, value_name = "FORMAT", requires = "tokens")]
    chat_format: Option<ChatFormat>,
    /// Print the TOML file of the task, as a template for your own
    #[arg(long, conflicts_with_all = ["split", "limit"])]
    toml: bool,
}

impl Show {
    pub(crate) fn run(&self, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
        let task = Task::find(&self.task)?;
        if self.toml {
            return self.source(out);
        }
        let root = self.data.of_task(&task, self.split.as_deref())?;
        let split = self.split.clone().unwrap_or_else(|| {
            if root.is_file() {
                return file_split(&task, &root);
            }
            let there = task.splits(&root);
            let preferred =
                ["validation", "test", "train"].into_iter().find(|split| there.iter().any(|s| s == split));
            let first = there.first().map_or("validation", String::as_str);
            preferred.unwrap_or(first).to_owned()
        });
        let options =
            TaskLoadOptions { style: self.style, keep_unlabelled: true, ..TaskLoadOptions::default() };
        let tokenizer = self
            .tokenizer
            .as_deref()
            .map(|path| tokenizer::open(path, self.chat_format, self.style))
            .transpose()?;
        let loaded = Documents::load(&task, &root, &split, &options)?;
        let views = |document: &Document| -> Result<Vec<TokenView>, Failure> {
            let Some(tokenizer) = &tokenizer else { return Ok(Vec::new()) };
            let sets = task.candidate_sets(document, tokenizer).map_err(Failure::request)?;
            Ok(sets.iter().map(|set| TokenView::new(tokenizer, set)).collect::<Result<_, _>>()?)
        };
        if json {
            let shown: Result<Vec<_>, Failure> = loaded
                .documents
                .iter()
                .take(self.limit)
                .map(|document| Ok(to_json(document, &views(document)?)))
                .collect();
            let report = json!({
                "task": task.name,
                "split": split,
                "rows": loaded.rows,
                "documents": shown?,
                "skipped": loaded.skipped,
                "skipped_rows": skipped_rows(&loaded.skipped),
            });
            writeln!(out, "{report:#}")?;
            return Ok(());
        }
        writeln!(out, "{}, split {split}: {}", task.name, counted(loaded.documents.len(), "document"))?;
        for document in loaded.documents.iter().take(self.limit) {
            match views(document)?.as_slice() {
                [] => print(document, out)?,
                views => {
                    writeln!(out, "\n=== {}", printable_text(document.id.as_deref().unwrap_or_default()))?;
                    views.iter().try_for_each(|view| out.write_all(view.to_text().as_bytes()))?;
                }
            }
        }
        if loaded.skipped.total() > 0 {
            writeln!(std::io::stderr(), "skipped: {}", loaded.skipped)?;
        }
        Ok(())
    }
}

impl Show {
    fn source(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let source = match Task::embedded_source(&self.task) {
            Some(source) => source.to_owned(),
            None => read_text(self.task.as_ref())
                .map_err(|error| Failure::request(format!("{}: {error}", self.task)))?,
        };
        Ok(out.write_all(source.as_bytes())?)
    }
}

fn print(document: &Document, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "\n=== {}", printable_text(document.id.as_deref().unwrap_or_default()))?;
    for message in &document.prompt {
        writeln!(out, "[{}]\n{}", printable_text(&message.role), printable_text(&message.content))?;
    }
    if let Some(plain) = &document.plain {
        for context in &plain.contexts {
            writeln!(out, "[context]\n{}{}", printable_text(&plain.description), printable_text(context))?;
        }
    }
    writeln!(out, "[candidates]")?;
    for (index, candidate) in document.candidates.iter().enumerate() {
        let mark = if document.gold == Some(index) { '*' } else { '-' };
        writeln!(out, "{mark} {}", printable_text(candidate).replace('\n', "\n  "))?;
    }
    Ok(())
}

/// The first few skipped rows of each reason.
fn skipped_rows(skipped: &Skipped) -> Vec<serde_json::Value> {
    let reasons = skipped.counts().into_keys();
    let rows = reasons.flat_map(|reason| skipped.examples(reason).iter().map(move |row| (reason, row)));
    rows.map(|(reason, row)| json!({ "place": row.place, "reason": reason.as_str(), "message": row.message }))
        .collect()
}

fn to_json(document: &Document, views: &[TokenView]) -> serde_json::Value {
    let mut shown = json!({
        "id": document.id,
        "prompt": document.prompt,
        "candidates": document.candidates,
        "gold": document.gold,
    });
    if let Some(plain) = &document.plain {
        shown["plain"] = json!(plain);
    }
    if !views.is_empty() {
        shown["tokens"] = json!(views);
    }
    shown
}
