//! From a task to candidate sets: rows are read, templated, sampled and tokenised, in parallel and in order.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use dph_core::CandidateSet;
use rayon::prelude::*;

use crate::chat::{ChatError, Message};
use crate::document::Document;
use crate::preference::SYSTEM;
use crate::random::{below, key_of, mix};
use crate::rows::{Row, RowsError, place, read_rows};
use crate::skipped::{RowProblem, SkipReason, Skipped};
use crate::split::SplitNotFound;
use crate::synthetic::World;
use crate::task::{Kind, Source, Task};
use crate::tokenize::ChatTokenizer;

/// The split from which few-shot examples are drawn.
const EXAMPLES_FROM: &str = "train";

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

/// A split in words: what [`TaskData`] is before tokenisation.
#[derive(Debug, Clone, PartialEq)]
pub struct Documents {
    /// The usable documents, in the order of the rows; each has an id, unique in the split.
    pub documents: Vec<Document>,
    /// The rows that cannot be used.
    pub skipped: Skipped,
    /// Number of rows in the files.
    pub rows: usize,
    /// The files, in the order in which they were read; none for a synthetic task.
    pub files: Vec<PathBuf>,
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
    /// The rows that cannot be used. Rows that are broken or unlabelled are counted over the whole split, those that are
    /// too long among the sampled ones.
    pub skipped: Skipped,
    /// Number of rows in the files.
    pub rows: usize,
    /// The files, in the order in which they were read; none for a synthetic task.
    pub files: Vec<PathBuf>,
}

/// Why a split cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// There is no file.
    #[error(transparent)]
    NotFound(#[from] SplitNotFound),
    /// A file is not what it should be.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// The files hold no row.
    #[error("{}: the split `{split}` of `{task}` is empty; is the file complete?", files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", "))]
    Empty {
        /// The task.
        task: String,
        /// The split.
        split: String,
        /// The files.
        files: Vec<PathBuf>,
    },
    /// There are rows, but none can be used.
    #[error(
        "none of the {rows} rows of `{task}`, split `{split}`, can be used ({skipped}). The first: {place}: {message}"
    )]
    NothingUsable {
        /// The task.
        task: String,
        /// The split.
        split: String,
        /// Number of rows.
        rows: usize,
        /// The reasons.
        skipped: Box<Skipped>,
        /// The first row that cannot be used.
        place: String,
        /// What is wrong with it.
        message: String,
    },
    /// A row cannot be used, and `strict` was asked for.
    #[error("{place}: {message} ({reason}); without `strict` the row would be skipped and counted")]
    Strict {
        /// The row.
        place: String,
        /// The kind of problem.
        reason: SkipReason,
        /// The problem in words.
        message: String,
    },
    /// The synthetic world has no such split.
    #[error("the synthetic task `{task}` has no split `{split}`; it has {}", splits.join(", "))]
    NoSyntheticSplit {
        /// The task.
        task: String,
        /// The split asked for.
        split: String,
        /// The splits that there are.
        splits: &'static [&'static str],
    },
    /// There are too few documents to draw examples from.
    #[error(
        "{wanted} few-shot examples are wanted for `{task}`, but its train split has only {available} answered documents"
    )]
    TooFewExamples {
        /// The task.
        task: String,
        /// Examples wanted.
        wanted: usize,
        /// Documents that could serve.
        available: usize,
    },
}

impl Documents {
    /// The documents of a split: every row rendered or counted.
    ///
    /// `root` is the data root, or the very file. `options.limit` and `options.max_len` do not apply: they belong to
    /// [`TaskData::load`].
    ///
    /// # Errors
    /// No file, a damaged file, an empty split, no usable row; with `options.strict` any unusable row.
    pub fn load(task: &Task, root: &Path, split: &str, options: &LoadOptions) -> Result<Self, DataError> {
        let read = ReadRows::read(task, root, split)?;
        let rendered: Vec<Result<Document, RowProblem>> = read
            .rows
            .par_iter()
            .map(|(_, row)| {
                let document = task.document(row.fields.as_ref().map_err(Clone::clone)?)?;
                if document.gold.is_none() && !options.keep_unlabelled {
                    return Err(RowProblem::new(SkipReason::Unlabelled, "the row has no gold answer"));
                }
                Ok(document)
            })
            .collect();

        let mut skipped = Skipped::default();
        let mut first = None;
        let mut documents = Vec::with_capacity(rendered.len());
        let mut names = Names::default();
        for (index, document) in rendered.into_iter().enumerate() {
            match document {
                Ok(mut document) => {
                    document.id = Some(names.unique(document.id, read.rows[index].1.number));
                    documents.push(document);
                }
                Err(problem) => {
                    let place = read.place(index);
                    if options.strict {
                        let RowProblem { reason, message } = problem;
                        return Err(DataError::Strict { place, reason, message });
                    }
                    first.get_or_insert_with(|| (place.clone(), problem.message.clone()));
                    skipped.add(place, problem);
                }
            }
        }
        if let (true, Some((place, message))) = (documents.is_empty(), first) {
            return Err(DataError::NothingUsable {
                task: task.name.clone(),
                split: split.to_owned(),
                rows: read.rows.len(),
                skipped: Box::new(skipped),
                place,
                message,
            });
        }
        Ok(Self { documents, skipped, rows: read.rows.len(), files: read.files })
    }
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
        let Documents { documents, mut skipped, rows, files } = Documents::load(task, root, split, options)?;
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
        Ok(Self { task: task.name.clone(), split: split.to_owned(), sets, skipped, rows, files })
    }
}

/// The rows of a split, with the file of each.
struct ReadRows {
    rows: Vec<(usize, Row)>,
    files: Vec<PathBuf>,
}

impl ReadRows {
    fn read(task: &Task, root: &Path, split: &str) -> Result<Self, DataError> {
        if let Source::Synthetic = task.source {
            let rows = World::default().rows(task.kind, split);
            let rows = rows.ok_or_else(|| DataError::NoSyntheticSplit {
                task: task.name.clone(),
                split: split.to_owned(),
                splits: World::splits(task.kind),
            })?;
            let rows = rows.into_iter().enumerate();
            let rows =
                rows.map(|(index, fields)| (0, Row { number: index + 1, fields: Ok(fields) })).collect();
            return Ok(Self { rows, files: Vec::new() });
        }
        let files = task.locate(root, split)?;
        let mut rows = Vec::new();
        for (file, path) in files.iter().enumerate() {
            rows.extend(read_rows(path)?.into_iter().map(|row| (file, row)));
        }
        if rows.is_empty() {
            return Err(DataError::Empty { task: task.name.clone(), split: split.to_owned(), files });
        }
        Ok(Self { rows, files })
    }

    fn place(&self, index: usize) -> String {
        let (file, row) = &self.rows[index];
        self.files.get(*file).map_or_else(|| format!("row {}", row.number), |file| place(file, row.number))
    }
}

/// Gives every document a name that no other has.
#[derive(Default)]
struct Names {
    taken: HashMap<String, usize>,
}

impl Names {
    fn unique(&mut self, id: Option<String>, number: usize) -> String {
        let id = id.unwrap_or_else(|| number.to_string());
        match self.taken.get_mut(&id) {
            None => {
                self.taken.insert(id.clone(), 1);
                id
            }
            Some(times) => {
                *times += 1;
                let again = format!("{id}#{times}");
                // Only a file that already has such an id gets here twice.
                self.unique(Some(again), number)
            }
        }
    }
}

/// Answered documents to show before a question.
struct Examples {
    documents: Vec<Document>,
    same_split: bool,
}

impl Examples {
    fn load(task: &Task, root: &Path, split: &str, options: &LoadOptions) -> Result<Self, DataError> {
        let same_split = split == EXAMPLES_FROM;
        if options.few_shot == 0 {
            return Ok(Self { documents: Vec::new(), same_split });
        }
        let options = LoadOptions { keep_unlabelled: false, ..options.clone() };
        let documents = Documents::load(task, root, EXAMPLES_FROM, &options)?.documents;
        let available = documents.len() - usize::from(same_split);
        if available < options.few_shot {
            return Err(DataError::TooFewExamples {
                task: task.name.clone(),
                wanted: options.few_shot,
                available,
            });
        }
        Ok(Self { documents, same_split })
    }

    /// The messages before a document's own, drawn by its id.
    fn draw(&self, document: &Document, options: &LoadOptions) -> Vec<Message> {
        let id = document.id.as_deref().unwrap_or_default();
        let mut drawn: Vec<usize> = Vec::with_capacity(options.few_shot);
        let mut attempt = 0;
        while drawn.len() < options.few_shot {
            let index = below(mix(options.seed, &[key_of(id), attempt]), self.documents.len());
            attempt += 1;
            let itself = self.same_split && self.documents[index].id == document.id;
            if !itself && !drawn.contains(&index) {
                drawn.push(index);
            }
        }
        let examples = drawn.iter().filter_map(|&index| {
            let example = &self.documents[index];
            example.conversation(example.gold?)
        });
        examples.flatten().collect()
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
    let set =
        tokenizer.candidate_set(id, &messages, &document.candidates, document.gold).map_err(chat_problem)?;
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
