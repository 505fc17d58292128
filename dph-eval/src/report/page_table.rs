//! [`results_table`]: results as an HTML table that can be sorted, with the published results below.

use std::cmp::Ordering;

use crate::bench::BASELINE;
use crate::compare::SIGNIFICANT;
use crate::report::cells::{
    Column, against_baseline, chance, columns, documents, figure, heading, measurement, notes, scorers,
};
use crate::report::escape::escape;
use crate::report::published::published;
use crate::report::table::same_or_each;
use crate::results::Results;

/// A row for each run and scorer, with 95 % intervals and verdicts; then the published results for these tasks.
pub(super) fn results_table(runs: &[Results]) -> String {
    let columns = columns(runs);
    let several = runs.len() > 1;
    let mut names: Vec<String> = heading(&columns).into_iter().map(|cell| cell.text).collect();
    if !several {
        names.remove(0);
    }
    let titles = if several { 2 } else { 1 };
    let head = |(place, name): (usize, &String)| {
        let class = if place < titles { " class=\"text\"" } else { "" };
        format!("<th scope=\"col\"{class}><button>{}</button></th>", escape(name))
    };
    let plain = |title: &str, text: &dyn Fn(&Results, &Column) -> String| -> Vec<String> {
        let cells =
            same_or_each(runs, |run| columns.iter().map(|column| text(run, column)).collect::<Vec<_>>());
        let row = |(run, cells): (String, Vec<String>)| {
            let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
            format!("<tr class=\"quiet\" data-sort=\"no\">{}{cells}</tr>\n", first(&run, title, several))
        };
        cells.into_iter().map(row).collect()
    };
    let percent = |value: f64| format!("{:.1}", 100.0 * value);
    let mut rows = plain("chance", &|run, column| chance(run, column).map(percent).unwrap_or_default());
    let count = |count: usize| count.to_string();
    let below = plain("documents", &|run, column| documents(run, column).map(count).unwrap_or_default());
    for run in runs {
        for scorer in scorers(run) {
            let cells: String = columns.iter().map(|column| cell(run, column, scorer)).collect();
            rows.push(format!("<tr>{}{cells}</tr>\n", first(&run.name, scorer, several)));
        }
    }
    rows.extend(below);
    let published: Vec<String> = published()
        .iter()
        .filter_map(|row| {
            let values: Vec<Option<f64>> = columns.iter().map(|column| row.value(column)).collect();
            values.iter().any(Option::is_some).then(|| {
                let cell = |value: &Option<f64>| match value {
                    Some(value) => format!("<td>{value:.1}</td>"),
                    None => "<td></td>".into(),
                };
                let span = if several { " colspan=\"2\"" } else { "" };
                format!(
                    "<tr class=\"published\" data-sort=\"no\"><th scope=\"row\"{span}>{}<span class=\"tag\">published</span></th>{}</tr>\n",
                    escape(&row.system),
                    values.iter().map(cell).collect::<String>()
                )
            })
        })
        .collect();
    // The figures of a single run have intervals instead.
    let is_spread = |note: &String| note.contains("± is the standard error");
    let mut below: Vec<String> = notes(runs).into_iter().filter(|note| !is_spread(note)).collect();
    below.push(format!(
        "below a figure: its 95 % interval; ▲ and ▼: significantly better or worse than {BASELINE} on the same documents (p < {SIGNIFICANT}; \
         tasks with Holm's correction over the row)"
    ));
    if !published.is_empty() {
        below.push(
            "published: as in the tables of the authors (arXiv 2405.20053), for whole test sets (GLUE: by its server), so on other documents \
             than the rows above"
                .into(),
        );
    }
    let below: String = below.iter().map(|note| format!("<li>{}</li>\n", escape(note))).collect();
    format!(
        "<div class=\"scroll\" tabindex=\"0\"><table id=\"results\"><thead><tr>{}</tr></thead>\n<tbody>{}{}</tbody></table></div>\n<ul class=\"notes\">\n{below}</ul>\n",
        names.iter().enumerate().map(head).collect::<String>(),
        rows.concat(),
        published.concat()
    )
}

/// The name of a run, if there are several (empty for all of them), and of a row.
fn first(run: &str, title: &str, several: bool) -> String {
    let cell = |text: &str| {
        let text = escape(text);
        format!("<th scope=\"row\" data-value=\"{text}\">{text}</th>")
    };
    if several { cell(run) + &cell(title) } else { cell(title) }
}

/// A figure with its interval and verdict.
fn cell(run: &Results, column: &Column, scorer: &str) -> String {
    let Some(found) = measurement(run, column, scorer) else { return "<td></td>".into() };
    let figure = figure(column);
    let verdict = match against_baseline(run, column, &found) {
        Some(Ordering::Greater) => ("better", "▲ "),
        Some(Ordering::Less) => ("worse", "▼ "),
        _ => ("", ""),
    };
    let below = match (found.interval, found.spread()) {
        (Some([low, high]), _) => format!("<small>{} to {}</small>", figure.text(low), figure.text(high)),
        (None, Some(spread)) => format!("<small>±{}</small>", figure.text(spread.value())),
        (None, None) => String::new(),
    };
    let title =
        found.p_baseline.map_or(String::new(), |p| format!(" title=\"p = {p:.3} against {BASELINE}\""));
    format!(
        "<td class=\"{}\" data-value=\"{}\"{title}>{}{}{below}</td>",
        verdict.0,
        found.value,
        verdict.1,
        figure.text(found.value)
    )
}
