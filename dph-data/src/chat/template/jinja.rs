//! The Jinja environment of chat templates, as transformers sets it up.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Rest, ValueKind, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value};
use minijinja_contrib::globals::joiner;
use minijinja_contrib::pycompat;

use super::arguments::{arguments, invalid};
use super::cycler::cycler;
use super::python_json::to_json;
use super::python_number::{float, int};
use super::python_text::{self, center, escape, force_escape, join, trim, truncate, word_count};
use super::python_value::{print, text};
use super::strftime::strftime;

/// The environment of transformers, with a fixed date.
pub(crate) fn environment(date: [u16; 3]) -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_formatter(print);
    environment.set_unknown_method_callback(call_method);
    environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, message))
    });
    environment.add_function("strftime_now", move |format: String| strftime(&format, date));
    environment.add_function("joiner", |separator: Option<Value>| {
        joiner(Some(separator.unwrap_or_else(|| ", ".into())))
    });
    environment.add_function("cycler", cycler);
    environment.add_filter("default", default);
    environment.add_filter("d", default);
    environment.add_filter("tojson", to_json);
    environment.add_filter("string", text);
    environment.add_filter("join", join);
    environment.add_filter("trim", trim);
    environment.add_filter("truncate", truncate);
    environment.add_filter("center", center);
    environment.add_filter("wordcount", word_count);
    environment.add_filter("int", int);
    environment.add_filter("float", float);
    environment.add_filter("e", escape);
    environment.add_filter("escape", escape);
    environment.add_filter("forceescape", force_escape);
    // Python cannot iterate over None.
    environment.add_test("iterable", |value: &Value| !value.is_none() && value.try_iter().is_ok());
    environment.add_test("sequence", |value: &Value| {
        matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Map | ValueKind::Undefined)
    });
    environment.add_test("callable", |value: &Value| match value.kind() {
        ValueKind::Plain | ValueKind::Undefined => true,
        // A macro has attributes.
        ValueKind::Map => value.to_string().starts_with("<macro "),
        _ => false,
    });
    remove_extensions(&mut environment);
    Ok(environment)
}

/// The filter `default`: another value for one that is undefined or, with `boolean`, false.
fn default(value: &Value, by_position: Rest<Value>, by_name: Kwargs) -> Result<Value, Error> {
    let [other, boolean] = arguments(["default_value", "boolean"], &by_position, &by_name)?;
    let is_absent = value.is_undefined() || (boolean.is_some_and(|flag| flag.is_true()) && !value.is_true());
    Ok(if is_absent { other.unwrap_or_else(|| "".into()) } else { value.clone() })
}

/// Removes what Jinja2 does not have, and filters that give another text than those of Jinja2.
fn remove_extensions(environment: &mut Environment<'_>) {
    for filter in ["attr", "bool", "chain", "lines", "pprint", "split", "zip"] {
        environment.remove_filter(filter);
    }
    for test in ["endingwith", "safe", "startingwith"] {
        environment.remove_test(test);
    }
    environment.remove_global("debug");
}

/// The methods of Python's types.
fn call_method(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    given: &[Value],
) -> Result<Value, Error> {
    let (by_position, by_name): (&[Value], Kwargs) = from_args(given)?;
    let own = |subject| python_text::call(subject, method, by_position, &by_name);
    if let Some(result) = value.as_str().and_then(own) {
        return result;
    }
    if method == "index" && value.kind() == ValueKind::Seq {
        let [item] = arguments(["value"], by_position, &by_name)?;
        let place = value.try_iter()?.position(|other| Some(other) == item);
        return place.map(Value::from).ok_or_else(|| invalid("the value is not in the list"));
    }
    pycompat::unknown_method_callback(state, value, method, given)
}

/// Replaces `{% generation %}`, a tag of transformers that marks the assistant's text and prints nothing. Line ends become
/// `\n`, as Jinja2 reads them.
pub(crate) fn without_generation_tags(source: &str) -> String {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::with_capacity(source.len());
    let mut rest = source.as_str();
    while let Some(start) = rest.find("{%") {
        let Some(length) = rest[start..].find("%}") else { break };
        let tag = &rest[start..start + length + 2];
        let word = tag[2..tag.len() - 2].trim_matches(['-', '+']).trim();
        out.push_str(&rest[..start]);
        match word {
            "generation" => out.push_str(&tag.replace("generation", "if true")),
            "endgeneration" => out.push_str(&tag.replace("endgeneration", "endif")),
            _ => out.push_str(tag),
        }
        rest = &rest[start + length + 2..];
    }
    out.push_str(rest);
    out
}
