//! JSON as Python writes it.

use std::cmp::Ordering;
use std::fmt::Write;

use minijinja::value::{Kwargs, Rest, ValueKind};
use minijinja::{Error, Value};

use super::arguments::{arguments, invalid, text, whole};
use super::python_value::{as_float, float};
use crate::chat::encode::control::STANDS_FOR_TEXT;

/// The filter `tojson` of transformers: `json.dumps` of Python with the parameters `ensure_ascii` (false), `indent`,
/// `separators` and `sort_keys`.
pub(super) fn to_json(value: &Value, by_position: Rest<Value>, by_name: Kwargs) -> Result<String, Error> {
    let [ensure_ascii, indent, separators, sort_keys] =
        arguments(["ensure_ascii", "indent", "separators", "sort_keys"], &by_position, &by_name)?;
    let is_set = |flag: Option<Value>| flag.is_some_and(|flag| flag.is_true());
    let present = |value: Option<Value>| value.filter(|value| !value.is_none());
    let indent = match present(indent) {
        None => None,
        Some(indent) => Some(match indent.as_str() {
            Some(indent) => indent.to_owned(),
            None => " ".repeat(usize::try_from(whole(&indent)?).unwrap_or(0)),
        }),
    };
    let [item, key] = match present(separators) {
        None if indent.is_some() => [",", ": "].map(str::to_owned),
        None => [", ", ": "].map(str::to_owned),
        Some(separators) => {
            let parts: Vec<Value> = separators.try_iter()?.collect();
            let [item, key] = &parts[..] else {
                return Err(invalid("`separators` of `tojson` must be two texts"));
            };
            [text(item)?.to_owned(), text(key)?.to_owned()]
        }
    };
    let mut writer = JsonWriter {
        out: String::new(),
        ensure_ascii: is_set(ensure_ascii),
        sort_keys: is_set(sort_keys),
        indent,
        item,
        key,
    };
    writer.value(value, 0)?;
    Ok(writer.out)
}

struct JsonWriter {
    out: String,
    ensure_ascii: bool,
    sort_keys: bool,
    /// What a level of nesting is indented by. `None` writes one line.
    indent: Option<String>,
    item: String,
    key: String,
}

impl JsonWriter {
    fn value(&mut self, value: &Value, level: usize) -> Result<(), Error> {
        match value.kind() {
            ValueKind::String => self.string(value.as_str().unwrap_or_default()),
            ValueKind::None | ValueKind::Bool | ValueKind::Number => self.out.push_str(&scalar(value)),
            ValueKind::Seq => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.nested(['[', ']'], &items, level, |writer, item| writer.value(item, level + 1))?;
            }
            ValueKind::Map => {
                let mut keys: Vec<Value> = value.try_iter()?.collect();
                if self.sort_keys {
                    sort(&mut keys)?;
                }
                self.nested(['{', '}'], &keys, level, |writer, key| {
                    match key.kind() {
                        ValueKind::String => writer.string(key.as_str().unwrap_or_default()),
                        ValueKind::None | ValueKind::Bool | ValueKind::Number => writer.string(&scalar(key)),
                        kind => return Err(invalid(format!("a key of JSON cannot be of the type {kind}"))),
                    }
                    writer.out.push_str(&writer.key.clone());
                    writer.value(&value.get_item(key)?, level + 1)
                })?;
            }
            kind => return Err(invalid(format!("`tojson` cannot write a value of the type {kind}"))),
        }
        Ok(())
    }

    /// A list or an object.
    fn nested(
        &mut self,
        [open, close]: [char; 2],
        items: &[Value],
        level: usize,
        mut write: impl FnMut(&mut Self, &Value) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.out.push(open);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push_str(&self.item);
            }
            self.line(level + 1);
            write(self, item)?;
        }
        if !items.is_empty() {
            self.line(level);
        }
        self.out.push(close);
        Ok(())
    }

    fn line(&mut self, level: usize) {
        if let Some(indent) = &self.indent {
            self.out.push('\n');
            self.out.push_str(&indent.repeat(level));
        }
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => self.out.extend(['\\', c]),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                '\0'..' ' => self.escape(c),
                ' '..='~' => self.out.push(c),
                c if self.ensure_ascii && !STANDS_FOR_TEXT.contains(&c) => self.escape(c),
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }

    fn escape(&mut self, c: char) {
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string does not fail.
            let _ = write!(self.out, "\\u{unit:04x}");
        }
    }
}

/// A number, a truth value or null.
fn scalar(value: &Value) -> String {
    match as_float(value) {
        Some(number) if number.is_nan() => "NaN".to_owned(),
        Some(number) if number.is_infinite() => {
            if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
        }
        Some(number) => float(number),
        None if value.is_none() => "null".to_owned(),
        None if value.kind() == ValueKind::Bool => value.is_true().to_string(),
        None => value.to_string(),
    }
}

/// Sorts keys, which must be texts or numbers.
fn sort(keys: &mut [Value]) -> Result<(), Error> {
    let all = |kind: fn(&Value) -> bool| keys.iter().all(kind);
    if !all(|key| key.as_str().is_some()) && !all(Value::is_number) {
        return Err(invalid("`tojson` cannot sort keys of different types"));
    }
    keys.sort_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
    Ok(())
}
