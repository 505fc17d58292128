//! [`StageCurves`]: the learning curves in a `metrics.jsonl`.

use std::path::Path;

use serde_json::Value;

/// File name of the metrics of a run, beside `results.json`.
pub const METRICS_FILE: &str = "metrics.jsonl";

/// Maximum number of points of a curve.
const POINTS: usize = 400;

/// A named curve of (x, y) points, in the order of x.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Curve {
    /// The name in the legend.
    pub name: String,
    /// Points; non-finite ones are left out.
    pub points: Vec<(f64, f64)>,
}

/// The curves of a stage: for each metric a training curve and, with validation, a validation curve. Metrics with the same curves, such
/// as a loss and its only term, are one.
#[derive(Debug, PartialEq)]
pub(crate) struct StageCurves {
    pub name: String,
    pub metrics: Vec<(String, Vec<Curve>)>,
}

/// The stages of a metrics file, in the order of the file; none if it cannot be read, as a run without stages has none.
pub(crate) fn stages(metrics: &Path) -> Vec<StageCurves> {
    let mut stages: Vec<StageCurves> = Vec::new();
    let text = std::fs::read_to_string(metrics).unwrap_or_default();
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
    for stage in &mut stages {
        let mut once: Vec<(String, Vec<Curve>)> = Vec::new();
        for (metric, curves) in std::mem::take(&mut stage.metrics) {
            match once.iter_mut().find(|(_, known)| *known == curves) {
                Some((names, _)) => *names = format!("{names} = {metric}"),
                None => once.push((metric, curves)),
            }
        }
        stage.metrics = once;
        for curve in stage.metrics.iter_mut().flat_map(|(_, curves)| curves) {
            curve.points = thinned(&curve.points);
        }
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
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_stage_has_each_curve_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(METRICS_FILE);
        let lines: String = (1..=1000)
            .map(|step| {
                format!(
                    "{{\"stage\":\"sft\",\"step\":{step},\"split\":\"train\",\"loss\":{step},\"sft/loss\":{step}}}\n"
                )
            })
            .chain(["{\"stage\":\"sft\",\"step\":1000,\"split\":\"valid\",\"loss\":3,\"sft/loss\":3}\nbroken".into()])
            .collect();
        fs::write(&path, lines).unwrap();
        let stages = stages(&path);
        assert_eq!((stages.len(), stages[0].name.as_str()), (1, "sft"));
        let [(metric, curves)] = &stages[0].metrics[..] else { panic!("{stages:?}") };
        assert_eq!(metric, "loss = sft/loss");
        assert_eq!(curves[0].points.len(), 334);
        assert_eq!(curves[0].points[0], (2.0, 2.0));
        assert_eq!(curves[1], Curve { name: "valid".into(), points: vec![(1000.0, 3.0)] });
    }
}
