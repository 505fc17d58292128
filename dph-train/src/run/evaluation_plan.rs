//! The evaluation plan of an experiment.

use dph_eval::{BenchPlan, HeldOut, PlanError};

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
