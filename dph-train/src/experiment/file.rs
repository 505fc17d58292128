//! Reads an experiment file, applies overrides and reports problems with their lines.

use std::path::Path;

use dph_data::TomlProblem;
use toml_edit::{DocumentMut, Key, Value};

use crate::experiment::Experiment;
use crate::experiment::error::{ExperimentError, invalid};
use crate::experiment::parse::{parse, set};
use crate::experiment::sweep::{self, Sweep};

/// An experiment and the text that it was read from.
#[derive(Debug, Clone)]
pub struct ExperimentFile {
    /// The experiment. For a sweep, its first variant together with the `[sweep]` table.
    pub experiment: Experiment,
    /// The text of the file, without overrides.
    pub source: String,
    /// The variants, if the experiment has a `[sweep]`.
    pub sweep: Option<Sweep>,
}

impl ExperimentFile {
    /// Reads a file and applies overrides of the form `key=value`, such as `model.path=DIR` or `stage.dph.steps=100`
    /// (a stage is addressed by its name; a part of a key that contains dots is quoted). A value that is not valid TOML is taken
    /// as a string. All variants of a sweep are
    /// checked.
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

/// Applies one override `key=value` to a document.
fn apply(document: &mut DocumentMut, given: &str) -> Result<(), String> {
    let (key, text) = split_key(given).ok_or("expected key=value, such as model.path=DIR")?;
    let value = match text.trim().parse() {
        Ok(value) => value,
        Err(_) if text.trim().parse::<i128>().is_ok() => {
            return Err(format!("{} is too large: integers in TOML are at most {}", text.trim(), i64::MAX));
        }
        Err(_) => Value::from(text),
    };
    let mut keys = parts(key.trim())?;
    if keys[0] == "sweep" && keys.len() > 2 {
        // The text after `sweep.` is one key of the `[sweep]` table, dots included.
        keys = vec!["sweep".into(), keys[1..].join(".")];
    }
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    if keys.iter().any(|key| key.is_empty()) {
        return Err("a part of the key is empty; write it as table.key".into());
    }
    set(document.as_table_mut(), &keys, value)
}

/// Divides an override at the first `=` outside of quotes.
fn split_key(given: &str) -> Option<(&str, &str)> {
    let mut quote = None;
    for (at, c) in given.char_indices() {
        match (quote, c) {
            (None, '=') => return Some((&given[..at], &given[at + 1..])),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            _ => {}
        }
    }
    None
}

/// The parts of a dotted key. A part in quotes may contain dots.
fn parts(key: &str) -> Result<Vec<String>, String> {
    if !key.contains(['"', '\'']) {
        return Ok(key.split('.').map(String::from).collect());
    }
    let parts = Key::parse(key).map_err(|error| format!("`{key}` is not a key: {}", error.message()))?;
    Ok(parts.iter().map(|part| part.get().to_string()).collect())
}
