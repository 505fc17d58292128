//! [`BenchPlan`]: the tasks, splits and suites of an evaluation.

use std::path::{Path, PathBuf};

use dph_data::{
    ChatTokenizer, DataError, DefinitionError, Holdout, HoldoutSide, Kind, Task, TaskData, TaskLoadOptions,
};

use crate::bench::options::BenchOptions;
use crate::bench::suite::{Suite, SuiteTask};
use crate::glue_files::{GLUE_FILES, GlueFile};
use crate::scorer_choice::ScorerChoice;

/// The split of a task that no suite contains.
const DEFAULT_SPLIT: &str = "test";

/// The split on which the weight of a mixture is chosen.
const TRAINING_SPLIT: &str = "train";

/// The split of rows that training held out, in results and tables.
pub const HELD_OUT: &str = "held-out";

/// The splits that contain a whole task, not a part of it.
const WHOLE_SPLITS: [&str; 2] = ["validation", "test"];

/// Tasks to evaluate, and the suites that they are combined into.
#[derive(Debug, Default)]
pub struct BenchPlan {
    /// Each task and split once, in the order of the request.
    pub tasks: Vec<PlannedTask>,
    /// The suites.
    pub suites: Vec<Suite>,
}

/// A split of a task to evaluate.
#[derive(Debug)]
pub struct PlannedTask {
    /// The name or path by which the task was requested.
    pub requested: String,
    /// The task.
    pub task: Task,
    /// The split; [`HELD_OUT`] for rows that training held out.
    pub split: String,
    /// The rows of another split that training held out, which are evaluated in place of a split.
    pub held_out: Option<HeldOut>,
    /// Whether rows without a gold answer are scored as well, for a submission of predictions.
    pub unlabelled: bool,
}

/// The rows that training held out of a split.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOut {
    /// The split that training is on.
    pub split: String,
    /// The share of the split's prompts.
    pub share: f64,
    /// Seed of the choice.
    pub seed: u64,
}

/// A suite or task that does not exist or cannot be evaluated.
#[derive(Debug, thiserror::Error)]
#[cfg_attr(feature = "cli", derive(miette::Diagnostic))]
#[non_exhaustive]
pub enum PlanError {
    /// A suite or a task cannot be used.
    #[error(transparent)]
    #[cfg_attr(feature = "cli", diagnostic(transparent))]
    Definition(#[from] DefinitionError),
    /// Two different tasks have the same name, which identifies their results.
    #[error("`{first}` and `{second}` are two tasks called `{name}`; give one of them another `name`")]
    SameName {
        /// The name.
        name: String,
        /// Name or path of the first.
        first: String,
        /// Name or path of the second.
        second: String,
    },
    /// The task has no candidates to choose from.
    #[error(
        "`{task}` cannot be evaluated: rows of the kind `{kind}` have one answer each, so there is nothing to choose"
    )]
    NothingToChoose {
        /// The task.
        task: String,
        /// Its kind.
        kind: String,
    },
    /// A suite has a task of whole texts.
    #[error(
        "the suite `{suite}` has the task `{task}`, whose perplexities have no mean with the figures of other tasks; evaluate it as a task"
    )]
    TextInSuite {
        /// The suite.
        suite: String,
        /// The task.
        task: String,
    },
    /// None of the test rows of GLUE is there.
    #[error(
        "there are no test rows of GLUE in {}: a submission needs <task>/test.tsv of cola, sst2, mrpc and so on; give the root of the data \
         sets with --data, or download them with --data hf:",
        data.display()
    )]
    NoSubmission {
        /// The root of the data sets.
        data: PathBuf,
    },
}

impl BenchPlan {
    /// The plan for suites and single tasks, by name or path.
    ///
    /// A suite names the splits of each of its tasks. A single task is evaluated on `splits`. Without any, it is the split
    /// (`validation` or `test`) that the embedded suites use for the task, otherwise `test`.
    ///
    /// # Errors
    /// A suite or task that does not exist (with the nearest name) or cannot be evaluated.
    pub fn new<S: AsRef<str>>(suites: &[S], tasks: &[S], splits: &[String]) -> Result<Self, PlanError> {
        let mut plan = Self::default();
        for suite in suites {
            let suite = Suite::find(suite.as_ref())?;
            for task in &suite.tasks {
                plan.add(&task.task, task.split.clone())?;
            }
            if let Some(planned) = plan.tasks.iter().find(|planned| planned.task.kind == Kind::Text) {
                return Err(PlanError::TextInSuite { suite: suite.name, task: planned.task.name.clone() });
            }
            plan.add_suite(suite);
        }
        for task in tasks.iter().map(AsRef::as_ref) {
            let usual = [usual_split(task)];
            for split in if splits.is_empty() { &usual } else { splits } {
                plan.add(task, split.clone())?;
            }
        }
        Ok(plan)
    }

    /// Adds the rows of a task that training held out. A task without a choice has nothing to add.
    ///
    /// # Errors
    /// A task that does not exist, or that has the name of another one.
    pub fn add_held_out(&mut self, requested: &str, held_out: HeldOut) -> Result<(), PlanError> {
        let is_there =
            |task: &PlannedTask| task.requested == requested && task.held_out.as_ref() == Some(&held_out);
        let is_chosen = |task: Task| !task.metrics.is_empty() && task.kind != Kind::Text;
        if self.tasks.iter().any(is_there) || !is_chosen(Task::find(requested)?) {
            return Ok(());
        }
        self.push(requested, HELD_OUT.to_owned(), Some(held_out))
    }

    /// Adds the splits that the server of GLUE evaluates, as far as their rows are in the data sets in `data`, with the rows that
    /// have no gold answer: those of the tasks that are wanted.
    ///
    /// # Errors
    /// None of them is there.
    pub fn add_submission(&mut self, data: &Path, is_wanted: impl Fn(&str) -> bool) -> Result<(), PlanError> {
        let mut is_empty = true;
        for GlueFile { task, split, .. } in GLUE_FILES.iter().filter(|file| is_wanted(file.task)) {
            if Task::find(task)?.without_rows(data, split).is_some() {
                continue;
            }
            self.add(task, (*split).to_owned())?;
            let is = |planned: &&mut PlannedTask| planned.requested == *task && planned.split == *split;
            self.tasks.iter_mut().filter(is).for_each(|planned| planned.unlabelled = true);
            is_empty = false;
        }
        match is_empty {
            true => Err(PlanError::NoSubmission { data: data.to_owned() }),
            false => Ok(()),
        }
    }

    /// Adds the means of these suites over the tasks and splits that the plan has, and behind each suite those that are its parts. Returns what
    /// the means lack, in words.
    ///
    /// # Errors
    /// A suite that does not exist.
    pub fn add_means<S: AsRef<str>>(&mut self, suites: &[S]) -> Result<Vec<String>, PlanError> {
        let mut whole = Self::default();
        for suite in suites {
            whole.add_suite(Suite::find(suite.as_ref())?);
        }
        let mut notes = Vec::new();
        for suite in whole.suites {
            let is_there = |part: &SuiteTask| {
                self.tasks.iter().any(|task| task.requested == part.task && task.split == part.split)
            };
            let missing: Vec<String> = suite
                .tasks
                .iter()
                .filter(|part| !is_there(part))
                .map(|part| format!("{}/{}", part.task, part.split))
                .collect();
            let Some(found) = suite.among(is_there) else { continue };
            if !missing.is_empty() {
                notes.push(format!("{}: the mean without {}", found.name, missing.join(", ")));
            }
            self.suites.push(found);
        }
        Ok(notes)
    }

    /// Adds a suite behind those that are its parts, each once.
    fn add_suite(&mut self, suite: Suite) {
        suite.suites.iter().cloned().for_each(|part| self.add_suite(part));
        if !self.suites.iter().any(|other| other.name == suite.name) {
            self.suites.push(suite);
        }
    }

    fn add(&mut self, requested: &str, split: String) -> Result<(), PlanError> {
        if self.tasks.iter().any(|task| task.requested == requested && task.split == split) {
            return Ok(());
        }
        self.push(requested, split, None)
    }

    fn push(&mut self, requested: &str, split: String, held_out: Option<HeldOut>) -> Result<(), PlanError> {
        let task = Task::find(requested)?;
        if task.metrics.is_empty() {
            return Err(PlanError::NothingToChoose { task: task.name, kind: task.kind.to_string() });
        }
        let same = |other: &&PlannedTask| other.task.name == task.name && other.requested != requested;
        if let Some(other) = self.tasks.iter().find(same) {
            let (first, second) = (other.requested.clone(), requested.to_owned());
            return Err(PlanError::SameName { name: task.name, first, second });
        }
        self.tasks.push(PlannedTask {
            requested: requested.to_owned(),
            task,
            split,
            held_out,
            unlabelled: false,
        });
        Ok(())
    }
}

impl PlannedTask {
    /// Whether it measures the likelihood of whole texts; otherwise something is chosen.
    pub fn is_of_texts(&self) -> bool {
        self.task.kind == Kind::Text
    }

    /// The split whose files hold the rows.
    pub fn data_split(&self) -> &str {
        self.held_out.as_ref().map_or(&self.split, |held_out| &held_out.split)
    }

    /// The rows to evaluate, as candidate sets for a model with this tokenizer and context.
    ///
    /// # Errors
    /// As [`TaskData::load`].
    pub fn load(
        &self,
        tokenizer: &ChatTokenizer,
        context: usize,
        options: &BenchOptions,
    ) -> Result<TaskData, DataError> {
        self.load_side(self.data_split(), HoldoutSide::HeldOut, tokenizer, context, options)
    }

    /// Rows of the training split that are not evaluated; `None` if the training split itself is.
    pub(crate) fn load_training(
        &self,
        tokenizer: &ChatTokenizer,
        context: usize,
        options: &BenchOptions,
    ) -> Option<Result<TaskData, DataError>> {
        if self.held_out.is_none() && self.split == TRAINING_SPLIT {
            return None;
        }
        let split = self.held_out.as_ref().map_or(TRAINING_SPLIT, |held_out| &held_out.split);
        Some(self.load_side(split, HoldoutSide::Training, tokenizer, context, options))
    }

    /// Rows of a split; if training held out some, those of a side.
    fn load_side(
        &self,
        split: &str,
        side: HoldoutSide,
        tokenizer: &ChatTokenizer,
        context: usize,
        options: &BenchOptions,
    ) -> Result<TaskData, DataError> {
        let holdout = |HeldOut { share, seed, .. }: &HeldOut| Holdout { share: *share, seed: *seed, side };
        let load = TaskLoadOptions {
            style: options.style,
            classify: options.classify,
            likelihood_only: !options.scorers.iter().any(ScorerChoice::rewards),
            limit: options.limit,
            seed: options.seed,
            whole_texts: self.is_of_texts(),
            keep_unlabelled: self.unlabelled,
            few_shot: options.few_shot,
            same_examples: options.same_examples,
            max_len: Some(context),
            holdout: self.held_out.as_ref().map(holdout),
            ..TaskLoadOptions::default()
        };
        TaskData::load(&self.task, &options.data, split, tokenizer, &load)
    }
}

/// The split that an embedded suite uses for a task, unless it is a part of the task (a subset, other genres).
fn usual_split(name: &str) -> String {
    Suite::names()
        .filter_map(|suite| Suite::find(suite).ok())
        .flat_map(|suite| suite.tasks)
        .find(|task| task.task == name && WHOLE_SPLITS.contains(&task.split.as_str()))
        .map_or_else(|| DEFAULT_SPLIT.to_owned(), |task| task.split)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn names(plan: &BenchPlan) -> Vec<String> {
        plan.tasks.iter().map(|task| format!("{}/{}", task.task.name, task.split)).collect()
    }

    #[test]
    fn every_task_once_on_the_split_that_counts() {
        let plan = BenchPlan::new(&["race"], &["race_high", "piqa", "sst2"], &[]).unwrap();
        assert_eq!(
            names(&plan),
            ["race_middle/test", "race_high/test", "piqa/validation", "sst2/validation"]
        );
        let plan = BenchPlan::new(&["race"], &["race_high", "piqa"], &["dev".into()]).unwrap();
        assert_eq!(names(&plan), ["race_middle/test", "race_high/test", "race_high/dev", "piqa/dev"]);
        assert_eq!(BenchPlan::new(&["gpt4all"], &[], &[]).unwrap().tasks.len(), 7);
    }

    #[test]
    fn a_task_with_many_splits_is_evaluated_as_a_whole() {
        let plan = BenchPlan::new(&[], &["mnli", "reward_bench", "cola"], &[]).unwrap();
        assert_eq!(names(&plan), ["mnli/validation", "reward_bench/test", "cola/validation"]);
        assert_eq!(BenchPlan::new(&["glue"], &[], &[]).unwrap().tasks.len(), 10);
    }

    #[test]
    fn what_does_not_exist_gets_a_suggestion() {
        let error =
            |suites: &[&str], tasks: &[&str]| BenchPlan::new(suites, tasks, &[]).unwrap_err().to_string();
        assert_eq!(error(&["rase"], &[]), "there is no suite `rase`; did you mean `race`?");
        assert_eq!(error(&[], &["hellaswg"]), "there is no task `hellaswg`; did you mean `hellaswag`?");
    }

    #[test]
    fn two_tasks_of_one_name_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.toml");
        std::fs::write(&path, dph_data::Task::embedded_source("boolq").unwrap()).unwrap();
        let path = path.display().to_string();
        let error = BenchPlan::new(&[], &["boolq", &path], &[]).unwrap_err().to_string();
        assert!(error.ends_with("are two tasks called `boolq`; give one of them another `name`"), "{error}");
        assert_eq!(BenchPlan::new(&[], &[path.as_str(), &path], &[]).unwrap().tasks.len(), 1);
    }

    #[test]
    fn a_task_without_a_choice_is_refused() {
        let error = BenchPlan::new(&[], &["alpaca"], &[]).unwrap_err().to_string();
        assert!(error.starts_with("`alpaca` cannot be evaluated: rows of the kind `instruction`"), "{error}");
    }

    #[test]
    fn whole_texts_are_evaluated_alone() {
        assert!(BenchPlan::new(&["race"], &["wikitext"], &[]).unwrap().tasks[2].is_of_texts());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mixed.toml");
        std::fs::write(&path, "[[task]]\ntask = \"wikitext\"\nsplit = \"test\"\n").unwrap();
        let error = BenchPlan::new(&[path.to_str().unwrap()], &[], &[]).unwrap_err().to_string();
        assert!(
            error.starts_with("the suite `mixed` has the task `wikitext`, whose perplexities"),
            "{error}"
        );
        let mut plan = BenchPlan::default();
        let held_out = HeldOut { split: "train".into(), share: 0.1, seed: 1 };
        plan.add_held_out("wikitext", held_out).unwrap();
        assert!(plan.tasks.is_empty());
    }
}
