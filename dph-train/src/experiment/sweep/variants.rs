//! [`Sweep`]: the swept keys, and one experiment for every combination of their values.

use std::ops::Range;

use toml_edit::Value;

use crate::experiment::Experiment;

/// An experiment in many variants.
#[derive(Debug, Clone)]
pub struct Sweep {
    /// The swept keys, in the order of the file.
    pub axes: Vec<Axis>,
    /// Every combination of values. The value of the last key changes first.
    pub variants: Vec<Variant>,
}

/// A key of the experiment and its values.
#[derive(Debug, Clone)]
pub struct Axis {
    /// The key in the form of `--set`, such as `stage.dph.steps`.
    pub key: String,
    /// The shortest suffix of the key that distinguishes it from the other swept keys.
    pub name: String,
    /// The values, in the order of the file.
    pub(crate) values: Vec<Value>,
    /// The byte range of the key in the file.
    pub(crate) span: Range<usize>,
}

/// One combination of values.
#[derive(Debug, Clone)]
pub struct Variant {
    /// The name of the variant and of its directory, such as `pooling=bert,form=separable`.
    pub label: String,
    /// The value of every axis, as text.
    pub values: Vec<String>,
    /// The experiment with these values and without `[sweep]`.
    pub experiment: Experiment,
    /// This experiment as the text of an experiment file.
    pub source: String,
}

impl Sweep {
    /// The experiment that represents the whole sweep: the first variant, with the `[sweep]` table of the file.
    pub(crate) fn representative(&self, text: &str) -> Experiment {
        let mut experiment = self.variants[0].experiment.clone();
        let sweep = text.parse::<toml::Table>().ok().and_then(|mut file| file.remove("sweep"));
        if let Some(toml::Value::Table(sweep)) = sweep {
            experiment.sweep = sweep;
        }
        experiment
    }
}
