//! [`SweepForecast`]: `--dry-run` of a sweep.

use std::fmt;
use std::path::Path;

use dph_core::terminal::numbers::{counted, duration};

use super::preflight::check_variants;
use super::rows::TasksThere;
use super::sharing::{Artifact, artifacts};
use crate::experiment::Trainable;
use crate::experiment::sweep::{Sweep, SweptTask, Variant};
use crate::run::preflight::Purpose;
use crate::{Forecast, TrainError};

/// The expected work and cost of a sweep. `--dry-run` prints it with `Display`.
#[derive(Debug, Clone)]
pub struct SweepForecast {
    /// The labels of the variants.
    pub variants: Vec<String>,
    /// The number of times that each stage is trained. A stage that several variants share counts once.
    pub stages: Vec<(String, usize)>,
    /// The forecast of the first variant.
    pub first: Forecast,
    /// In a sweep over tasks, the forecast of the first variant of each task, by its label.
    pub tasks: Vec<(String, Forecast)>,
    /// The tasks without rows, in words. They are left out.
    pub left_out: Vec<String>,
    /// What was not checked, with the reason.
    pub unchecked: Option<String>,
    /// Estimated time of all variants in seconds, with the cost of the first variant (of the first one of its task) for each of them. Heads on
    /// the same frozen model share the forward passes of training and evaluation.
    pub seconds: f64,
}

impl SweepForecast {
    /// Reads the data of the first variant (of each task) and the configuration of its model, but no weights. `data` is the root directory
    /// of the data sets for an experiment without `data`.
    pub fn new(sweep: &Sweep, data: &Path) -> Result<Self, TrainError> {
        let TasksThere { sweep, notes: left_out, none } = TasksThere::new(sweep, data)?;
        let checked = check_variants(&sweep, data, Purpose::Forecast)?;
        // Models are not hashed: within a sweep, the paths identify the model.
        let artifacts =
            artifacts(&sweep.variants, data, |path, base| Ok(format!("{} {base:?}", path.display())))?;
        let mut forecasts: Vec<(Option<&SweptTask>, String, Forecast)> = Vec::new();
        for (variant, checked) in sweep.variants.iter().zip(&checked) {
            if !forecasts.iter().any(|(task, ..)| *task == variant.task.as_ref()) {
                let forecast = Forecast::from_preflight(&variant.experiment, data, checked)?;
                forecasts.push((variant.task.as_ref(), variant.label.clone(), forecast));
            }
        }
        let (mut seconds, mut counted) = (0.0, Vec::new());
        for (task, _, forecast) in &forecasts {
            let of_task =
                sweep.variants.iter().zip(&artifacts).filter(|(variant, _)| variant.task.as_ref() == *task);
            seconds += time(&of_task.collect::<Vec<_>>(), forecast, &mut counted);
        }
        let all: Vec<&Artifact> = different(artifacts.iter().flatten());
        let names = sweep.variants[0].experiment.stages.iter().map(|stage| stage.name.clone());
        let stages =
            names.map(|name| (name.clone(), all.iter().filter(|artifact| artifact.name == name).count()));
        let stages = stages.collect();
        let variants = sweep.variants.iter().map(|variant| variant.label.clone()).collect();
        let tasks = forecasts.iter().filter(|(task, ..)| task.is_some());
        let tasks = tasks.map(|(_, label, forecast)| (label.clone(), forecast.clone())).collect();
        let first = forecasts.swap_remove(0).2;
        let unchecked = none.map(|split| format!("there are no rows of any task: {split}"));
        Ok(Self { variants, stages, first, tasks, left_out, unchecked, seconds })
    }
}

/// Estimated time of variants that each cost as much as this forecast. A trained stage that several of them share, or that is among
/// `counted`, to which theirs are added, counts once.
fn time<'a>(
    variants: &[(&Variant, &'a Vec<Artifact>)],
    forecast: &Forecast,
    counted: &mut Vec<&'a Artifact>,
) -> f64 {
    let Some((first, _)) = variants.first() else { return 0.0 };
    let different = different(variants.iter().flat_map(|(_, artifacts)| artifacts.iter()));
    let (mut models, mut seconds) = (1, 0.0);
    for (stage, forecast) in first.experiment.stages.iter().zip(&forecast.stages) {
        let of_stage: Vec<&Artifact> =
            different.iter().copied().filter(|artifact| artifact.name == stage.name).collect();
        let mut times = models;
        if first.experiment.trainable(stage) != Trainable::None {
            models = of_stage.len();
            times = of_stage.iter().filter(|artifact| !counted.contains(artifact)).count();
        }
        counted.extend(of_stage);
        seconds += times as f64 * forecast.cost.as_ref().map_or(0.0, |cost| cost.seconds);
    }
    seconds + models as f64 * forecast.evaluation.as_ref().map_or(0.0, |evaluation| evaluation.seconds)
}

fn different<'a>(artifacts: impl Iterator<Item = &'a Artifact>) -> Vec<&'a Artifact> {
    let mut different: Vec<&Artifact> = Vec::new();
    for artifact in artifacts {
        if !different.contains(&artifact) {
            different.push(artifact);
        }
    }
    different
}

impl fmt::Display for SweepForecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sweep       {}", counted(self.variants.len(), "variant"))?;
        for (index, (stage, times)) in self.stages.iter().enumerate() {
            let times = match times {
                1 => "once".into(),
                times => format!("{times} times"),
            };
            write!(f, "{} {stage} {times}", if index == 0 { "; trains" } else { "," })?;
        }
        for variant in &self.variants {
            write!(f, "\n            {variant}")?;
        }
        for note in &self.left_out {
            write!(f, "\nwarning     {note}")?;
        }
        if let Some(unchecked) = &self.unchecked {
            write!(f, "\nnot checked {unchecked}")?;
        }
        write!(f, "\n\nThe first variant alone:\n{}", self.first)?;
        for (label, forecast) in self.tasks.iter().skip(1) {
            write!(f, "\n\n{label}:")?;
            forecast.stages.iter().try_for_each(|stage| write!(f, "\n{stage}"))?;
            if let Some(evaluation) = &forecast.evaluation {
                write!(f, "\n{evaluation}")?;
            }
        }
        match self.seconds > 0.0 {
            true => write!(f, "\n\nAll variants: about {}", duration(self.seconds)),
            false => Ok(()),
        }
    }
}
