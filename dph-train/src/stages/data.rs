//! The data of a stage: the tasks of its mixture as candidate sets, and the order in which they are used.

use std::path::Path;

use dph_core::CandidateSet;
use dph_data::{ChatTokenizer, DataError, Holdout, HoldoutSide, Mixture, Task, TaskData, TaskLoadOptions};
use dph_eval::HELD_OUT;

use crate::error::TrainError;
use crate::experiment::Stage;

/// The training and validation data of a stage.
pub(crate) struct StageData {
    /// The training data of each task, in the order of the mixture.
    pub training: Vec<TaskData>,
    /// Selects the n-th set of the stage.
    pub mixture: Mixture,
    /// The held-out rows of the tasks or, without `holdout`, the validation splits of the tasks that have one.
    pub validation: Vec<TaskData>,
}

impl StageData {
    /// Loads the data of a stage for a model with the given context.
    ///
    /// With `steer`, only sets whose gold answer has all `attributes` are used. `attributes` are the names of the reward heads.
    pub fn load(
        stage: &Stage,
        attributes: &[String],
        seed: u64,
        root: &Path,
        tokenizer: &ChatTokenizer,
        context: usize,
    ) -> Result<Self, TrainError> {
        let options = |limit, side| TaskLoadOptions {
            limit,
            seed,
            max_len: Some(context),
            holdout: stage.holdout.map(|share| Holdout { share, seed, side }),
            ..TaskLoadOptions::default()
        };
        let validation_split = if stage.holdout.is_some() { &stage.split } else { &stage.validation.split };
        let validation_name = if stage.holdout.is_some() { HELD_OUT } else { validation_split };
        // A comparison needs at least two candidates, a language model a gold answer.
        let choices = stage.objective.compares();
        let attributes = if stage.objective.steer.is_some() { attributes } else { &[] };
        let usable = |set: &CandidateSet| {
            let has_all = attributes.iter().all(|name| set.attributes.contains_key(name));
            set.gold.is_some() && (!choices || set.candidates.len() > 1) && has_all
        };
        let (mut training, mut weights, mut validation) = (Vec::new(), Vec::new(), Vec::new());
        for (name, &weight) in &stage.mix {
            let task = Task::find(name)?;
            let training_rows = options(stage.limit, HoldoutSide::Training);
            let mut data = TaskData::load(&task, root, &stage.split, tokenizer, &training_rows)?;
            data.sets.retain(usable);
            tracing::info!("{name} {}: {}", stage.split, summary(&data));
            if data.sets.is_empty() {
                let needed = match attributes {
                    [] => String::new(),
                    names => {
                        format!(
                            " (`steer` needs the attributes {}, the names of the rewards)",
                            names.join(", ")
                        )
                    }
                };
                let message = format!(
                    "task `{name}` has no set in `{}` that this objective can use{needed}; remove it from `mix`",
                    stage.split
                );
                return Err(TrainError::NoData { stage: stage.name.clone(), message });
            }
            weights.push((weight, data.sets.len()));
            training.push(data);
            if stage.validation.limit > 0 {
                let validation_rows = options(Some(stage.validation.limit), HoldoutSide::HeldOut);
                match TaskData::load(&task, root, validation_split, tokenizer, &validation_rows) {
                    Ok(mut data) => {
                        data.sets.retain(usable);
                        tracing::info!("{name} {validation_name}: {}", summary(&data));
                        validation.push(data);
                    }
                    Err(DataError::NotFound(_) | DataError::NoSyntheticSplit { .. }) => {
                        tracing::info!(
                            "{name} {validation_split}: no such split, so no validation; set `holdout` to hold out training rows"
                        );
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        validation.retain(|data| !data.sets.is_empty());
        let mixture = Mixture::new(&weights, seed)?;
        Ok(Self { training, mixture, validation })
    }
}

fn summary(data: &TaskData) -> String {
    match data.skipped.total() {
        0 => format!("{} sets", data.sets.len()),
        _ => format!("{} sets, skipped {}", data.sets.len(), data.skipped),
    }
}
