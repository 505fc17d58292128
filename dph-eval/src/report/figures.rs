//! Pictures of results with their legends, as HTML.

use crate::bench::{BASELINE, Bench};
use crate::calibration::{Bin, Calibration};
use crate::outcomes::heads;
use crate::report::bars::Bars;
use crate::report::cells::{Column, chance, columns, figure as figure_form, measurement, names, scorers};
use crate::report::chart::{Chart, Mark, PALETTE, range};
use crate::report::curves::{Curve, StageCurves};
use crate::report::escape::escape;
use crate::report::figure::Figure;
use crate::results::{Measurement, Results};

/// A picture with its title and its series: the number of each, which chooses its colour, and its name. Empty if there is nothing to draw.
fn figure(title: &str, series: &[(usize, String)], chart: &Chart<'_>) -> String {
    let (svg, title) = (chart.to_svg(), escape(title));
    if svg.is_empty() || chart.marks.is_empty() {
        return String::new();
    }
    let svg = svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{title}\" "), 1);
    let key = |(number, name): &(usize, String)| {
        let colour = number % PALETTE.len();
        format!("<li><i class=\"s{colour}\"></i>{}</li>", escape(name))
    };
    let keys: String = series.iter().map(key).collect();
    let legend = if keys.is_empty() { String::new() } else { format!("<ul class=\"legend\">{keys}</ul>") };
    format!("<figure><figcaption>{title}</figcaption>{legend}{svg}</figure>\n")
}

/// The results of every task and suite, except perplexities: a dot with its 95 % interval or spread for each scorer, and a line at the
/// chance level. The rows have the names that the columns have in a table of the runs `all`.
pub(super) fn results_figure(results: &Results, all: &[Results]) -> String {
    let columns = columns(all);
    let scorers = scorers(results);
    let rows: Vec<(&Column, String)> = columns
        .iter()
        .zip(names(&columns))
        .filter(|(column, _)| figure_form(column) == Figure::Share)
        .filter(|(column, _)| scorers.iter().any(|scorer| measurement(results, column, scorer).is_some()))
        .map(|(column, name)| match column {
            Column::Suite(_) => (column, format!("mean: {name}")),
            Column::Task { .. } => (column, name),
        })
        .collect();
    let names: Vec<String> = rows.iter().map(|(_, name)| name.clone()).collect();
    let found = |column: &Column| -> Vec<(usize, Measurement)> {
        let of_scorer =
            |(number, scorer): (usize, &&str)| Some((number, measurement(results, column, scorer)?));
        scorers.iter().enumerate().filter_map(of_scorer).collect()
    };
    let bars = Bars::of(rows.iter().flat_map(|(column, _)| found(column)).map(|(_, found)| found));
    let count = names.len() as f64;
    let step = 0.76 / scorers.len().max(1) as f64;
    let (mut marks, mut ends, mut has_chance) = (Vec::new(), vec![0.0], false);
    for (row, (column, _)) in rows.iter().enumerate() {
        if let Some(chance) = chance(results, column) {
            let x = 100.0 * chance;
            marks.push(Mark::Rule([(x, count - row as f64 - 0.94), (x, count - row as f64 - 0.06)]));
            has_chance = true;
        }
        for (scorer, measurement) in found(column) {
            let y = count - (row as f64 + 0.12 + step * (scorer as f64 + 0.5));
            let value = 100.0 * measurement.value;
            if let Some((low, high)) = bars.ends(&measurement) {
                marks.push(Mark::Line(scorer, vec![(low, y), (high, y)]));
                ends.extend([low, high]);
            }
            marks.push(Mark::Dots(scorer, vec![(value, y)]));
            ends.push(value);
        }
    }
    let (low, high) = range(ends.into_iter());
    let height = (names.len() as f64 * (14.0 * scorers.len() as f64 + 14.0)) as u32 + 70;
    let chart = Chart {
        size: (760, height),
        x: (low.max(-100.0), high.min(102.0)),
        y: (0.0, count.max(1.0)),
        x_title: &format!("per cent{bars}{}", if has_chance { "; the thin line is chance" } else { "" }),
        y_names: &names,
        marks,
        ..Chart::default()
    };
    figure(&results.name, &numbered(scorers.iter().map(ToString::to_string)), &chart)
}

/// The scorers of a run in the order of its results. The place of a scorer is its number, so it has one colour in all pictures.
struct Scorers(Vec<String>);

impl Scorers {
    fn of(results: &Results) -> Self {
        let mut scorers = Self(Vec::new());
        for result in &results.results {
            scorers.number(&result.scorer);
        }
        scorers
    }

    /// The number of a scorer, which is added if it is not there.
    fn number(&mut self, scorer: &str) -> usize {
        place(&mut self.0, scorer)
    }
}

/// The place of a name in a list, to which it is added if it is not there.
fn place(list: &mut Vec<String>, name: &str) -> usize {
    list.iter().position(|known| known == name).unwrap_or_else(|| {
        list.push(name.to_owned());
        list.len() - 1
    })
}

/// Series that are numbered in their order.
fn numbered(names: impl IntoIterator<Item = String>) -> Vec<(usize, String)> {
    names.into_iter().enumerate().collect()
}

/// The curves of the metrics of a stage, each metric once.
pub(super) fn stage_figures(stage: &StageCurves) -> String {
    stage.metrics.iter().map(|(metric, curves)| curves_figure(metric, curves)).collect()
}

fn curves_figure(title: &str, curves: &[Curve]) -> String {
    let finite = |curve: &Curve| Curve {
        name: curve.name.clone(),
        points: curve.points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect(),
    };
    let curves: Vec<Curve> = curves.iter().map(finite).filter(|curve| !curve.points.is_empty()).collect();
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let names = numbered(curves.iter().map(|curve| curve.name.clone()));
    let line = |(index, curve): (usize, &Curve)| match &curve.points[..] {
        // A single point is not a line.
        [_] => Mark::Dots(index, curve.points.clone()),
        points => Mark::Line(index, points.to_vec()),
    };
    let chart = Chart {
        x: range(points().map(|point| point.0)),
        y: range(points().map(|point| point.1)),
        x_title: "step",
        marks: curves.iter().enumerate().map(line).collect(),
        ..Chart::default()
    };
    figure(title, &names, &chart)
}

/// The distributions of the rewards of right and wrong candidates, for each head.
pub(super) fn reward_figures(bench: &Bench) -> String {
    const BINS: usize = 30;
    let of_head = |head: &String| {
        let (mut right, mut wrong) = (Vec::new(), Vec::new());
        for document in bench.documents.iter().filter(|document| document.gold.is_some()) {
            for (index, candidate) in document.candidates.iter().enumerate() {
                let Some(reward) = candidate.rewards.get(head).copied().flatten() else { continue };
                let is_right = document.right_candidates().contains(&index);
                if is_right { &mut right } else { &mut wrong }.push(f64::from(reward));
            }
        }
        let (low, high) = range(right.iter().chain(&wrong).copied());
        let width = (high - low) / BINS as f64;
        let shares = |values: &[f64]| -> Vec<f64> {
            let mut shares = vec![0.0; BINS];
            for value in values {
                shares[(((value - low) / width) as usize).min(BINS - 1)] += 100.0 / values.len() as f64;
            }
            shares
        };
        let all = [shares(&right), shares(&wrong)];
        let top = all.iter().flatten().copied().fold(1.0, f64::max);
        let bars = |(series, shares): (usize, &Vec<f64>)| {
            let bar = |(bin, share): (usize, &f64)| {
                let x = low + bin as f64 * width;
                [(x, 0.0), (x + width, *share)]
            };
            Mark::Bars(
                series,
                shares.iter().enumerate().filter(|(_, share)| **share > 0.0).map(bar).collect(),
            )
        };
        let chart = Chart {
            x: (low, high),
            y: (0.0, 1.06 * top),
            x_title: "reward",
            y_title: "per cent of answers",
            marks: all.iter().enumerate().map(bars).collect(),
            ..Chart::default()
        };
        let names =
            numbered([format!("{} right answers", right.len()), format!("{} wrong answers", wrong.len())]);
        match right.is_empty() || wrong.is_empty() {
            true => String::new(),
            false => figure(&format!("Rewards of {head}"), &names, &chart),
        }
    };
    heads(&bench.documents).iter().map(of_head).collect()
}

/// The scorers of a calibration that are shown: the likelihood that others are compared with, and all that are no likelihood.
fn shown(calibration: &Calibration) -> Vec<&crate::calibration::ScorerCalibration> {
    let is = |name: &str| name == BASELINE || !name.starts_with("loglik");
    calibration.scorers.iter().filter(|found| is(&found.scorer)).collect()
}

/// How often choices with some confidence are right.
pub(super) fn reliability_figure(results: &Results, calibration: &Calibration) -> String {
    let mut scorers = Scorers::of(results);
    let mut marks = vec![Mark::Rule([(0.0, 0.0), (100.0, 100.0)])];
    let mut names = Vec::new();
    for found in shown(calibration) {
        let series = scorers.number(&found.scorer);
        let curve = found.reliability.iter().flat_map(|found| &found.curve);
        let points: Vec<(f64, f64)> =
            curve.map(|Bin { confidence, accuracy, .. }| (100.0 * confidence, 100.0 * accuracy)).collect();
        let ece = found.reliability.as_ref().map_or(f64::NAN, |found| 100.0 * found.ece);
        names.push((series, format!("{} (mean distance {ece:.1})", found.scorer)));
        marks.extend([Mark::Line(series, points.clone()), Mark::Dots(series, points)]);
    }
    let chart = Chart {
        x: (0.0, 102.0),
        y: (-2.0, 104.0),
        x_title: "confidence, per cent",
        y_title: "right, per cent",
        marks,
        ..Chart::default()
    };
    figure("Reliability", &names, &chart)
}

/// The accuracy by the length of the right answer.
pub(super) fn lengths_figure(results: &Results, calibration: &Calibration) -> String {
    let (shown, mut scorers) = (shown(calibration), Scorers::of(results));
    let first = shown.first().map_or(&[][..], |found| &found.lengths);
    // A classifier chooses among classes, which have no tokens.
    if first.iter().all(|group| group.to == 0) {
        return String::new();
    }
    let range =
        |from: usize, to: usize| if from == to { from.to_string() } else { format!("{from} to {to}") };
    let groups: Vec<String> = first.iter().map(|group| range(group.from, group.to)).collect();
    let (mut marks, mut names) = (Vec::new(), Vec::new());
    for found in &shown {
        let series = scorers.number(&found.scorer);
        names.push((series, found.scorer.clone()));
        let points: Vec<(f64, f64)> = found
            .lengths
            .iter()
            .enumerate()
            .map(|(place, group)| (place as f64 + 0.5, 100.0 * group.accuracy))
            .collect();
        marks.extend([Mark::Line(series, points.clone()), Mark::Dots(series, points)]);
    }
    let chart = Chart {
        x: (0.0, groups.len().max(1) as f64),
        y: (0.0, 104.0),
        x_title: "tokens of the right answer",
        y_title: "right, per cent",
        x_names: &groups,
        marks,
        ..Chart::default()
    };
    figure("Accuracy by length", &names, &chart)
}
