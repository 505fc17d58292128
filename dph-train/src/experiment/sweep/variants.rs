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

impl Axis {
    /// Whether the values are tasks, each of which is trained on alone.
    pub(crate) fn is_task(&self) -> bool {
        self.key == "task"
    }
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
    /// The task, in a sweep over tasks.
    pub task: Option<SweptTask>,
}

/// The task of a variant of a sweep over tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct SweptTask {
    /// Its name or path.
    pub name: String,
    /// The suites whose means the rows of the sweep have: those of `[eval]`.
    pub suites: Vec<String>,
}

impl Sweep {
    /// The place of the swept tasks among the axes.
    pub(crate) fn task_axis(&self) -> Option<usize> {
        self.axes.iter().position(Axis::is_task)
    }

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
