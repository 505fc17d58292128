//! [`HtmlReport`]: a self-contained HTML page with tables and plots.

use std::collections::BTreeSet;
use std::path::Path;

use crate::bench::Bench;
use crate::calibration::Calibration;
use crate::file_error::write_file;
use crate::report::curves::stages;
use crate::report::disagreements::disagreement_lists;
use crate::report::escape::escape;
use crate::report::figures::{
    lengths_figure, reliability_figure, results_figure, reward_figures, stage_figures,
};
use crate::report::page_table::results_table;
use crate::report::table::Table;
use crate::results::{Results, ResultsError};

/// File name of the page, beside `results.json`.
pub const HTML_FILE: &str = "report.html";

/// A self-contained HTML page with tables, plots and texts. It loads nothing, and can be read without its script, which only sorts and
/// filters. The plots have the colours of the reader's theme.
#[derive(Debug, Clone, PartialEq)]
pub struct HtmlReport {
    title: String,
    sections: Vec<Section>,
}

#[derive(Debug, Clone, PartialEq)]
struct Section {
    heading: String,
    body: String,
}

impl HtmlReport {
    /// An empty page.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), sections: Vec::new() }
    }

    /// Adds what is known of these evaluations, side by side: the results with intervals, verdicts and the published figures; rewards of
    /// right and wrong answers, reliability, accuracy by length; the documents on which head and likelihood disagree most.
    pub fn benches(mut self, benches: &[Bench]) -> Self {
        let runs: Vec<Results> = benches.iter().map(|bench| bench.results.clone()).collect();
        let pictures = runs.iter().map(|run| results_figure(run, &runs)).collect();
        self = self.heading("Results").html(&results_table(&runs)).html(&grid("grid wide", pictures));
        let scores = |bench: &Bench| {
            let of_calibration = calibration(bench)
                .map(|found| {
                    reliability_figure(&bench.results, &found) + &lengths_figure(&bench.results, &found)
                })
                .unwrap_or_default();
            let name = match benches.len() > 1 {
                true => format!("<h3>{}</h3>\n", escape(&bench.results.name)),
                false => String::new(),
            };
            match reward_figures(bench) + &of_calibration {
                figures if figures.is_empty() => String::new(),
                figures => name + &grid("grid", figures),
            }
        };
        self = self.section("Scores", benches.iter().map(scores).collect());
        self.section("Disagreements", benches.iter().map(disagreement_lists).collect())
    }

    /// Adds the learning curves in these metrics files, each file with the name of its run, which may be empty.
    pub fn curves(self, metrics: &[(String, &Path)]) -> Self {
        let mut body = String::new();
        for (name, path) in metrics {
            for stage in stages(path) {
                let run = if name.is_empty() { name.clone() } else { format!("{name}: ") };
                body.push_str(&format!("<h3>{}</h3>\n", escape(&format!("{run}Stage {}", stage.name))));
                body.push_str(&grid("grid", stage_figures(&stage)));
            }
        }
        self.section("Learning curves", body)
    }

    /// Adds a table.
    pub fn table(self, table: &Table) -> Self {
        self.html(&table.to_html())
    }

    /// Adds a list of notes.
    pub fn notes(self, notes: &[String]) -> Self {
        let items: String = notes.iter().map(|note| format!("<li>{}</li>\n", escape(note))).collect();
        self.html(&if items.is_empty() { items } else { format!("<ul class=\"notes\">\n{items}</ul>\n") })
    }

    /// Adds the plot of results.
    pub fn plot(self, results: &Results) -> Self {
        self.html(&results_figure(results, std::slice::from_ref(results)))
    }

    /// Adds a list of links: text and target of each.
    pub fn links(self, links: &[(String, String)]) -> Self {
        let item = |(text, to): &(String, String)| {
            format!("<li><a href=\"{}\">{}</a></li>\n", escape(to), escape(text))
        };
        self.html(&format!("<ul>\n{}</ul>\n", links.iter().map(item).collect::<String>()))
    }

    /// Adds the experiments of runs as TOML, each with the name of its run, which may be empty.
    pub fn experiments(self, experiments: &[(String, String)]) -> Self {
        if experiments.is_empty() {
            return self;
        }
        experiments.iter().fold(self.heading("Experiment"), |page, (run, text)| {
            let run = if run.is_empty() { run.clone() } else { format!("{run}: ") };
            page.details(&format!("{run}All keys, with their default values"), text)
        })
    }

    /// Begins a section.
    pub fn heading(mut self, text: &str) -> Self {
        self.sections.push(Section { heading: text.to_owned(), body: String::new() });
        self
    }

    /// Adds a collapsed part with preformatted text.
    pub fn details(self, summary: &str, text: &str) -> Self {
        let (summary, text) = (escape(summary), escape(text));
        self.html(&format!("<details><summary>{summary}</summary><pre>{text}</pre></details>\n"))
    }

    /// Adds a section, if it is not empty.
    fn section(self, heading: &str, body: String) -> Self {
        if body.is_empty() { self } else { self.heading(heading).html(&body) }
    }

    fn html(mut self, html: &str) -> Self {
        if self.sections.is_empty() {
            self = self.heading("Results");
        }
        if let Some(section) = self.sections.last_mut() {
            section.body.push_str(html);
        }
        self
    }

    /// The page.
    pub fn to_html(&self) -> String {
        let title = escape(&self.title);
        let link = |(index, section): (usize, &Section)| {
            format!("<li><a href=\"#section-{index}\">{}</a></li>", escape(&section.heading))
        };
        let section = |(index, Section { heading, body }): (usize, &Section)| {
            format!("<section id=\"section-{index}\">\n<h2>{}</h2>\n{body}</section>\n", escape(heading))
        };
        let links: String = self.sections.iter().enumerate().map(link).collect();
        let sections: String = self.sections.iter().enumerate().map(section).collect();
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
             <title>{title}</title>\n<style>\n{}</style></head>\n<body>\n<header><h1>{title}</h1></header>\n<nav><ul>{links}</ul></nav>\n\
             <main>\n{sections}</main>\n<script>\n{}</script>\n</body>\n</html>\n",
            include_str!("page.css"),
            include_str!("page.js")
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

/// The calibration of all scorers on the tasks of a choice: a regressor, whose value is a number, is not right or wrong.
fn calibration(bench: &Bench) -> Option<Calibration> {
    let choices = bench.documents.iter().filter(|document| document.score.is_none());
    let tasks: BTreeSet<&String> = choices.map(|document| &document.task).collect();
    let tasks: Vec<String> = tasks.into_iter().cloned().collect();
    if tasks.is_empty() { None } else { Calibration::new(bench, &[], &tasks).ok() }
}

/// Figures beside one another, as far as there is room.
fn grid(class: &str, figures: String) -> String {
    if figures.is_empty() { figures } else { format!("<div class=\"{class}\">\n{figures}</div>\n") }
}
