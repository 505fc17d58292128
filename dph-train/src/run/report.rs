//! The reports of a run: `report.md` and `report.html`.

use std::fs;
use std::path::{Path, PathBuf};

use dph_eval::{Bench, Curve, HtmlReport, Results, Table, line_plot};
use serde_json::Value;

use crate::error::TrainError;

/// Maximum number of points of a curve.
const POINTS: usize = 400;

/// Writes the reports of a run into its directory. `report.md` contains the table; `report.html` also contains plots of the
/// results, the curves of every stage (from these metrics files) and the experiment.
pub(crate) fn write(
    run: &Path,
    metrics: &[PathBuf],
    experiment: &str,
    name: &str,
    benches: &[Bench],
) -> Result<(), TrainError> {
    let results: Vec<Results> = benches.iter().map(|bench| bench.results.clone()).collect();
    Table::new(&results).save(name, run)?;
    let mut page = HtmlReport::new(name).results(&results);
    for stage in metrics.iter().flat_map(|metrics| stages(metrics)) {
        page = page.heading(&format!("Stage {}", stage.name));
        for (metric, curves) in &stage.metrics {
            page = page.plot(&line_plot(metric, "step", curves));
        }
    }
    page.details("The experiment with all default values", experiment).save(run)?;
    Ok(())
}

/// The curves of a stage: for each metric a training curve and, with validation, a validation curve.
#[derive(Debug, PartialEq)]
struct StageCurves {
    name: String,
    metrics: Vec<(String, Vec<Curve>)>,
}

fn stages(metrics: &Path) -> Vec<StageCurves> {
    let mut stages: Vec<StageCurves> = Vec::new();
    // A run without stages has no metrics file; its report has no curves.
    let text = fs::read_to_string(metrics).unwrap_or_default();
    for line in text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let (Some(keys), Some(stage), Some(split), Some(step)) =
            (line.as_object(), line["stage"].as_str(), line["split"].as_str(), line["step"].as_f64())
        else {
            continue;
        };
        let stage = entry(
            &mut stages,
            |known| known.name == stage,
            || StageCurves { name: stage.into(), metrics: Vec::new() },
        );
        for (metric, value) in keys.iter().filter(|(key, _)| *key != "step") {
            let Some(value) = value.as_f64() else { continue };
            let (_, curves) =
                entry(&mut stage.metrics, |known| known.0 == *metric, || (metric.clone(), Vec::new()));
            let curve = entry(
                curves,
                |known| known.name == split,
                || Curve { name: split.into(), points: Vec::new() },
            );
            curve.points.push((step, value));
        }
    }
    for curve in stages.iter_mut().flat_map(|stage| &mut stage.metrics).flat_map(|(_, curves)| curves) {
        curve.points = thinned(&curve.points);
    }
    stages
}

fn entry<T>(list: &mut Vec<T>, is: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> &mut T {
    let index = list.iter().position(is).unwrap_or_else(|| {
        list.push(new());
        list.len() - 1
    });
    &mut list[index]
}

/// Replaces groups of neighbouring points by their means if there are more than [`POINTS`].
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mean = |points: &[(f64, f64)]| {
        let count = points.len() as f64;
        (points.iter().map(|p| p.0).sum::<f64>() / count, points.iter().map(|p| p.1).sum::<f64>() / count)
    };
    points.chunks(points.len().div_ceil(POINTS).max(1)).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_and_metric_has_its_curves() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("metrics.jsonl");
        let lines: String = (1..=1000)
            .map(|step| {
                format!("{{\"stage\":\"sft\",\"step\":{step},\"split\":\"train\",\"loss\":{step}}}\n")
            })
            .chain(["{\"stage\":\"sft\",\"step\":1000,\"split\":\"valid\",\"loss\":3}\nbroken".into()])
            .collect();
        fs::write(&path, lines).unwrap();
        let stages = stages(&path);
        assert_eq!((stages.len(), stages[0].name.as_str()), (1, "sft"));
        let [(metric, curves)] = &stages[0].metrics[..] else { panic!("{stages:?}") };
        assert_eq!(metric, "loss");
        assert_eq!(curves[0].points.len(), 334);
        assert_eq!(curves[0].points[0], (2.0, 2.0));
        assert_eq!(curves[1], Curve { name: "valid".into(), points: vec![(1000.0, 3.0)] });
    }
}
