//! A list of candidates or labels.

use minijinja::Value;

use super::template::{Expr, Fields, Template};
use super::values::to_text;
use crate::rows::RowProblem;

/// A list that an expression computes, or one template for each element.
#[derive(Debug)]
pub(crate) enum List {
    Expression(Expr),
    Templates(Vec<Template>),
}

impl List {
    pub(super) fn values(&self, fields: &Fields<'_>) -> Result<Vec<Value>, RowProblem> {
        match self {
            Self::Expression(expression) => expression.list(fields),
            Self::Templates(templates) => {
                templates.iter().map(|template| template.render(fields).map(Value::from)).collect()
            }
        }
    }

    pub(super) fn texts(&self, key: &str, fields: &Fields<'_>) -> Result<Vec<String>, RowProblem> {
        self.values(fields)?.iter().map(|value| to_text(key, value)).collect()
    }
}
