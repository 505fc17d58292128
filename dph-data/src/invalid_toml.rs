//! [`InvalidToml`]: all problems of a TOML file, each with its line.

use std::ops::Range;

use dph_core::suggestion::did_you_mean;

/// A TOML file and all of its problems.
#[derive(Debug)]
pub struct InvalidToml {
    /// The file's name.
    pub file: String,
    /// The problems in the order of the file; at least one.
    pub problems: Vec<TomlProblem>,
    /// The file's text.
    pub text: String,
}

/// One problem of a TOML file.
#[derive(Debug, Clone, PartialEq)]
pub struct TomlProblem {
    /// Line in the file, from 1.
    pub line: usize,
    /// The bytes of the file to point at.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl InvalidToml {
    /// The problems of a file, in any order. `source` is its text, from which their lines are computed.
    pub fn new(file: &str, source: &str, mut problems: Vec<TomlProblem>) -> Self {
        problems.sort_by_key(|problem| problem.span.start);
        for problem in &mut problems {
            problem.line = 1 + source[..problem.span.start.min(source.len())].matches('\n').count();
        }
        Self { file: file.to_owned(), problems, text: source.to_owned() }
    }
}

impl TomlProblem {
    /// A problem. [`InvalidToml::new`] computes its line.
    pub fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { line: 0, span, message: message.into(), help: None }
    }

    /// Adds a remedy.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// An error of the TOML reader; for an unknown name, with the nearest known one.
impl From<toml::de::Error> for TomlProblem {
    fn from(error: toml::de::Error) -> Self {
        let message = error.message();
        // serde names the unknown key or variant first, then those that it knows.
        let mut names = message.split('`').skip(1).step_by(2);
        let unknown = names.next().filter(|_| message.starts_with("unknown "));
        let help = unknown.and_then(|unknown| did_you_mean(unknown, names));
        let message = match message.starts_with("wanted exactly 1 element") {
            true => "this table must have exactly one key, the name of a choice",
            false => message,
        };
        Self { help, ..Self::new(error.span().unwrap_or(0..0), message) }
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
