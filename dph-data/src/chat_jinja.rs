//! The Jinja that chat templates are written for: transformers' environment.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value};

/// An environment as transformers sets it up, at a given date.
pub(crate) fn environment(date: [u16; 3]) -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, message))
    });
    environment.add_function("strftime_now", move |format: String| strftime(&format, date));
    environment.add_filter("tojson", to_json);
    Ok(environment)
}

/// Templates mark what the assistant says with `{% generation %}`, a tag of transformers' own; it prints nothing.
pub(crate) fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
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

/// JSON as Python's `json.dumps(…, ensure_ascii=False)` writes it, which chat templates rely on.
fn to_json(value: &Value, kwargs: minijinja::value::Kwargs) -> Result<String, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::new(ErrorKind::BadSerialization, error.to_string());
    let mut out = Vec::new();
    let written = match kwargs.get::<Option<usize>>("indent")? {
        Some(indent) => {
            let indent = b" ".repeat(indent);
            let formatter = serde_json::ser::PrettyFormatter::with_indent(&indent);
            serde::Serialize::serialize(
                value,
                &mut serde_json::Serializer::with_formatter(&mut out, formatter),
            )
        }
        None => serde::Serialize::serialize(
            value,
            &mut serde_json::Serializer::with_formatter(&mut out, PythonStyle),
        ),
    };
    written.map_err(|error| failed(&error))?;
    String::from_utf8(out).map_err(|error| failed(&error))
}

/// `{"a": 1, "b": 2}` with blanks behind commas and colons.
struct PythonStyle;

impl serde_json::ser::Formatter for PythonStyle {
    fn begin_array_value<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + std::io::Write>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

/// The date in the format of `strftime`, at midnight. The date is given, so that a prompt is the same every day.
fn strftime(format: &str, [year, month, day]: [u16; 3]) -> Result<String, Error> {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
    let month_name = MONTHS[usize::from(month.clamp(1, 12)) - 1];
    let day_name = DAYS[weekday(year, month, day)];
    let mut out = String::new();
    let mut rest = format.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let piece = match rest.next() {
            Some('d') => format!("{day:02}"),
            Some('m') => format!("{month:02}"),
            Some('Y') => format!("{year}"),
            Some('y') => format!("{:02}", year % 100),
            Some('B') => month_name.to_owned(),
            Some('b') => month_name[..3].to_owned(),
            Some('A') => day_name.to_owned(),
            Some('a') => day_name[..3].to_owned(),
            Some('H' | 'M' | 'S') => "00".to_owned(),
            Some('%') => "%".to_owned(),
            other => {
                let what = other.map_or_else(String::new, String::from);
                return Err(Error::new(
                    ErrorKind::InvalidOperation,
                    format!("strftime_now does not know %{what}"),
                ));
            }
        };
        out.push_str(&piece);
    }
    Ok(out)
}

/// Days since Sunday (Zeller's congruence).
fn weekday(year: u16, month: u16, day: u16) -> usize {
    let (year, month) =
        if month < 3 { (u32::from(year) - 1, u32::from(month) + 12) } else { (year.into(), month.into()) };
    let zeller = u32::from(day) + 13 * (month + 1) / 5 + year + year / 4 - year / 100 + year / 400;
    (zeller as usize + 6) % 7
}
