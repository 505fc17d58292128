//! [`Instruction`]: one prompt, its correct answer or answers, and optional wrong answers.

use minijinja::{Value, context};

use super::template::{Expr, Fields, Template};
use super::values::to_text;
use crate::chat::Message;
use crate::document::Document;
use crate::rows::{RowProblem, SkipReason};

/// The templates and expressions for the instruction and its answers.
#[derive(Debug)]
pub(crate) struct Instruction {
    pub turns: Option<Expr>,
    pub user: Template,
    pub target: Target,
    pub distractors: Option<Expr>,
}

/// The correct answers.
#[derive(Debug)]
pub(crate) enum Target {
    /// One answer.
    Template(Template),
    /// Several correct answers; the first one is learnt.
    List(Expr),
}

impl Instruction {
    pub(crate) fn document(&self, fields: &Fields<'_>) -> Result<Document, RowProblem> {
        let (prompt, mut right) = match &self.turns {
            Some(turns) => self.conversation(turns, fields)?,
            None => (vec![Message::user(self.user.render(fields)?)], self.target.texts(fields, context! {})?),
        };
        let mut candidates: Vec<String> = Vec::new();
        if !right.is_empty() {
            candidates.push(right.remove(0));
            if let Some(distractors) = &self.distractors {
                candidates.extend(texts("distractors", distractors, fields)?);
            }
        }
        if candidates.iter().skip(1).any(|wrong| *wrong == candidates[0] || right.contains(wrong)) {
            return Err(RowProblem::new(
                SkipReason::IdenticalAnswers,
                "one of `distractors` is also a right answer",
            ));
        }
        Ok(Document { also_right: right, ..Document::new(prompt, candidates) })
    }

    /// The turns of a conversation: the messages before its last answer, and that answer.
    fn conversation(
        &self,
        turns: &Expr,
        fields: &Fields<'_>,
    ) -> Result<(Vec<Message>, Vec<String>), RowProblem> {
        let mut messages = Vec::new();
        let mut answers = Vec::new();
        for (index, turn) in turns.list(fields)?.into_iter().enumerate() {
            messages.extend(answers.drain(..).map(|answer: String| Message::assistant(answer)));
            let names = context! { turn, index };
            messages.push(Message::user(self.user.render_with(fields, names.clone())?));
            answers = self.target.texts(fields, names)?;
        }
        if messages.is_empty() {
            return Err(RowProblem::new(SkipReason::MissingField, "`turns` is an empty list"));
        }
        Ok((messages, answers))
    }
}

impl Target {
    fn texts(&self, fields: &Fields<'_>, names: Value) -> Result<Vec<String>, RowProblem> {
        match self {
            Self::Template(template) => Ok(vec![template.render_with(fields, names)?]),
            Self::List(list) => texts("targets", list, fields),
        }
    }

    /// The source of the expression for the list of correct answers.
    pub(crate) fn source(&self) -> &str {
        match self {
            Self::Template(_) => "target",
            Self::List(list) => list.source(),
        }
    }
}

fn texts(key: &str, list: &Expr, fields: &Fields<'_>) -> Result<Vec<String>, RowProblem> {
    list.list(fields)?.iter().map(|value| to_text(key, value)).collect()
}
