//! [`Columns`]: rows of cells as aligned text or as Markdown.

use crate::report::escape::escape;

/// Rows of cells. The first row is the heading. The first `left` columns are left-aligned, the others right-aligned.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Columns {
    pub left: usize,
    pub rows: Vec<Vec<Cell>>,
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Cell {
    pub text: String,
    /// Whether it stands out.
    pub bold: bool,
}

/// How plain text shows a bold cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bold {
    /// With a star before it.
    Star,
    /// In the bold type of a terminal.
    Terminal,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, bold: false }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl Columns {
    /// Plain text, with two spaces between columns and a rule under the heading.
    pub(crate) fn to_text(&self, bold: Bold) -> String {
        let rows = self.texts(|cell| match (cell.bold, bold) {
            (true, Bold::Star) => format!("*{}", cell.text),
            _ => cell.text.clone(),
        });
        let widths = widths(&rows);
        let mut text = String::new();
        for (index, (row, cells)) in rows.iter().zip(&self.rows).enumerate() {
            let padded = widths.iter().enumerate().map(|(column, &width)| {
                let padded = self.pad(row, column, width);
                match cells.get(column).is_some_and(|cell| cell.bold) && bold == Bold::Terminal {
                    true => format!("\u{1b}[1m{padded}\u{1b}[0m"),
                    false => padded,
                }
            });
            text.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
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
        let rows = self.texts(|cell| {
            let text = cell.text.replace('|', "\\|");
            if cell.bold { format!("**{}**", text.trim()) } else { text }
        });
        // A column cannot be narrower than the marks under its heading.
        let widths: Vec<usize> = widths(&rows).into_iter().map(|width| width.max(3)).collect();
        let mut text = String::new();
        for (index, row) in rows.iter().enumerate() {
            let cells: Vec<String> =
                widths.iter().enumerate().map(|(column, &width)| self.pad(row, column, width)).collect();
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

    /// An HTML table in a frame in which it scrolls.
    pub(crate) fn to_html(&self) -> String {
        let row = |cells: &[Cell], is_heading: bool| -> String {
            let cell = |(column, cell): (usize, &Cell)| {
                let text = escape(cell.text.trim());
                let text = if cell.bold { format!("<b>{text}</b>") } else { text };
                match (is_heading, column < self.left) {
                    (true, true) => format!("<th scope=\"col\" class=\"text\">{text}</th>"),
                    (true, false) => format!("<th scope=\"col\">{text}</th>"),
                    (false, true) => format!("<th scope=\"row\">{text}</th>"),
                    (false, false) => format!("<td>{text}</td>"),
                }
            };
            format!("<tr>{}</tr>\n", cells.iter().enumerate().map(cell).collect::<String>())
        };
        let (head, body) = self.rows.split_at(1.min(self.rows.len()));
        let all = |rows: &[Vec<Cell>], is_heading| -> String {
            rows.iter().map(|cells| row(cells, is_heading)).collect()
        };
        format!(
            "<div class=\"scroll\" tabindex=\"0\"><table><thead>\n{}</thead>\n<tbody>\n{}</tbody></table></div>\n",
            all(head, true),
            all(body, false)
        )
    }

    /// Whether a cell is bold.
    pub(crate) fn has_bold(&self) -> bool {
        self.rows.iter().flatten().any(|cell| cell.bold)
    }

    fn texts(&self, text: impl Fn(&Cell) -> String) -> Vec<Vec<String>> {
        self.rows.iter().map(|row| row.iter().map(&text).collect()).collect()
    }

    fn pad(&self, row: &[String], column: usize, width: usize) -> String {
        let cell = row.get(column).map_or("", String::as_str);
        if column < self.left { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
    }
}

fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    (0..columns)
        .map(|column| {
            rows.iter().map(|row| row.get(column).map_or(0, |cell| cell.chars().count())).max().unwrap_or(0)
        })
        .collect()
}
