//! Values as Python prints them.

use minijinja::value::ValueKind;
use minijinja::{Error, Output, State, Value};

/// Prints a value as Jinja2 does: `str(value)` of Python, in which `true` is `True` and `none` is `None`.
pub(crate) fn print(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::Undefined => Ok(()),
        ValueKind::None | ValueKind::Bool | ValueKind::Number | ValueKind::Seq | ValueKind::Map => {
            Ok(out.write_str(&representation(value)?)?)
        }
        _ => Ok(write!(out, "{value}")?),
    }
}

/// `repr(value)` of Python.
fn representation(value: &Value) -> Result<String, Error> {
    Ok(match value.kind() {
        ValueKind::None => "None".to_owned(),
        ValueKind::Bool => if value.is_true() { "True" } else { "False" }.to_owned(),
        ValueKind::String => quoted(value.as_str().unwrap_or_default()),
        ValueKind::Seq => {
            let items: Result<Vec<String>, Error> =
                value.try_iter()?.map(|item| representation(&item)).collect();
            format!("[{}]", items?.join(", "))
        }
        ValueKind::Map => {
            let item = |key: Value| {
                Ok(format!("{}: {}", representation(&key)?, representation(&value.get_item(&key)?)?))
            };
            let items: Result<Vec<String>, Error> = value.try_iter()?.map(item).collect();
            format!("{{{}}}", items?.join(", "))
        }
        _ => value.to_string(),
    })
}

/// A string literal, in single quotes if it has none.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}
