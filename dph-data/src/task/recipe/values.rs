//! The values of expressions as text and numbers.

use minijinja::Value;
use minijinja::value::ValueKind;

use crate::rows::{BYTES, RowProblem, SkipReason};

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

/// The type of a value in the terms of JSON.
pub(crate) fn kind_name(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Undefined => "nothing",
        ValueKind::None => "null",
        ValueKind::Bool => "a boolean",
        ValueKind::Number => "a number",
        ValueKind::String => "text",
        ValueKind::Seq | ValueKind::Iterable => "a list",
        ValueKind::Map if value.get_attr(BYTES).is_ok_and(|bytes| !bytes.is_undefined()) => BYTES,
        ValueKind::Map => "an object",
        _ => "a value of another kind",
    }
}
