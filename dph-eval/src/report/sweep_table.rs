//! The table of a sweep, with a row for each variant.

use crate::report::cells::{Column, chance_text, columns, documents, heading, notes, scorers, value};
use crate::report::columns::{Cell, Columns};
use crate::report::table::Table;
use crate::results::Results;

/// A variant of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepRow {
    /// The value of every swept key.
    pub values: Vec<String>,
    /// Number of parameters of its preference head, if it has one.
    pub parameters: Option<usize>,
    /// Its results.
    pub results: Results,
}

impl Table {
    /// The table of a sweep over the keys `swept`. Each variant has a row with its values, the number of parameters of its head,
    /// and the results of its reward.
    ///
    /// Rows that are the same for all variants appear once, above them: the chance level, and the log-likelihood if all variants
    /// have the same language model. If a variant needs several rows (several rewards, different language models), a column names
    /// the scorer.
    pub fn for_sweep(swept: &[String], rows: &[SweepRow]) -> Self {
        let runs: Vec<Results> = rows.iter().map(|row| row.results.clone()).collect();
        let columns = columns(&runs);
        let (shared, own) = lines(&columns, &runs);
        let layout = Layout {
            swept,
            // A sweep over seeds alone has no swept key left whose column could name the rows.
            scorer: own.len() > 1 || swept.is_empty(),
            parameters: rows.iter().any(|row| row.parameters.is_some()),
        };
        let (below, above): (Vec<&String>, Vec<&String>) = shared.iter().partition(|line| *line == DOCUMENTS);
        let same = |lines: Vec<&String>| -> Vec<Vec<Cell>> {
            let cells =
                |line: &String| runs.first().map(|run| cells(&columns, run, line)).unwrap_or_default();
            lines.into_iter().map(|line| layout.shared(line, cells(line))).collect()
        };

        let names = heading(&columns).split_off(2);
        let mut table = vec![layout.row(swept.to_vec(), "scorer", "parameters".into(), names)];
        table.extend(same(above));
        for row in rows {
            let parameters = row.parameters.map_or(String::new(), |count| count.to_string());
            let mut add = |line: &str, parameters: String| {
                let cells = cells(&columns, &row.results, line);
                table.push(layout.row(row.values.clone(), line, parameters, cells));
            };
            let found: Vec<&String> = own.iter().filter(|line| row.has(line)).collect();
            for line in &found {
                let of_head = line.starts_with(REWARD);
                add(line, if of_head { parameters.clone() } else { String::new() });
            }
            if found.is_empty() {
                add("", parameters);
            }
        }
        table.extend(same(below));
        let left = swept.len() + usize::from(layout.scorer);
        let first = notes(runs.get(..1).unwrap_or_default());
        let same = runs.iter().all(|run| notes(std::slice::from_ref(run)) == first);
        Self { columns: Columns { left, rows: table }, notes: if same { first } else { notes(&runs) } }
    }
}

const CHANCE: &str = "chance";
const DOCUMENTS: &str = "documents";
const REWARD: &str = "reward:";

impl SweepRow {
    /// Whether this variant has values for a line.
    fn has(&self, line: &str) -> bool {
        match line {
            CHANCE | DOCUMENTS => !self.results.results.is_empty(),
            scorer => scorers(&self.results).contains(&scorer),
        }
    }
}

/// The lines that are the same for all runs, and those that differ.
fn lines(columns: &[Column], runs: &[Results]) -> (Vec<String>, Vec<String>) {
    if columns.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let mut lines = vec![CHANCE.to_string()];
    for scorer in runs.iter().flat_map(scorers) {
        if !lines.iter().any(|line| line == scorer) {
            lines.push(scorer.into());
        }
    }
    lines.push(DOCUMENTS.into());
    // The only row of a sweep without rewards is that of its scorers.
    let alone = runs.len() == 1 && !lines.iter().any(|line| line.starts_with(REWARD));
    let same = |line: &String| {
        let mut cells = runs.iter().map(|run| cells(columns, run, line));
        let first = cells.next();
        let is_own = alone && line != CHANCE && line != DOCUMENTS;
        !is_own && !line.starts_with(REWARD) && cells.all(|other| Some(other) == first)
    };
    lines.into_iter().partition(same)
}

/// The cells of a line of a run.
fn cells(columns: &[Column], run: &Results, line: &str) -> Vec<Cell> {
    let cell = |column: &Column| match line {
        CHANCE => chance_text(run, column).into(),
        DOCUMENTS => documents(run, column).map_or(String::new(), |documents| documents.to_string()).into(),
        scorer => value(run, column, scorer),
    };
    columns.iter().map(cell).collect()
}

/// The columns before those of the tasks.
struct Layout<'a> {
    swept: &'a [String],
    scorer: bool,
    parameters: bool,
}

impl Layout<'_> {
    fn row(&self, values: Vec<String>, scorer: &str, parameters: String, cells: Vec<Cell>) -> Vec<Cell> {
        let scorer = self.scorer.then(|| scorer.to_string());
        let parameters = self.parameters.then_some(parameters);
        values.into_iter().chain(scorer).chain(parameters).map(Cell::from).chain(cells).collect()
    }

    /// A row that all variants share; its name is in the column of the scorer or, without one, in the first column.
    fn shared(&self, name: &str, cells: Vec<Cell>) -> Vec<Cell> {
        let mut values = vec![String::new(); self.swept.len()];
        if let Some(first) = values.first_mut().filter(|_| !self.scorer) {
            *first = name.into();
        }
        self.row(values, name, String::new(), cells)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Measurement, SuiteResult, TaskResult};

    fn row(values: [&str; 2], loglik: f64, rewards: &[(&str, f64)]) -> SweepRow {
        let mut results = Results::new(values.join(","));
        let scorers = [("loglik-mean", loglik), ("loglik-sum", loglik - 0.05)].into_iter();
        for (scorer, value) in scorers.chain(rewards.iter().copied()) {
            results.results.push(TaskResult {
                task: "boolq".into(),
                split: "validation".into(),
                scorer: scorer.into(),
                metric: "accuracy".into(),
                measurement: Measurement { value, stderr: Some(0.03), ..Measurement::default() },
                documents: 200,
                skipped: [("too-long".to_string(), 3)].into(),
                truncated: 0,
                chance: Some(0.5),
                window: None,
            });
            results.suites.push(SuiteResult {
                suite: "one".into(),
                scorer: scorer.into(),
                measurement: Measurement { value, stderr: None, ..Measurement::default() },
                chance: Some(0.5),
                parts: Vec::new(),
            });
        }
        SweepRow { values: values.map(String::from).to_vec(), parameters: Some(rewards.len() * 32), results }
    }

    fn swept() -> Vec<String> {
        ["pooling", "form"].map(String::from).to_vec()
    }

    #[test]
    fn a_row_for_each_variant_and_one_for_what_they_share() {
        let rows = [
            row(["identity", "separable"], 0.6, &[("reward:preference", 0.7)]),
            row(["bert", "separable"], 0.6, &[("reward:preference", 0.65)]),
        ];
        let table = Table::for_sweep(&swept(), &rows).with_note("a note");
        insta::assert_snapshot!(table.to_text());
    }

    #[test]
    fn variants_with_several_rows_have_a_column_for_the_scorer() {
        let rows = [
            row(["identity", "separable"], 0.6, &[("reward:a", 0.7), ("reward:b", 0.5)]),
            row(["bert", "separable"], 0.61, &[("reward:a", 0.65)]),
        ];
        insta::assert_snapshot!(Table::for_sweep(&swept(), &rows).to_text());
    }

    #[test]
    fn a_sweep_over_seeds_alone_names_its_rows() {
        let row = SweepRow {
            values: Vec::new(),
            ..row(["identity", "separable"], 0.6, &[("reward:preference", 0.7)])
        };
        let text = Table::for_sweep(&[], &[row]).to_text();
        let names: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(
            names[..1].iter().chain(&names[2..7]).copied().collect::<Vec<_>>(),
            ["scorer", "chance", "loglik-mean", "loglik-sum", "reward:preference", "documents"]
        );
    }

    #[test]
    fn a_sweep_without_results_is_a_heading() {
        assert_eq!(Table::for_sweep(&swept(), &[]).to_text().lines().next(), Some("pooling  form"));
    }
}
