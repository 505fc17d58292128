//! [`quoting`]: how the quoted fields of a delimited record end. The reader of such files accepts every ending.

/// How the quoted fields of a record end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Quoting {
    /// Before a delimiter or the end of the record.
    Closed,
    /// At least one ends before other characters, as the first field of `"a" b,c`.
    ClosedInside,
    /// One has no end.
    Open,
}

/// How the quoted fields of a record end; a doubled quotation mark is a character.
pub(super) fn quoting(record: &[u8], delimiter: u8) -> Quoting {
    let mut found = Quoting::Closed;
    let mut rest = Some(record);
    while let Some(field) = rest {
        let tail = match field.strip_prefix(b"\"").map(after_quote) {
            None => field,
            Some(None) => return Quoting::Open,
            Some(Some(tail)) => {
                if tail.first().is_some_and(|byte| *byte != delimiter) {
                    found = Quoting::ClosedInside;
                }
                tail
            }
        };
        rest = tail.iter().position(|byte| *byte == delimiter).map(|end| &tail[end + 1..]);
    }
    found
}

/// What follows the quotation mark that ends a field.
fn after_quote(mut field: &[u8]) -> Option<&[u8]> {
    loop {
        let quote = field.iter().position(|byte| *byte == b'"')?;
        field = &field[quote + 1..];
        match field.strip_prefix(b"\"") {
            Some(rest) => field = rest,
            None => return Some(field),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_fields_end_before_a_delimiter() {
        for record in
            ["", "a,b", "\"a\"", "\"a,b\",c", "\"a\"\"b\",\"\"", "a \"b\" c,d", "a\"", "\"a\nb\",\"c\""]
        {
            assert_eq!(quoting(record.as_bytes(), b','), Quoting::Closed, "{record}");
        }
        for record in ["\"a\" b,c", "c,\"a\"b"] {
            assert_eq!(quoting(record.as_bytes(), b','), Quoting::ClosedInside, "{record}");
        }
        for record in ["\"a", "\"", "\"a\n\"b,\"", "b,\"a\"\"", "\"a\" b,\"c"] {
            assert_eq!(quoting(record.as_bytes(), b','), Quoting::Open, "{record}");
        }
    }
}
