//! [`Classes`]: what a classifier of a task predicts.

use std::fmt;

/// What a classifier of a task predicts (table `[classify]`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Classes {
    /// One of the classes with these names, which are the candidates of the task in their order.
    Named(Vec<String>),
    /// A number.
    Number,
}

impl Classes {
    /// Number of outputs of a classifier.
    pub fn outputs(&self) -> usize {
        match self {
            Self::Named(names) => names.len(),
            Self::Number => 1,
        }
    }

    /// The names of the outputs of a new classifier.
    pub fn labels(&self) -> Vec<String> {
        match self {
            Self::Named(names) => names.clone(),
            Self::Number => vec!["LABEL_0".into()],
        }
    }
}

impl fmt::Display for Classes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(names) => write!(f, "the {} classes {}", names.len(), names.join(", ")),
            Self::Number => f.write_str("a number"),
        }
    }
}
