//! [`Document`]: a row in words.

use std::collections::BTreeMap;

use crate::chat::Message;

/// A row in words: what is asked, what may be answered, and which answer is right.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The row's own name, where the task says where it is.
    pub id: Option<String>,
    /// The messages before the answer. Empty for plain text.
    pub prompt: Vec<Message>,
    /// The candidate answers, in the row's order. Empty where an instruction comes without an answer.
    pub candidates: Vec<String>,
    /// Index of the right answer. `None` where the row does not say.
    pub gold: Option<usize>,
    /// Other answers that are right too. They are not among the candidates, lest one of them be taken for a wrong one.
    pub also_right: Vec<String>,
    /// The number that the row gives (key `score`): what predictions are measured against or, for an answer that has no
    /// partner yet, how good it is.
    pub score: Option<f64>,
    /// The values that the row gives to attributes of the answer (key `attributes`), by name.
    pub attributes: BTreeMap<String, f64>,
}

impl Document {
    /// A document whose first candidate is the right one.
    pub(crate) fn new(prompt: Vec<Message>, candidates: Vec<String>) -> Self {
        let gold = (!candidates.is_empty()).then_some(0);
        Self {
            id: None,
            prompt,
            candidates,
            gold,
            also_right: Vec::new(),
            score: None,
            attributes: BTreeMap::new(),
        }
    }

    /// The whole conversation that ends with a candidate.
    ///
    /// `None` where there is no such candidate.
    pub fn conversation(&self, candidate: usize) -> Option<Vec<Message>> {
        let answer = Message::assistant(self.candidates.get(candidate)?);
        Some(self.prompt.iter().cloned().chain([answer]).collect())
    }
}
