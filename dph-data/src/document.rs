//! [`Document`]: a row as messages and answers, before tokenisation.

use std::collections::BTreeMap;

use crate::chat::Message;

/// A row before tokenisation: the prompt, the candidate answers, and the index of the correct one.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The name of the row, if the task has the key `id`.
    pub id: Option<String>,
    /// The name of what the row shares with others (key `group`); for a pair of rated answers, by default the name of the first
    /// answer to the prompt. A name that is longer than 40 bytes is replaced by its hash.
    pub group: Option<String>,
    /// The messages before the answer. Empty for plain text.
    pub prompt: Vec<Message>,
    /// The candidate answers, in the order of the row. Empty if an instruction has no answer.
    pub candidates: Vec<String>,
    /// Index of the correct answer. `None` if the row is unlabelled.
    pub gold: Option<usize>,
    /// Indices of all candidates that are right: the gold one, and those with its label.
    pub right: Vec<usize>,
    /// Further correct answers. They are not candidates, because all candidates but one count as wrong.
    pub also_right: Vec<String>,
    /// The number of the key `score`: the value that predictions are compared with or, for a single answer that is not yet
    /// paired, its rating.
    pub score: Option<f64>,
    /// The attributes of the answer (key `attributes`) by name.
    pub attributes: BTreeMap<String, f64>,
    /// In the style `plain`, the text before the candidates; then there are no messages.
    pub plain: Option<PlainPrompt>,
    /// For a classifier (table `[classify]`), the text to classify; then there are no messages, and the candidates are the classes.
    pub classified: Option<ClassifiedText>,
    /// For plain text, the text whose words and bytes count (key `original`), if it is another one.
    pub original: Option<String>,
}

/// The text that a classifier reads.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct ClassifiedText {
    /// The text, or the first of two.
    pub first: String,
    /// The second text.
    pub second: Option<String>,
}

/// The text before the candidates of a document in the style `plain`.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct PlainPrompt {
    /// Precedes everything, few-shot examples too.
    pub description: String,
    /// The context of all candidates, or one for each of them.
    pub contexts: Vec<String>,
    /// Stands between a context and a candidate.
    pub delimiter: String,
    /// Stands behind the document where it is a few-shot example.
    pub separator: String,
}

impl PlainPrompt {
    /// The context of a candidate.
    pub fn context(&self, candidate: usize) -> &str {
        self.contexts.get(candidate).or(self.contexts.first()).map_or("", String::as_str)
    }
}

impl Document {
    /// A document whose first candidate is the correct one.
    pub(crate) fn new(prompt: Vec<Message>, candidates: Vec<String>) -> Self {
        let gold = (!candidates.is_empty()).then_some(0);
        Self {
            id: None,
            group: None,
            prompt,
            candidates,
            right: gold.into_iter().collect(),
            gold,
            also_right: Vec::new(),
            score: None,
            attributes: BTreeMap::new(),
            plain: None,
            classified: None,
            original: None,
        }
    }

    /// The prompt followed by a candidate as the assistant's message. `None` if the index is out of range.
    pub fn conversation(&self, candidate: usize) -> Option<Vec<Message>> {
        let answer = Message::assistant(self.candidates.get(candidate)?);
        Some(self.prompt.iter().cloned().chain([answer]).collect())
    }

    /// In the style `plain`, the document with its right answer, as a few-shot example. `None` without a right answer.
    pub(crate) fn plain_example(&self) -> Option<String> {
        let (plain, gold) = (self.plain.as_ref()?, self.gold?);
        let answer = self.candidates.get(gold)?;
        Some([plain.context(gold), &plain.delimiter, answer, &plain.separator].concat())
    }
}
