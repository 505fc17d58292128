//! `dph-data stats`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use dph_core::terminal::{Failure, print_table};
use dph_data::{ChatFormat, ChatTokenizer, Documents, Style, Task, TaskData, TaskLoadOptions};
use serde_json::{Value, json};

use super::data::{Data, file_split};
use super::tokenizer;

/// The flags of `stats`.
#[derive(Debug, Args)]
pub(crate) struct Stats {
    /// An embedded task or a TOML file
    task: String,
    #[command(flatten)]
    data: Data,
    /// The style of the documents, `chat` or `plain`
    #[arg(long, value_name = "STYLE", default_value_t)]
    style: Style,
    /// Only this split [default: all splits that exist; for a file, the split of that name, or train]
    #[arg(long)]
    split: Option<String>,
    /// Count tokens with the tokenizer of this directory: a model, an export or a run
    #[arg(long, value_name = "DIR")]
    tokenizer: Option<PathBuf>,
    /// The format of conversations, `chatml` or `template` [default: that of the directory]
    #[arg(long, value_name = "FORMAT", requires = "tokenizer")]
    chat_format: Option<ChatFormat>,
    /// Skip sets whose prompt and answer have more than N tokens together; in the style `plain` these lose their first tokens
    #[arg(long, value_name = "N", requires = "tokenizer")]
    max_len: Option<usize>,
}

impl Stats {
    pub(crate) fn run(&self, json: bool, out: &mut dyn Write) -> Result<(), Failure> {
        let task = Task::find(&self.task)?;
        let tokenizer = self
            .tokenizer
            .as_deref()
            .map(|path| tokenizer::open(path, self.chat_format, self.style))
            .transpose()?;
        let root = self.data.of_task(&task, self.split.as_deref())?;
        let splits = match &self.split {
            Some(split) => vec![split.clone()],
            None if root.is_file() => vec![file_split(&task, &root)],
            None => task.splits(&root),
        };
        if splits.is_empty() {
            // The error lists the places that were searched.
            task.locate(&root, "validation")?;
        }
        let counts: Vec<Counts> = splits
            .iter()
            .map(|split| self.count(&task, &root, split, tokenizer.as_ref()))
            .collect::<Result<_, _>>()?;
        if json {
            let counts: Vec<Value> = counts.iter().map(Counts::to_json).collect();
            writeln!(out, "{:#}", json!({ "task": task.name, "kind": task.kind, "splits": counts }))?;
            return Ok(());
        }
        let mut header = vec!["split", "rows", "used", "skipped", "candidates", "chance"];
        if tokenizer.is_some() {
            header.extend(["tokens: median", "mean", "max", "stored once: mean"]);
        }
        print_table(out, &header, &counts.iter().map(Counts::cells).collect::<Vec<_>>())?;
        Ok(())
    }

    fn count(
        &self,
        task: &Task,
        root: &Path,
        split: &str,
        tokenizer: Option<&ChatTokenizer>,
    ) -> Result<Counts, Failure> {
        let options = TaskLoadOptions {
            style: self.style,
            keep_unlabelled: true,
            max_len: self.max_len,
            ..TaskLoadOptions::default()
        };
        let unlabelled;
        let (rows, used, skipped, candidates, tokens) = match tokenizer {
            Some(tokenizer) => {
                let data = TaskData::load(task, root, split, tokenizer, &options)?;
                unlabelled = data.sets.iter().filter(|set| set.gold.is_none()).count();
                let candidates: Vec<usize> = data.sets.iter().map(|set| set.candidates.len()).collect();
                let tokens = Tokens {
                    sequences: data.sets.iter().map(dph_data::CandidateSet::sequence_len).collect(),
                    packed: data.sets.iter().map(dph_data::CandidateSet::packed_len).sum(),
                };
                (data.rows, data.sets.len(), data.skipped, candidates, Some(tokens))
            }
            None => {
                let data = Documents::load(task, root, split, &options)?;
                unlabelled = data.documents.iter().filter(|document| document.gold.is_none()).count();
                let candidates = data.documents.iter().map(|document| document.candidates.len()).collect();
                (data.rows, data.documents.len(), data.skipped, candidates, None)
            }
        };
        let mut reasons: Vec<(String, usize)> =
            skipped.counts().iter().map(|(reason, count)| (reason.to_string(), *count)).collect();
        if unlabelled > 0 {
            reasons.push(("unlabelled".to_owned(), unlabelled));
        }
        Ok(Counts { split: split.to_owned(), rows, used: used - unlabelled, reasons, candidates, tokens })
    }
}

struct Counts {
    split: String,
    rows: usize,
    used: usize,
    /// Number of skipped rows by reason, and of unlabelled rows, whose candidates and tokens are counted too.
    reasons: Vec<(String, usize)>,
    candidates: Vec<usize>,
    tokens: Option<Tokens>,
}

struct Tokens {
    /// For each set its longest sequence.
    sequences: Vec<usize>,
    /// All tokens, each prompt stored once.
    packed: usize,
}

impl Counts {
    fn chance(&self) -> f64 {
        self.candidates.iter().map(|count| 1.0 / *count as f64).sum::<f64>()
            / self.candidates.len().max(1) as f64
    }

    fn candidates_text(&self) -> String {
        let least = self.candidates.iter().min().copied().unwrap_or(0);
        let most = self.candidates.iter().max().copied().unwrap_or(0);
        if least == most { least.to_string() } else { format!("{least}-{most}") }
    }

    fn cells(&self) -> Vec<String> {
        let reasons: Vec<String> =
            self.reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        let mut cells = vec![
            self.split.clone(),
            self.rows.to_string(),
            self.used.to_string(),
            if reasons.is_empty() { "0".to_owned() } else { reasons.join(", ") },
            self.candidates_text(),
            format!("{:.1}%", 100.0 * self.chance()),
        ];
        if let Some(tokens) = &self.tokens {
            cells.extend(tokens.numbers().iter().map(|(_, number)| format!("{number:.0}")));
        }
        cells
    }

    fn to_json(&self) -> Value {
        let reasons: serde_json::Map<String, Value> =
            self.reasons.iter().map(|(reason, count)| (reason.clone(), (*count).into())).collect();
        let mut value = json!({
            "split": self.split,
            "rows": self.rows,
            "used": self.used,
            "skipped": reasons,
            "candidates": self.candidates.iter().sum::<usize>(),
            "chance": self.chance(),
        });
        if let Some(tokens) = &self.tokens {
            value["tokens"] = tokens
                .numbers()
                .iter()
                .map(|(name, number)| ((*name).to_owned(), Value::from(*number)))
                .collect();
        }
        value
    }
}

impl Tokens {
    fn numbers(&self) -> [(&'static str, f64); 4] {
        let mut sorted = self.sequences.clone();
        sorted.sort_unstable();
        let count = sorted.len().max(1) as f64;
        [
            ("median", sorted.get(sorted.len() / 2).copied().unwrap_or(0) as f64),
            ("mean", sorted.iter().sum::<usize>() as f64 / count),
            ("max", sorted.last().copied().unwrap_or(0) as f64),
            ("packed_mean", self.packed as f64 / count),
        ]
    }
}
