//! What a sweep would do: `--dry-run`.

use std::fmt;
use std::path::Path;

use super::sharing::{Piece, pieces};
use super::{Sweep, Variant};
use crate::{Forecast, TrainError};

/// What a sweep would do. Its text form is what `--dry-run` prints.
#[derive(Debug, Clone)]
pub struct SweepForecast {
    /// The labels of the variants.
    pub variants: Vec<String>,
    /// How often each stage is trained: what several variants share counts once.
    pub stages: Vec<(String, usize)>,
    /// What the first variant alone would do and cost.
    pub first: Forecast,
}

impl SweepForecast {
    /// Reads the data of the first variant and the configuration of its model, but no weights. `data` is the root of the
    /// data sets where the experiment does not say.
    pub fn new(sweep: &Sweep, data: &Path) -> Result<Self, TrainError> {
        let first = Forecast::new(&sweep.variants[0].experiment, data)?;
        let pieces = pieces(&sweep.variants, data)?;
        let mut different: Vec<&Piece> = Vec::new();
        for piece in pieces.iter().flatten() {
            if !different.contains(&piece) {
                different.push(piece);
            }
        }
        let stages = sweep.variants[0].experiment.stages.iter();
        let times = |name: &String| different.iter().filter(|piece| piece.name == *name).count();
        let stages = stages.map(|stage| (stage.name.clone(), times(&stage.name))).collect();
        let label = |variant: &Variant| variant.label.clone();
        Ok(Self { variants: sweep.variants.iter().map(label).collect(), stages, first })
    }
}

impl fmt::Display for SweepForecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sweep       {} variants", self.variants.len())?;
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
        write!(f, "\n\nThe first of them alone:\n{}", self.first)
    }
}
