//! [`ScoredAnswer`]: a row with one answer and its score.

use super::messages::prompt_messages;
use super::template::{Expr, Fields, Template};
use super::values::to_number;
use crate::document::Document;
use crate::rows::RowProblem;

/// The templates and expressions for the prompt, the answer and its score.
#[derive(Debug)]
pub(crate) struct ScoredAnswer {
    pub user: Option<Template>,
    pub prompt: Expr,
    pub answer: Template,
    pub score: Expr,
}

impl ScoredAnswer {
    /// A document with the answer of a row and its score.
    pub(crate) fn document(&self, fields: &Fields<'_>) -> Result<Document, RowProblem> {
        let user = self.user.as_ref().map(|user| user.render(fields)).transpose()?;
        let prompt = prompt_messages(user, &self.prompt, fields)?;
        let answer = self.answer.render(fields)?;
        let score = to_number("score", &self.score.require(fields)?)?;
        Ok(Document { score: Some(score), ..Document::new(prompt, vec![answer]) })
    }
}
