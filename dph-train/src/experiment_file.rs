//! Reading an experiment file: overrides, and problems that point at their lines.

use std::ops::Range;
use std::path::Path;

use dph_data::TomlProblem;
use toml_edit::{Document, DocumentMut, Item, Table, TableLike, Value};

use crate::checks;
use crate::experiment::Experiment;
use crate::experiment_error::{ExperimentError, invalid};
use crate::sweep::{self, Sweep};

/// An experiment and the text that it was read from.
#[derive(Debug, Clone)]
pub struct ExperimentFile {
    /// The experiment; of a sweep its first variant, with the sweep.
    pub experiment: Experiment,
    /// The file as given.
    pub source: String,
    /// The variants, where the experiment has a `[sweep]`.
    pub sweep: Option<Sweep>,
}

impl ExperimentFile {
    /// Reads a file and applies overrides of the form `key=value`, such as `model.path=DIR` or `stage.dph.steps=100`
    /// (a stage is named by its name). A value that is no TOML is taken as a string. All variants of a sweep are checked.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self, ExperimentError> {
        let source = std::fs::read_to_string(path)
            .map_err(|source| ExperimentError::Read { path: path.into(), source })?;
        let (text, file) = overridden(&source, &path.display().to_string(), overrides)?;
        let invalid = |problems| invalid(&file, &text, problems);
        let axes = sweep::axes(&text).map_err(invalid)?;
        for given in overrides {
            sweep::not_swept(given, &axes)
                .map_err(|message| ExperimentError::Override { given: given.clone(), message })?;
        }
        if axes.is_empty() {
            let experiment = parse(&text).map_err(invalid)?;
            return Ok(Self { experiment, source, sweep: None });
        }
        let sweep = sweep::expand(&text, axes).map_err(invalid)?;
        let experiment = sweep.representative(&text);
        Ok(Self { experiment, source, sweep: Some(sweep) })
    }
}

/// The text of a file with overrides, and its name in messages.
fn overridden(source: &str, file: &str, overrides: &[String]) -> Result<(String, String), ExperimentError> {
    if overrides.is_empty() {
        return Ok((source.into(), file.into()));
    }
    let mut document: DocumentMut = source.parse().map_err(|error: toml_edit::TomlError| {
        let problem = TomlProblem::new(error.span().unwrap_or_default(), error.message());
        invalid(file, source, vec![problem])
    })?;
    for given in overrides {
        apply(&mut document, given)
            .map_err(|message| ExperimentError::Override { given: given.clone(), message })?;
    }
    Ok((document.to_string(), format!("{file} with --set")))
}

/// Parses and checks the text of an experiment file.
pub(crate) fn parse(text: &str) -> Result<Experiment, Vec<TomlProblem>> {
    let experiment: Experiment = toml::from_str(text).map_err(|error| {
        let help = suggestion(error.message());
        vec![TomlProblem { help, ..TomlProblem::new(error.span().unwrap_or_default(), error.message()) }]
    })?;
    let document = Document::parse(text).ok();
    let problem = |found: checks::Found| {
        let span = document.as_ref().and_then(|document| span(document, &found.path));
        TomlProblem { help: found.help, ..TomlProblem::new(span.unwrap_or_default(), found.message) }
    };
    let problems: Vec<TomlProblem> = checks::check(&experiment).into_iter().map(problem).collect();
    match problems.is_empty() {
        true => Ok(experiment),
        false => Err(problems),
    }
}

/// Puts the value of `key=value` into a document.
fn apply(document: &mut DocumentMut, given: &str) -> Result<(), String> {
    let (key, value) = given.split_once('=').ok_or("expected key=value, such as model.path=DIR")?;
    let value: Value = value.trim().parse().unwrap_or_else(|_| Value::from(value));
    let keys: Vec<&str> = match key.trim().split_once('.') {
        // What is swept is a key of the sweep as a whole.
        Some(("sweep", swept)) => vec!["sweep", swept],
        _ => key.trim().split('.').collect(),
    };
    if keys.iter().any(|key| key.is_empty()) {
        return Err("a part of the key is empty".into());
    }
    set(document.as_table_mut(), &keys, value)
}

/// Puts a value into a table at a path of keys, in which a table of an array is named by its name.
pub(crate) fn set(table: &mut dyn TableLike, keys: &[&str], value: Value) -> Result<(), String> {
    let [key, rest @ ..] = keys else { return Err("the key names a table, not a value".into()) };
    if rest.is_empty() {
        table.insert(key, Item::Value(value));
        return Ok(());
    }
    match table.entry(key).or_insert(Item::Table(Table::new())) {
        Item::ArrayOfTables(tables) => {
            let name = |table: &Table| table.get("name").and_then(Item::as_str).map(String::from);
            let known: Vec<String> = tables.iter().filter_map(name).collect();
            let found = tables.iter_mut().find(|table| name(table).as_deref() == Some(rest[0]));
            let missing = || format!("there is no {key} `{}`; there is {}", rest[0], known.join(", "));
            set(found.ok_or_else(missing)?, &rest[1..], value)
        }
        item => {
            let not_a_table = || format!("`{key}` is not a table");
            set(item.as_table_like_mut().ok_or_else(not_a_table)?, rest, value)
        }
    }
}

/// The bytes of the value at a path: keys, and the numbers of tables in an array of tables. Where the path leads
/// nowhere, its longest part that leads somewhere counts.
fn span(document: &Document<&str>, path: &[String]) -> Option<Range<usize>> {
    let mut item = document.as_item();
    let mut span = item.span();
    for key in path {
        let next = match (item, key.parse::<usize>()) {
            (Item::ArrayOfTables(tables), Ok(index)) => {
                span = tables.get(index).and_then(Table::span).or(span);
                match tables.get(index) {
                    // A table of an array is no item of its own, so the rest is looked up in it.
                    Some(table) => {
                        let rest = &path[path.iter().position(|k| k == key)? + 1..];
                        return span_in(table, rest).or(span);
                    }
                    None => return span,
                }
            }
            (item, _) => item.get(key),
        };
        match next {
            Some(next) => {
                item = next;
                span = item.span().or(span);
            }
            None => return span,
        }
    }
    span
}

fn span_in(table: &Table, path: &[String]) -> Option<Range<usize>> {
    let (first, rest) = path.split_first()?;
    let mut item = table.get(first)?;
    let mut span = item.span();
    for key in rest {
        match item.get(key) {
            Some(next) => {
                item = next;
                span = item.span().or(span);
            }
            None => break,
        }
    }
    span
}

/// "Did you mean": the nearest of the names in serde's message about an unknown one.
fn suggestion(message: &str) -> Option<String> {
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = names.next().filter(|_| message.starts_with("unknown "))?;
    let nearest = dph_data::nearest(unknown, names)?;
    Some(format!("did you mean `{nearest}`?"))
}
