//! [`SweepForecast`]: `--dry-run` of a sweep.

use std::fmt;
use std::path::Path;

use dph_core::terminal::numbers::{counted, duration};

use super::preflight::check_variants;
use super::sharing::{Artifact, artifacts};
use crate::experiment::Trainable;
use crate::experiment::sweep::{Sweep, Variant};
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
    /// Estimated time of all variants in seconds, with the cost of the first variant for each of them. Heads on the same frozen
    /// model share the forward passes of training and evaluation.
    pub seconds: f64,
}

impl SweepForecast {
    /// Reads the data of the first variant and the configuration of its model, but no weights. `data` is the root directory of
    /// the data sets for an experiment without `data`.
    pub fn new(sweep: &Sweep, data: &Path) -> Result<Self, TrainError> {
        let checked = check_variants(sweep, data, Purpose::Forecast)?;
        let first = Forecast::from_preflight(&sweep.variants[0].experiment, data, &checked[0])?;
        // Models are not hashed: within a sweep, the paths identify the model.
        let artifacts =
            artifacts(&sweep.variants, data, |path, base| Ok(format!("{} {base:?}", path.display())))?;
        let mut different: Vec<&Artifact> = Vec::new();
        for artifact in artifacts.iter().flatten() {
            if !different.contains(&artifact) {
                different.push(artifact);
            }
        }
        let experiment = &sweep.variants[0].experiment;
        let times = |name: &String| different.iter().filter(|artifact| artifact.name == *name).count();
        let (mut stages, mut models, mut seconds) = (Vec::new(), 1, 0.0);
        for (stage, forecast) in experiment.stages.iter().zip(&first.stages) {
            let trained = times(&stage.name);
            if experiment.trainable(stage) != Trainable::None {
                models = trained;
            }
            seconds += models as f64 * forecast.cost.as_ref().map_or(0.0, |cost| cost.seconds);
            stages.push((stage.name.clone(), trained));
        }
        seconds += models as f64 * first.evaluation.as_ref().map_or(0.0, |evaluation| evaluation.seconds);
        let label = |variant: &Variant| variant.label.clone();
        Ok(Self { variants: sweep.variants.iter().map(label).collect(), stages, first, seconds })
    }
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
        write!(f, "\n\nThe first variant alone:\n{}", self.first)?;
        match self.seconds > 0.0 {
            true => write!(f, "\n\nAll variants: about {}", duration(self.seconds)),
            false => Ok(()),
        }
    }
}
