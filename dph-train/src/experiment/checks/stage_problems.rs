//! [`StageProblems`]: the problems of one stage.

use crate::experiment::found::Found;
use crate::experiment::{Experiment, Stage, Trainable};

/// Collects the problems of a stage.
pub(super) struct StageProblems<'a> {
    pub found: &'a mut Vec<Found>,
    pub experiment: &'a Experiment,
    pub index: usize,
    pub stage: &'a Stage,
}

impl StageProblems<'_> {
    /// Records a problem of a key of the stage, unless `holds`.
    pub fn require(&mut self, holds: bool, keys: &[&str], message: impl Into<String>) {
        if !holds {
            let index = self.index.to_string();
            let path: Vec<&str> = ["stage", &index].into_iter().chain(keys.iter().copied()).collect();
            self.found.push(Found::new(&path, message));
        }
    }

    /// The weights of the language model that the stage trains.
    pub fn trainable(&self) -> Trainable {
        self.experiment.trainable(self.stage)
    }

    /// The key to which a contradiction with `trainable` is attributed.
    pub fn by_trainable(&self) -> &'static [&'static str] {
        if self.stage.trainable.is_some() { &["trainable"] } else { &["objective"] }
    }
}

/// The message for a limit of 0.
pub(super) const LIMIT: &str = "`limit` must be at least 1; leave it out to use all rows";

/// The message for an empty text in a list.
pub(super) fn empty(key: &str, index: usize) -> String {
    format!("entry {} of `{key}` is empty; remove it", index + 1)
}
