//! Few-shot examples: answered documents that precede a question.

use std::path::Path;

use super::documents::Documents;
use super::error::DataError;
use super::options::TaskLoadOptions;
use crate::chat::Message;
use crate::document::Document;
use crate::random::{below, hash_name, mix};
use crate::task::{Kind, Task};

/// The split from which few-shot examples are drawn.
const EXAMPLES_FROM: &str = "train";

/// The documents from which few-shot examples are drawn.
pub(crate) struct Examples {
    documents: Vec<Document>,
    same_split: bool,
}

impl Examples {
    /// No examples.
    pub(crate) fn none() -> Self {
        Self { documents: Vec::new(), same_split: false }
    }

    pub(crate) fn load(
        task: &Task,
        root: &Path,
        split: &str,
        options: &TaskLoadOptions,
    ) -> Result<Self, DataError> {
        if options.few_shot == 0 || task.kind == Kind::Text || options.classify.is_some() {
            return Ok(Self::none());
        }
        let same_split = split == EXAMPLES_FROM;
        let options = TaskLoadOptions { keep_unlabelled: false, ..options.clone() };
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

    /// The messages of the examples of a document.
    pub(crate) fn messages(&self, document: &Document, options: &TaskLoadOptions) -> Vec<Message> {
        let examples = self.draw(document, options);
        examples.filter_map(|example| example.conversation(example.gold?)).flatten().collect()
    }

    /// The text of the examples of a document in the style `plain`.
    pub(crate) fn text(&self, document: &Document, options: &TaskLoadOptions) -> String {
        self.draw(document, options).filter_map(Document::plain_example).collect()
    }

    /// The examples of a document; the seed and its id determine the draw, or the seed alone for the same examples of all
    /// documents. A document is never its own example.
    fn draw(&self, document: &Document, options: &TaskLoadOptions) -> impl Iterator<Item = &Document> {
        let id = document.id.as_deref().filter(|_| !options.same_examples).unwrap_or_default();
        let mut drawn: Vec<usize> = Vec::with_capacity(options.few_shot);
        let mut attempt = 0;
        while drawn.len() < options.few_shot && !self.documents.is_empty() {
            let index = below(mix(options.seed, &[hash_name(id), attempt]), self.documents.len());
            attempt += 1;
            let itself = self.same_split && self.documents[index].id == document.id;
            if !itself && !drawn.contains(&index) {
                drawn.push(index);
            }
        }
        drawn.into_iter().map(|index| &self.documents[index])
    }
}
