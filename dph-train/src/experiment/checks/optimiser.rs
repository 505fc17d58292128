//! Checks of the optimiser and the schedule of a stage.

use super::stage_problems::StageProblems;
use crate::experiment::{OptimiserName, Trainable};
use crate::optimiser::{DecayTowards, Shape};

/// Checks the optimiser and the schedule of the stage of `problems`.
pub(super) fn check(problems: &mut StageProblems<'_>) {
    all_parameters(problems);
    parts(problems);
    schedule(problems);
}

fn all_parameters(problems: &mut StageProblems<'_>) {
    let stage = problems.stage;
    let optimiser = &stage.optimiser;
    let towards_initial = optimiser.decays_towards().contains(&Some(DecayTowards::Initial));
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
    problems.require(stage.clip >= 0.0, &["clip"], "`clip` must be at least 0");
}

/// The head, the pooler and the adapters.
fn parts(problems: &mut StageProblems<'_>) {
    let stage = problems.stage;
    let optimiser = &stage.optimiser;
    for (part, factor, decay) in [
        ("head", Some(optimiser.head.lr_factor), optimiser.head.weight_decay),
        ("pooler", optimiser.pooler.lr_factor, optimiser.pooler.weight_decay),
        ("adapters", optimiser.adapters.lr_factor, optimiser.adapters.weight_decay),
    ] {
        problems.require(
            factor.is_none_or(|factor| factor > 0.0 && factor.is_finite()),
            &["optimiser", part, "lr_factor"],
            "`lr_factor` must be a finite number greater than 0",
        );
        problems.require(
            decay.is_none_or(|decay| decay >= 0.0),
            &["optimiser", part, "weight_decay"],
            "`weight_decay` must be at least 0",
        );
    }
    problems.require(
        optimiser.pooler.is_default() || stage.objective.trains_head() || stage.objective.classify.is_some(),
        &["optimiser", "pooler"],
        "this stage trains no pooler: it belongs to a head (`dph`, `steer`) or a classifier (`classify`); remove `pooler`",
    );
    problems.require(
        optimiser.adapters.is_default() || problems.trainable() == Trainable::Lora,
        &["optimiser", "adapters"],
        "this stage trains no adapters: set `trainable = \"lora\"`, or remove `adapters`",
    );
}

fn schedule(problems: &mut StageProblems<'_>) {
    let schedule = &problems.stage.schedule;
    problems.require(
        (0.0..=1.0).contains(&schedule.floor),
        &["schedule", "floor"],
        "`floor` must be between 0 and 1",
    );
    let Some(tokens) = schedule.cooldown_tokens else { return };
    problems.require(
        tokens > 0,
        &["schedule", "cooldown_tokens"],
        "`cooldown_tokens` must be at least 1; leave it out to reach the floor at the last step",
    );
    problems.require(
        schedule.shape != Shape::Constant,
        &["schedule", "cooldown_tokens"],
        "a constant learning rate has no cool-down: remove `cooldown_tokens`, or choose another `shape`",
    );
}
