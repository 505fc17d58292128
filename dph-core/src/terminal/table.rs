//! Plain tables: columns as wide as their widest cell.

use std::io::{self, Write};

/// Prints rows under a header, each with as many cells. Columns of numbers are aligned to the right.
pub fn print_table(out: &mut dyn Write, header: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let columns: Vec<(usize, bool)> = header
        .iter()
        .enumerate()
        .map(|(column, title)| {
            let cells = || rows.iter().map(|row| row[column].as_str());
            let width = cells().chain([*title]).map(|cell| cell.chars().count()).max().unwrap_or(0);
            (width, !rows.is_empty() && cells().all(is_number))
        })
        .collect();
    let mut line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, &(width, right)) in cells.zip(&columns) {
            text += &if right { format!("{cell:>width$}  ") } else { format!("{cell:<width$}  ") };
        }
        writeln!(out, "{}", text.trim_end())
    };
    line(&mut header.iter().copied())?;
    rows.iter().try_for_each(|row| line(&mut row.iter().map(String::as_str)))
}

/// Prints names and their values, one pair a line.
pub fn print_pairs(out: &mut dyn Write, pairs: &[(&str, String)]) -> io::Result<()> {
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    pairs.iter().try_for_each(|(name, value)| writeln!(out, "{name:<width$}  {value}"))
}

/// Whether a cell is a number, a range of numbers, or `-` for none.
fn is_number(cell: &str) -> bool {
    cell.chars().all(|c| c.is_ascii_digit() || ".,-%".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(print: impl Fn(&mut dyn Write) -> io::Result<()>) -> String {
        let mut out = Vec::new();
        print(&mut out).expect("memory can be written to");
        String::from_utf8(out).expect("tables are text")
    }

    #[test]
    fn numbers_stand_right_and_text_left() {
        let row = |cells: [&str; 3]| cells.map(String::from).to_vec();
        let rows = [row(["boolq", "3,270", "yes"]), row(["copa", "-", "not here"])];
        let table = printed(|out| print_table(out, &["task", "rows", "here"], &rows));
        assert_eq!(table, "task    rows  here\nboolq  3,270  yes\ncopa       -  not here\n");
    }

    #[test]
    fn values_stand_in_one_column() {
        let pairs = [("layers", "30".to_string()), ("width", "576".to_string())];
        assert_eq!(printed(|out| print_pairs(out, &pairs)), "layers  30\nwidth   576\n");
    }
}
