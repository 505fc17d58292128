//! Places in the text of an experiment file, as paths of keys.

use std::ops::Range;

use toml_edit::{Document, Item, Table, TableLike};

/// A place: the path of its key. A table in an array of tables is addressed by its index.
#[derive(Debug, Default)]
pub(super) struct Place {
    pub indices: Vec<String>,
    /// The same path with the name of a table instead of its index, as overrides address it.
    names: Vec<String>,
}

impl Place {
    /// Whether the place is at a key or below it.
    pub fn is_within(&self, keys: &[String]) -> bool {
        self.names.starts_with(keys)
    }

    fn child(&self, index: &str, name: &str) -> Self {
        let with = |path: &[String], part: &str| [path, &[part.to_string()]].concat();
        Self { indices: with(&self.indices, index), names: with(&self.names, name) }
    }
}

/// The deepest key whose name or value is at a byte of the text.
pub(super) fn find(table: &Table, at: usize) -> Place {
    below(table, at, &Place::default()).unwrap_or_default()
}

fn below(table: &dyn TableLike, at: usize, place: &Place) -> Option<Place> {
    let is_at = |span: Option<Range<usize>>| span.is_some_and(|span| span.contains(&at));
    for (name, item) in table.iter() {
        let here = place.child(name, name);
        if let Item::ArrayOfTables(tables) = item {
            for (index, table) in tables.iter().enumerate() {
                let given = table.get("name").and_then(Item::as_str).unwrap_or_default();
                let here = here.child(&index.to_string(), given);
                let inside = below(table, at, &here);
                if let Some(found) = inside.or_else(|| is_at(table.span()).then_some(here)) {
                    return Some(found);
                }
            }
            continue;
        }
        let inside = item.as_table_like().and_then(|table| below(table, at, &here));
        let key = table.get_key_value(name).and_then(|(key, _)| key.span());
        if let Some(found) = inside.or_else(|| (is_at(key) || is_at(item.span())).then_some(here)) {
            return Some(found);
        }
    }
    None
}

/// The byte range of the value at a path of keys and of indices into arrays of tables. If the path does not exist, the range of its
/// longest existing prefix.
pub(super) fn span(document: &Document<&str>, path: &[String]) -> Option<Range<usize>> {
    span_in(document.as_table(), path).or(document.span())
}

fn span_in(table: &dyn TableLike, path: &[String]) -> Option<Range<usize>> {
    let (key, rest) = path.split_first()?;
    let item = table.get(key)?;
    let inside = match item {
        Item::ArrayOfTables(tables) => rest.split_first().and_then(|(index, rest)| {
            let table = tables.get(index.parse().ok()?)?;
            span_in(table, rest).or(table.span())
        }),
        _ => item.as_table_like().and_then(|table| span_in(table, rest)),
    };
    inside.or(item.span())
}
