//! [`Overridden`]: the text of an experiment file with the overrides of `--set`.

use dph_data::TomlProblem;
use toml_edit::{Document, DocumentMut, Key, Value};

use crate::experiment::error::{ExperimentError, invalid};
use crate::experiment::parse::set;
use crate::experiment::places::{Place, find, span};

/// The text of an experiment file with overrides.
pub(super) struct Overridden<'a> {
    pub text: String,
    source: &'a str,
    file: String,
    /// The overrides and the parts of their keys.
    overrides: Vec<(&'a str, Vec<String>)>,
}

impl<'a> Overridden<'a> {
    /// Applies overrides to the text of a file.
    pub fn new(source: &'a str, file: &str, overrides: &'a [String]) -> Result<Self, ExperimentError> {
        if overrides.is_empty() {
            return Ok(Self { text: source.into(), source, file: file.into(), overrides: Vec::new() });
        }
        let mut document: DocumentMut = source.parse().map_err(|error: toml_edit::TomlError| {
            let problem = TomlProblem::new(error.span().unwrap_or_default(), error.message());
            invalid(file, source, vec![problem])
        })?;
        let mut applied = Vec::new();
        for given in overrides {
            let keys = apply(&mut document, given)
                .map_err(|message| ExperimentError::Override { given: given.clone(), message })?;
            applied.push((given.as_str(), keys));
        }
        let (text, file) = (document.to_string(), format!("{file} with --set"));
        Ok(Self { text, source, file, overrides: applied })
    }

    /// The error for problems of the text. A problem at a key that an override sets is a problem of the override; the others have
    /// the lines of the file.
    pub fn error(&self, problems: Vec<TomlProblem>) -> ExperimentError {
        let (Ok(text), Ok(source)) = (Document::parse(self.text.as_str()), Document::parse(self.source))
        else {
            return invalid(&self.file, &self.text, problems);
        };
        let mut in_file = Vec::new();
        for problem in problems {
            let place = find(text.as_table(), problem.span.start);
            if let Some((given, _)) = self.overrides.iter().rev().find(|(_, keys)| place.is_within(keys)) {
                let help = problem.help.map(|help| format!("; {help}")).unwrap_or_default();
                let message = format!("{}{help}", problem.message);
                return ExperimentError::Override { given: given.to_string(), message };
            }
            in_file.push(TomlProblem { span: self.span_in_source(&source, &place, &problem), ..problem });
        }
        invalid(&self.file, self.source, in_file)
    }

    fn span_in_source(
        &self,
        source: &Document<&str>,
        place: &Place,
        problem: &TomlProblem,
    ) -> std::ops::Range<usize> {
        match self.overrides.is_empty() {
            true => problem.span.clone(),
            false => span(source, &place.indices).unwrap_or_default(),
        }
    }
}

/// Applies one override `key=value` to a document. Returns the parts of its key.
fn apply(document: &mut DocumentMut, given: &str) -> Result<Vec<String>, String> {
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
    if keys.iter().any(String::is_empty) {
        return Err("a part of the key is empty; write it as table.key".into());
    }
    let path: Vec<&str> = keys.iter().map(String::as_str).collect();
    set(document.as_table_mut(), &path, value)?;
    Ok(keys)
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
