//! The values of expressions as text and numbers.

use minijinja::Value;
use minijinja::value::ValueKind;

use crate::rows::{BYTES, NAN, RowProblem, SkipReason, phrase};

/// A value as text, if it is text, a number or a boolean.
pub(crate) fn to_text(key: &str, value: &Value) -> Result<String, RowProblem> {
    match value.kind() {
        ValueKind::String | ValueKind::Number | ValueKind::Bool => Ok(value.to_string()),
        _ => Err(RowProblem::new(
            SkipReason::WrongType,
            format!("`{key}` needs text, but there is {}", kind_name(value)),
        )),
    }
}

/// A value as a number, if it is a number or a text that can be parsed as one.
pub(crate) fn to_number(key: &str, value: &Value) -> Result<f64, RowProblem> {
    let number = match value.kind() {
        ValueKind::Number => f64::try_from(value.clone()).ok(),
        ValueKind::String => value.as_str().and_then(|text| text.trim().parse().ok()),
        _ => None,
    };
    number.filter(|number: &f64| number.is_finite()).ok_or_else(|| {
        RowProblem::new(
            SkipReason::WrongType,
            format!("`{key}` needs a number, but there is {}", kind_name(value)),
        )
    })
}

/// Whether there is no value.
pub(crate) fn is_missing(value: &Value) -> bool {
    value.is_undefined() || value.is_none() || stand_in(value) == Some(NAN)
}

/// Whether a value stands for a number that is not finite.
pub(crate) fn is_no_number(value: &Value) -> bool {
    stand_in(value).is_some_and(|phrase| phrase != BYTES)
}

/// What an object stands for, as a phrase.
fn stand_in(value: &Value) -> Option<&'static str> {
    if value.kind() != ValueKind::Map || value.len() != Some(1) {
        return None;
    }
    phrase(value.try_iter().ok()?.next()?.as_str()?)
}

/// The type of a value in the terms of JSON.
pub(crate) fn kind_name(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Undefined => "nothing",
        ValueKind::None => "null",
        ValueKind::Bool => "a boolean",
        ValueKind::Number => "a number",
        ValueKind::String => "text",
        ValueKind::Seq | ValueKind::Iterable => "a list",
        ValueKind::Map => stand_in(value).unwrap_or("an object"),
        _ => "a value of another kind",
    }
}
