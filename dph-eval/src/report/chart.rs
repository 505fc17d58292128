//! [`Chart`]: marks over two axes, as SVG.

use std::error::Error;

use plotters::data::float::FloatPrettyPrinter;
use plotters::prelude::*;

const SIZE: (u32, u32) = (560, 300);
const FONT: (&str, i32) = ("sans-serif", 13);

/// The colours of series, of which a page makes those of its theme (`page.css`).
pub(super) const PALETTE: [&str; 8] =
    ["#4269D0", "#EF7F18", "#3CA951", "#C2185B", "#6CC5B0", "#A463F2", "#9C6B4E", "#97BBF5"];

/// The colour of what belongs to no series, such as a chance level; the colour of text in every theme.
const NEUTRAL: RGBColor = BLACK;

/// A picture over two axes. Its legend is not part of it.
pub(super) struct Chart<'a> {
    pub size: (u32, u32),
    pub x: (f64, f64),
    pub y: (f64, f64),
    pub x_title: &'a str,
    pub y_title: &'a str,
    pub x_names: &'a [String],
    pub y_names: &'a [String],
    pub marks: Vec<Mark>,
}

/// A part of a picture. The number is that of a series, which has a colour.
pub(super) enum Mark {
    Line(usize, Vec<(f64, f64)>),
    Dots(usize, Vec<(f64, f64)>),
    /// Filled rectangles by two corners.
    Bars(usize, Vec<[(f64, f64); 2]>),
    /// A line of neutral colour.
    Rule([(f64, f64); 2]),
}

impl Default for Chart<'_> {
    fn default() -> Self {
        Self {
            size: SIZE,
            x: (0.0, 1.0),
            y: (0.0, 1.0),
            x_title: "",
            y_title: "",
            x_names: &[],
            y_names: &[],
            marks: Vec::new(),
        }
    }
}

impl Chart<'_> {
    /// The picture; empty if it cannot be drawn.
    pub fn to_svg(&self) -> String {
        let mut svg = String::new();
        // Drawing into a string does not fail.
        match self.draw(&mut svg) {
            Ok(()) => svg,
            Err(_) => String::new(),
        }
    }

    fn draw(&self, svg: &mut String) -> Result<(), Box<dyn Error>> {
        let root = SVGBackend::with_string(svg, self.size).into_drawing_area();
        let widest = self.y_names.iter().map(|name| name.chars().count()).max();
        let left = widest.map_or(52, |count| (8 * count as u32 + 16).min(240));
        let mut chart = ChartBuilder::on(&root)
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(left)
            .build_cartesian_2d(self.x.0..self.x.1, self.y.0..self.y.1)?;
        let x_name = |x: &f64| label(self.x_names, *x, *x);
        // The first name is at the top.
        let y_name = |y: &f64| label(self.y_names, self.y_names.len() as f64 - *y, *y);
        let mut mesh = chart.configure_mesh();
        mesh.x_desc(self.x_title)
            .y_desc(self.y_title)
            .label_style(FONT)
            .axis_desc_style(FONT)
            .light_line_style(TRANSPARENT)
            .bold_line_style(NEUTRAL.mix(0.12))
            .axis_style(NEUTRAL.mix(0.4))
            .x_label_formatter(&x_name)
            .y_label_formatter(&y_name);
        if !self.x_names.is_empty() {
            mesh.disable_x_mesh().x_labels(2 * self.x_names.len() + 1);
        }
        if !self.y_names.is_empty() {
            mesh.disable_y_mesh().y_labels(2 * self.y_names.len() + 1);
        }
        mesh.draw()?;
        for mark in &self.marks {
            match mark {
                Mark::Line(series, points) => {
                    let style = colour(*series).stroke_width(2);
                    chart.draw_series([PathElement::new(points.clone(), style)])?;
                }
                Mark::Dots(series, points) => {
                    let style = colour(*series).filled();
                    chart.draw_series(points.iter().map(|point| Circle::new(*point, 4, style)))?;
                }
                Mark::Bars(series, bars) => {
                    let style = colour(*series).mix(0.45).filled();
                    chart.draw_series(bars.iter().map(|corners| Rectangle::new(*corners, style)))?;
                }
                Mark::Rule(ends) => {
                    let style = NEUTRAL.mix(0.55).stroke_width(1);
                    chart.draw_series([PathElement::new(ends.to_vec(), style)])?;
                }
            }
        }
        root.present()?;
        Ok(())
    }
}

/// The label of a place on an axis: a name, or a number if the axis has no names.
fn label(names: &[String], at: f64, value: f64) -> String {
    if !names.is_empty() {
        return named(names, at);
    }
    let text = FloatPrettyPrinter { allow_scientific: false, min_decimal: 1, max_decimal: 5 }.print(value);
    // A tick at zero can be a tiny negative number.
    match text.strip_prefix('-') {
        Some(zero) if !zero.contains(|c| ('1'..='9').contains(&c)) => zero.to_owned(),
        _ => text,
    }
}

/// The name at the middle of its place on an axis of names.
fn named(names: &[String], at: f64) -> String {
    match (at.fract() - 0.5).abs() < 0.01 {
        true => names.get(at as usize).cloned().unwrap_or_default(),
        false => String::new(),
    }
}

fn colour(series: usize) -> RGBColor {
    let hex = PALETTE[series % PALETTE.len()];
    let part =
        |at: usize| hex.get(at..at + 2).and_then(|part| u8::from_str_radix(part, 16).ok()).unwrap_or(0);
    RGBColor(part(1), part(3), part(5))
}

/// The range of values with a margin on both sides.
pub(super) fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) =
        values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    if low > high {
        return (0.0, 1.0);
    }
    let room = if high > low { 0.04 * (high - low) } else { 0.5 };
    (low - room, high + room)
}
