//! [`Classify`]: a text, or two, and the right class or number.

use super::choice::{answers, resolve_gold};
use super::list::List;
use super::template::{Expr, Fields};
use super::values::{to_number, to_text};
use crate::document::{ClassifiedText, Document};
use crate::rows::RowProblem;

/// The expressions of a task for a classifier.
#[derive(Debug)]
pub(crate) struct Classify {
    pub first: Expr,
    pub second: Option<Expr>,
    pub gold: Expr,
    /// The names by which `gold` refers to the classes, if it does not by their positions.
    pub names: Option<List>,
    pub target: Target,
}

/// What is predicted.
#[derive(Debug)]
pub(crate) enum Target {
    /// A class; the names are the candidates of documents.
    Class { names: Vec<String> },
    /// A number; the candidates of documents are those of the task.
    Number { number: Box<Expr>, candidates: Box<List> },
}

impl Classify {
    pub(crate) fn document(&self, fields: &Fields<'_>) -> Result<Document, RowProblem> {
        let text = |name: &str, field: &Expr| to_text(name, &field.require(fields)?);
        let first = text("first", &self.first)?;
        let second = self.second.as_ref().map(|field| text("second", field)).transpose()?;
        let names = self.names.as_ref().map(|names| names.texts("labels", fields)).transpose()?;
        let candidates = match &self.target {
            Target::Class { names } => names.clone(),
            Target::Number { candidates, .. } => answers(candidates, None, None, fields)?,
        };
        let gold = resolve_gold(&self.gold, names.as_deref(), candidates.len(), fields)?;
        let score = match &self.target {
            // The number of an unlabelled row is a placeholder.
            Target::Number { number, .. } if gold.is_some() => {
                Some(to_number("number", &number.require(fields)?)?)
            }
            _ => None,
        };
        let right = gold.into_iter().collect();
        let classified = Some(ClassifiedText { first, second });
        Ok(Document { gold, right, score, classified, ..Document::new(Vec::new(), candidates) })
    }
}
