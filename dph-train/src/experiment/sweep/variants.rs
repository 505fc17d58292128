//! [`Sweep`]: the swept keys, and the experiment of every combination of their values.

use std::ops::Range;

use toml_edit::Value;

use crate::experiment::Experiment;

/// An experiment in many variants.
#[derive(Debug, Clone)]
pub struct Sweep {
    /// What is varied, in the order of the file.
    pub axes: Vec<Axis>,
    /// Every combination of values; those of the last key change first.
    pub variants: Vec<Variant>,
}

/// A key of the experiment and the values that it takes.
#[derive(Debug, Clone)]
pub struct Axis {
    /// The key as for `--set`, such as `stage.dph.steps`.
    pub key: String,
    /// Its end, as far as it is needed to tell it from other swept keys.
    pub name: String,
    /// The values, in the order of the file.
    pub(crate) values: Vec<Value>,
    /// The key's place in the file.
    pub(crate) span: Range<usize>,
}

/// One combination of values.
#[derive(Debug, Clone)]
pub struct Variant {
    /// A name for it and its directory, such as `pooling=bert,form=separable`.
    pub label: String,
    /// The value of every axis, as text.
    pub values: Vec<String>,
    /// The experiment with these values, and without a sweep.
    pub experiment: Experiment,
    /// The same as the text of an experiment file.
    pub source: String,
}

impl Sweep {
    /// The experiment that stands for the whole sweep: the first variant, with the `[sweep]` of the file's text.
    pub(crate) fn representative(&self, text: &str) -> Experiment {
        let mut experiment = self.variants[0].experiment.clone();
        let sweep = text.parse::<toml::Table>().ok().and_then(|mut file| file.remove("sweep"));
        if let Some(toml::Value::Table(sweep)) = sweep {
            experiment.sweep = sweep;
        }
        experiment
    }
}
