//! The values in a JSON text. One that cannot be read does not hide the others.

use dph_core::encoding::{BYTE_ORDER_MARK, not_utf8};
use serde_json::{Deserializer, Value as Json};

use super::file_encoding::FileEncoding;
use super::json_extent::{Behind, behind, closed, has_object, line_length, without_blanks};
use super::json_keys::{MarkedJson, twice};
use super::json_place::{named, steps_to_end};
use super::problem::{RowProblem, SkipReason};
use super::python_numbers::{number_at, problem};

/// A value of a JSON text, or what is wrong with it.
pub(super) struct JsonValue {
    /// The line in which it starts, from 1.
    pub line: usize,
    pub value: Result<Json, RowProblem>,
    /// Whether it is JSON. Its keys may be there twice.
    pub is_json: bool,
}

/// The JSON value of a text.
///
/// # Errors
/// What is no JSON, as rows of files may be wrong, and an object with a key twice.
pub fn read_json(text: &str) -> Result<Json, RowProblem> {
    let unreadable = |message| RowProblem::new(SkipReason::Unreadable, message);
    let text = text.trim_end();
    let MarkedJson(value) = serde_json::from_str(text).map_err(|error: serde_json::Error| {
        // What is behind a value has its own remedies.
        let is_behind = error.to_string().starts_with("trailing characters");
        let values = if is_behind { sequence(text.as_bytes()) } else { Vec::new() };
        let problem = values.into_iter().find_map(|value| value.value.err());
        problem.unwrap_or_else(|| unreadable(not_json(text.as_bytes(), &error, Start::default())))
    })?;
    match twice(&value) {
        Some(problem) => Err(unreadable(problem)),
        None => Ok(value),
    }
}

/// The values of JSON Lines. Several values may be in one line, and one may extend over several lines.
pub(super) fn sequence(bytes: &[u8]) -> Vec<JsonValue> {
    let encoding = FileEncoding::new(bytes);
    let mut values = Vec::new();
    let mut text = Text { bytes, at: 0, line: 1 };
    while text.skip_blanks() {
        let line = text.line;
        let rest = text.rest();
        let (value, length, is_json) = match read_first(rest) {
            Ok((value, length)) => match behind(&rest[length..]) {
                Behind::Value => (value, length, true),
                Behind::Commas(commas) => {
                    (trailing(rest, length, length, text.column()), length + commas, false)
                }
                Behind::Other => {
                    let end = length + line_length(&rest[length..]);
                    (trailing(rest, length, end, text.column()), end, false)
                }
            },
            Err(error) => {
                let start = Start { line: None, column: text.column(), file: Some(&encoding) };
                let (value, length) = unreadable(rest, line, start, &error);
                (value, length, false)
            }
        };
        values.push(JsonValue { line, value, is_json });
        text.advance(length);
    }
    values
}

/// The elements of an array that is the whole text; `None` if there is no such array.
pub(super) fn elements(bytes: &[u8]) -> Option<Vec<JsonValue>> {
    let encoding = FileEncoding::new(bytes);
    let mut values = Vec::new();
    let mut text = Text { bytes, at: 0, line: 1 };
    text.expect(b'[')?;
    if text.expect(b']').is_none() {
        loop {
            text.skip_blanks();
            let (line, rest) = (text.line, text.rest());
            let (value, length, is_json) = match read_first(rest) {
                Ok((value, length)) => (value, length, true),
                Err(error) => {
                    let is_end = |_, byte, depth| depth == Some(0) && b",]}".contains(&byte);
                    let (Ok(length) | Err(length)) = closed(rest, is_end);
                    if length == rest.len() {
                        return None;
                    }
                    let start = Start { line: Some(line), column: text.column(), file: Some(&encoding) };
                    let message = not_json(&rest[..length], &error, start);
                    (Err(RowProblem::new(SkipReason::Unreadable, message)), length, false)
                }
            };
            values.push(JsonValue { line, value, is_json });
            text.advance(length);
            if text.expect(b',').is_none() {
                text.expect(b']')?;
                break;
            }
        }
    }
    (!text.skip_blanks()).then_some(values)
}

/// A text that is read from its start to its end.
struct Text<'a> {
    bytes: &'a [u8],
    at: usize,
    line: usize,
}

impl<'a> Text<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    fn advance(&mut self, length: usize) {
        self.line += self.rest()[..length].iter().filter(|byte| **byte == b'\n').count();
        self.at += length;
    }

    /// The number of bytes before the place in its line.
    fn column(&self) -> usize {
        let before = &self.bytes[..self.at];
        let line = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        without_mark(&before[line..]).len()
    }

    /// Whether something follows.
    fn skip_blanks(&mut self) -> bool {
        let rest = self.rest();
        self.advance(rest.len() - without_blanks(rest).len());
        self.at < self.bytes.len()
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.skip_blanks();
        (self.rest().first() == Some(&byte)).then(|| self.advance(1))
    }
}

/// The value with which a text begins, or the problem that a key is there twice, and its length in bytes.
fn read_first(bytes: &[u8]) -> Result<(Result<Json, RowProblem>, usize), serde_json::Error> {
    let mut values = Deserializer::from_slice(bytes).into_iter();
    let Some(value) = values.next() else { return Ok((Ok(Json::Null), bytes.len())) };
    let MarkedJson(value) = value?;
    let value = match twice(&value) {
        Some(problem) => Err(RowProblem::new(SkipReason::Unreadable, problem)),
        None => Ok(value),
    };
    Ok((value, values.byte_offset()))
}

/// The problem of an object of this length that other characters follow, with `column` bytes before it in its line. It is told of the text
/// up to `end`.
fn trailing(rest: &[u8], length: usize, end: usize, column: usize) -> Result<Json, RowProblem> {
    let before = match rest[..length].iter().rposition(|byte| *byte == b'\n') {
        Some(line) => length - line - 1,
        None => column + length,
    };
    let what = match rest[length..].trim_ascii_start().starts_with(b",") {
        true => "a comma follows the object; JSON Lines have none between objects",
        false => "trailing characters",
    };
    let lost = if rest[length..end].contains(&b'{') { LOST } else { "" };
    let message = format!("not JSON: {what} (column {}){lost}", before + 1);
    Err(RowProblem::new(SkipReason::Unreadable, message))
}

/// What is said of a line whose further objects are skipped.
const LOST: &str = "; the objects behind it in the line cannot be read";

/// What is said of the text behind a place that cannot be read.
fn lost(line: &[u8]) -> &'static str {
    if has_object(line) { LOST } else { "" }
}

/// A line without a byte order mark.
fn without_mark(line: &[u8]) -> &[u8] {
    line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line)
}

/// The problem of a value that cannot be read, and the length of the text that belongs to it: the value if its end is in its line, else the
/// line or, if it extends over several lines, all up to its end or the next line that starts with an object.
fn unreadable(
    rest: &[u8],
    line: usize,
    start: Start<'_>,
    error: &serde_json::Error,
) -> (Result<Json, RowProblem>, usize) {
    let problem = |message| Err(RowProblem::new(SkipReason::Unreadable, message));
    // A line may hold many values: nothing behind this one is read for it.
    if let Ok(end) = closed(rest, |_, byte, _| byte == b'\n') {
        let length = match behind(&rest[end..]) {
            Behind::Value => Some(end),
            Behind::Commas(commas) => Some(end + commas),
            Behind::Other => None,
        };
        if let Some(length) = length {
            return (problem(not_json(&rest[..end], error, start)), length);
        }
    }
    let length = line_length(rest);
    let alone = serde_json::from_slice::<Json>(&rest[..length]).err();
    let starts_object =
        |at: usize| rest.get(at + 1..).is_some_and(|line| without_mark(line).starts_with(b"{"));
    let is_cut = |alone: &serde_json::Error| alone.is_eof() && !alone.to_string().contains("string");
    match alone {
        Some(alone) if !is_cut(&alone) || starts_object(length) => {
            let lost = lost(&rest[alone.column().saturating_sub(1).min(length)..length]);
            (problem(format!("{}{lost}", not_json(&rest[..length], &alone, start))), length)
        }
        _ => {
            let length = match closed(rest, |at, byte, _| byte == b'\n' && starts_object(at)) {
                Ok(end) => match behind(&rest[end..]) {
                    Behind::Value => end,
                    Behind::Commas(commas) => end + commas,
                    Behind::Other => end + line_length(&rest[end..]),
                },
                Err(end) => end,
            };
            (problem(not_json(rest, error, Start { line: Some(line), ..start })), length)
        }
    }
}

/// Where a text starts in its file.
#[derive(Clone, Copy, Default)]
pub(super) struct Start<'a> {
    /// The line, if a message has to say the line.
    pub line: Option<usize>,
    /// The number of bytes before it in this line.
    pub column: usize,
    /// The file, which has one encoding.
    pub file: Option<&'a FileEncoding<'a>>,
}

/// The line and the column of an error, from 1. Where a text ends early they are those of its last character, not of blank lines behind it.
pub(super) fn place_of(text: &[u8], error: &serde_json::Error) -> (usize, usize) {
    let (line, column) = (error.line().max(1), error.column());
    if !error.is_eof() {
        return (line, column);
    }
    let text = text.trim_ascii_end();
    let start = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    (1 + text[..start].iter().filter(|byte| **byte == b'\n').count(), text.len() - start)
}

/// Why a text is not JSON, in words.
pub(super) fn not_json(text: &[u8], error: &serde_json::Error, start: Start<'_>) -> String {
    let (error_line, error_column) = place_of(text, error);
    let column = error_column + if error_line == 1 { start.column } else { 0 };
    let place = match start.line {
        Some(first) => format!("line {}, column {column}", first + error_line - 1),
        None => format!("column {column}"),
    };
    let lines = text.split(|byte| *byte == b'\n');
    let before: usize = lines.clone().take(error_line - 1).map(|line| line.len() + 1).sum();
    let line = lines.into_iter().nth(error_line - 1).unwrap_or_default();
    if std::str::from_utf8(line).is_err() {
        let said = start.file.map_or_else(|| not_utf8(line), |file| file.not_utf8(line));
        return format!("the text ({place}) {said}");
    }
    let at = error_column.saturating_sub(1).min(line.len());
    // The error is behind the minus.
    let start = if at > 0 && line[at - 1] == b'-' { at - 1 } else { at };
    let steps = steps_to_end(&text[..before + start]);
    if let Some(number) = number_at(&line[start..]) {
        return format!("{} ({place})", problem(&named(&steps), number));
    }
    let place = match steps[..] {
        [] => place,
        _ if error.is_eof() => place,
        _ => format!("{}, {place}", named(&steps)),
    };
    let said = error.to_string();
    let what = match said.split(" at line ").next().unwrap_or(&said) {
        what if what.contains("surrogate") || what.contains("hex escape") => {
            "half of a surrogate pair, such as \\ud83d without \\ude00"
        }
        "recursion limit exceeded" => {
            "more than 127 lists and objects inside of one another, which are not read"
        }
        "key must be a string" => "a key needs double quotation marks, as json.dumps writes them",
        "expected value" | "expected ident" => known_word(line, error_column).unwrap_or("expected value"),
        what => what,
    };
    format!("not JSON: {what} ({place})")
}

/// What is said of the word at which reading failed: one of Python, with its form in JSON, or a NUL byte.
fn known_word(line: &[u8], column: usize) -> Option<&'static str> {
    let front = &line[..column.saturating_sub(1).min(line.len())];
    let start = front.iter().rposition(|byte| !byte.is_ascii_alphabetic()).map_or(0, |at| at + 1);
    let words: [(&[u8], _); 6] = [
        (b"\0", "a NUL byte, which no text has; is the file complete?"),
        (b"None", "None is Python, write null"),
        (b"True", "True is Python, write true"),
        (b"False", "False is Python, write false"),
        (b"nan", "nan is Python, write null"),
        (b"'", "a text needs double quotation marks, as json.dumps writes them"),
    ];
    let at_word = &line[start..];
    words.into_iter().find_map(|(word, what)| at_word.starts_with(word).then_some(what))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        /// Rows are found however they are laid out, with their lines.
        #[test]
        fn layouts_of_rows(
            rows in prop::collection::vec((".{0,8}", any::<bool>(), "[\n ]{0,3}", prop::collection::vec(any::<u8>(), 0..3)), 1..9),
        ) {
            let (mut text, mut expected) = (String::new(), Vec::new());
            for (word, is_pretty, blanks, list) in &rows {
                let row = json!({ "a": { "b}{": word }, "c": list });
                expected.push((1 + text.matches('\n').count(), row.to_string()));
                text += &if *is_pretty { format!("{row:#}") } else { row.to_string() };
                text += blanks;
            }
            prop_assert_eq!(lines(&sequence(text.as_bytes())), expected.clone());
            let texts: Vec<&str> = expected.iter().map(|(_, row)| row.as_str()).collect();
            let array = format!("\n[{}]", texts.join(",\n"));
            let expected: Vec<_> = texts.iter().enumerate().map(|(index, row)| (index + 2, (*row).to_owned())).collect();
            prop_assert_eq!(lines(&elements(array.as_bytes()).unwrap()), expected);
        }

        /// A damaged text is values and problems in the order of its lines.
        #[test]
        fn damaged_text(parts in prop::collection::vec(prop_oneof![
            Just("{\"a\": 1}"), Just("\n"), Just("{\"a\": "), Just("[1, "), Just("}"), Just("]"), Just("\""), Just("\\"),
            Just("NaN"), Just("-Infinity"), Just(","), Just(" "), Just("\\ud83d"), Just("é"), Just("x"), Just("[")
        ], 0..24), cut in any::<prop::sample::Index>()) {
            let text = parts.concat();
            let bytes = &text.as_bytes()[..cut.index(text.len() + 1)];
            let found = sequence(bytes);
            prop_assert_eq!(found.is_empty(), bytes.trim_ascii().is_empty());
            prop_assert!(found.is_sorted_by_key(|value| value.line));
            let _ = elements(bytes);
        }
    }

    /// The line of each value, and the value or its problem.
    fn lines(values: &[JsonValue]) -> Vec<(usize, String)> {
        let text = |value: &JsonValue| match &value.value {
            Ok(value) => value.to_string(),
            Err(problem) => problem.message.clone(),
        };
        values.iter().map(|value| (value.line, text(value))).collect()
    }

    #[test]
    fn values_follow_one_another() {
        let text = "{\"a\": 1}\n\n{\n \"a\": 2\n}\n{\"a\": 3} {\"a\": [\n4\n]}{\"a\": 5}\n7";
        let expected = [
            (1, "{\"a\":1}"),
            (3, "{\"a\":2}"),
            (6, "{\"a\":3}"),
            (6, "{\"a\":[4]}"),
            (8, "{\"a\":5}"),
            (9, "7"),
        ];
        assert_eq!(lines(&sequence(text.as_bytes())), expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn a_value_that_cannot_be_read_does_not_hide_the_next() {
        let text = "{\"a\": NaN}\n{\"a\": 1},\n{\"a\": [1,\n{\"a\": 2}\n{\n \"b\": 1,\n \"a\": -Infinity\n}\n{\"a\": 3}\nx\n{\"a\": \"\n";
        let found = lines(&sequence(text.as_bytes()));
        let expected = [
            (1, "not JSON: `a` is NaN, which JSON lacks; write null, or leave the field out (column 7)"),
            (2, "not JSON: a comma follows the object; JSON Lines have none between objects (column 9)"),
            (3, "not JSON: EOF while parsing a value (column 9)"),
            (4, "{\"a\":2}"),
            (
                5,
                "not JSON: `a` is -Infinity, which JSON lacks; write null, or leave the field out (line 7, column 8)",
            ),
            (9, "{\"a\":3}"),
            (10, "not JSON: expected value (column 1)"),
            (11, "not JSON: EOF while parsing a string (column 7)"),
        ];
        assert_eq!(found, expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn columns_are_those_of_the_line() {
        let text = "{\"a\": 1} {\"a\": None} {\"a\": 2}, {\"a\": 3}\n";
        let expected = [
            (1, "{\"a\":1}"),
            (1, "not JSON: None is Python, write null (`a`, column 16)"),
            (1, "not JSON: a comma follows the object; JSON Lines have none between objects (column 30)"),
            (1, "{\"a\":3}"),
        ];
        assert_eq!(lines(&sequence(text.as_bytes())), expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn the_elements_of_an_array() {
        let text = "[{\"a\": 1},\n {\"a\": [NaN, \"]\\\"\"]}, {\"a\": \"\\ud83d\"},\n{\"a\": 2}, x]\n";
        let found = lines(&elements(text.as_bytes()).unwrap());
        assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2, 2, 3, 3]);
        assert!(
            found[1].1.contains("value 1 of `a` is NaN") && found[2].1.contains("surrogate"),
            "{found:?}"
        );
        assert_eq!((&*found[0].1, &*found[3].1), ("{\"a\":1}", "{\"a\":2}"));
        // Columns are those of the line.
        assert!(
            found[1].1.ends_with("(line 2, column 9)") && found[2].1.ends_with("(`a`, line 2, column 36)"),
            "{found:?}"
        );
        assert!(elements(b" [ ] ").unwrap().is_empty());
        for text in ["[{\"a\": 1}", "[{\"a\": 1}, {\"a\"", "[1] [2]", "{}", "", "[1 2]", "[1,]x"] {
            assert!(elements(text.as_bytes()).is_none(), "{text}");
        }
    }
}
