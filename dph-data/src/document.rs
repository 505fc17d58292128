//! From a row to a document: the messages, the candidate answers and the gold one.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use crate::chat::Message;
use crate::choice::Choice;
use crate::instruction::Instruction;
use crate::preference::{self, Preference};
use crate::scored::ScoredAnswer;
use crate::skipped::{RowProblem, SkipReason};
use crate::template::{Expr, Fields, Template, number_of, text_of};
use crate::unfold::Unfold;

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

/// How a task makes documents of rows.
#[derive(Debug)]
pub(crate) struct Recipe {
    pub unfold: Unfold,
    pub id: Option<Expr>,
    pub system: Option<Template>,
    pub attributes: Vec<(String, Expr)>,
    pub body: Body,
}

/// The part of a recipe that depends on the task's kind.
#[derive(Debug)]
pub(crate) enum Body {
    Choice(Box<Choice>),
    Preference { user: Option<Template>, layout: Preference },
    Scored(ScoredAnswer),
    Instruction(Box<Instruction>),
    Conversation { messages: Expr },
    Text { text: Template },
}

impl Recipe {
    /// The expression for the gold answer, where there is one.
    pub(crate) fn gold(&self) -> Option<&str> {
        match &self.body {
            Body::Choice(choice) => Some(choice.gold.source()),
            Body::Instruction(instruction) => Some(instruction.target.source()),
            _ => None,
        }
    }

    /// Whether a row is one answer of several, which are yet to be paired.
    pub(crate) fn is_scored(&self) -> bool {
        matches!(self.body, Body::Scored(_))
    }

    pub(crate) fn document(&self, row: &Map<String, Json>) -> Result<Document, RowProblem> {
        let fields = Fields::new(row);
        let mut document = self.body.document(&fields)?;
        if let Some(system) = &self.system
            && document.prompt.first().is_none_or(|message| message.role != preference::SYSTEM)
        {
            document.prompt.insert(0, Message::system(system.render(&fields)?));
        }
        for (name, value) in &self.attributes {
            let value = number_of(name, &value.require(&fields)?)?;
            document.attributes.insert(name.clone(), value);
        }
        // A row without a name is still a good row; it goes by its line number.
        if let Some(id) = &self.id {
            document.id = text_of("id", &id.eval(&fields)?).ok();
        }
        Ok(document)
    }
}

impl Body {
    fn document(&self, fields: &Fields<'_>) -> Result<Document, RowProblem> {
        Ok(match self {
            Self::Choice(choice) => choice.document(fields)?,
            Self::Preference { user, layout } => {
                let user = user.as_ref().map(|user| user.render(fields)).transpose()?;
                let pair = layout.pair(user, fields)?;
                Document::new(pair.prompt, vec![pair.chosen, pair.rejected])
            }
            Self::Scored(answer) => answer.document(fields)?,
            Self::Instruction(instruction) => instruction.document(fields)?,
            Self::Conversation { messages } => {
                let (prompt, answer) = preference::answer("messages", messages, fields)?;
                if prompt.is_empty() {
                    return Err(RowProblem::new(SkipReason::MissingField, "nothing comes before the answer"));
                }
                Document::new(prompt, vec![answer])
            }
            Self::Text { text } => Document::new(Vec::new(), vec![text.render(fields)?]),
        })
    }
}
