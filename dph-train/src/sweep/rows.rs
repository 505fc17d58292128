//! [`TasksThere`]: a sweep over tasks without those whose rows are missing.

use std::path::Path;

use dph_data::{SplitNotFound, Task};
use dph_eval::{BenchPlan, PlanError};

use crate::error::TrainError;
use crate::experiment::sweep::{Sweep, Variant, with_splits};

/// A sweep without the tasks that have no rows below the root of the data sets.
pub(super) struct TasksThere {
    pub sweep: Sweep,
    /// What is left out, in words.
    pub notes: Vec<String>,
    /// The first split without rows, if there are no rows of any task. Then nothing is left out.
    pub none: Option<SplitNotFound>,
}

impl TasksThere {
    /// `data` is the root of the data sets for experiments without `data`. A sweep over other keys is not changed.
    pub fn new(sweep: &Sweep, data: &Path) -> Result<Self, TrainError> {
        let mut found = Self { sweep: sweep.clone(), notes: Vec::new(), none: None };
        if sweep.task_axis().is_none() {
            return Ok(found);
        }
        let mut missing: Vec<(String, SplitNotFound)> = Vec::new();
        for variant in &mut found.sweep.variants {
            let root = variant.experiment.data.clone().unwrap_or_else(|| data.to_owned());
            if let Some(split) = keep_splits(variant, &root, &mut found.notes)? {
                let name = variant.task.as_ref().map(|task| task.name.clone());
                missing.push((name.unwrap_or_default(), split));
            }
        }
        // A task that only some variants have would leave rows of the table with other means.
        let is_there = |variant: &Variant| {
            !variant.task.as_ref().is_some_and(|task| missing.iter().any(|(name, _)| *name == task.name))
        };
        if !found.sweep.variants.iter().any(is_there) {
            let none = missing.into_iter().next().map(|(_, split)| split);
            return Ok(Self { sweep: sweep.clone(), notes: Vec::new(), none });
        }
        found.sweep.variants.retain(is_there);
        let mut notes = Vec::new();
        for (name, split) in &missing {
            let note = format!("{name} is left out: there are no rows of its split `{}`", split.split);
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        notes.append(&mut found.notes);
        found.notes = notes;
        Ok(found)
    }

    /// As [`new`](Self::new); it is an error if there are no rows of any task.
    pub fn required(sweep: &Sweep, data: &Path) -> Result<Self, TrainError> {
        let found = Self::new(sweep, data)?;
        match found.none {
            Some(split) => Err(TrainError::NoTask { split: Box::new(split) }),
            None => Ok(found),
        }
    }
}

/// Takes splits without rows out of the evaluation of a variant, with a note. Returns a split that is missing if its task cannot be
/// trained on or evaluated.
fn keep_splits(
    variant: &mut Variant,
    root: &Path,
    notes: &mut Vec<String>,
) -> Result<Option<SplitNotFound>, TrainError> {
    let Some(swept) = &variant.task else { return Ok(None) };
    let task = Task::find(&swept.name).map_err(PlanError::from)?;
    let trained = variant.experiment.stages.iter().filter(|stage| stage.mix.contains_key(&swept.name));
    if let Some(missing) = trained.map(|stage| &stage.split).find_map(|split| task.without_rows(root, split))
    {
        return Ok(Some(missing));
    }
    let plan = BenchPlan::new(&[], std::slice::from_ref(&swept.name), &variant.experiment.eval.split.0)?;
    let splits: Vec<String> = plan.tasks.into_iter().map(|planned| planned.split).collect();
    let (mut there, mut missing) = (Vec::new(), Vec::new());
    for split in splits {
        match task.without_rows(root, &split) {
            Some(found) => missing.push(found),
            None => there.push(split),
        }
    }
    if missing.is_empty() {
        return Ok(None);
    }
    if there.is_empty() {
        return Ok(missing.into_iter().next());
    }
    for SplitNotFound { split, .. } in missing {
        let note =
            format!("{} is evaluated without its split `{split}`, of which there are no rows", swept.name);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    variant.source = with_splits(&mut variant.experiment, &variant.source, there);
    Ok(None)
}
