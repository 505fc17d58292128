//! Plots as SVG.

use std::error::Error;

use plotters::prelude::*;

use crate::report::figure::Figure;
use crate::report::spread::{Spread, common_meaning};
use crate::results::{Results, TaskResult};

const SIZE: (u32, u32) = (760, 340);
const FONT: (&str, i32) = ("sans-serif", 13);

/// A named curve of (x, y) points, in the order of x.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The name in the legend.
    pub name: String,
    /// Points; non-finite ones are left out.
    pub points: Vec<(f64, f64)>,
}

/// Draws curves over a common axis as an SVG image. Returns an empty string if there is nothing to draw.
pub fn line_plot(title: &str, x_axis: &str, curves: &[Curve]) -> String {
    let finite = |curve: &Curve| Curve {
        name: curve.name.clone(),
        points: curve.points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect(),
    };
    let curves: Vec<Curve> = curves.iter().map(finite).filter(|curve| !curve.points.is_empty()).collect();
    let mut svg = String::new();
    // Drawing into a string does not fail.
    match draw_lines(&mut svg, title, x_axis, &curves) {
        Ok(()) if !curves.is_empty() => svg,
        _ => String::new(),
    }
}

fn draw_lines(svg: &mut String, title: &str, x_axis: &str, curves: &[Curve]) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let (x, y) = (range(points().map(|point| point.0)), range(points().map(|point| point.1)));
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 16))
        .margin(8)
        .x_label_area_size(36)
        .y_label_area_size(48)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .x_desc(x_axis)
        .label_style(FONT)
        .axis_desc_style(FONT)
        .light_line_style(TRANSPARENT)
        .draw()?;
    for (index, curve) in curves.iter().enumerate() {
        let colour = Palette99::pick(index).stroke_width(2);
        chart
            .draw_series(LineSeries::new(curve.points.iter().copied(), colour))?
            .label(&curve.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour));
    }
    chart.configure_series_labels().label_font(FONT).background_style(WHITE.mix(0.8)).draw()?;
    root.present()?;
    Ok(())
}

/// The range of values with a margin on both sides.
fn range(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (low, high) =
        values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return 0.0..1.0;
    }
    let room = if high > low { 0.04 * (high - low) } else { 0.5 };
    low - room..high + room
}

/// Draws the results of every task and suite, except perplexities, as bars, one for each scorer, with the chance level and an error bar: the standard
/// error or the standard deviation over runs, as the axis says. Returns an empty string if there is nothing to draw.
pub fn results_plot(results: &Results) -> String {
    let groups = groups(results);
    let axis = match common_meaning(std::slice::from_ref(results)) {
        Some(meaning) => format!("per cent, ± {meaning}"),
        None => "per cent".into(),
    };
    let mut svg = String::new();
    match draw_bars(&mut svg, &groups, &axis) {
        Ok(()) if !groups.is_empty() => svg,
        _ => String::new(),
    }
}

/// The bars of a task or suite.
struct Group {
    name: String,
    chance: Option<f64>,
    /// Scorer, value, spread.
    bars: Vec<(String, f64, Option<Spread>)>,
}

fn groups(results: &Results) -> Vec<Group> {
    let is_share = |result: &&TaskResult| Figure::of_metric(&result.metric) == Figure::Share;
    let tasks = results
        .results
        .iter()
        .filter(is_share)
        .map(|r| (&r.task, r.chance, &r.scorer, r.measurement.value, r.measurement.spread()));
    let suites = results
        .suites
        .iter()
        .map(|r| (&r.suite, r.chance, &r.scorer, r.measurement.value, r.measurement.spread()));
    let mut groups: Vec<Group> = Vec::new();
    for (name, chance, scorer, value, spread) in tasks.chain(suites) {
        let bar = (scorer.clone(), value, spread);
        match groups.iter_mut().find(|group| group.name == *name) {
            Some(group) => group.bars.push(bar),
            None => groups.push(Group { name: name.clone(), chance, bars: vec![bar] }),
        }
    }
    groups
}

fn draw_bars(svg: &mut String, groups: &[Group], axis: &str) -> Result<(), Box<dyn Error>> {
    let width = (120 * groups.len() as u32 + 80).clamp(SIZE.0 / 2, 1400);
    let root = SVGBackend::with_string(svg, (width, SIZE.1)).into_drawing_area();
    let top = groups.iter().flat_map(|group| &group.bars).map(|bar| bar.1 + bar.2.map_or(0.0, Spread::value));
    let top = (100.0 * top.fold(0.0, f64::max) * 1.1).clamp(10.0, 100.0);
    let mut chart = ChartBuilder::on(&root)
        .margin(8)
        .x_label_area_size(30)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..groups.len() as f64, 0.0..top)?;
    let name = |x: &f64| match (x.fract() - 0.5).abs() < 0.01 {
        true => groups.get(*x as usize).map_or(String::new(), |group| group.name.clone()),
        false => String::new(),
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .x_labels(2 * groups.len() + 1)
        .x_label_formatter(&name)
        .y_desc(axis)
        .label_style(FONT)
        .axis_desc_style(FONT)
        .light_line_style(TRANSPARENT)
        .draw()?;
    let mut scorers: Vec<&String> = Vec::new();
    for (scorer, ..) in groups.iter().flat_map(|group| &group.bars) {
        if !scorers.contains(&scorer) {
            scorers.push(scorer);
        }
    }
    let step = 0.8 / scorers.len().max(1) as f64;
    for (index, scorer) in scorers.iter().enumerate() {
        let colour = Palette99::pick(index).mix(0.8);
        let bars = groups.iter().enumerate().flat_map(|(at, group)| {
            let left = at as f64 + 0.1 + step * index as f64;
            group.bars.iter().filter(|bar| bar.0 == **scorer).map(move |bar| (left, bar.1, bar.2))
        });
        let bars: Vec<(f64, f64, f64)> =
            bars.map(|(x, y, e)| (x, 100.0 * y, 100.0 * e.map_or(0.0, Spread::value))).collect();
        chart
            .draw_series(
                bars.iter()
                    .map(|&(x, y, _)| Rectangle::new([(x, 0.0), (x + 0.92 * step, y)], colour.filled())),
            )?
            .label(scorer.as_str())
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 10, y + 5)], colour.filled()));
        chart.draw_series(bars.iter().filter(|bar| bar.2 > 0.0).map(|&(x, y, e)| {
            let middle = x + 0.46 * step;
            PathElement::new([(middle, y - e), (middle, y + e)], BLACK)
        }))?;
    }
    chart.draw_series(groups.iter().enumerate().filter_map(|(at, group)| {
        let chance = 100.0 * group.chance?;
        Some(PathElement::new([(at as f64 + 0.06, chance), (at as f64 + 0.94, chance)], BLACK.mix(0.6)))
    }))?;
    chart.configure_series_labels().label_font(FONT).background_style(WHITE.mix(0.8)).draw()?;
    root.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_drawn_without_non_finite_points() {
        let curve = |points: &[(f64, f64)]| Curve { name: "loss <train>".into(), points: points.to_vec() };
        let svg = line_plot("dph", "step", &[curve(&[(1.0, 0.7), (2.0, f64::NAN), (3.0, 0.5)])]);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"), "{svg}");
        assert!(svg.contains("loss &lt;train&gt;") && !svg.contains("NaN"), "{svg}");
        assert_eq!(line_plot("dph", "step", &[curve(&[(1.0, f64::NAN)])]), "");
        assert_eq!(line_plot("dph", "step", &[]), "");
    }
}
