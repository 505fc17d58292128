//! A comparison as text.

use dph_core::terminal::numbers::counted;

use crate::compare::comparison::{Compared, Comparison, Figures, TaskComparison, Verdict};
use crate::report::{Bold, Cell, Columns, Figure};

const HEADING: [&str; 9] =
    ["", "documents", "A", "B", "B − A", "95 % interval", "can show", "p", "verdict on B"];

impl Comparison {
    /// A table for each pair of scorers, in per cent or as perplexities, with notes about how to read it.
    pub fn to_text(&self) -> String {
        let tables: Vec<String> = self.scorers.iter().map(|compared| self.table(compared)).collect();
        let mut notes = vec![
            "95 % interval: of B − A, by the bootstrap over documents".to_string(),
            "can show: the smallest difference that so many documents show with a probability of 80 %".into(),
            format!(
                "p: {}; of a task after Holm's correction over the tasks of its suite",
                self.tests().join(", ")
            ),
            "verdict on B: better or worse where p is below 0.05".into(),
        ];
        let tasks = || self.scorers.iter().flat_map(|compared| &compared.tasks);
        if tasks().any(|task| task.groups.is_some()) {
            notes.push(
                "groups: documents that share something, which are resampled and permuted together".into(),
            );
        }
        if tasks().any(|task| Figure::of_metric(&task.metric) == Figure::Perplexity) {
            notes.push("perplexities and bits are not in per cent, and lower is better".into());
        }
        for task in tasks() {
            let Some([a, b]) = task.windows else { continue };
            let (task, split) = (&task.task, &task.split);
            let note = format!(
                "{task}/{split}: windows of {a} tokens in A and of {b} in B; a longer one gives lower figures"
            );
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        if let Some([a, b]) = self.styles {
            notes.push(format!("A is in the style {a} and B in the style {b}: their prompts differ"));
        }
        if let Some([a, b]) = self.few_shot {
            notes.push(format!("A has {a} answered documents before each question, and B has {b}"));
        }
        for task in tasks().filter(|task| task.unscored > 0) {
            let (task, split, count) = (&task.task, &task.split, counted(task.unscored, "document"));
            let note = format!("{task}/{split}: {count} without a finite score in A or B, left out");
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        for unpaired in &self.unpaired {
            let sides = [(unpaired.only_a, "A"), (unpaired.only_b, "B")];
            let sides = sides.iter().filter(|(count, _)| *count > 0);
            let sides: Vec<String> = sides
                .map(|(count, side)| format!("{} only in {side}", counted(*count, "document")))
                .collect();
            notes.push(format!(
                "{}/{}: {}, left out (the first: {})",
                unpaired.task,
                unpaired.split,
                sides.join(", "),
                unpaired.first.join(", ")
            ));
        }
        format!("{}\n{}\n", tables.join("\n"), notes.join("\n"))
    }

    fn table(&self, compared: &Compared) -> String {
        let mut rows = vec![HEADING.map(Cell::from).to_vec()];
        for task in &compared.tasks {
            let documents = match task.groups {
                Some(groups) => format!("{} in {}", task.documents, counted(groups, "group")),
                None => task.documents.to_string(),
            };
            let figure = Figure::of_metric(&task.metric);
            rows.push(row(name(task), documents, figure, &task.figures, task.p_holm, task.verdict));
        }
        for suite in &compared.suites {
            rows.push(row(
                suite.suite.clone(),
                String::new(),
                Figure::Share,
                &suite.figures,
                suite.figures.p,
                suite.verdict,
            ));
        }
        let sides = [("A", &self.a, &compared.scorer_a), ("B", &self.b, &compared.scorer_b)];
        let sides = sides.map(|(side, run, scorer)| format!("{side} is {scorer} of {run}\n"));
        sides.concat() + "\n" + &Columns { left: 1, rows }.to_text(Bold::Star)
    }

    /// The names of the tests that are used.
    fn tests(&self) -> Vec<&str> {
        let mut tests: Vec<&str> = Vec::new();
        let figures = self.scorers.iter().flat_map(|compared| {
            let tasks = compared.tasks.iter().map(|task| &task.figures);
            tasks.chain(compared.suites.iter().map(|suite| &suite.figures))
        });
        for figures in figures {
            if !tests.contains(&figures.test) {
                tests.push(figures.test);
            }
        }
        tests
    }
}

fn name(task: &TaskComparison) -> String {
    let metric = if task.metric == "accuracy" { String::new() } else { format!(" ({})", task.metric) };
    format!("{}/{}{metric}", task.task, task.split)
}

fn row(
    name: String,
    documents: String,
    figure: Figure,
    figures: &Figures,
    p: f64,
    verdict: Verdict,
) -> Vec<Cell> {
    let text = |value: f64| figure.text(value);
    let signed = |value: f64| figure.signed(value, figures.a);
    let interval =
        figures.interval.map_or(String::new(), |[low, high]| format!("{} to {}", signed(low), signed(high)));
    let detectable =
        figures.detectable.map_or(String::new(), |value| figure.signed(value, figures.a).replace('+', "±"));
    let p = if p < 0.0005 { "<0.001".to_string() } else { format!("{p:.3}") };
    let cells = [
        name,
        documents,
        text(figures.a),
        text(figures.b),
        signed(figures.difference),
        interval,
        detectable,
        p,
        verdict.to_string(),
    ];
    cells.map(Cell::from).to_vec()
}
