//! [`RowSelection`]: nested rows, and the rows that belong to a split.

use minijinja::{Value, context};
use serde_json::{Map, Value as Json};

use super::template::{Expr, Fields};
use super::values::{kind_name, to_text};
use crate::rows::{RowProblem, SkipReason};

/// How the rows of a file become the rows of a split.
#[derive(Debug, Default)]
pub(crate) struct RowSelection {
    /// Lists of rows that are nested in a row, outermost first.
    pub rows: Vec<Expr>,
    /// Whether a row belongs to the split.
    pub keep: Option<Expr>,
    /// Rows with the same value are one row.
    pub join: Option<Expr>,
}

impl RowSelection {
    /// The rows that are nested in a row, each with the fields of the enclosing row; without nested rows, the row itself.
    ///
    /// The list that holds the nested rows is not copied into them.
    pub(crate) fn nested_rows(&self, row: Map<String, Json>) -> Result<Vec<Map<String, Json>>, RowProblem> {
        let mut rows = vec![row];
        for list in &self.rows {
            let mut parts = Vec::new();
            for row in rows {
                match inner(list, &row)? {
                    Some(inner) => parts.extend(join(list, row, inner)),
                    None => parts.push(row),
                }
            }
            rows = parts;
        }
        Ok(rows)
    }

    /// Whether a row belongs to a split.
    pub(crate) fn keeps(&self, row: &Map<String, Json>, split: &str) -> Result<bool, RowProblem> {
        match &self.keep {
            Some(keep) => Ok(keep.eval_with(&Fields::new(row), context! { split })?.is_true()),
            None => Ok(true),
        }
    }
}

/// The variable with the rows that [`RowSelection::join`] made one row of.
pub(crate) const JOINED: &str = "rows";

impl RowSelection {
    /// What rows that are joined have in common; `None` if rows are not joined.
    pub(crate) fn join_key(&self, row: &Map<String, Json>) -> Result<Option<String>, RowProblem> {
        let Some(join) = &self.join else { return Ok(None) };
        Ok(Some(to_text("join", &join.require(&Fields::new(row))?)?))
    }
}

/// The objects in the list; `None` if the row has no such list.
fn inner(list: &Expr, row: &Map<String, Json>) -> Result<Option<Vec<Map<String, Json>>>, RowProblem> {
    let fields = Fields::new(row);
    if list.eval(&fields)?.is_undefined() {
        return Ok(None);
    }
    list.list(&fields)?.iter().map(|value| object(list, value)).collect::<Result<_, _>>().map(Some)
}

fn object(list: &Expr, value: &Value) -> Result<Map<String, Json>, RowProblem> {
    match serde_json::to_value(value) {
        Ok(Json::Object(object)) => Ok(object),
        _ => Err(RowProblem::new(
            SkipReason::WrongType,
            format!("`rows` must give a list of objects, but `{}` holds {}", list.source(), kind_name(value)),
        )),
    }
}

fn join(
    list: &Expr,
    mut row: Map<String, Json>,
    inner: Vec<Map<String, Json>>,
) -> impl Iterator<Item = Map<String, Json>> {
    row.remove(list.source());
    inner.into_iter().map(move |part| {
        let mut whole = row.clone();
        whole.extend(part);
        whole
    })
}
