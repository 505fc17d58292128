//! txt: plain text. A line that consists of `<|endoftext|>` separates documents; without such a line the file is one document.
//! A row has one field, `text`.

use serde_json::{Map, Value as Json};

use super::file_encoding::FileEncoding;
use super::problem::{NUL, RowProblem, SkipReason};
use super::row::Row;

const SEPARATOR: &str = "<|endoftext|>";

/// The documents of a text file. Documents of whitespace only are ignored.
pub(super) fn parse(bytes: &[u8]) -> Vec<Row> {
    let encoding = FileEncoding::new(bytes);
    let mut rows = Vec::new();
    let mut document: Vec<&[u8]> = Vec::new();
    let mut first = 1;
    let lines = bytes.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    for (index, line) in lines.chain([SEPARATOR.as_bytes()]).enumerate() {
        if line.trim_ascii() != SEPARATOR.as_bytes() {
            document.push(line);
            continue;
        }
        let text = std::mem::take(&mut document).join(&b'\n');
        if !text.trim_ascii().is_empty() {
            rows.push(Row { number: first, fields: fields(text, &encoding) });
        }
        first = index + 2;
    }
    rows
}

fn fields(text: Vec<u8>, encoding: &FileEncoding<'_>) -> Result<Map<String, Json>, RowProblem> {
    match String::from_utf8(text) {
        Ok(text) if text.contains('\0') => {
            Err(RowProblem::new(SkipReason::Unreadable, format!("the document {NUL}")))
        }
        Ok(text) => Ok(Map::from_iter([("text".to_owned(), Json::String(text.trim().to_owned()))])),
        Err(error) => {
            let message = format!("the document {}", encoding.not_utf8(error.as_bytes()));
            Err(RowProblem::new(SkipReason::Unreadable, message))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_separated_by_a_line_of_their_own() {
        let read = |text: &str| -> Vec<(usize, String)> {
            let rows = parse(text.as_bytes());
            let text = |row: &Row| row.fields.as_ref().unwrap()["text"].as_str().unwrap().to_owned();
            rows.iter().map(|row| (row.number, text(row))).collect()
        };
        assert_eq!(read("One\n\ntwo\n"), [(1, "One\n\ntwo".to_owned())]);
        let text = "A <|endoftext|> b\r\n<|endoftext|>\n\n<|endoftext|>\nC\nd\n<|endoftext|>\n";
        assert_eq!(read(text), [(1, "A <|endoftext|> b".to_owned()), (5, "C\nd".to_owned())]);
        assert!(read(" \n\n").is_empty());
        let rows = parse(b"\xff\n<|endoftext|>\nfine");
        assert!(rows[0].fields.is_err() && rows[1].fields.is_ok());
    }
}
