//! Checks of an experiment beyond its types. All problems are reported at once.

mod objective;
mod optimiser;
mod stage;
mod stage_problems;

use dph_core::{PoolingKind, Style};
use dph_data::Task;
use dph_eval::{BASE, ScorerChoice, Suite};

use self::stage_problems::{LIMIT, StageProblems, empty};
use crate::experiment::found::Found;
use crate::experiment::new_model::check_new_model;
use crate::experiment::{Experiment, Stage};

/// All problems of an experiment that can be found without loading weights or data.
pub(crate) fn check(experiment: &Experiment) -> Vec<Found> {
    let mut checks = Checks { found: Vec::new() };
    checks.name(&["name"], &experiment.name);
    checks.model(experiment);
    checks.head(experiment);
    for (index, stage) in experiment.stages.iter().enumerate() {
        stage::check(StageProblems { found: &mut checks.found, experiment, index, stage });
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
}
