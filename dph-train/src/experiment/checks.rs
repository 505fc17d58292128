//! Checks of an experiment beyond its types. All problems are reported at once.

use dph_core::{PoolingKind, Style};
use dph_data::Task;
use dph_eval::{ScorerChoice, Suite};
use dph_model::checkpoint::Precision;

use crate::experiment::found::Found;
use crate::experiment::new_model::check_new_model;
use crate::experiment::{BASE, Experiment, OptimiserName, Stage, Trainable};
use crate::optimiser::DecayTowards;

/// All problems of an experiment that can be found without loading weights or data.
pub(crate) fn check(experiment: &Experiment) -> Vec<Found> {
    let mut checks = Checks { found: Vec::new() };
    checks.name(&["name"], &experiment.name);
    checks.model(experiment);
    checks.head(experiment);
    for (index, stage) in experiment.stages.iter().enumerate() {
        checks.stage(experiment, index, stage);
    }
    for suite in &experiment.eval.suites {
        if let Err(error) = Suite::find(suite) {
            checks.add(&["eval", "suites"], error.to_string());
        }
    }
    for task in &experiment.eval.tasks {
        if let Err(error) = Task::find(task) {
            checks.add(&["eval", "tasks"], error.to_string());
        }
    }
    checks.require(
        experiment.sweep.is_empty() || experiment.eval.after.is_empty(),
        &["eval", "after"],
        "a sweep evaluates only the last stage of each variant; remove `after`",
    );
    checks.require(experiment.eval.limit != Some(0), &["eval", "limit"], LIMIT);
    // A model without a stage for a head may bring one.
    if experiment.stages.iter().any(|stage| stage.objective.trains_head()) {
        for scorer in &experiment.eval.scorers {
            if let Err(error) = scorer.scorers(Style::Chat, &experiment.head.rewards, &|_| None) {
                checks.add(&["eval", "scorers"], error.to_string());
            }
        }
    }
    if experiment.classifies() {
        checks.require(
            experiment.eval.scorers.iter().all(|scorer| *scorer == ScorerChoice::Classifier),
            &["eval", "scorers"],
            "a classifier has the scorer `classifier` and no other; remove `scorers`",
        );
        checks.require(
            experiment.eval.style.is_none(),
            &["eval", "style"],
            "a classifier reads the texts of the table [classify] of a task, in no style; remove `style`",
        );
    } else {
        checks.require(
            !experiment.eval.scorers.contains(&ScorerChoice::Classifier),
            &["eval", "scorers"],
            "`classifier` needs a classifier, and the last stage trains none; give it `objective = { classify = {} }`",
        );
    }
    let has_adapter = experiment.model.base.is_none() || experiment.model.path.is_some();
    checks.require(
        has_adapter,
        &["model", "base"],
        "`base` is the base model of the adapter at `path`; give `path`, or remove it",
    );
    for (index, target) in experiment.model.lora.targets.iter().enumerate() {
        checks.require(!target.is_empty(), &["model", "lora", "targets"], empty("targets", index));
    }
    for stage in &experiment.eval.after {
        let classifies = |stage: &Stage| stage.objective.classify.is_some();
        let named = experiment.stages.iter().find(|other| other.name == *stage);
        checks.require(
            experiment.classifies() == named.is_some_and(classifies),
            &["eval", "after"],
            format!("`{stage}` is evaluated otherwise than the last stage: of the two, only one trains a classifier; remove it"),
        );
        let known = stage == BASE || experiment.stages.iter().any(|other| other.name == *stage);
        checks.require(known, &["eval", "after"], format!("there is no stage `{stage}`"));
        let grown = experiment.stages.first().filter(|first| stage == BASE && !first.add_tokens.is_empty());
        if let Some(first) = grown {
            let name = &first.name;
            let problem =
                format!("the model has no embeddings for the tokens that stage `{name}` adds; remove `base`");
            checks.add(&["eval", "after"], problem);
        }
    }
    checks.found
}

const LIMIT: &str = "`limit` must be at least 1; leave it out to use all rows";

/// The message for an empty text in a list.
fn empty(key: &str, index: usize) -> String {
    format!("entry {} of `{key}` is empty; remove it", index + 1)
}

/// Largest size of the vector of a `projection`: larger than the hidden states of any model.
const LARGEST_PROJECTION: usize = 1 << 16;

struct Checks {
    found: Vec<Found>,
}

impl Checks {
    fn add(&mut self, path: &[&str], message: impl Into<String>) {
        self.found.push(Found::new(path, message));
    }

    fn require(&mut self, holds: bool, path: &[&str], message: impl Into<String>) {
        if !holds {
            self.add(path, message);
        }
    }

    /// Names are used as directory names.
    fn name(&mut self, path: &[&str], name: &str) {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
        let fine = !name.is_empty() && name.chars().all(plain) && !name.starts_with('.');
        self.require(
            fine,
            path,
            format!("`{name}` is not a valid name: use letters, digits, `-`, `_`, `.` and `+`; the first character must not be `.`"),
        );
    }

    fn model(&mut self, experiment: &Experiment) {
        let model = &experiment.model;
        match (&model.path, &model.new) {
            (None, None) => self.add(
                &["model"],
                "the model is missing: set `path = \"DIR\"` to a Hugging Face style directory, here or with --set model.path=DIR",
            ),
            // A forecast uses `new` where `path` does not exist.
            (Some(_), Some(_)) => {}
            (None, Some(_)) => self.require(
                model.tokenizer.is_some(),
                &["model", "new"],
                "a new model needs a `tokenizer`: a directory, \"world\" or { task = \"…\", vocab = 4096 }",
            ),
            (Some(_), None) => self.require(
                model.tokenizer.is_none(),
                &["model", "tokenizer"],
                "a model with a `path` uses the tokenizer in that directory; remove `tokenizer`",
            ),
        }
        if let Some(new) = &model.new {
            self.found.extend(check_new_model(new, model.path.as_deref()));
        }
    }

    fn head(&mut self, experiment: &Experiment) {
        let head = &experiment.head;
        self.require(
            !head.rewards.is_empty(),
            &["head", "rewards"],
            "a head needs at least one reward; name it, such as rewards = [\"preference\"]",
        );
        for (index, name) in head.rewards.iter().enumerate() {
            self.name(&["head", "rewards"], name);
            let again = head.rewards[..index].contains(name);
            self.require(!again, &["head", "rewards"], format!("`{name}` is listed twice; remove one"));
        }
        let probability = (0.0..1.0).contains(&head.dropout);
        self.require(probability, &["head", "dropout"], "`dropout` must be at least 0 and less than 1");
        if let PoolingKind::Projection(size) = head.pooling {
            self.require(
                (1..=LARGEST_PROJECTION).contains(&size),
                &["head", "pooling"],
                format!("`projection` must be between 1 and {LARGEST_PROJECTION}"),
            );
        }
        if let Err(error) = head.aggregation.check_choices() {
            self.add(&["head", "aggregation"], error.to_string());
        }
    }

    fn stage(&mut self, experiment: &Experiment, index: usize, stage: &Stage) {
        let number = index.to_string();
        let at = |keys: &[&'static str]| -> Vec<String> {
            ["stage", &number].iter().chain(keys).map(|key| key.to_string()).collect()
        };
        let mut require = |holds: bool, keys: &[&'static str], message: String| {
            if !holds {
                self.found.push(Found { path: at(keys), message, help: None });
            }
        };
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '+');
        require(
            !stage.name.is_empty() && stage.name.chars().all(plain),
            &["name"],
            format!(
                "`{}` is not a valid name for a stage: use letters, digits, `-`, `_` and `+`",
                stage.name
            ),
        );
        require(
            !RESERVED.contains(&stage.name.as_str()),
            &["name"],
            format!("`{}` is a reserved name in a run directory; choose another name", stage.name),
        );
        let again = experiment.stages[..index].iter().any(|other| other.name == stage.name);
        require(!again, &["name"], format!("there are two stages named `{}`; rename one", stage.name));
        for (key, value) in [("steps", stage.steps), ("batch", stage.batch)] {
            require(value > 0, &[key], format!("`{key}` must be at least 1"));
        }
        require(stage.limit != Some(0), &["limit"], LIMIT.into());
        let lists: [(&[&'static str], _); 3] = [
            (&["freeze"], &stage.freeze),
            (&["add_tokens"], &stage.add_tokens),
            (&["optimiser", "no_decay"], &stage.optimiser.no_decay),
        ];
        for (keys, list) in lists {
            for (index, _) in list.iter().enumerate().filter(|(_, text)| text.is_empty()) {
                require(false, keys, empty(keys[keys.len() - 1], index));
            }
        }
        require(stage.validation.every > 0, &["validation", "every"], "`every` must be at least 1".into());

        let trainable = experiment.trainable(stage);
        let objective = &stage.objective;
        let frozen = trainable == Trainable::None;
        let by_trainable: &[&'static str] =
            if stage.trainable.is_some() { &["trainable"] } else { &["objective"] };
        let names = |keys: &[&str]| keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
        require(
            !objective.keys().is_empty(),
            &["objective"],
            "a stage needs at least one objective: `dph`, `steer`, `dpo`, `orpo`, `kl`, `sft` or `classify`"
                .into(),
        );
        let on_language: Vec<&str> = objective
            .keys()
            .into_iter()
            .filter(|key| !matches!(*key, "dph" | "steer" | "orthogonality" | "classify"))
            .collect();
        require(
            !(frozen && objective.trains_language()),
            by_trainable,
            format!(
                "{} trains the language model, which is frozen in this stage: set `trainable` to \"all\", \"embeddings\" or \"lora\"",
                names(&on_language)
            ),
        );
        if objective.classify.is_some() {
            require(
                objective.keys().len() == 1,
                &["objective", "classify"],
                "`classify` trains a classifier, which has neither a language model nor a preference head: make it the only objective of its stage"
                    .into(),
            );
            require(
                stage.add_tokens.is_empty(),
                &["add_tokens"],
                "a classifier gets no new tokens: add them in an earlier stage".into(),
            );
            require(
                !stage.gradient_checkpointing,
                &["gradient_checkpointing"],
                "a classifier stores its activations: remove `gradient_checkpointing`, and choose a smaller `micro_batch`".into(),
            );
            require(
                experiment.model.precision == Precision::F32,
                &["objective", "classify"],
                "a classifier is trained in f32: remove `[model] precision`".into(),
            );
            require(
                experiment.stages[index..].iter().all(|later| later.objective.classify.is_some()),
                &["objective", "classify"],
                "a classifier cannot be trained further as a language model: only stages with `classify` may follow".into(),
            );
        }
        require(
            stage.optimiser.name != OptimiserName::Adamw
                || [Some(stage.optimiser.decay_towards), stage.optimiser.head.decay_towards]
                    .iter()
                    .all(|towards| *towards != Some(DecayTowards::Initial)),
            &["optimiser", "decay_towards"],
            "the weight decay of `adamw` is towards zero: remove `decay_towards`, or use `laprop`".into(),
        );
        let precision = experiment.model.precision;
        require(
            precision == Precision::F32 || matches!(trainable, Trainable::None | Trainable::Lora),
            by_trainable,
            format!(
                "this stage trains weights of the model, and most of their updates would be lost in {precision}: remove `[model] precision`, or set `trainable` to \"lora\""
            ),
        );
        if objective.trains_head() {
            require(
                !frozen || index + 1 == experiment.stages.len(),
                &["objective"],
                "a stage that trains only a head on a frozen model must be the last stage".into(),
            );
            require(
                frozen || !experiment.head.standardise,
                &["objective"],
                "`[head] standardise` needs a frozen model, but this stage trains the model, and the statistics would become outdated: remove `standardise`, or set `trainable = \"none\"`".into(),
            );
        }
        require(
            objective.orthogonality.is_none() || objective.trains_head(),
            &["objective", "orthogonality"],
            "`orthogonality` regularises the matrices of a head: use it together with `dph` or `steer`"
                .into(),
        );
        require(
            objective.simctg.is_none() || objective.sft.is_some(),
            &["objective", "simctg"],
            "`simctg` regularises the hidden states: use it together with `sft`".into(),
        );
        require(
            objective.simctg.is_none_or(|simctg| (0.0..=2.0).contains(&simctg.margin)),
            &["objective", "simctg", "margin"],
            "`margin` is a difference of cosines: it must be between 0 and 2".into(),
        );
        for (key, value) in [
            ("dph", objective.dph.map(|dph| dph.label_smoothing)),
            ("dpo", objective.dpo.map(|dpo| dpo.label_smoothing)),
        ] {
            require(
                value.is_none_or(|value| (0.0..=0.5).contains(&value)),
                &["objective", key, "label_smoothing"],
                "`label_smoothing` must be between 0 and 0.5".into(),
            );
        }
        require(
            objective.dpo.is_none_or(|dpo| dpo.beta > 0.0),
            &["objective", "dpo", "beta"],
            "`beta` must be greater than 0".into(),
        );
        require(
            objective.kl.is_none_or(|kl| (0.0..=1.0).contains(&kl.chosen_share)),
            &["objective", "kl", "chosen_share"],
            "`chosen_share` must be between 0 and 1".into(),
        );
        let weights = [
            ("dph", objective.dph.map(|term| term.weight)),
            ("dpo", objective.dpo.map(|term| term.weight)),
            ("orpo", objective.orpo.map(|term| term.weight)),
            ("kl", objective.kl.map(|term| term.weight)),
            ("sft", objective.sft.map(|term| term.weight)),
            ("simctg", objective.simctg.map(|term| term.weight)),
            ("steer", objective.steer.map(|term| term.weight)),
            ("orthogonality", objective.orthogonality.map(|term| term.weight)),
        ];
        for (key, weight) in weights {
            require(
                weight.is_none_or(|weight| weight.is_finite() && weight > 0.0),
                &["objective", key, "weight"],
                "`weight` must be a finite number greater than 0; remove an objective that is not needed"
                    .into(),
            );
        }
        require(
            !frozen || stage.freeze.is_empty(),
            &["freeze"],
            "the whole model is already frozen in this stage; remove `freeze`".into(),
        );
        require(
            !frozen || stage.add_tokens.is_empty(),
            &["add_tokens"],
            "new tokens must be trained, but the model is frozen in this stage: set `trainable` to \"embeddings\" or \"all\"".into(),
        );
        require(
            trainable != Trainable::Lora || stage.add_tokens.is_empty(),
            &["add_tokens"],
            "new tokens must be trained, but adapters do not change the embeddings: add the tokens in an earlier stage".into(),
        );
        require(
            trainable != Trainable::Lora || experiment.model.lora.rank > 0,
            by_trainable,
            "`[model] lora` needs a `rank` of at least 1".into(),
        );
        require(
            trainable != Trainable::Lora || experiment.model.lora.alpha.is_finite(),
            by_trainable,
            "`alpha` of `[model] lora` must be a finite number".into(),
        );
        require(stage.micro_batch > 0, &["micro_batch"], "`micro_batch` must be at least 1".into());

        require(
            !stage.mix.is_empty(),
            &["mix"],
            "`mix` is empty; name at least one task, such as { arc_easy = 1.0 }".into(),
        );
        require(
            stage.holdout.is_none_or(|share| share > 0.0 && share < 1.0),
            &["holdout"],
            "`holdout` is the share of held-out prompts: it must be greater than 0 and less than 1".into(),
        );
        for other in &experiment.stages[..index] {
            let both = |task: &&String| other.mix.contains_key(*task) && other.split == stage.split;
            if let Some(task) = stage.mix.keys().find(both).filter(|_| other.holdout != stage.holdout) {
                require(
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
            let path: &[&'static str] = &["mix"];
            let mut path: Vec<String> = at(path);
            path.push(task.clone());
            let mut add =
                |message: String| self.found.push(Found { path: path.clone(), message, help: None });
            if let Err(error) = Task::find(task) {
                add(error.to_string());
            }
            if !(weight.is_finite() && *weight > 0.0) {
                add(format!("the weight of a task must be a finite number greater than 0, not {weight}"));
            }
        }
        let mut require = |holds: bool, keys: &[&'static str], message: &str| {
            if !holds {
                self.found.push(Found { path: at(keys), message: message.into(), help: None });
            }
        };
        let optimiser = &stage.optimiser;
        require(
            optimiser.lr > 0.0 && optimiser.lr.is_finite(),
            &["optimiser", "lr"],
            "`lr` must be a finite number greater than 0",
        );
        let rates = optimiser.betas.iter().all(|beta| (0.0..1.0).contains(beta));
        require(rates, &["optimiser", "betas"], "`betas` must be at least 0 and less than 1");
        require(optimiser.eps >= 0.0, &["optimiser", "eps"], "`eps` must be at least 0");
        require(
            optimiser.weight_decay >= 0.0,
            &["optimiser", "weight_decay"],
            "`weight_decay` must be at least 0",
        );
        require(
            (0.0..=1.0).contains(&stage.schedule.floor),
            &["schedule", "floor"],
            "`floor` must be between 0 and 1",
        );
        require(stage.clip >= 0.0, &["clip"], "`clip` must be at least 0");
    }
}

/// Names in a run directory that a stage must not have.
const RESERVED: [&str; 4] = [BASE, "checkpoints", "evaluations", "features"];
