//! [`InvalidToml`]: everything that is wrong with a TOML file, each with its line.

use std::ops::Range;

use miette::{LabeledSpan, NamedSource, SourceCode};

/// A TOML file and everything that is wrong with it.
#[derive(Debug)]
pub struct InvalidToml {
    /// The file's name.
    pub file: String,
    /// The problems, in the order of the file; there is at least one.
    pub problems: Vec<TomlProblem>,
    source: NamedSource<String>,
}

/// One thing that is wrong with a TOML file.
#[derive(Debug, Clone, PartialEq)]
pub struct TomlProblem {
    /// Line in the file, from 1.
    pub line: usize,
    /// Bytes of the file that the problem is about.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl InvalidToml {
    /// The problems with a file and its text; their lines are filled in.
    pub fn new(file: &str, source: &str, mut problems: Vec<TomlProblem>) -> Self {
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

    /// The file's text, for a report.
    pub fn source_code(&self) -> &dyn SourceCode {
        &self.source
    }

    /// The places of the problems, for a report.
    pub fn labels(&self) -> Box<dyn Iterator<Item = LabeledSpan> + '_> {
        Box::new(
            self.problems
                .iter()
                .map(|problem| LabeledSpan::new_with_span(problem.help.clone(), problem.span.clone())),
        )
    }
}

impl TomlProblem {
    /// A problem whose line is filled in when the file is known.
    pub fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { line: 0, span, message: message.into(), help: None }
    }

    /// The same with what to do about it.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl std::fmt::Display for InvalidToml {
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

impl std::error::Error for InvalidToml {}
