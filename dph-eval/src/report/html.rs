//! [`HtmlReport`]: a self-contained HTML page with tables and plots.

use std::path::Path;

use crate::file_error::write_file;
use crate::report::escape::escape;
use crate::report::plot::results_plot;
use crate::report::table::Table;
use crate::results::{Results, ResultsError};

/// File name of the page, beside `results.json`.
pub const HTML_FILE: &str = "report.html";

/// A self-contained HTML page with tables, plots and texts.
#[derive(Debug, Clone, PartialEq)]
pub struct HtmlReport {
    title: String,
    body: String,
}

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#222}\
    table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:right;border-bottom:1px solid #ddd}\
    td:first-child,th:first-child{text-align:left}pre{background:#f6f6f6;padding:1em;overflow:auto}\
    figure{margin:1em 0}svg{max-width:100%;height:auto}";

impl HtmlReport {
    /// An empty page.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), body: String::new() }
    }

    /// Adds the table of these runs and the plot of each.
    pub fn results(mut self, runs: &[Results]) -> Self {
        self = self.table(&Table::new(runs));
        for run in runs {
            if runs.len() > 1 {
                self.body.push_str(&format!("<h2>{}</h2>\n", escape(&run.name)));
            }
            self = self.plot(&results_plot(run));
        }
        self
    }

    /// Adds a table.
    pub fn table(mut self, table: &Table) -> Self {
        self.body.push_str(&table.to_html());
        self
    }

    /// Adds a list of links: text and target of each.
    pub fn links(mut self, links: &[(String, String)]) -> Self {
        let item = |(text, to): &(String, String)| {
            format!("<li><a href=\"{}\">{}</a></li>\n", escape(to), escape(text))
        };
        self.body.push_str(&format!("<ul>\n{}</ul>\n", links.iter().map(item).collect::<String>()));
        self
    }

    /// Adds a heading.
    pub fn heading(mut self, text: &str) -> Self {
        self.body.push_str(&format!("<h2>{}</h2>\n", escape(text)));
        self
    }

    /// Adds an SVG image; an empty one adds nothing.
    pub fn plot(mut self, svg: &str) -> Self {
        if !svg.is_empty() {
            self.body.push_str(&format!("<figure>{svg}</figure>\n"));
        }
        self
    }

    /// Adds a collapsed section with preformatted text.
    pub fn details(mut self, summary: &str, text: &str) -> Self {
        let (summary, text) = (escape(summary), escape(text));
        self.body.push_str(&format!("<details><summary>{summary}</summary><pre>{text}</pre></details>\n"));
        self
    }

    /// The page.
    pub fn to_html(&self) -> String {
        let title = escape(&self.title);
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title>\
             <style>{STYLE}</style></head>\n<body>\n<h1>{title}</h1>\n{}</body>\n</html>\n",
            self.body
        )
    }

    /// Writes `report.html` into a directory that exists, atomically.
    ///
    /// # Errors
    /// The file cannot be written; an old one is then still there.
    pub fn save(&self, dir: &Path) -> Result<(), ResultsError> {
        Ok(write_file(dir.join(HTML_FILE), self.to_html().as_bytes())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Measurement, TaskResult};

    #[test]
    fn a_page_holds_table_plots_and_texts() {
        let mut run = Results::new("a<b");
        run.results.push(TaskResult {
            task: "arc_easy".into(),
            split: "test".into(),
            scorer: "loglik-mean".into(),
            metric: "accuracy".into(),
            measurement: Measurement { value: 0.412, stderr: Some(0.035), ..Measurement::default() },
            documents: 200,
            skipped: Default::default(),
            truncated: 0,
            chance: Some(0.25),
            window: None,
        });
        let page =
            HtmlReport::new("a<b").results(&[run]).plot("").details("experiment", "x = \"<\"").to_html();
        assert!(page.contains("<h1>a&lt;b</h1>") && !page.contains("a<b"), "{page}");
        assert!(page.contains("<td>41.2 ± 3.5</td>"), "{page}");
        assert_eq!(page.matches("<svg").count(), 1);
        assert!(page.contains("x = &quot;&lt;&quot;"));
    }
}
