//! The evaluation plan of an experiment, and its options.

use dph_eval::{BenchOptions, BenchPlan, HeldOut, PlanError, ScorerChoice};

use crate::data::task_cache::DataSource;
use crate::experiment::Experiment;

/// The suites and tasks of an experiment, and the rows that its stages hold out.
pub(crate) fn evaluation_plan(experiment: &Experiment) -> Result<BenchPlan, PlanError> {
    let eval = &experiment.eval;
    let mut plan = BenchPlan::new(&eval.suites, &eval.tasks, &eval.split.0)?;
    for stage in &experiment.stages {
        let Some(share) = stage.holdout else { continue };
        for task in stage.mix.keys() {
            let held_out = HeldOut { split: stage.split.clone(), share, seed: experiment.seed };
            plan.add_held_out(task, held_out)?;
        }
    }
    Ok(plan)
}

/// The scorers of a model, as the experiment chooses them. Without a head, those that need rewards are left out, and without an output
/// matrix those that need likelihoods.
pub(crate) fn chosen_scorers(experiment: &Experiment, has_head: bool, has_output: bool) -> Vec<ScorerChoice> {
    if experiment.classifies() {
        return vec![ScorerChoice::Classifier];
    }
    let mut scorers = experiment.eval.scorers.clone();
    scorers.retain(|scorer| (has_head || !scorer.rewards()) && (has_output || !scorer.log_likelihood()));
    if scorers.is_empty() {
        scorers.push(match (has_head, has_output) {
            (true, true) => ScorerChoice::Both,
            (true, false) => ScorerChoice::Reward,
            (false, _) => ScorerChoice::Log,
        });
    }
    scorers
}

/// The options of an evaluation of a model with this source of data. With a head, all documents leave room for their last token, whose
/// state heads read.
pub(crate) fn evaluation_options(experiment: &Experiment, source: &DataSource<'_>) -> BenchOptions {
    let limit = experiment.eval.limit;
    let style = experiment.eval_style(source.tokenizer);
    let classify = experiment.classifies().then_some(source.layout);
    let scorers = match (classify, trains_head(experiment)) {
        (Some(_), _) => ScorerChoice::Classifier,
        (None, true) => ScorerChoice::Both,
        (None, false) => ScorerChoice::Log,
    };
    let seed = experiment.eval.seed;
    BenchOptions { style, classify, limit, seed, ..BenchOptions::new(source.root, scorers) }
}

/// Whether a stage trains a preference head.
pub(crate) fn trains_head(experiment: &Experiment) -> bool {
    experiment.stages.iter().any(|stage| stage.objective.trains_head())
}
