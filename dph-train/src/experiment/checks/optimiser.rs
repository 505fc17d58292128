//! Checks of the optimiser and the schedule of a stage.

use super::stage_problems::StageProblems;
use crate::experiment::OptimiserName;
use crate::optimiser::DecayTowards;

/// Checks the optimiser and the schedule of the stage of `problems`.
pub(super) fn check(problems: &mut StageProblems<'_>) {
    let stage = problems.stage;
    let optimiser = &stage.optimiser;
    let towards_initial =
        [Some(optimiser.decay_towards), optimiser.head.decay_towards].contains(&Some(DecayTowards::Initial));
    problems.require(
        optimiser.name != OptimiserName::Adamw || !towards_initial,
        &["optimiser", "decay_towards"],
        "the weight decay of `adamw` is towards zero: remove `decay_towards`, or use `laprop`",
    );
    problems.require(
        optimiser.lr > 0.0 && optimiser.lr.is_finite(),
        &["optimiser", "lr"],
        "`lr` must be a finite number greater than 0",
    );
    let rates = optimiser.betas.iter().all(|beta| (0.0..1.0).contains(beta));
    problems.require(rates, &["optimiser", "betas"], "`betas` must be at least 0 and less than 1");
    problems.require(optimiser.eps >= 0.0, &["optimiser", "eps"], "`eps` must be at least 0");
    problems.require(
        optimiser.weight_decay >= 0.0,
        &["optimiser", "weight_decay"],
        "`weight_decay` must be at least 0",
    );
    problems.require(
        (0.0..=1.0).contains(&stage.schedule.floor),
        &["schedule", "floor"],
        "`floor` must be between 0 and 1",
    );
    problems.require(stage.clip >= 0.0, &["clip"], "`clip` must be at least 0");
}
