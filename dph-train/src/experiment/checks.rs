//! What an experiment must satisfy beyond its types. All problems are found at once.

use dph_data::Task;
use dph_eval::Suite;
use dph_model::checkpoint::Precision;

use crate::experiment::{Experiment, Stage, Trainable};

/// Something that is wrong, and the path of the key that it is about.
pub(crate) struct Found {
    pub path: Vec<String>,
    pub message: String,
    pub help: Option<String>,
}

/// Everything that is wrong with an experiment, before any file is opened.
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
        "a sweep evaluates what its variants end with; take `after` out",
    );
    for stage in &experiment.eval.after {
        let known = experiment.stages.iter().any(|other| other.name == *stage);
        checks.require(known, &["eval", "after"], format!("there is no stage `{stage}`"));
    }
    checks.found
}

struct Checks {
    found: Vec<Found>,
}

impl Checks {
    fn add(&mut self, path: &[&str], message: impl Into<String>) {
        let path = path.iter().map(|key| key.to_string()).collect();
        self.found.push(Found { path, message: message.into(), help: None });
    }

    fn require(&mut self, holds: bool, path: &[&str], message: impl Into<String>) {
        if !holds {
            self.add(path, message);
        }
    }

    /// Names become directories.
    fn name(&mut self, path: &[&str], name: &str) {
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
        let fine = !name.is_empty() && name.chars().all(plain) && !name.starts_with('.');
        self.require(
            fine,
            path,
            format!("`{name}` is not a name: use letters, digits, `-`, `_`, `.` and `+`"),
        );
    }

    fn model(&mut self, experiment: &Experiment) {
        let model = &experiment.model;
        match (&model.path, &model.new) {
            (None, None) => self.add(
                &["model"],
                "the model is missing: give `path = \"DIR\"`, a Hugging Face style directory, here or as --set model.path=DIR",
            ),
            // `new` says what is expected at `path`, for a forecast.
            (Some(_), Some(_)) => {}
            (None, Some(_)) => self.require(
                model.tokenizer.is_some(),
                &["model", "new"],
                "a new model needs a `tokenizer`: a directory, or \"world\"",
            ),
            (Some(_), None) => self.require(
                model.tokenizer.is_none(),
                &["model", "tokenizer"],
                "the tokenizer of a model with a `path` is the one in that directory",
            ),
        }
    }

    fn head(&mut self, experiment: &Experiment) {
        let head = &experiment.head;
        self.require(!head.rewards.is_empty(), &["head", "rewards"], "a head needs at least one reward");
        for (index, name) in head.rewards.iter().enumerate() {
            self.name(&["head", "rewards"], name);
            let again = head.rewards[..index].contains(name);
            self.require(!again, &["head", "rewards"], format!("`{name}` is there twice"));
        }
        let probability = (0.0..1.0).contains(&head.dropout);
        self.require(probability, &["head", "dropout"], "dropout is a probability below 1");
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
            format!("`{}` is not a name for a stage: use letters, digits, `-`, `_` and `+`", stage.name),
        );
        require(
            !RESERVED.contains(&stage.name.as_str()),
            &["name"],
            format!("`{}` is the name of something else in a run; choose another", stage.name),
        );
        let again = experiment.stages[..index].iter().any(|other| other.name == stage.name);
        require(!again, &["name"], format!("there are two stages `{}`", stage.name));
        for (key, value) in [("steps", stage.steps), ("batch", stage.batch)] {
            require(value > 0, &[key], format!("`{key}` must be at least 1"));
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
            "a stage needs an objective: one or several of `dph`, `steer`, `dpo`, `orpo`, `kl` and `sft`"
                .into(),
        );
        let on_language: Vec<&str> = objective
            .keys()
            .into_iter()
            .filter(|key| !matches!(*key, "dph" | "steer" | "orthogonality"))
            .collect();
        require(
            !(frozen && objective.trains_language()),
            by_trainable,
            format!(
                "{} trains the language model, which is frozen here: set `trainable` to \"all\", \"embeddings\" or \"lora\"",
                names(&on_language)
            ),
        );
        let precision = experiment.model.precision;
        require(
            precision == Precision::F32 || matches!(trainable, Trainable::None | Trainable::Lora),
            by_trainable,
            format!(
                "weights learn here, and most of their steps would be lost in {precision}: take `[model] precision` out, or set `trainable` to \"lora\""
            ),
        );
        if objective.trains_head() {
            require(
                !frozen || index + 1 == experiment.stages.len(),
                &["objective"],
                "a stage that trains only a head on a frozen model is the last one".into(),
            );
            require(
                frozen || !experiment.head.standardise,
                &["objective"],
                "`[head] standardise` needs a frozen model, and here the model learns: its statistics would not stay true".into(),
            );
        }
        require(
            objective.orthogonality.is_none() || objective.trains_head(),
            &["objective", "orthogonality"],
            "`orthogonality` is about the matrices of a head: it goes beside `dph` or `steer`, which train one"
                .into(),
        );
        require(
            objective.simctg.is_none() || objective.sft.is_some(),
            &["objective", "simctg"],
            "`simctg` goes beside `sft`: alone it would only tear the hidden states apart".into(),
        );
        require(
            objective.simctg.is_none_or(|simctg| (0.0..=2.0).contains(&simctg.margin)),
            &["objective", "simctg", "margin"],
            "`margin` is a difference of cosines: it lies between 0 and 2".into(),
        );
        for (key, value) in [
            ("dph", objective.dph.map(|dph| dph.label_smoothing)),
            ("dpo", objective.dpo.map(|dpo| dpo.label_smoothing)),
        ] {
            require(
                value.is_none_or(|value| (0.0..=0.5).contains(&value)),
                &["objective", key, "label_smoothing"],
                "label smoothing lies between 0 and 0.5".into(),
            );
        }
        require(
            objective.dpo.is_none_or(|dpo| dpo.beta > 0.0),
            &["objective", "dpo", "beta"],
            "`beta` is above 0".into(),
        );
        require(
            objective.kl.is_none_or(|kl| (0.0..=1.0).contains(&kl.chosen_share)),
            &["objective", "kl", "chosen_share"],
            "`chosen_share` lies between 0 and 1".into(),
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
                "a weight is a number above 0; leave an objective out that is not to count".into(),
            );
        }
        require(
            !frozen || stage.freeze.is_empty(),
            &["freeze"],
            "the whole model is frozen here already".into(),
        );
        require(
            !frozen || stage.add_tokens.is_empty(),
            &["add_tokens"],
            "new tokens have to be learnt, and the model is frozen here: set `trainable = \"embeddings\"` or \"all\"".into(),
        );
        require(
            trainable != Trainable::Lora || stage.add_tokens.is_empty(),
            &["add_tokens"],
            "new tokens have to be learnt, and adapters do not reach the embeddings: add them in an earlier stage".into(),
        );
        require(
            trainable != Trainable::Lora || experiment.model.lora.rank > 0,
            by_trainable,
            "`[model] lora` needs a `rank` of at least 1".into(),
        );
        require(stage.micro_batch > 0, &["micro_batch"], "`micro_batch` must be at least 1".into());

        require(
            !stage.mix.is_empty(),
            &["mix"],
            "the mixture is empty; name a task, such as { arc_easy = 1.0 }".into(),
        );
        require(
            stage.holdout.is_none_or(|share| share > 0.0 && share < 1.0),
            &["holdout"],
            "`holdout` is the share of the prompts that is held out: it must be greater than 0 and less than 1"
                .into(),
        );
        for other in &experiment.stages[..index] {
            let both = |task: &&String| other.mix.contains_key(*task) && other.split == stage.split;
            if let Some(task) = stage.mix.keys().find(both).filter(|_| other.holdout != stage.holdout) {
                require(
                    false,
                    &[if stage.holdout.is_some() { "holdout" } else { "mix" }],
                    format!(
                        "the stages `{}` and `{}` both train on `{task}`, but do not hold out the same rows: give both the same `holdout`",
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
                add(format!("the weight of a task is a number above 0, not {weight}"));
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
            "a learning rate is above 0",
        );
        let rates = optimiser.betas.iter().all(|beta| (0.0..1.0).contains(beta));
        require(rates, &["optimiser", "betas"], "decay rates lie between 0 and 1");
        require(optimiser.eps >= 0.0, &["optimiser", "eps"], "`eps` is at least 0");
        require(optimiser.weight_decay >= 0.0, &["optimiser", "weight_decay"], "weight decay is at least 0");
        require(
            (0.0..=1.0).contains(&stage.schedule.floor),
            &["schedule", "floor"],
            "`floor` lies between 0 and 1",
        );
        require(stage.clip >= 0.0, &["clip"], "`clip` is at least 0");
    }
}

/// Names in a run directory that are no stage's.
const RESERVED: [&str; 4] = ["base", "checkpoints", "evaluations", "features"];
