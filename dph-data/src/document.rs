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
    /// Further correct answers. They are not candidates, because all candidates but one count as wrong.
    pub also_right: Vec<String>,
    /// The number of the key `score`: the value that predictions are compared with or, for a single answer that is not yet
    /// paired, its rating.
    pub score: Option<f64>,
    /// The attributes of the answer (key `attributes`) by name.
    pub attributes: BTreeMap<String, f64>,
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
            gold,
            also_right: Vec::new(),
            score: None,
            attributes: BTreeMap::new(),
        }
    }

    /// The prompt followed by a candidate as the assistant's message. `None` if the index is out of range.
    pub fn conversation(&self, candidate: usize) -> Option<Vec<Message>> {
        let answer = Message::assistant(self.candidates.get(candidate)?);
        Some(self.prompt.iter().cloned().chain([answer]).collect())
    }
}
