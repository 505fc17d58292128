//! From documents to candidate sets.

use dph_core::terminal::numbers::counted;
use dph_core::{Candidate, CandidateSet};

use super::few_shot::Examples;
use super::options::TaskLoadOptions;
use super::whole_text::{WrittenLength, windows};
use crate::chat::{ChatError, ChatTokenizer, LengthLimit, SYSTEM};
use crate::document::{Document, PlainPrompt};
use crate::rows::{RowProblem, SkipReason};
use crate::task::{Kind, Task};

impl Task {
    /// The candidate sets of a document without few-shot examples, as [`TaskData::load`](crate::TaskData::load) makes them:
    /// one, or several for a long plain text.
    ///
    /// # Errors
    /// A document that the tokenizer rejects.
    pub fn candidate_sets(
        &self,
        document: &Document,
        tokenizer: &ChatTokenizer,
    ) -> Result<Vec<CandidateSet>, RowProblem> {
        let options = TaskLoadOptions::default();
        Ok(document_sets(self, document, &Examples::none(), tokenizer, &options)?.sets)
    }

    /// Number of tokens of a window of a whole text: that of the task, but no more than the options allow; `None` without a limit.
    pub(super) fn window_within(&self, options: &TaskLoadOptions) -> Option<usize> {
        self.window.into_iter().chain(options.max_len).min()
    }
}

/// The candidate sets of a document.
pub(super) struct DocumentSets {
    pub sets: Vec<CandidateSet>,
    /// Whether they lack its beginning.
    pub is_cut: bool,
    /// Its length, if the sets are windows of a whole text.
    pub whole: Option<WrittenLength>,
}

/// The candidate sets of a document.
pub(super) fn document_sets(
    task: &Task,
    document: &Document,
    examples: &Examples,
    tokenizer: &ChatTokenizer,
    options: &TaskLoadOptions,
) -> Result<DocumentSets, RowProblem> {
    let whole = |sets| DocumentSets { sets, is_cut: false, whole: None };
    match (task.kind, &document.plain) {
        (Kind::Text, _) if options.whole_texts => {
            let (sets, length) =
                windows(document, tokenizer, task.window_within(options)).map_err(chat_problem)?;
            match sets.is_empty() {
                true => Err(RowProblem::new(SkipReason::MissingField, "the text is empty")),
                false => Ok(DocumentSets { sets, is_cut: false, whole: Some(length) }),
            }
        }
        (Kind::Text, _) => text_sets(document, tokenizer, options.max_len).map(whole),
        _ if document.classified.is_some() => text_set(document, tokenizer, options),
        (_, Some(plain)) => plain_set(document, plain, examples, tokenizer, options),
        _ => conversation_set(document, examples, tokenizer, options).map(|set| whole(vec![set])),
    }
}

/// The candidate set of a document in the style `plain`; its contexts start with the few-shot examples. A set that is too long
/// loses its first tokens.
fn plain_set(
    document: &Document,
    plain: &PlainPrompt,
    examples: &Examples,
    tokenizer: &ChatTokenizer,
    options: &TaskLoadOptions,
) -> Result<DocumentSets, RowProblem> {
    let examples = examples.text(document, options);
    let contexts = plain.contexts.iter().map(|context| [&*plain.description, &examples, context].concat());
    let prompt = PlainPrompt { contexts: contexts.collect(), ..plain.clone() };
    let id = document.id.clone().unwrap_or_default();
    let likelihood_only = options.likelihood_only;
    let limit = options.max_len.map(|tokens| LengthLimit { tokens, likelihood_only });
    let (set, is_cut) =
        tokenizer.plain_set(id, &prompt, &document.candidates, document.gold, limit).map_err(chat_problem)?;
    Ok(DocumentSets { sets: vec![set], is_cut, whole: None })
}

/// The text of a document for a classifier. A text that is too long loses its last tokens.
fn text_set(
    document: &Document,
    tokenizer: &ChatTokenizer,
    options: &TaskLoadOptions,
) -> Result<DocumentSets, RowProblem> {
    let text = document.classified.clone().unwrap_or_default();
    let layout = options.classify.unwrap_or_default();
    let (tokens, is_cut) = tokenizer.classified_text(&text, layout, options.max_len).map_err(chat_problem)?;
    let set = CandidateSet {
        id: document.id.clone().unwrap_or_default(),
        prompt: tokens.tokens,
        token_types: tokens.token_types,
        candidates: vec![Candidate::default(); document.candidates.len()],
        gold: document.gold,
        ..CandidateSet::default()
    };
    Ok(DocumentSets { sets: vec![set], is_cut, whole: None })
}

/// The candidate set of a document; its prompt starts with the few-shot examples.
fn conversation_set(
    document: &Document,
    examples: &Examples,
    tokenizer: &ChatTokenizer,
    options: &TaskLoadOptions,
) -> Result<CandidateSet, RowProblem> {
    let mut messages = examples.messages(document, options);
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
            format!("prompt and answer have {}, {max_len} are allowed", counted(set.sequence_len(), "token")),
        )),
        _ => Ok(set),
    }
}

/// Plain text as sets with one candidate; text that is longer than `max_len` is split.
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
            // The first piece has all bytes of the text.
            candidates: vec![Candidate {
                chars: if index == 0 { text.chars().count() } else { 0 },
                ..Candidate::new(tokens.to_vec(), if index == 0 { text.len() } else { 0 })
            }],
            gold: Some(0),
            ..CandidateSet::default()
        })
        .collect())
}

fn chat_problem(error: ChatError) -> RowProblem {
    let reason = match error {
        ChatError::Empty | ChatError::EmptyText | ChatError::Role { .. } => SkipReason::WrongType,
        ChatError::LongAnswer { .. } | ChatError::NoRoom { .. } => SkipReason::TooLong,
        _ => SkipReason::Chat,
    };
    RowProblem::new(reason, error.to_string())
}
