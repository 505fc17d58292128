//! The data of a stage: the tasks of its mixture as candidate sets, and the order in which they are used.

use std::sync::Arc;

use dph_core::Style;
use dph_core::suggestion::did_you_mean;
use dph_core::terminal::numbers::{counted, grouped};
use dph_data::{
    ChatTokenizer, Classes, DataError, Holdout, HoldoutSide, Mixture, Task, TaskData, TaskLoadOptions,
};
use dph_eval::HELD_OUT;

use super::step_order::StepOrder;
use crate::data::record::{DataRecord, Role};
use crate::data::task_cache::{DataSource, TaskCache, Usable};
use crate::error::TrainError;
use crate::experiment::{Experiment, Stage, Validation};

/// The training and validation data of a stage.
pub(crate) struct StageData {
    /// The training data of each task, in the order of the mixture.
    pub training: Vec<Arc<TaskData>>,
    /// The sets of each step.
    pub order: StepOrder,
    /// The number of tokens of the first n steps, if the schedule is measured in them.
    pub step_tokens: Option<Arc<[u64]>>,
    /// The held-out rows of the tasks or, without `holdout`, the validation splits of the tasks that have one.
    pub validation: Vec<Arc<TaskData>>,
    /// The style of the documents.
    pub style: Style,
    /// What a classifier predicts; `None` for other objectives.
    pub classes: Option<Classes>,
    /// The tokenizer of the stage.
    pub tokenizer: Arc<ChatTokenizer>,
    /// The content of the data.
    pub record: DataRecord,
    /// What was loaded, in words.
    report: Vec<String>,
}

/// A `batch` that uses every set this often in a step is a mistake, and its indices alone may not fit into memory.
const MOST_REPEATS: usize = 1000;

impl StageData {
    /// Loads the data of a stage.
    ///
    /// With `steer`, only sets whose gold answer has all attributes, the names of the reward heads, are used.
    pub fn load(
        stage: &Stage,
        experiment: &Experiment,
        source: DataSource<'_>,
        cache: &mut TaskCache,
    ) -> Result<Self, TrainError> {
        let seed = experiment.seed;
        let style = experiment.stage_style(stage, source.tokenizer);
        let options = |limit, side| TaskLoadOptions {
            style,
            classify: stage.objective.classify.map(|_| source.layout),
            limit,
            seed,
            holdout: stage.holdout.map(|share| Holdout { share, seed, side }),
            ..TaskLoadOptions::default()
        };
        let held_out = stage.holdout.is_some();
        let validation_split = if held_out { &stage.split } else { &stage.validation.split };
        let validation_name = if held_out { HELD_OUT } else { validation_split };
        // A comparison needs at least two candidates, a language model a gold answer.
        let attributes = if stage.objective.steer.is_some() { &experiment.head.rewards[..] } else { &[] };
        let usable = Usable { compares: stage.objective.compares(), attributes };
        let (mut training, mut weights, mut validation) = (Vec::new(), Vec::new(), Vec::new());
        let (mut record, mut report) = (DataRecord::default(), Vec::new());
        let mut without_split = Vec::new();
        let mut classes: Option<Classes> = None;
        for (name, &weight) in &stage.mix {
            let task = Task::find(name)?;
            if stage.objective.classify.is_some() {
                let of_task = task.classes().cloned();
                let of_task = of_task.ok_or_else(|| DataError::NoClassify { task: name.clone() })?;
                match &classes {
                    Some(others) if *others != of_task => {
                        return Err(other_classes(stage, name, others, &of_task));
                    }
                    _ => classes = Some(of_task),
                }
            }
            let rows = options(stage.limit, HoldoutSide::Training);
            let data = cache.stage_task(source, (name, &task), &stage.split, rows, usable)?;
            report.push(format!("{name} {}: {}", stage.split, summary(&data, stage)));
            if data.sets.is_empty() {
                return Err(no_data(stage, name, attributes));
            }
            record.add(Role::Training, name, &stage.split, &data);
            let by_size = stage.size_cap.map_or(1.0, |cap| data.sets.len().min(cap) as f64);
            weights.push((weight * by_size, data.sets.len()));
            training.push(data);
            if stage.validation.limit > 0 {
                let rows = options(Some(stage.validation.limit), HoldoutSide::HeldOut);
                match cache.stage_task(source, (name, &task), validation_split, rows, usable) {
                    Ok(data) => {
                        report.push(format!("{name} {validation_name}: {}", summary(&data, stage)));
                        record.add(Role::Validation, name, validation_name, &data);
                        validation.push(data);
                    }
                    Err(DataError::NotFound(_) | DataError::NoSyntheticSplit { .. }) => {
                        report.push(format!(
                            "{name} {validation_split}: no such split, so no validation; set `holdout` to hold out training rows"
                        ));
                        without_split.push(task);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        // Data may have no validation split, but then there is no reason to name another one.
        if without_split.len() == stage.mix.len() && *validation_split != Validation::default().split {
            return Err(no_split(stage, &without_split, source));
        }
        let sets = training.iter().map(|data| data.sets.len()).sum::<usize>();
        if stage.batch / sets.max(1) >= MOST_REPEATS {
            let message = format!(
                "a `batch` of {} would use each of its {} at least {MOST_REPEATS} times in a step; set `batch` to at most {sets}",
                stage.batch,
                counted(sets, "training set")
            );
            return Err(TrainError::NoData { stage: stage.name.clone(), message });
        }
        validation.retain(|data| !data.sets.is_empty());
        if stage.size_cap.is_some() {
            report.push(shares(stage, &weights));
        }
        let order = StepOrder::new(Mixture::new(&weights, seed)?, stage);
        let step_tokens = stage
            .schedule
            .cooldown_tokens
            .map(|_| order.tokens(stage, experiment.trainable(stage), seed, &training));
        if let Some(tokens) = &step_tokens {
            report.push(cooldown(stage, tokens)?);
        }
        let tokenizer = Arc::clone(source.tokenizer);
        Ok(Self { training, order, step_tokens, validation, style, classes, tokenizer, record, report })
    }

    /// A warning if a step of the stage has more sets than there are.
    pub fn warning(&self, stage: &Stage) -> Option<String> {
        let sets: usize = self.training.iter().map(|data| data.sets.len()).sum();
        (stage.batch > sets).then(|| {
            format!(
                "stage `{}` has a `batch` of {}, but only {}: every step uses the same sets several times; set `batch` to at most {sets}",
                stage.name,
                stage.batch,
                counted(sets, "training set")
            )
        })
    }

    /// Logs what was loaded.
    pub fn log(&self) {
        self.report.iter().for_each(|line| tracing::info!("{line}"));
    }
}

/// The share of each task in the sets of the stage, in words.
fn shares(stage: &Stage, weights: &[(f64, usize)]) -> String {
    let all: f64 = weights.iter().map(|(weight, _)| weight).sum();
    let tasks = stage.mix.keys().zip(weights);
    let tasks: Vec<String> =
        tasks.map(|(task, (weight, _))| format!("{task} {:.1}%", 100.0 * weight / all)).collect();
    format!("shares of the tasks with `size_cap`: {}", tasks.join(", "))
}

/// When the learning rate reaches its floor, in words. Fails if that is before the end of the warm-up.
fn cooldown(stage: &Stage, tokens: &[u64]) -> Result<String, TrainError> {
    let end = stage.schedule.cooldown_tokens.unwrap_or_default();
    let all = tokens.last().copied().unwrap_or_default();
    let warmup = tokens.get(stage.schedule.warmup).copied().unwrap_or(all);
    if end <= warmup {
        let message = format!(
            "the warm-up of {} has {}, and the `cooldown_tokens` of `schedule`, which include them, are {}: increase \
             `cooldown_tokens`, or reduce `warmup`",
            counted(stage.schedule.warmup, "step"),
            counted(warmup as usize, "token"),
            grouped(end as usize)
        );
        return Err(TrainError::NoData { stage: stage.name.clone(), message });
    }
    let of_all = format!("{} in {}", counted(all as usize, "token"), counted(stage.steps, "step"));
    Ok(match tokens.iter().position(|&tokens| tokens >= end) {
        Some(step) => format!("{of_all}; the learning rate reaches its floor at step {step}"),
        None => format!(
            "{of_all}; the learning rate does not reach its floor, for which `cooldown_tokens` is {}",
            grouped(end as usize)
        ),
    })
}

fn no_data(stage: &Stage, task: &str, attributes: &[String]) -> TrainError {
    let needed = match attributes {
        [] => String::new(),
        names => {
            format!(" (`steer` needs the attributes {}, the names of the rewards)", names.join(", "))
        }
    };
    let message = format!(
        "task `{task}` has no set in `{}` that this objective can use{needed}; remove it from `mix`",
        stage.split
    );
    TrainError::NoData { stage: stage.name.clone(), message }
}

/// The error that none of the tasks has the validation split that the stage names.
fn no_split(stage: &Stage, tasks: &[Task], source: DataSource<'_>) -> TrainError {
    let mut splits: Vec<String> = tasks.iter().flat_map(|task| task.splits(source.root)).collect();
    splits.sort_unstable();
    splits.dedup();
    let split = &stage.validation.split;
    let help = did_you_mean(split, splits.iter().map(String::as_str))
        .unwrap_or_else(|| format!("there is {}.", splits.join(", ")));
    let message = format!(
        "no task of `mix` has the split `{split}` of `validation.split`; {help} Without a validation split, set `holdout` to hold out training rows"
    );
    TrainError::NoData { stage: stage.name.clone(), message }
}

/// The error that a classifier cannot predict the classes of two tasks.
fn other_classes(stage: &Stage, task: &str, others: &Classes, classes: &Classes) -> TrainError {
    let message = format!(
        "`mix` has tasks with different outputs: `{task}` needs {classes}, and a task before it {others}; train them in \
         experiments of their own"
    );
    TrainError::NoData { stage: stage.name.clone(), message }
}

fn summary(data: &TaskData, stage: &Stage) -> String {
    let sets = counted(data.sets.len(), "set");
    let place = if stage.objective.classify.is_some() { "end" } else { "beginning" };
    let cut = match data.cut {
        0 => String::new(),
        cut => format!(", {cut} of them cut at the {place}"),
    };
    match data.skipped.total() {
        0 => format!("{sets}{cut}"),
        _ => format!("{sets}{cut}, skipped {}", data.skipped),
    }
}
