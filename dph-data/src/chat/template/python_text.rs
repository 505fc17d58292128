//! Methods and filters of texts, as Python and Jinja2 have them.

use minijinja::value::{Kwargs, Rest, Tuple};
use minijinja::{Error, ErrorKind, Value};

use super::arguments::{arguments, invalid, text, unsupported, whole};
use super::python_value;
use crate::python_space::is_python_space;

/// A method of a text; `None` if it is not one of these.
pub(super) fn call(
    subject: &str,
    method: &str,
    by_position: &[Value],
    by_name: &Kwargs,
) -> Option<Result<Value, Error>> {
    let one = || {
        let [value] = arguments(["text"], by_position, by_name)?;
        value.ok_or_else(|| ErrorKind::MissingArgument.into())
    };
    let strip = |start: bool, end: bool| {
        let [chars] = arguments(["chars"], by_position, by_name)?;
        Ok(strip(subject, chars.as_ref(), start, end)?.into())
    };
    Some(match method {
        "removeprefix" => {
            one().and_then(|prefix| Ok(subject.strip_prefix(text(&prefix)?).unwrap_or(subject).into()))
        }
        "removesuffix" => {
            one().and_then(|suffix| Ok(subject.strip_suffix(text(&suffix)?).unwrap_or(subject).into()))
        }
        "partition" => one().and_then(|mark| {
            let mark = text(&mark)?;
            let (before, behind) = subject.split_once(mark).unwrap_or((subject, ""));
            let mark = if subject.contains(mark) { mark } else { "" };
            Ok(tuple([before, mark, behind]))
        }),
        "rpartition" => one().and_then(|mark| {
            let mark = text(&mark)?;
            let (before, behind) = subject.rsplit_once(mark).unwrap_or(("", subject));
            let mark = if subject.contains(mark) { mark } else { "" };
            Ok(tuple([before, mark, behind]))
        }),
        "split" => split(subject, by_position, by_name),
        "rsplit" => rsplit(subject, by_position, by_name),
        "strip" => strip(true, true),
        "lstrip" => strip(true, false),
        "rstrip" => strip(false, true),
        "splitlines" => arguments(["keepends"], by_position, by_name).map(|[keep]| {
            let keep = keep.is_some_and(|keep| keep.is_true());
            lines(subject).map(|line| if keep { line } else { line.trim_end_matches(is_line_end) }).collect()
        }),
        "title" => arguments([], by_position, by_name).map(|[]| title(subject).into()),
        "isdigit" if subject.contains(|c: char| !c.is_ascii() && c.is_numeric()) => {
            Err(unsupported("`isdigit` of digits outside of ASCII"))
        }
        "swapcase" => arguments([], by_position, by_name).map(|[]| swap_case(subject).into()),
        "ljust" | "rjust" | "center" | "zfill" => pad(subject, method, by_position, by_name).map(Value::from),
        "join" => one().and_then(|items| {
            let texts: Result<Vec<String>, Error> =
                items.try_iter()?.map(|item| Ok(text(&item)?.to_owned())).collect();
            Ok(texts?.join(subject).into())
        }),
        "index" | "rindex" => one().and_then(|part| {
            let part = text(&part)?;
            let at = if method == "index" { subject.find(part) } else { subject.rfind(part) };
            at.map(|at| subject[..at].chars().count().into()).ok_or_else(|| invalid("substring not found"))
        }),
        _ => return None,
    })
}

/// The filter `trim`.
pub(super) fn trim(value: &Value, by_position: Rest<Value>, by_name: Kwargs) -> Result<String, Error> {
    let [chars] = arguments(["chars"], &by_position, &by_name)?;
    Ok(strip(&python_value::text(value)?, chars.as_ref(), true, true)?.to_owned())
}

/// The filter `truncate`.
pub(super) fn truncate(value: &Value, by_position: Rest<Value>, by_name: Kwargs) -> Result<String, Error> {
    let [length, kill_words, end, leeway] =
        arguments(["length", "killwords", "end", "leeway"], &by_position, &by_name)?;
    let number = |value: Option<Value>, default: i64| value.map_or(Ok(default), |value| whole(&value));
    let (length, leeway) = (number(length, 255)?, number(leeway, 5)?);
    let end = end.map_or(Ok("...".to_owned()), |end| text(&end).map(str::to_owned))?;
    let room = length - end.chars().count() as i64;
    if room < 0 || leeway < 0 {
        return Err(invalid(
            "`truncate` expects a length of at least that of `end`, and a leeway of at least 0",
        ));
    }
    let value = python_value::text(value)?;
    if value.chars().count() as i64 <= length + leeway {
        return Ok(value);
    }
    let start: String = value.chars().take(room as usize).collect();
    let start = match kill_words.is_some_and(|kill| kill.is_true()) {
        true => &start,
        false => start.rsplit_once(' ').map_or(&*start, |(words, _)| words),
    };
    Ok(format!("{start}{end}"))
}

/// The filter `center`.
pub(super) fn center(value: &Value, by_position: Rest<Value>, by_name: Kwargs) -> Result<String, Error> {
    let [width] = arguments(["width"], &by_position, &by_name)?;
    pad(&python_value::text(value)?, "center", &[width.unwrap_or_else(|| 80.into())], &by_name)
}

/// `str.ljust`, `str.rjust`, `str.center` and `str.zfill`.
fn pad(subject: &str, method: &str, by_position: &[Value], by_name: &Kwargs) -> Result<String, Error> {
    let [width, fill] = arguments(["width", "fillchar"], by_position, by_name)?;
    let width = width.map_or_else(|| Err(ErrorKind::MissingArgument.into()), |width| whole(&width))?;
    let count = usize::try_from(width - subject.chars().count() as i64).unwrap_or(0);
    let fill = fill.map_or(Ok(" ".to_owned()), |fill| text(&fill).map(str::to_owned))?;
    if method == "zfill" {
        let (sign, digits) = subject.split_at(usize::from(subject.starts_with(['+', '-'])));
        return Ok(format!("{sign}{}{digits}", "0".repeat(count)));
    }
    let before = match method {
        "ljust" => 0,
        "rjust" => count,
        // Python puts the odd character in front of a text if the width is odd.
        _ => count / 2 + (count & width as usize & 1),
    };
    Ok(format!("{}{subject}{}", fill.repeat(before), fill.repeat(count - before)))
}

fn swap_case(subject: &str) -> String {
    let mut out = String::with_capacity(subject.len());
    for c in subject.chars() {
        match c.is_uppercase() {
            true => out.extend(c.to_lowercase()),
            false => out.extend(c.to_uppercase()),
        }
    }
    out
}

/// The filter `join`.
pub(super) fn join(value: &Value, by_position: Rest<Value>, by_name: Kwargs) -> Result<String, Error> {
    let [separator, attribute] = arguments(["d", "attribute"], &by_position, &by_name)?;
    let separator = separator.map_or(Ok(String::new()), |separator| python_value::text(&separator))?;
    let attribute = attribute.filter(|attribute| !attribute.is_none());
    let item = |item: Value| match &attribute {
        Some(attribute) => match attribute.as_str() {
            Some(path) => {
                let value = path.split('.').try_fold(item, |item, key| item.get_attr(key))?;
                python_value::text(&value)
            }
            None => python_value::text(&item.get_item(attribute)?),
        },
        None => python_value::text(&item),
    };
    if value.is_none() {
        return Err(invalid("`join` expects a list, found none"));
    }
    let items: Result<Vec<String>, Error> = value.try_iter()?.map(item).collect();
    Ok(items?.join(&separator))
}

/// The filter `escape`.
pub(super) fn escape(value: &Value) -> Result<Value, Error> {
    match value.is_safe() {
        true => Ok(value.clone()),
        false => force_escape(value),
    }
}

/// The filter `forceescape`.
pub(super) fn force_escape(value: &Value) -> Result<Value, Error> {
    let text = python_value::text(value)?;
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    Ok(Value::from_safe_string(text.replace('\'', "&#39;").replace('"', "&#34;")))
}

/// The filter `wordcount`.
pub(super) fn word_count(value: &Value) -> Result<usize, Error> {
    let text = python_value::text(value)?;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    Ok(text.split(|c| !is_word(c)).filter(|word| !word.is_empty()).count())
}

fn split(subject: &str, by_position: &[Value], by_name: &Kwargs) -> Result<Value, Error> {
    let [mark, limit] = arguments(["sep", "maxsplit"], by_position, by_name)?;
    let limit = split_limit(limit)?;
    if let Some(mark) = mark.filter(|mark| !mark.is_none()) {
        return Ok(subject.splitn(limit, separator(&mark)?).map(Value::from).collect());
    }
    let mut parts = Vec::new();
    let mut rest = subject.trim_start_matches(is_python_space);
    while !rest.is_empty() {
        let end = if parts.len() + 1 < limit { rest.find(is_python_space) } else { None };
        let (part, behind) = rest.split_at(end.unwrap_or(rest.len()));
        parts.push(Value::from(part));
        rest = behind.trim_start_matches(is_python_space);
    }
    Ok(parts.into())
}

fn rsplit(subject: &str, by_position: &[Value], by_name: &Kwargs) -> Result<Value, Error> {
    let [mark, limit] = arguments(["sep", "maxsplit"], by_position, by_name)?;
    let limit = split_limit(limit)?;
    let Some(mark) = mark.filter(|mark| !mark.is_none()) else {
        return match limit {
            usize::MAX => split(subject, &[], by_name),
            _ => Err(unsupported("`rsplit` at white space with a limit")),
        };
    };
    let mut parts: Vec<Value> = subject.rsplitn(limit, separator(&mark)?).map(Value::from).collect();
    parts.reverse();
    Ok(parts.into())
}

/// The largest number of parts.
fn split_limit(limit: Option<Value>) -> Result<usize, Error> {
    let limit = limit.map_or(Ok(-1), |limit| whole(&limit))?;
    Ok(usize::try_from(limit).map_or(usize::MAX, |limit| limit.saturating_add(1)))
}

fn separator(mark: &Value) -> Result<&str, Error> {
    let mark = text(mark)?;
    if mark.is_empty() { Err(invalid("empty separator")) } else { Ok(mark) }
}

fn strip<'a>(subject: &'a str, chars: Option<&Value>, start: bool, end: bool) -> Result<&'a str, Error> {
    let chars = match chars.filter(|chars| !chars.is_none()) {
        Some(chars) => Some(text(chars)?),
        None => None,
    };
    let is_stripped = |c: char| chars.map_or_else(|| is_python_space(c), |chars| chars.contains(c));
    let subject = if start { subject.trim_start_matches(is_stripped) } else { subject };
    Ok(if end { subject.trim_end_matches(is_stripped) } else { subject })
}

/// `str.title`: each letter behind a character that is no letter is upper case, each other one lower case.
fn title(subject: &str) -> String {
    let mut out = String::with_capacity(subject.len());
    let mut inside = false;
    for c in subject.chars() {
        match inside {
            true => out.extend(c.to_lowercase()),
            false => out.extend(c.to_uppercase()),
        }
        inside = c.is_lowercase() || c.is_uppercase();
    }
    out
}

/// The lines of a text with their ends.
fn lines(subject: &str) -> impl Iterator<Item = &str> {
    let mut rest = subject;
    std::iter::from_fn(move || {
        let end = rest.find(is_line_end).map_or(rest.len(), |at| match rest[at..].starts_with("\r\n") {
            true => at + 2,
            false => at + rest[at..].chars().next().map_or(0, char::len_utf8),
        });
        let (line, behind) = rest.split_at(end);
        rest = behind;
        (!line.is_empty()).then_some(line)
    })
}

fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn tuple<const N: usize>(texts: [&str; N]) -> Value {
    Value::from(Tuple::from(texts.map(Value::from).to_vec()))
}
