//! Checks of the objectives of a stage.

use dph_core::DphForm;
use dph_model::checkpoint::Precision;

use super::stage_problems::StageProblems;
use crate::experiment::{Negatives, Trainable};

/// Checks the objectives of the stage of `problems`.
pub(super) fn check(problems: &mut StageProblems<'_>) {
    objectives(problems);
    classifier(problems);
    head(problems);
    settings(problems);
}

fn objectives(problems: &mut StageProblems<'_>) {
    let objective = &problems.stage.objective;
    problems.require(
        !objective.keys().is_empty(),
        &["objective"],
        "a stage needs at least one objective: `dph`, `steer`, `dpo`, `orpo`, `kl`, `sft` or `classify`",
    );
    let of_language =
        |key: &&str| !matches!(*key, "dph" | "steer" | "likelihood" | "orthogonality" | "classify");
    let names: Vec<String> =
        objective.keys().into_iter().filter(of_language).map(|key| format!("`{key}`")).collect();
    problems.require(
        problems.trainable() != Trainable::None || !objective.trains_language(),
        problems.by_trainable(),
        format!(
            "{} trains the language model, which is frozen in this stage: set `trainable` to \"all\", \"embeddings\" or \"lora\"",
            names.join(", ")
        ),
    );
    problems.require(
        objective.orthogonality.is_none() || objective.trains_head(),
        &["objective", "orthogonality"],
        "`orthogonality` regularises the matrices of a head: use it together with `dph` or `steer`",
    );
    problems.require(
        objective.likelihood.is_none() || objective.dph.is_some(),
        &["objective", "likelihood"],
        "`likelihood` is a penalty on the rewards of `dph`: use them together",
    );
    problems.require(
        objective.simctg.is_none() || objective.sft.is_some(),
        &["objective", "simctg"],
        "`simctg` regularises the hidden states: use it together with `sft`",
    );
}

fn classifier(problems: &mut StageProblems<'_>) {
    let StageProblems { experiment, index, stage, .. } = *problems;
    if stage.objective.classify.is_none() {
        return;
    }
    problems.require(
        stage.objective.keys().len() == 1,
        &["objective", "classify"],
        "`classify` trains a classifier, which has neither a language model nor a preference head: make it the only objective of its stage",
    );
    problems.require(
        stage.add_tokens.is_empty(),
        &["add_tokens"],
        "a classifier gets no new tokens: add them in an earlier stage",
    );
    problems.require(
        !stage.gradient_checkpointing,
        &["gradient_checkpointing"],
        "a classifier stores its activations: remove `gradient_checkpointing`, and choose a smaller `micro_batch`",
    );
    problems.require(
        experiment.model.precision == Precision::F32,
        &["objective", "classify"],
        "a classifier is trained in f32: remove `[model] precision`",
    );
    problems.require(
        experiment.stages[index..].iter().all(|later| later.objective.classify.is_some()),
        &["objective", "classify"],
        "a classifier cannot be trained further as a language model: only stages with `classify` may follow",
    );
}

fn head(problems: &mut StageProblems<'_>) {
    let StageProblems { experiment, index, stage, .. } = *problems;
    if !stage.objective.trains_head() {
        return;
    }
    let frozen = problems.trainable() == Trainable::None;
    problems.require(
        !frozen || index + 1 == experiment.stages.len(),
        &["objective"],
        "a stage that trains only a head on a frozen model must be the last stage",
    );
    problems.require(
        frozen || !experiment.head.standardise,
        &["objective"],
        "`[head] standardise` needs a frozen model, but this stage trains the model, and the statistics would become outdated: remove `standardise`, or set `trainable = \"none\"`",
    );
    let probes = stage.objective.steer.is_some_and(|steer| steer.probes > 0);
    problems.require(
        !probes || experiment.head.aggregation.running.is_none(),
        &["objective", "steer", "probes"],
        "`probes` trains the rewards that an answer has up to a token, and `running` of `[head] aggregation` changes only the rewards of tokens: remove one of them",
    );
    let listwise = stage.objective.dph.is_some_and(|dph| dph.form == DphForm::Listwise);
    problems.require(
        !listwise || stage.negatives == Negatives::All,
        &["objective", "dph", "form"],
        "`listwise` compares all candidates of a set, but `negatives = \"one\"` leaves one wrong answer of each: set `negatives = \"all\"`, or `form` to \"contrastive\", which is the same for two candidates",
    );
}

fn settings(problems: &mut StageProblems<'_>) {
    let objective = &problems.stage.objective;
    problems.require(
        objective.simctg.is_none_or(|simctg| (0.0..=2.0).contains(&simctg.margin)),
        &["objective", "simctg", "margin"],
        "`margin` is a difference of cosines: it must be between 0 and 2",
    );
    for (key, value) in [
        ("dph", objective.dph.map(|dph| dph.label_smoothing)),
        ("dpo", objective.dpo.map(|dpo| dpo.label_smoothing)),
    ] {
        problems.require(
            value.is_none_or(|value| (0.0..=0.5).contains(&value)),
            &["objective", key, "label_smoothing"],
            "`label_smoothing` must be between 0 and 0.5",
        );
    }
    problems.require(
        objective.dpo.is_none_or(|dpo| dpo.beta > 0.0),
        &["objective", "dpo", "beta"],
        "`beta` must be greater than 0",
    );
    problems.require(
        objective.kl.is_none_or(|kl| (0.0..=1.0).contains(&kl.chosen_share)),
        &["objective", "kl", "chosen_share"],
        "`chosen_share` must be between 0 and 1",
    );
    let weights = [
        ("dph", objective.dph.map(|term| term.weight)),
        ("dpo", objective.dpo.map(|term| term.weight)),
        ("orpo", objective.orpo.map(|term| term.weight)),
        ("kl", objective.kl.map(|term| term.weight)),
        ("sft", objective.sft.map(|term| term.weight)),
        ("simctg", objective.simctg.map(|term| term.weight)),
        ("steer", objective.steer.map(|term| term.weight)),
        ("likelihood", objective.likelihood.map(|term| term.weight)),
        ("orthogonality", objective.orthogonality.map(|term| term.weight)),
    ];
    for (key, weight) in weights {
        problems.require(
            weight.is_none_or(|weight| weight.is_finite() && weight > 0.0),
            &["objective", key, "weight"],
            "`weight` must be a finite number greater than 0; remove an objective that is not needed",
        );
    }
}
