//! Checks of a stage.

use dph_data::Task;
use dph_eval::{BASE, EVALUATIONS_DIR};
use dph_model::checkpoint::Precision;

use super::stage_problems::{LIMIT, StageProblems, empty};
use super::{objective, optimiser};
use crate::experiment::Trainable;

/// Checks the stage of `problems`.
pub(super) fn check(mut problems: StageProblems<'_>) {
    name(&mut problems);
    numbers(&mut problems);
    objective::check(&mut problems);
    trained_weights(&mut problems);
    mix(&mut problems);
    optimiser::check(&mut problems);
}

fn name(problems: &mut StageProblems<'_>) {
    let StageProblems { experiment, index, stage, .. } = *problems;
    let name = &stage.name;
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '+');
    problems.require(
        !name.is_empty() && name.chars().all(plain),
        &["name"],
        format!("`{name}` is not a valid name for a stage: use letters, digits, `-`, `_` and `+`"),
    );
    problems.require(
        !RESERVED.contains(&name.as_str()),
        &["name"],
        format!("`{name}` is a reserved name in a run directory; choose another name"),
    );
    let again = experiment.stages[..index].iter().any(|other| other.name == *name);
    problems.require(!again, &["name"], format!("there are two stages named `{name}`; rename one"));
}

fn numbers(problems: &mut StageProblems<'_>) {
    let stage = problems.stage;
    for (key, value) in [("steps", stage.steps), ("batch", stage.batch), ("micro_batch", stage.micro_batch)] {
        problems.require(value > 0, &[key], format!("`{key}` must be at least 1"));
    }
    problems.require(stage.limit != Some(0), &["limit"], LIMIT);
    problems.require(
        stage.size_cap != Some(0),
        &["size_cap"],
        "`size_cap` must be at least 1; leave it out to use the weights of `mix` as they are",
    );
    if let Some(growth) = stage.batch_growth {
        problems.require(growth.from > 0, &["batch_growth", "from"], "`from` must be at least 1");
        problems.require(
            growth.from < stage.batch,
            &["batch_growth", "from"],
            format!("a batch that grows from {} to the `batch` {} does not grow: reduce `from`, or remove `batch_growth`", growth.from, stage.batch),
        );
        problems.require(growth.steps > 0, &["batch_growth", "steps"], "`steps` must be at least 1");
        problems.require(
            growth.steps < stage.steps,
            &["batch_growth", "steps"],
            format!("the batch grows in {} steps, and the stage has only {}, so that no step has the whole `batch`: reduce `steps` of `batch_growth`", growth.steps, stage.steps),
        );
    }
    let lists: [(&[&'static str], _); 3] = [
        (&["freeze"], &stage.freeze),
        (&["add_tokens"], &stage.add_tokens),
        (&["optimiser", "no_decay"], &stage.optimiser.no_decay),
    ];
    for (keys, list) in lists {
        for (index, _) in list.iter().enumerate().filter(|(_, text)| text.is_empty()) {
            problems.require(false, keys, empty(keys[keys.len() - 1], index));
        }
    }
    problems.require(stage.validation.every > 0, &["validation", "every"], "`every` must be at least 1");
}

fn trained_weights(problems: &mut StageProblems<'_>) {
    let StageProblems { experiment, stage, .. } = *problems;
    let (trainable, by_trainable) = (problems.trainable(), problems.by_trainable());
    let frozen = trainable == Trainable::None;
    let precision = experiment.model.precision;
    problems.require(
        precision == Precision::F32 || matches!(trainable, Trainable::None | Trainable::Lora),
        by_trainable,
        format!(
            "this stage trains weights of the model, and most of their updates would be lost in {precision}: remove `[model] precision`, or set `trainable` to \"lora\""
        ),
    );
    problems.require(
        !frozen || stage.freeze.is_empty(),
        &["freeze"],
        "the whole model is already frozen in this stage; remove `freeze`",
    );
    problems.require(
        !frozen || stage.add_tokens.is_empty(),
        &["add_tokens"],
        "new tokens must be trained, but the model is frozen in this stage: set `trainable` to \"embeddings\" or \"all\"",
    );
    problems.require(
        trainable != Trainable::Lora || stage.add_tokens.is_empty(),
        &["add_tokens"],
        "new tokens must be trained, but adapters do not change the embeddings: add the tokens in an earlier stage",
    );
    problems.require(
        trainable != Trainable::Lora || experiment.model.lora.rank > 0,
        by_trainable,
        "`[model] lora` needs a `rank` of at least 1",
    );
    problems.require(
        trainable != Trainable::Lora || experiment.model.lora.alpha.is_finite(),
        by_trainable,
        "`alpha` of `[model] lora` must be a finite number",
    );
}

fn mix(problems: &mut StageProblems<'_>) {
    let StageProblems { experiment, index, stage, .. } = *problems;
    problems.require(
        !stage.mix.is_empty(),
        &["mix"],
        "`mix` is empty; name at least one task, such as { arc_easy = 1.0 }",
    );
    problems.require(
        stage.holdout.is_none_or(|share| share > 0.0 && share < 1.0),
        &["holdout"],
        "`holdout` is the share of held-out prompts: it must be greater than 0 and less than 1",
    );
    for other in &experiment.stages[..index] {
        let both = |task: &&String| other.mix.contains_key(*task) && other.split == stage.split;
        if let Some(task) = stage.mix.keys().find(both).filter(|_| other.holdout != stage.holdout) {
            problems.require(
                false,
                &[if stage.holdout.is_some() { "holdout" } else { "mix" }],
                format!(
                    "the stages `{}` and `{}` both train on `{task}` but hold out different rows: give both stages the same `holdout`",
                    other.name, stage.name
                ),
            );
        }
    }
    for (task, weight) in &stage.mix {
        let path = ["mix", task.as_str()];
        if let Err(error) = Task::find(task) {
            problems.require(false, &path, error.to_string());
        }
        problems.require(
            weight.is_finite() && *weight > 0.0,
            &path,
            format!("the weight of a task must be a finite number greater than 0, not {weight}"),
        );
    }
}

/// Names in a run directory that a stage must not have.
const RESERVED: [&str; 4] = [BASE, "checkpoints", EVALUATIONS_DIR, "features"];
