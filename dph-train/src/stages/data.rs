//! The data of a stage: the tasks of its mixture as candidate sets, and which of them a step sees.

use std::path::Path;

use dph_core::CandidateSet;
use dph_data::{ChatTokenizer, DataError, Holdout, HoldoutSide, Mixture, Task, TaskData, TaskLoadOptions};
use dph_eval::HELD_OUT;

use crate::error::TrainError;
use crate::experiment::Stage;

/// The training and validation data of a stage.
pub(crate) struct StageData {
    /// The tasks of the mixture, in its order.
    pub training: Vec<TaskData>,
    /// Which set is the n-th of the stage.
    pub mixture: Mixture,
    /// The held-out rows of the tasks or, without `holdout`, the validation split of those that have one.
    pub validation: Vec<TaskData>,
}

impl StageData {
    /// Loads the data of a stage for a model with the given context.
    ///
    /// With `steer` only sets are used whose gold answer has all `attributes`, those of the reward heads.
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
        // A comparison needs a choice, a language model an answer.
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
                            " (`steer` needs the attributes {}, as the rewards are called)",
                            names.join(", ")
                        )
                    }
                };
                let message = format!(
                    "task `{name}` has no set in `{}` that this objective can use{needed}; take it out of `mix`",
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
                            "{name} {validation_split}: no such split, not validated on; `holdout` makes one"
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
