//! How well an object is a row of a task.

use serde_json::{Map, Value as Json};

use super::body::Recipe;
use crate::rows::{Fit, RowProblem};

impl Recipe {
    /// How well an object is a row, with the rows that are nested in it.
    pub(crate) fn fit(&self, row: &Map<String, Json>) -> Fit {
        let of = |row: &_| self.document(row).map_or_else(|problem| problem.reason.into(), |_| Fit::Usable);
        if self.selection.rows.is_empty() {
            return of(row);
        }
        let nested = self.selection.nested_rows(row.clone());
        nested.map_or_else(|RowProblem { reason, .. }| reason.into(), |rows| Fit::best(&rows, of))
    }
}
