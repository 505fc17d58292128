//! Reading an experiment file: overrides, and problems that point at their lines.

use std::ops::Range;
use std::path::{Path, PathBuf};

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use toml_edit::{Document, DocumentMut, Item, Table, TableLike, Value};

use crate::checks;
use crate::experiment::Experiment;

/// An experiment and the text that it was read from.
#[derive(Debug, Clone)]
pub struct ExperimentFile {
    /// The experiment.
    pub experiment: Experiment,
    /// The file as given.
    pub source: String,
}

/// Why an experiment file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// The file cannot be read.
    #[error("cannot read the experiment file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An override is not of the form `key=value`, or names nothing.
    #[error("--set {given}: {message}")]
    Override {
        /// The override as given.
        given: String,
        /// What is wrong with it.
        message: String,
    },
    /// The file is wrong in one or several places.
    #[error(transparent)]
    Invalid(Box<InvalidExperiment>),
}

/// An experiment file and everything that is wrong with it.
#[derive(Debug)]
pub struct InvalidExperiment {
    /// The problems, in the order of the file; there is at least one.
    pub problems: Vec<Problem>,
    file: String,
    source: NamedSource<String>,
}

/// One thing that is wrong with an experiment file.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// Line in the file, from 1.
    pub line: usize,
    /// Bytes of the file that the problem is about.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl ExperimentFile {
    /// Reads a file and applies overrides of the form `key=value`, such as `model.path=DIR` or `stage.dph.steps=100`
    /// (a stage is named by its name). A value that is no TOML is taken as a string.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self, ExperimentError> {
        let source = std::fs::read_to_string(path)
            .map_err(|source| ExperimentError::Read { path: path.into(), source })?;
        let experiment = parse(&source, &path.display().to_string(), overrides)?;
        Ok(Self { experiment, source })
    }
}

/// Parses the text of an experiment file. `file` is its name in messages.
pub fn parse(source: &str, file: &str, overrides: &[String]) -> Result<Experiment, ExperimentError> {
    let (text, file) = match overrides {
        [] => (source.to_string(), file.to_string()),
        overrides => {
            let mut document: DocumentMut = source.parse().map_err(|error: toml_edit::TomlError| {
                let problem = Problem::new(error.span().unwrap_or_default(), error.message());
                invalid(file, source, vec![problem])
            })?;
            for given in overrides {
                apply(&mut document, given)
                    .map_err(|message| ExperimentError::Override { given: given.clone(), message })?;
            }
            (document.to_string(), format!("{file} with --set"))
        }
    };
    let experiment: Experiment = toml::from_str(&text).map_err(|error| {
        let mut problem = Problem::new(error.span().unwrap_or_default(), error.message());
        problem.help = suggestion(error.message());
        invalid(&file, &text, vec![problem])
    })?;
    let document = Document::parse(text.as_str()).ok();
    let problems: Vec<Problem> = checks::check(&experiment)
        .into_iter()
        .map(|found| Problem {
            line: 0,
            span: document.as_ref().and_then(|document| span(document, &found.path)).unwrap_or_default(),
            message: found.message,
            help: found.help,
        })
        .collect();
    match problems.is_empty() {
        true => Ok(experiment),
        false => Err(invalid(&file, &text, problems)),
    }
}

/// Puts the value of `key=value` into a document.
fn apply(document: &mut DocumentMut, given: &str) -> Result<(), String> {
    let (key, value) = given.split_once('=').ok_or("expected key=value, such as model.path=DIR")?;
    let value: Value = value.trim().parse().unwrap_or_else(|_| Value::from(value));
    let keys: Vec<&str> = key.trim().split('.').collect();
    if keys.iter().any(|key| key.is_empty()) {
        return Err("a part of the key is empty".into());
    }
    set(document.as_table_mut(), &keys, value)
}

fn set(table: &mut dyn TableLike, keys: &[&str], value: Value) -> Result<(), String> {
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

fn invalid(file: &str, source: &str, mut problems: Vec<Problem>) -> ExperimentError {
    problems.sort_by_key(|problem| problem.span.start);
    for problem in &mut problems {
        problem.line = 1 + source[..problem.span.start.min(source.len())].matches('\n').count();
    }
    ExperimentError::Invalid(Box::new(InvalidExperiment {
        problems,
        file: file.into(),
        source: NamedSource::new(file, source.to_string()).with_language("TOML"),
    }))
}

impl Problem {
    fn new(span: Range<usize>, message: &str) -> Self {
        Self { line: 0, span, message: message.into(), help: None }
    }
}

impl std::fmt::Display for InvalidExperiment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}:{}: {}", self.file, problem.line, problem.message)?;
            if let Some(help) = &problem.help {
                write!(f, "; {help}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for InvalidExperiment {}

impl Diagnostic for ExperimentError {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        match self {
            Self::Invalid(invalid) => Some(&invalid.source),
            _ => None,
        }
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let Self::Invalid(invalid) = self else { return None };
        Some(Box::new(
            invalid
                .problems
                .iter()
                .map(|problem| LabeledSpan::new_with_span(problem.help.clone(), problem.span.clone())),
        ))
    }
}
