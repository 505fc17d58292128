//! [`Columns`]: rows of cells as aligned text or as Markdown.

use crate::report::escape::escape;

/// Rows of cells. The first row is the heading. The first `left` columns are left-aligned, the others right-aligned.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Columns {
    pub left: usize,
    pub rows: Vec<Vec<String>>,
}

impl Columns {
    /// Plain text, with two spaces between columns and a rule under the heading.
    pub(crate) fn to_text(&self) -> String {
        let widths = self.widths();
        let mut text = String::new();
        for (index, row) in self.rows.iter().enumerate() {
            let cells: Vec<String> =
                widths.iter().enumerate().map(|(column, &width)| self.pad(row, column, width)).collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
            if index == 0 {
                text.push_str(&"─".repeat(widths.iter().sum::<usize>() + 2 * (widths.len().max(1) - 1)));
                text.push('\n');
            }
        }
        text
    }

    /// A Markdown table with aligned columns.
    pub(crate) fn to_markdown(&self) -> String {
        let escaped = Self {
            left: self.left,
            rows: self
                .rows
                .iter()
                .map(|row| row.iter().map(|cell| cell.replace('|', "\\|")).collect())
                .collect(),
        };
        // A column cannot be narrower than the marks under its heading.
        let widths: Vec<usize> = escaped.widths().into_iter().map(|width| width.max(3)).collect();
        let mut text = String::new();
        for (index, row) in escaped.rows.iter().enumerate() {
            let cells: Vec<String> =
                widths.iter().enumerate().map(|(column, &width)| escaped.pad(row, column, width)).collect();
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
            if index == 0 {
                let marks: Vec<String> = widths
                    .iter()
                    .enumerate()
                    .map(
                        |(column, &width)| {
                            if column < self.left { "-".repeat(width) } else { "-".repeat(width - 1) + ":" }
                        },
                    )
                    .collect();
                text.push_str(&format!("| {} |\n", marks.join(" | ")));
            }
        }
        text
    }

    /// An HTML table.
    pub(crate) fn to_html(&self) -> String {
        let row = |row: &[String], tag: &str| -> String {
            row.iter().map(|cell| format!("<{tag}>{}</{tag}>", escape(cell.trim()))).collect()
        };
        let mut text = String::from("<table>\n");
        for (index, cells) in self.rows.iter().enumerate() {
            text.push_str(&format!("<tr>{}</tr>\n", row(cells, if index == 0 { "th" } else { "td" })));
        }
        text + "</table>\n"
    }

    fn widths(&self) -> Vec<usize> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        (0..columns)
            .map(|column| {
                self.rows
                    .iter()
                    .map(|row| row.get(column).map_or(0, |cell| cell.chars().count()))
                    .max()
                    .unwrap_or(0)
            })
            .collect()
    }

    fn pad(&self, row: &[String], column: usize, width: usize) -> String {
        let cell = row.get(column).map_or("", String::as_str);
        if column < self.left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
    }
}
