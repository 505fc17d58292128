//! Parses the text of an experiment file into an [`Experiment`] and reports problems with their lines.

use std::path::Path;

use dph_data::TomlProblem;
use toml_edit::{Document, Item, Table, TableLike, Value};

use super::Experiment;
use super::checks::check;
use super::found::Found;
use super::places::span;

/// Parses and checks the text of an experiment file in a folder.
pub(crate) fn parse(text: &str, folder: &Path) -> Result<Experiment, Vec<TomlProblem>> {
    let mut experiment: Experiment = toml::from_str(text).map_err(|error| vec![TomlProblem::from(error)])?;
    experiment.resolve_paths(folder);
    let document = Document::parse(text).ok();
    let problem = |found: Found| {
        let span = document.as_ref().and_then(|document| span(document, &found.path));
        TomlProblem { help: found.help, ..TomlProblem::new(span.unwrap_or_default(), found.message) }
    };
    let problems: Vec<TomlProblem> = check(&experiment).into_iter().map(problem).collect();
    match problems.is_empty() {
        true => Ok(experiment),
        false => Err(problems),
    }
}

/// Sets the value at a path of keys in a table. In an array of tables, a table is addressed by its `name`.
pub(crate) fn set(table: &mut dyn TableLike, keys: &[&str], value: Value) -> Result<(), String> {
    let [key, rest @ ..] = keys else {
        return Err("the key is a table, not a value; add the key of a value".into());
    };
    if rest.is_empty() {
        table.insert(key, Item::Value(value));
        return Ok(());
    }
    match table.entry(key).or_insert(Item::Table(Table::new())) {
        Item::ArrayOfTables(tables) => {
            let name = |table: &Table| table.get("name").and_then(Item::as_str).map(String::from);
            let known: Vec<String> = tables.iter().filter_map(name).collect();
            let found = tables.iter_mut().find(|table| name(table).as_deref() == Some(rest[0]));
            let missing = || format!("there is no {key} `{}`; known: {}", rest[0], known.join(", "));
            set(found.ok_or_else(missing)?, &rest[1..], value)
        }
        item => {
            let not_a_table = || format!("`{key}` is not a table");
            set(item.as_table_like_mut().ok_or_else(not_a_table)?, rest, value)
        }
    }
}
