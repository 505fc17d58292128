//! [`Fit`]: how well the row that an object may be is one of a task. It tells the forms of JSON files apart.

use serde_json::{Map, Value as Json};

use super::problem::SkipReason;

/// How well a row is one of a task, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fit {
    /// It lacks fields of the task.
    Lacks,
    /// A field has a type that the task cannot use.
    WrongType,
    /// It has the fields, but cannot be used for another reason.
    Unusable,
    Usable,
}

/// How well an object is a row of a task.
pub(crate) type FitOf<'a> = &'a dyn Fn(&Map<String, Json>) -> Fit;

impl From<SkipReason> for Fit {
    fn from(reason: SkipReason) -> Self {
        match reason {
            SkipReason::MissingField => Self::Lacks,
            SkipReason::WrongType | SkipReason::Template => Self::WrongType,
            _ => Self::Unusable,
        }
    }
}

impl Fit {
    /// How many rows of a file are tried.
    const TRIED: usize = 100;

    /// The best of the first rows.
    pub(crate) fn best<T>(rows: impl IntoIterator<Item = T>, fit: impl Fn(T) -> Self) -> Self {
        let mut best = Self::Lacks;
        for row in rows.into_iter().take(Self::TRIED) {
            best = best.max(fit(row));
            if best == Self::Usable {
                break;
            }
        }
        best
    }
}
