//! [`Plain`]: contexts that are continued by candidates.

use minijinja::context;

use super::choice::{answers, resolve_gold, right_answers};
use super::list::List;
use super::template::{Expr, Fields, Template};
use super::values::to_number;
use crate::document::{Document, PlainPrompt};
use crate::rows::RowProblem;

/// The templates and expressions of a task in the style `plain`.
#[derive(Debug)]
pub(crate) struct Plain {
    pub contexts: Contexts,
    pub labels: Option<List>,
    pub gold: Expr,
    pub score: Option<Expr>,
    pub delimiter: String,
    pub separator: String,
    pub description: Option<Template>,
}

/// What is continued, and by what.
#[derive(Debug)]
pub(crate) enum Contexts {
    /// One context, which each candidate continues.
    Shared { context: Box<Template>, candidates: List, answer: Option<Template> },
    /// A context for each candidate, all with the same continuation.
    Own { contexts: List, continuation: Template },
}

impl Plain {
    pub(crate) fn document(&self, fields: &Fields<'_>) -> Result<Document, RowProblem> {
        let labels = self.labels.as_ref().map(|labels| labels.texts("labels", fields)).transpose()?;
        let labels = labels.as_deref();
        let (contexts, answers) = match &self.contexts {
            Contexts::Shared { context, candidates, answer } => {
                let answers = answers(candidates, answer.as_ref(), labels, fields)?;
                let context = context.render_with(fields, context! { answers => answers.clone() })?;
                (vec![context], answers)
            }
            Contexts::Own { contexts, continuation } => {
                let contexts = answers(contexts, None, labels, fields)?;
                let continuations = vec![continuation.render(fields)?; contexts.len()];
                (contexts, continuations)
            }
        };
        let gold = resolve_gold(&self.gold, labels, answers.len(), fields)?;
        let right = right_answers(gold, labels, answers.len());
        let score = match &self.score {
            // The score of an unlabelled row is a placeholder.
            Some(score) if gold.is_some() => Some(to_number("score", &score.require(fields)?)?),
            _ => None,
        };
        let description = self.description.as_ref().map(|text| text.render(fields)).transpose()?;
        let plain = PlainPrompt {
            description: description.unwrap_or_default(),
            contexts,
            delimiter: self.delimiter.clone(),
            separator: self.separator.clone(),
        };
        Ok(Document { gold, right, score, plain: Some(plain), ..Document::new(Vec::new(), answers) })
    }
}
