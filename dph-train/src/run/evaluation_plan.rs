//! The evaluation plan of an experiment, and its options.

use std::path::Path;

use dph_eval::{BenchOptions, BenchPlan, HeldOut, PlanError, ScorerChoice};

use crate::experiment::Experiment;

/// The suites and tasks of an experiment, and the rows that its stages hold out.
pub(crate) fn evaluation_plan(experiment: &Experiment) -> Result<BenchPlan, PlanError> {
    let eval = &experiment.eval;
    let mut plan = BenchPlan::new(&eval.suites, &eval.tasks, eval.split.as_deref())?;
    for stage in &experiment.stages {
        let Some(share) = stage.holdout else { continue };
        for task in stage.mix.keys() {
            let held_out = HeldOut { split: stage.split.clone(), share, seed: experiment.seed };
            plan.add_held_out(task, held_out)?;
        }
    }
    Ok(plan)
}

/// The options of an evaluation with the log-likelihood, given the root of the data sets.
pub(crate) fn evaluation_options(experiment: &Experiment, root: &Path) -> BenchOptions {
    let limit = experiment.eval.limit;
    BenchOptions { limit, seed: experiment.eval.seed, ..BenchOptions::new(root, ScorerChoice::Log) }
}
