//! Plain tables: columns as wide as their widest cell.

use std::io::{self, Write};

/// Prints rows under a header. Columns whose cells are all numbers are aligned to the right.
pub(crate) fn print(out: &mut dyn Write, header: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let columns: Vec<(usize, bool)> = header
        .iter()
        .enumerate()
        .map(|(column, title)| {
            let cells = || rows.iter().map(|row| row[column].as_str());
            let width = cells().chain([*title]).map(|cell| cell.chars().count()).max().unwrap_or(0);
            let numbers = cells().all(|cell| cell.chars().all(|c| c.is_ascii_digit() || ".-%".contains(c)));
            (width, numbers && !rows.is_empty())
        })
        .collect();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, (width, right)) in cells.zip(&columns) {
            let width = *width;
            text += &if *right { format!("{cell:>width$}  ") } else { format!("{cell:<width$}  ") };
        }
        writeln!(out, "{}", text.trim_end())
    };
    line(&mut header.iter().copied())?;
    rows.iter().try_for_each(|row| line(&mut row.iter().map(String::as_str)))
}

/// Text from a data file, made harmless for a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped = (c.is_control() && c != '\n' && c != '\t').then(|| c.escape_unicode());
            let plain = escaped.is_none().then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}
