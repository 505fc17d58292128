//! Numbers of texts and other values, as Jinja2 reads them.

use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Error, Value};

use super::arguments::{arguments, invalid, whole};
use super::python_value::as_float;

/// The filter `int`: `default` for a value that is no number.
pub(super) fn int(value: &Value, by_position: Rest<Value>, by_name: Kwargs) -> Result<Value, Error> {
    let [default, base] = arguments(["default", "base"], &by_position, &by_name)?;
    let base = base.map_or(Ok(10), |base| whole(&base))?;
    let default = default.unwrap_or_else(|| 0.into());
    if let Some(text) = value.as_str() {
        let number = parse_int(text, base).map(Value::from);
        return Ok(number.or_else(|| truncated(parse_float(text)?)).unwrap_or(default));
    }
    Ok(match as_float(value) {
        Some(number) if number.is_finite() => truncated(number).unwrap_or(default),
        Some(_) => return Err(invalid("cannot make a whole number of a number that is not finite")),
        None if value.kind() == ValueKind::Bool => i64::from(value.is_true()).into(),
        None if value.is_number() => value.clone(),
        None => default,
    })
}

/// The filter `float`: `default` for a value that is no number.
pub(super) fn float(value: &Value, by_position: Rest<Value>, by_name: Kwargs) -> Result<Value, Error> {
    let [default] = arguments(["default"], &by_position, &by_name)?;
    let number = match value.as_str() {
        Some(text) => parse_float(text),
        None if value.kind() == ValueKind::Bool => Some(f64::from(u8::from(value.is_true()))),
        None => f64::try_from(value.clone()).ok().filter(|_| value.is_number()),
    };
    Ok(number.map(Value::from).or(default).unwrap_or_else(|| 0.0.into()))
}

/// A whole number. `None` if it has more than 128 bits, or a fraction.
fn truncated(number: f64) -> Option<Value> {
    let whole = number.trunc();
    (whole.abs() < 2f64.powi(127)).then(|| match whole.abs() < 2f64.powi(63) {
        true => Value::from(whole as i64),
        false => Value::from(whole as i128),
    })
}

/// `int(text, base)` of Python.
fn parse_int(text: &str, base: i64) -> Option<i64> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let prefixed = [(16, "0x"), (8, "0o"), (2, "0b")];
    let prefix = prefixed
        .into_iter()
        .find(|(_, prefix)| digits.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(prefix)));
    let (base, digits) = match prefix {
        Some((own, _)) if base == own || base == 0 => (own, &digits[2..]),
        _ if base == 0 => (10, digits),
        _ => (base, digits),
    };
    let digits = without_underscores(digits).filter(|digits| !digits.starts_with(['+', '-']))?;
    i64::from_str_radix(&digits, u32::try_from(base).ok().filter(|base| (2..=36).contains(base))?)
        .ok()
        .map(|number| sign * number)
}

/// `float(text)` of Python.
fn parse_float(text: &str) -> Option<f64> {
    without_underscores(text.trim())?.parse().ok()
}

/// Digits without the underscores between them.
fn without_underscores(text: &str) -> Option<String> {
    let is_misplaced = text.starts_with('_') || text.ends_with('_') || text.contains("__");
    (!is_misplaced).then(|| text.replace('_', ""))
}
