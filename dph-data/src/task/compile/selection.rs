//! Compiles which rows a task has.

use super::compiler::Compiler;
use crate::task::keys::ListKey;
use crate::task::recipe::{Expr, RowSelection};

/// Compiles `rows` and `keep`.
pub(super) fn selection(c: &mut Compiler<'_>) -> RowSelection {
    let rows = nested_rows(c);
    let keep = c.file.keep.take().and_then(|key| c.expression("keep", &key));
    RowSelection { rows, keep, join: None }
}

/// Compiles `rows`.
pub(super) fn nested_rows(c: &mut Compiler<'_>) -> Vec<Expr> {
    let Some(key) = c.file.rows.clone() else { return Vec::new() };
    let span = key.span();
    let sources = match key.into_inner() {
        ListKey::Expression(source) => vec![source],
        ListKey::Items(sources) => sources,
    };
    let rows = sources.iter().map(|source| Expr::compile("rows", source));
    rows.filter_map(|row| c.noted(span.clone(), row)).collect()
}
