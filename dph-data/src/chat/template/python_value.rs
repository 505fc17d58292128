//! Values as Python prints them.

use minijinja::value::{Tuple, ValueKind};
use minijinja::{AutoEscape, Error, Output, State, Value};

use super::arguments::unsupported;
use crate::chat::encode::control::STANDS_FOR_TEXT;

/// Prints a value as Jinja2 does, see [`text`].
pub(super) fn print(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if !matches!(state.auto_escape(), AutoEscape::None) {
        return Err(unsupported("the tag `autoescape`"));
    }
    match value.as_str() {
        Some(text) => Ok(out.write_str(text)?),
        None => Ok(out.write_str(&text(value)?)?),
    }
}

/// `str(value)` of Python, in which `true` is `True` and `none` is `None`. An undefined value has no text.
pub(super) fn text(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::Undefined => Ok(String::new()),
        ValueKind::None | ValueKind::Bool | ValueKind::Number | ValueKind::Seq | ValueKind::Map => {
            representation(value)
        }
        _ => Ok(value.to_string()),
    }
}

/// `repr(value)` of Python.
fn representation(value: &Value) -> Result<String, Error> {
    Ok(match value.kind() {
        ValueKind::None => "None".to_owned(),
        ValueKind::Bool => if value.is_true() { "True" } else { "False" }.to_owned(),
        ValueKind::Number => match as_float(value) {
            Some(number) => float(number),
            None => value.to_string(),
        },
        ValueKind::String => quoted(value.as_str().unwrap_or_default()),
        ValueKind::Seq => {
            let items: Result<Vec<String>, Error> =
                value.try_iter()?.map(|item| representation(&item)).collect();
            let items = items?;
            match value.downcast_object_ref::<Tuple>() {
                Some(_) if items.len() == 1 => format!("({},)", items[0]),
                Some(_) => format!("({})", items.join(", ")),
                None => format!("[{}]", items.join(", ")),
            }
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

/// The number, if it is a floating-point number.
pub(super) fn as_float(value: &Value) -> Option<f64> {
    let is_float = value.is_number() && !value.is_integer();
    is_float.then(|| f64::try_from(value.clone()).ok()).flatten()
}

/// `repr` of a floating-point number: the shortest digits, with an exponent below 1e-4 and from 1e16.
pub(super) fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    let scientific = format!("{number:e}");
    match scientific.split_once('e').and_then(|(digits, exponent)| Some((digits, exponent.parse().ok()?))) {
        Some((digits, exponent @ (i32::MIN..-4 | 16..))) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
        Some(_) => format!("{number:?}"),
        // Infinity.
        None => number.to_string(),
    }
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
            c if STANDS_FOR_TEXT.contains(&c) || is_printable(c) => out.push(c),
            c => out.push_str(&match u32::from(c) {
                code @ ..0x100 => format!("\\x{code:02x}"),
                code @ ..0x1_0000 => format!("\\u{code:04x}"),
                code => format!("\\U{code:08x}"),
            }),
        }
    }
    out.push(quote);
    out
}

fn is_printable(c: char) -> bool {
    // Behind another character, so that a combining one is printed.
    !c.is_control() && format!("{:?}", format!("a{c}")).chars().nth(2) != Some('\\')
        || matches!(c, '"' | '\'')
}
