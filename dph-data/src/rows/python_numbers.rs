//! The numbers that Python writes and JSON lacks: `NaN`, `Infinity` and `-Infinity`.

use serde_json::Value as Json;

use super::json_keys::{MarkedJson, twice};
use super::json_place::{named, steps_to, string_length};
use super::problem::{RowProblem, SkipReason};

const NUMBERS: [&str; 3] = ["NaN", "Infinity", "-Infinity"];

/// What no text begins with.
const MARK: &str = "\0number of Python\0";

/// The number with which a text begins.
pub(super) fn number_at(text: &[u8]) -> Option<&'static str> {
    NUMBERS.into_iter().find(|number| text.starts_with(number.as_bytes()))
}

/// What is wrong with a value that is such a number; `place` is where it is, in words.
pub(super) fn problem(place: &str, number: &str) -> String {
    format!("not JSON: {place} is {number}, which JSON lacks; write null, or leave the field out")
}

/// The value of a text in which marks stand for such numbers and for keys that are there twice; `None` if it is not JSON for other reasons.
pub(super) fn marked(text: &[u8]) -> Option<Json> {
    let mut json = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let length = match (rest[0], number_at(rest)) {
            (b'"', _) => string_length(rest)?,
            (_, Some(number)) => {
                json.extend(Json::from(format!("{MARK}{number}")).to_string().bytes());
                at += number.len();
                continue;
            }
            _ => 1,
        };
        json.extend(&rest[..length]);
        at += length;
    }
    serde_json::from_slice(&json).ok().map(|MarkedJson(value)| value)
}

/// A value of a text that was read with marks, or its problem.
pub(crate) fn without_marks(row: Json) -> Result<Json, RowProblem> {
    if let Some(problem) = twice(&row) {
        return Err(RowProblem::new(SkipReason::Unreadable, problem));
    }
    match NUMBERS.into_iter().find_map(|number| {
        let mark = format!("{MARK}{number}");
        Some((number, steps_to(&row, &|text| text == mark)?))
    }) {
        None => Ok(row),
        Some((number, steps)) => {
            Err(RowProblem::new(SkipReason::Unreadable, problem(&named(&steps), number)))
        }
    }
}
