//! From a task to candidate sets: rows are read, templated, sampled and tokenised, in parallel and in order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dph_core::CandidateSet;
use rayon::prelude::*;

use crate::chat::ChatError;
use crate::data_error::DataError;
use crate::document::Document;
use crate::documents::Documents;
use crate::few_shot::Examples;
use crate::preference::SYSTEM;
use crate::random::{below, mix};
use crate::skipped::{RowProblem, SkipReason, Skipped};
use crate::task::{Kind, Task};
use crate::tokenize::ChatTokenizer;

/// How a split is loaded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadOptions {
    /// At most so many documents: a seeded sample spread evenly over the usable rows (one from each of `limit` equal
    /// stretches), in the order of the file. `None` takes all.
    pub limit: Option<usize>,
    /// Seed of the sample and of the few-shot examples.
    pub seed: u64,
    /// So many answered documents of the train split come before each question, drawn anew for each.
    pub few_shot: usize,
    /// Whether every few-shot example repeats its system message, or only the conversation's first message is one.
    pub repeat_system: bool,
    /// Sets whose longest sequence has more tokens are skipped; text is cut into pieces of this length.
    pub max_len: Option<usize>,
    /// Whether one unusable row is an error. An unlabelled row is one, too long a row is not.
    pub strict: bool,
    /// Whether rows without a gold answer are kept, with `gold` empty.
    pub keep_unlabelled: bool,
}

/// A split as candidate sets.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskData {
    /// The task's name.
    pub task: String,
    /// The split.
    pub split: String,
    /// The sets, in the order of the rows.
    pub sets: Vec<CandidateSet>,
    /// For tasks with a `score`, the score of each set by its id.
    pub scores: BTreeMap<String, f64>,
    /// The rows that cannot be used. Rows that are broken or unlabelled are counted over the whole split, those that are
    /// too long among the sampled ones.
    pub skipped: Skipped,
    /// Number of rows, see [`Documents::rows`].
    pub rows: usize,
    /// The files, in the order in which they were read; none for a synthetic task.
    pub files: Vec<PathBuf>,
}

impl TaskData {
    /// A split of a task as candidate sets.
    ///
    /// `root` is the data root (`<root>/<task>/<split>.jsonl`, see [`Task::locate`]) or the very file; a synthetic task
    /// needs none. Instructions become sets with one candidate; plain text becomes sets whose prompt is the start token
    /// and whose one candidate is the text and the end-of-text token.
    ///
    /// # Errors
    /// As [`Documents::load`]; also if all documents are too long, or too few examples can be drawn.
    pub fn load(
        task: &Task,
        root: &Path,
        split: &str,
        tokenizer: &ChatTokenizer,
        options: &LoadOptions,
    ) -> Result<Self, DataError> {
        let Documents { documents, mut skipped, rows, files, .. } =
            Documents::load(task, root, split, options)?;
        let examples = Examples::load(task, root, split, options)?;
        let chosen: Vec<&Document> = match options.limit {
            Some(limit) => {
                spread(documents.len(), limit, options.seed).map(|index| &documents[index]).collect()
            }
            None => documents.iter().collect(),
        };
        let tokenised: Vec<Result<Vec<CandidateSet>, RowProblem>> = chosen
            .par_iter()
            .map(|document| match task.kind {
                Kind::Text => text_sets(document, tokenizer, options.max_len),
                _ => Ok(vec![conversation_set(document, &examples, tokenizer, options)?]),
            })
            .collect();

        let scores =
            chosen.iter().filter_map(|document| Some((document.id.clone()?, document.score?))).collect();
        let mut sets = Vec::with_capacity(tokenised.len());
        let mut first = None;
        for (document, result) in chosen.iter().zip(tokenised) {
            match result {
                Ok(more) => sets.extend(more),
                Err(problem) => {
                    let place = format!("document {}", document.id.as_deref().unwrap_or_default());
                    first.get_or_insert_with(|| (place.clone(), problem.message.clone()));
                    skipped.add(place, problem);
                }
            }
        }
        if let (true, Some((place, message))) = (sets.is_empty(), first) {
            return Err(DataError::NothingUsable {
                task: task.name.clone(),
                split: split.to_owned(),
                rows,
                skipped: Box::new(skipped),
                place,
                message,
            });
        }
        Ok(Self { task: task.name.clone(), split: split.to_owned(), sets, scores, skipped, rows, files })
    }
}

fn conversation_set(
    document: &Document,
    examples: &Examples,
    tokenizer: &ChatTokenizer,
    options: &LoadOptions,
) -> Result<CandidateSet, RowProblem> {
    let mut messages = if options.few_shot > 0 { examples.draw(document, options) } else { Vec::new() };
    messages.extend(document.prompt.iter().cloned());
    if !options.repeat_system {
        let mut first = true;
        messages.retain(|message| std::mem::take(&mut first) || message.role != SYSTEM);
    }
    let id = document.id.clone().unwrap_or_default();
    let mut set =
        tokenizer.candidate_set(id, &messages, &document.candidates, document.gold).map_err(chat_problem)?;
    set.attributes = document.attributes.iter().map(|(name, value)| (name.clone(), *value as f32)).collect();
    match options.max_len {
        Some(max_len) if set.sequence_len() > max_len => Err(RowProblem::new(
            SkipReason::TooLong,
            format!("prompt and answer have {} tokens, {max_len} are allowed", set.sequence_len()),
        )),
        _ => Ok(set),
    }
}

/// Plain text as sets of one candidate; text that is too long is cut.
fn text_sets(
    document: &Document,
    tokenizer: &ChatTokenizer,
    max_len: Option<usize>,
) -> Result<Vec<CandidateSet>, RowProblem> {
    let text = document.candidates.first().map_or("", String::as_str);
    let mut tokens = tokenizer.encode_text(text).map_err(chat_problem)?;
    tokens.extend(tokenizer.eos_id());
    let prompt: Vec<u32> = tokenizer.start_id().into_iter().collect();
    let piece = max_len.map_or(tokens.len(), |max_len| max_len.saturating_sub(prompt.len())).max(1);
    let id = document.id.clone().unwrap_or_default();
    let pieces = tokens.chunks(piece).enumerate();
    Ok(pieces
        .map(|(index, tokens)| CandidateSet {
            id: if index == 0 { id.clone() } else { format!("{id}/{index}") },
            prompt: prompt.clone(),
            // The text's bytes are counted once, with its first piece.
            candidates: vec![dph_core::Candidate {
                tokens: tokens.to_vec(),
                bytes: if index == 0 { text.len() } else { 0 },
            }],
            gold: Some(0),
            ..CandidateSet::default()
        })
        .collect())
}

fn chat_problem(error: ChatError) -> RowProblem {
    let reason = match error {
        ChatError::Empty | ChatError::Role { .. } => SkipReason::WrongType,
        _ => SkipReason::Chat,
    };
    RowProblem::new(reason, error.to_string())
}

/// `limit` positions of `0..len`, one from each of `limit` equal stretches, in order.
fn spread(len: usize, limit: usize, seed: u64) -> impl Iterator<Item = usize> {
    let limit = limit.min(len);
    (0..limit).map(move |stretch| {
        let start = stretch * len / limit;
        let end = (stretch + 1) * len / limit;
        start + below(mix(seed, &[stretch as u64]), end - start)
    })
}
