//! [`TaskData`]: a split as candidate sets. Rows are read, rendered, sampled and tokenised, in parallel and in order.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use dph_core::CandidateSet;
use rayon::prelude::*;

use super::documents::Documents;
use super::error::DataError;
use super::few_shot::Examples;
use super::holdout::select;
use super::options::TaskLoadOptions;
use super::prompt_pairs::{alone, partner, sample_of_pairs};
use super::sets::{DocumentSets, document_sets};
use super::whole_text::{WholeText, WholeTexts};
use crate::chat::ChatTokenizer;
use crate::document::Document;
use crate::random::{below, mix};
use crate::rows::{RowProblem, SkipReason, Skipped};
use crate::task::{Kind, Task, TaskMetric};

/// A split as candidate sets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskData {
    /// The task's name.
    pub task: String,
    /// The split.
    pub split: String,
    /// The kind of the task.
    pub kind: Kind,
    /// The sets in the order of the rows.
    pub sets: Vec<CandidateSet>,
    /// For tasks with a `score`, the score of each set by its id.
    pub scores: BTreeMap<String, f64>,
    /// The group of each set by its id, where rows share something ([`Document::group`]).
    pub groups: BTreeMap<String, String>,
    /// The candidates that are right, for each set with more than one, by its id.
    pub right: BTreeMap<String, Vec<usize>>,
    /// The rows that cannot be used. Broken and unlabelled rows are counted over the whole split, rows that are too long among
    /// the sampled rows.
    pub skipped: Skipped,
    /// Number of sets that lack the beginning of their document, which is too long, see [`TaskLoadOptions::max_len`].
    pub cut: usize,
    /// With [`TaskLoadOptions::whole_texts`], the texts that the sets are windows of; otherwise none.
    pub whole_texts: WholeTexts,
    /// Number of rows, see [`Documents::rows`].
    pub rows: usize,
    /// The files in reading order; empty for a synthetic task.
    pub files: Vec<PathBuf>,
}

impl TaskData {
    /// A split of a task as candidate sets.
    ///
    /// `root` is the data root (`<root>/<task>/<split>.jsonl`, see [`Task::locate`]) or the file that holds the split; it is
    /// not used for a synthetic task. An instruction becomes a set with one candidate. Plain text becomes sets whose prompt is
    /// the start token and whose only candidate is the text and the end-of-text token, or with
    /// [`TaskLoadOptions::whole_texts`] windows for its likelihood ([`ChatTokenizer::text_windows`]).
    ///
    /// # Errors
    /// As [`Documents::load`]; all documents are too long, too few examples can be drawn, or nothing can be held out.
    pub fn load(
        task: &Task,
        root: &Path,
        split: &str,
        tokenizer: &ChatTokenizer,
        options: &TaskLoadOptions,
    ) -> Result<Self, DataError> {
        let Documents { documents, mut skipped, rows, files, .. } =
            Documents::load(task, root, split, options)?;
        let usable = documents.len();
        let one_prompt = || DataError::OnePrompt { task: task.name.clone(), split: split.to_owned() };
        let documents = match &options.holdout {
            Some(holdout) => select(documents, holdout).ok_or_else(one_prompt)?,
            None => documents,
        };
        let examples = Examples::load(task, root, split, options)?;
        let is_of_pairs = task.metrics.contains(&TaskMetric::Ties);
        let chosen: Vec<&Document> = match options.limit {
            Some(limit) if is_of_pairs => sample_of_pairs(&documents, limit, options.seed),
            Some(limit) => {
                spread(documents.len(), limit, options.seed).map(|index| &documents[index]).collect()
            }
            None => documents.iter().collect(),
        };
        let tokenised: Vec<Result<DocumentSets, RowProblem>> = chosen
            .par_iter()
            .map(|document| document_sets(task, document, &examples, tokenizer, options))
            .collect();

        let scores =
            chosen.iter().filter_map(|document| Some((document.id.clone()?, document.score?))).collect();
        let groups = chosen
            .iter()
            .filter_map(|document| Some((document.id.clone()?, document.group.clone()?)))
            .collect();
        let several = chosen.iter().filter(|document| document.right.len() > 1);
        let right =
            several.filter_map(|document| Some((document.id.clone()?, document.right.clone()))).collect();
        let mut sets = Vec::with_capacity(tokenised.len());
        let (mut problems, mut cut) = (Vec::new(), 0);
        let mut whole_texts = WholeTexts::default();
        if options.whole_texts {
            whole_texts.window = task.window_within(options).unwrap_or_default();
        }
        for (document, result) in chosen.iter().zip(tokenised) {
            match result {
                Ok(more) => {
                    cut += usize::from(more.is_cut);
                    let of_text = sets.len()..sets.len() + more.sets.len();
                    let id = document.id.clone().unwrap_or_default();
                    whole_texts.texts.extend(more.whole.map(|length| WholeText {
                        id,
                        sets: of_text,
                        length,
                    }));
                    sets.extend(more.sets);
                }
                Err(problem) => {
                    let place = format!("document {}", document.id.as_deref().unwrap_or_default());
                    problems.push((place, problem));
                }
            }
        }
        if is_of_pairs {
            let lone: Vec<String> =
                alone(sets.iter().map(|set| set.id.as_str())).into_iter().map(str::to_owned).collect();
            problems.extend(lone.iter().map(|id| {
                let message = format!("the prompt `{}` is missing or cannot be used", partner(id));
                (format!("document {id}"), RowProblem::new(SkipReason::NoPartner, message))
            }));
            let lone: HashSet<String> = lone.into_iter().collect();
            sets.retain(|set| !lone.contains(&set.id));
        }
        let first = problems.first().map(|(place, problem)| (place.clone(), problem.message.clone()));
        // Only then are the documents that were tried all the rows, so that the reasons add up to their number.
        let all_rows = chosen.len() == usable && !task.pairs_answers();
        if sets.is_empty() && !all_rows {
            skipped = Skipped::default();
        }
        problems.into_iter().for_each(|(place, problem)| skipped.add(place, problem));
        if let (true, Some((place, message))) = (sets.is_empty(), first) {
            return Err(DataError::NothingUsable {
                task: task.name.clone(),
                split: split.to_owned(),
                rows: if all_rows { rows } else { chosen.len() },
                selected: !all_rows,
                skipped: Box::new(skipped),
                place,
                message,
            });
        }
        Ok(Self {
            task: task.name.clone(),
            split: split.to_owned(),
            kind: task.kind,
            sets,
            scores,
            groups,
            right,
            skipped,
            cut,
            whole_texts,
            rows,
            files,
        })
    }
}

/// `limit` positions of `0..len`, one from each of `limit` equal parts, in order.
pub(super) fn spread(len: usize, limit: usize, seed: u64) -> impl Iterator<Item = usize> {
    let limit = limit.min(len);
    (0..limit).map(move |stretch| {
        let start = stretch * len / limit;
        let end = (stretch + 1) * len / limit;
        start + below(mix(seed, &[stretch as u64]), end - start)
    })
}
