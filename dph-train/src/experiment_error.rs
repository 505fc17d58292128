//! What can be wrong with an experiment file.

use std::ops::Range;
use std::path::PathBuf;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

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

/// The error that tells of these problems with a file and its text.
pub(crate) fn invalid(file: &str, source: &str, mut problems: Vec<Problem>) -> ExperimentError {
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
    /// A problem whose line follows from its span when it is reported.
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
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
