//! The Jinja environment of chat templates, as transformers sets it up.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, State, Value};
use minijinja_contrib::pycompat;

use crate::chat::template::python_json::to_json;
use crate::chat::template::python_value::print;
use crate::chat::template::strftime::strftime;

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
    environment.add_filter("tojson", to_json);
    // Python cannot iterate over None.
    environment.add_test("iterable", |value: &Value| !value.is_none() && value.try_iter().is_ok());
    Ok(environment)
}

/// The methods of Python's types.
fn call_method(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    let text = value.as_str();
    let argument = args.first().and_then(Value::as_str);
    Ok(match (method, text, argument) {
        ("removeprefix", Some(text), Some(prefix)) => text.strip_prefix(prefix).unwrap_or(text).into(),
        ("removesuffix", Some(text), Some(suffix)) => text.strip_suffix(suffix).unwrap_or(text).into(),
        ("partition", Some(text), Some(mark)) => match text.split_once(mark) {
            Some((before, behind)) => texts([before, mark, behind]),
            None => texts([text, "", ""]),
        },
        ("rpartition", Some(text), Some(mark)) => match text.rsplit_once(mark) {
            Some((before, behind)) => texts([before, mark, behind]),
            None => texts(["", "", text]),
        },
        ("rsplit", Some(text), Some(mark)) => {
            let limit =
                args.get(1).and_then(Value::as_usize).map_or(usize::MAX, |limit| limit.saturating_add(1));
            let mut parts: Vec<&str> = text.rsplitn(limit, mark).collect();
            parts.reverse();
            texts(parts)
        }
        _ => return pycompat::unknown_method_callback(state, value, method, args),
    })
}

fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Value {
    texts.into_iter().map(Value::from).collect()
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
