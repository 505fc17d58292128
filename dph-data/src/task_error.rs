//! What can be wrong with a task file, with the places to point at.

use std::path::PathBuf;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

/// A task that cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// No embedded task has this name.
    #[error("there is no task `{name}`; {help}")]
    Unknown {
        /// The name as given.
        name: String,
        /// What to do: the nearest name, or all of them.
        help: String,
    },
    /// The task file cannot be read.
    #[error("cannot read the task file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The task file is wrong in one or several places.
    #[error(transparent)]
    Invalid(Box<InvalidTask>),
}

/// A task file and everything that is wrong with it.
#[derive(Debug)]
pub struct InvalidTask {
    /// The file's name.
    pub file: String,
    /// The problems, in the order of the file; there is at least one.
    pub problems: Vec<TaskProblem>,
    source: NamedSource<String>,
}

/// One thing that is wrong with a task file.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskProblem {
    /// Line in the file, from 1.
    pub line: usize,
    /// Bytes of the file that the problem is about.
    pub span: std::ops::Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl InvalidTask {
    pub(crate) fn new(file: &str, source: &str, mut problems: Vec<TaskProblem>) -> Self {
        problems.sort_by_key(|problem| problem.span.start);
        for problem in &mut problems {
            problem.line = 1 + source[..problem.span.start.min(source.len())].matches('\n').count();
        }
        Self {
            file: file.to_owned(),
            problems,
            source: NamedSource::new(file, source.to_owned()).with_language("TOML"),
        }
    }
}

impl TaskProblem {
    /// A problem whose line is filled in when the file is known.
    pub(crate) fn new(span: std::ops::Range<usize>, message: impl Into<String>) -> Self {
        Self { line: 0, span, message: message.into(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl std::fmt::Display for InvalidTask {
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

impl std::error::Error for InvalidTask {}

impl Diagnostic for TaskError {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        match self {
            Self::Invalid(invalid) => Some(&invalid.source),
            _ => None,
        }
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        match self {
            Self::Invalid(invalid) => Some(Box::new(
                invalid
                    .problems
                    .iter()
                    .map(|problem| LabeledSpan::new_with_span(problem.help.clone(), problem.span.clone())),
            )),
            _ => None,
        }
    }
}
