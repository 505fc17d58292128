//! [`Suite`]: a list of tasks and how their scores are combined, read from a TOML file.

use std::ops::Range;
use std::path::Path;

use dph_core::suggestion::did_you_mean;
use dph_core::text_file::read_text;
use dph_data::{DefinitionError, InvalidToml, TomlProblem, is_toml};
use serde::Deserialize;

use crate::metrics::{Estimate, weighted_mean};
use crate::results::SuitePart;

/// The suites that come with this crate.
const SUITES: &[(&str, &str)] = &[
    ("gpt4all", include_str!("../../suites/gpt4all.toml")),
    ("race", include_str!("../../suites/race.toml")),
    ("glue", include_str!("../../suites/glue.toml")),
    ("glue_no_wnli", include_str!("../../suites/glue_no_wnli.toml")),
    ("reward_bench", include_str!("../../suites/reward_bench.toml")),
    ("reward_bench_chat", include_str!("../../suites/reward_bench_chat.toml")),
    ("reward_bench_chat_hard", include_str!("../../suites/reward_bench_chat_hard.toml")),
    ("reward_bench_safety", include_str!("../../suites/reward_bench_safety.toml")),
    ("reward_bench_reasoning", include_str!("../../suites/reward_bench_reasoning.toml")),
    ("reward_bench_prior", include_str!("../../suites/reward_bench_prior.toml")),
    ("reward_bench_2", include_str!("../../suites/reward_bench_2.toml")),
    ("rm_bench", include_str!("../../suites/rm_bench.toml")),
    ("rm_bench_easy", include_str!("../../suites/rm_bench_easy.toml")),
    ("rm_bench_normal", include_str!("../../suites/rm_bench_normal.toml")),
    ("rm_bench_hard", include_str!("../../suites/rm_bench_hard.toml")),
    ("judgebench", include_str!("../../suites/judgebench.toml")),
    ("ppe_correctness", include_str!("../../suites/ppe_correctness.toml")),
];

/// The kind of definition in errors.
const KIND: &str = "suite";

/// A list of tasks whose scores are combined into one number: their weighted mean. A task with several metrics counts with their
/// mean. A suite may have other suites as parts.
///
/// Suites are TOML files. Some are embedded ([`Suite::names`]); others are given by the path of their file:
///
/// ```toml
/// about = "Two kinds of questions"
///
/// [[task]]
/// task   = "arc_easy"        # an embedded task, or the path of a task file, relative to this one
/// split  = "test"
/// weight = 2.0               # default: 1
///
/// [[task]]
/// task   = "trivia.toml"
/// split  = "validation"
///
/// [[suite]]
/// suite  = "race"            # an embedded suite, or the path of a suite file, relative to this one
/// weight = 3.0               # of the suite as a whole; default: 1
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Suite {
    /// The suite's name; for a file, its name without `.toml`.
    pub name: String,
    /// A description in one line; may be empty.
    pub about: String,
    /// The tasks, in the order of the file, with those of the suites that are its parts.
    pub tasks: Vec<SuiteTask>,
    /// The suites that are its parts.
    pub suites: Vec<Suite>,
}

/// One task of a suite.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuiteTask {
    /// Name of an embedded task, or the path of a task's file.
    pub task: String,
    /// The split that is evaluated.
    pub split: String,
    /// The weight of the task in the mean; greater than 0.
    #[serde(default = "one")]
    pub weight: f64,
}

impl Suite {
    /// The names of the embedded suites.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SUITES.iter().map(|(name, _)| *name)
    }

    /// An embedded suite by its name, or any suite by the path of its file (which ends in `.toml`).
    ///
    /// # Errors
    /// [`DefinitionError::Unknown`] with the nearest name; a file that cannot be read or is not a suite.
    pub fn find(name_or_path: &str) -> Result<Self, DefinitionError> {
        Self::find_within(name_or_path, &[])
    }

    /// As [`find`](Self::find), as a part of these suites, the outermost first.
    fn find_within(name_or_path: &str, outer: &[String]) -> Result<Self, DefinitionError> {
        if let Some((name, source)) = SUITES.iter().find(|(name, _)| *name == name_or_path) {
            return Self::parse_within(source, Path::new(&format!("{name}.toml")), outer);
        }
        let path = Path::new(name_or_path);
        if is_toml(path) {
            let source = read_text(path).map_err(|source| DefinitionError::Read {
                kind: KIND,
                path: path.to_owned(),
                source,
            })?;
            return Self::parse_within(&source, path, outer);
        }
        let help = did_you_mean(name_or_path, Self::names()).unwrap_or_else(|| {
            let names: Vec<&str> = Self::names().collect();
            format!(
                "the embedded suites are {}; a suite file is given by its path, ending in .toml",
                names.join(", ")
            )
        });
        Err(DefinitionError::Unknown { kind: KIND, name: name_or_path.to_owned(), help })
    }

    /// Parses a suite. Its name is the file name of `path`; the task files that it names are relative to the folder of `path`.
    ///
    /// # Errors
    /// [`DefinitionError::Invalid`] with the line that is wrong.
    pub fn parse(source: &str, path: &Path) -> Result<Self, DefinitionError> {
        Self::parse_within(source, path, &[])
    }

    fn parse_within(source: &str, path: &Path, outer: &[String]) -> Result<Self, DefinitionError> {
        let invalid = |problem: TomlProblem| {
            let file = path.display().to_string();
            DefinitionError::Invalid(Box::new(InvalidToml::new(&file, source, vec![problem])))
        };
        let problem = |span: Range<usize>, message: String| invalid(TomlProblem::new(span, message));
        let file: SuiteFile = toml::from_str(source).map_err(|error| invalid(error.into()))?;
        let mut tasks: Vec<SuiteTask> = Vec::new();
        let mut suites: Vec<Suite> = Vec::new();
        let outer = [outer, &[path.display().to_string()]].concat();
        let SuiteFile { about, task, suite } = file;
        for (span, entry) in in_order(task, suite) {
            let problem = |message: String| problem(span.clone(), message);
            match entry {
                Entry::Task(mut entry) => {
                    check_weight(entry.weight).map_err(problem)?;
                    if tasks.iter().any(|task| task.task == entry.task && task.split == entry.split) {
                        return Err(problem(format!("{}/{} is listed twice", entry.task, entry.split)));
                    }
                    entry.task = beside(path, entry.task);
                    tasks.push(entry);
                }
                Entry::Suite(entry) => {
                    check_weight(entry.weight).map_err(problem)?;
                    let named = beside(path, entry.suite);
                    let is_open = |open: &String| *open == named || *open == format!("{named}.toml");
                    if outer.iter().any(is_open) {
                        return Err(problem(format!("{named} is a part of itself")));
                    }
                    let suite = Self::find_within(&named, &outer).map_err(|error| match error {
                        DefinitionError::Unknown { .. } => problem(error.to_string()),
                        error => error,
                    })?;
                    if suites.iter().any(|other| other.name == suite.name) {
                        return Err(problem(format!("{} is listed twice", suite.name)));
                    }
                    let all: f64 = suite.tasks.iter().map(|task| task.weight).sum();
                    for task in &suite.tasks {
                        let weight = entry.weight * task.weight / all;
                        match tasks
                            .iter_mut()
                            .find(|other| other.task == task.task && other.split == task.split)
                        {
                            Some(same) => same.weight += weight,
                            None => tasks.push(SuiteTask { weight, ..task.clone() }),
                        }
                    }
                    suites.push(suite);
                }
            }
        }
        if tasks.is_empty() {
            return Err(problem(0..0, "a suite needs at least one [[task]] or [[suite]]".into()));
        }
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { name, about, tasks, suites })
    }

    /// The mean over those of its parts that are there: the suite itself if all are, `None` if none is. Otherwise its name says how many
    /// are, as in `glue (9 of 10 parts)`. A task keeps its weight as long as one of its splits is there.
    pub(crate) fn among(&self, is_there: impl Fn(&SuiteTask) -> bool) -> Option<Self> {
        let (there, missing): (Vec<&SuiteTask>, Vec<&SuiteTask>) =
            self.tasks.iter().partition(|part| is_there(part));
        if there.is_empty() || missing.is_empty() {
            return missing.is_empty().then(|| self.clone());
        }
        let of_task = |parts: &[&SuiteTask], part: &SuiteTask| -> f64 {
            parts.iter().filter(|other| other.task == part.task).map(|other| other.weight).sum()
        };
        let all: Vec<&SuiteTask> = self.tasks.iter().collect();
        let weight = |part: &SuiteTask| part.weight * of_task(&all, part) / of_task(&there, part);
        Some(Self {
            name: format!("{} ({} of {} parts)", self.name, there.len(), all.len()),
            about: self.about.clone(),
            tasks: there.iter().map(|part| SuiteTask { weight: weight(part), ..(*part).clone() }).collect(),
            suites: Vec::new(),
        })
    }

    /// The tasks with their shares of the mean, whose sum is 1; `None` if `name` is `None` for one of them.
    pub(crate) fn parts(&self, mut name: impl FnMut(&SuiteTask) -> Option<String>) -> Option<Vec<SuitePart>> {
        let all: f64 = self.tasks.iter().map(|task| task.weight).sum();
        let part = |task: &SuiteTask| {
            Some(SuitePart { task: name(task)?, split: task.split.clone(), weight: task.weight / all })
        };
        self.tasks.iter().map(part).collect()
    }

    /// The weighted mean of the tasks' estimates, which are taken as independent of one another.
    ///
    /// `None` if `estimate` is `None` for one of the tasks: a mean over fewer tasks would be another suite.
    pub fn combine(&self, mut estimate: impl FnMut(&SuiteTask) -> Option<Estimate>) -> Option<Estimate> {
        let parts: Option<Vec<_>> =
            self.tasks.iter().map(|task| Some((task.weight, estimate(task)?))).collect();
        weighted_mean(parts?)
    }
}

/// The TOML file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SuiteFile {
    #[serde(default)]
    about: String,
    #[serde(default)]
    task: Vec<toml::Spanned<SuiteTask>>,
    #[serde(default)]
    suite: Vec<toml::Spanned<SuiteEntry>>,
}

/// An entry of the file.
enum Entry {
    Task(SuiteTask),
    Suite(SuiteEntry),
}

/// Tasks and suites with their places, in the order of the file.
fn in_order(
    tasks: Vec<toml::Spanned<SuiteTask>>,
    suites: Vec<toml::Spanned<SuiteEntry>>,
) -> Vec<(Range<usize>, Entry)> {
    let tasks = tasks.into_iter().map(|task| (task.span(), Entry::Task(task.into_inner())));
    let suites = suites.into_iter().map(|suite| (suite.span(), Entry::Suite(suite.into_inner())));
    let mut entries: Vec<_> = tasks.chain(suites).collect();
    entries.sort_by_key(|(span, _)| span.start);
    entries
}

/// A suite that is a part of another one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SuiteEntry {
    suite: String,
    #[serde(default = "one")]
    weight: f64,
}

/// The name of an embedded definition, or the path of a file that is relative to the folder of `path`.
fn beside(path: &Path, name: String) -> String {
    match path.parent() {
        Some(folder) if name.ends_with(".toml") => folder.join(name).display().to_string(),
        _ => name,
    }
}

/// Sums of more tasks than there can be are still finite.
const LARGEST_WEIGHT: f64 = 1e100;

fn check_weight(weight: f64) -> Result<(), String> {
    match weight > 0.0 && weight <= LARGEST_WEIGHT {
        true => Ok(()),
        false => {
            Err(format!("weight = {weight}: a weight must be greater than 0, and at most {LARGEST_WEIGHT:e}"))
        }
    }
}

fn one() -> f64 {
    1.0
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_suite_names_known_tasks() {
        for name in Suite::names() {
            let suite = Suite::find(name).unwrap();
            assert_eq!(suite.name, name);
            assert!(!suite.about.is_empty());
            for task in &suite.tasks {
                dph_data::Task::find(&task.task).unwrap();
            }
        }
    }

    #[test]
    fn the_splits_are_those_of_the_paper() {
        let splits = |suite| -> Vec<(String, String)> {
            Suite::find(suite).unwrap().tasks.into_iter().map(|task| (task.task, task.split)).collect()
        };
        for (task, split) in splits("gpt4all") {
            let expected = match task.as_str() {
                "openbookqa" | "arc_easy" | "arc_challenge" => "test",
                _ => "validation",
            };
            assert_eq!(split, expected, "{task}");
        }
        assert!(splits("race").iter().all(|(_, split)| split == "test"));
    }

    #[test]
    fn an_unknown_name_gets_a_suggestion() {
        let error = |name| Suite::find(name).unwrap_err().to_string();
        assert_eq!(error("gpt4al"), "there is no suite `gpt4al`; did you mean `gpt4all`?");
        assert_eq!(
            error("zzz"),
            "there is no suite `zzz`; the embedded suites are gpt4all, race, glue, glue_no_wnli, reward_bench, reward_bench_chat, reward_bench_chat_hard, reward_bench_safety, reward_bench_reasoning, reward_bench_prior, reward_bench_2, rm_bench, rm_bench_easy, rm_bench_normal, rm_bench_hard, judgebench, ppe_correctness; a suite file is given by its path, ending in .toml"
        );
        assert!(error("nowhere/x.toml").starts_with("cannot read the suite file nowhere/x.toml: "));
    }

    #[test]
    fn a_suite_file_names_tasks_and_weights() {
        let source = "[[task]]\ntask = \"my.toml\"\nsplit = \"dev\"\n\n[[task]]\ntask = \"piqa\"\nsplit = \"validation\"\nweight = 3\n";
        let suite = Suite::parse(source, Path::new("folder/mine.toml")).unwrap();
        assert_eq!(suite.name, "mine");
        assert_eq!(suite.tasks[0].task, Path::new("folder").join("my.toml").display().to_string());
        assert_eq!((suite.tasks[0].weight, suite.tasks[1].weight), (1.0, 3.0));
        let mean = suite.combine(|task| {
            Some(Estimate { value: if task.task == "piqa" { 1.0 } else { 0.0 }, stderr: Some(0.1) })
        });
        assert_eq!(mean.unwrap().value, 0.75);
        assert_eq!(suite.combine(|task| (task.task == "piqa").then_some(mean.unwrap())), None);
    }

    #[test]
    fn a_mean_over_fewer_parts_has_a_name_of_its_own() {
        let glue = Suite::find("glue").unwrap();
        assert_eq!(glue.among(|_| true), Some(glue.clone()));
        assert_eq!(glue.among(|_| false), None);
        let found = glue.among(|part| part.task != "qqp" && part.split == "validation").unwrap();
        assert_eq!(found.name, "glue (8 of 10 parts)");
        let weights: Vec<(&str, f64)> =
            found.tasks.iter().map(|part| (part.task.as_str(), part.weight)).collect();
        let tasks = ["cola", "sst2", "mrpc", "stsb", "mnli", "qnli", "rte", "wnli"];
        assert_eq!(weights, tasks.map(|task| (task, 1.0)));
    }

    #[test]
    fn a_suite_of_suites_weighs_them_as_wholes() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, source: &str| std::fs::write(dir.path().join(name), source).unwrap();
        let task = |task: &str, weight: u32| {
            format!("[[task]]\ntask = \"{task}\"\nsplit = \"test\"\nweight = {weight}\n")
        };
        write("inner.toml", &(task("piqa", 3) + &task("boolq", 1)));
        write("outer.toml", &(task("boolq", 2) + "[[suite]]\nsuite = \"inner.toml\"\nweight = 6\n"));
        let suite = Suite::find(&dir.path().join("outer.toml").display().to_string()).unwrap();
        let weights: Vec<(&str, f64)> =
            suite.tasks.iter().map(|task| (task.task.as_str(), task.weight)).collect();
        assert_eq!(weights, [("boolq", 3.5), ("piqa", 4.5)]);
        assert_eq!((suite.suites.len(), suite.suites[0].name.as_str()), (1, "inner"));

        write("circle.toml", "[[suite]]\nsuite = \"other.toml\"\n");
        write("other.toml", "[[suite]]\nsuite = \"circle.toml\"\n");
        let error =
            Suite::find(&dir.path().join("circle.toml").display().to_string()).unwrap_err().to_string();
        assert!(
            error.contains("other.toml:1: ") && error.ends_with("circle.toml is a part of itself"),
            "{error}"
        );
        write("unknown.toml", "\n[[suite]]\nsuite = \"rase\"\n");
        let error =
            Suite::find(&dir.path().join("unknown.toml").display().to_string()).unwrap_err().to_string();
        assert!(error.ends_with("unknown.toml:2: there is no suite `rase`; did you mean `race`?"), "{error}");
    }

    /// (chat + hard chat + safety + reasoning + 0.5 prior) / 4.5, as the leaderboard of RewardBench has it.
    #[test]
    fn reward_bench_is_the_mean_of_its_categories() {
        let suite = Suite::find("reward_bench").unwrap();
        let value = |suite: &Suite| {
            let estimate = |task: &SuiteTask| {
                let hash =
                    task.split.bytes().fold(7_u32, |hash, byte| hash.wrapping_mul(31) + u32::from(byte));
                Some(Estimate { value: f64::from(hash % 1000) / 1000.0, stderr: None })
            };
            suite.combine(estimate).unwrap().value
        };
        let category = |name: &str| value(&Suite::find(&format!("reward_bench_{name}")).unwrap());
        let whole = category("chat") + category("chat_hard") + category("safety") + category("reasoning");
        assert!((value(&suite) - (whole + 0.5 * category("prior")) / 4.5).abs() < 1e-12);
        let names: Vec<&str> = suite.suites.iter().map(|suite| suite.name.as_str()).collect();
        assert_eq!(names.len(), 5);
        // In the category reasoning, mathematics counts as much as code.
        let weight = |split: &str| suite.tasks.iter().find(|task| task.split == split).unwrap().weight;
        assert!((weight("math-prm") - 0.5).abs() < 1e-12 && (weight("hep-go") - 0.5 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn a_wrong_file_is_pointed_at() {
        let error = |source: &str| Suite::parse(source, Path::new("x.toml")).unwrap_err().to_string();
        let task = "[[task]]\ntask = \"piqa\"\nsplit = \"test\"\n";
        for (source, expected) in [
            ("", "x.toml:1: a suite needs at least one [[task]] or [[suite]]".to_string()),
            (
                "[[task]]\ntask = \"piqa\"\nsplt = \"test\"\n",
                "x.toml:3: unknown field `splt`, expected one of `task`, `split`, `weight`; did you mean `split`?".into(),
            ),
            ("[[task]]\ntask = \"piqa\"\n", "x.toml:1: missing field `split`".into()),
            (
                "[[task]]\ntask = \"piqa\"\nsplit = \"test\"\nweight = 0\n",
                "x.toml:1: weight = 0: a weight must be greater than 0, and at most 1e100".into(),
            ),
            (&format!("{task}\n{task}"), "x.toml:5: piqa/test is listed twice".into()),
        ] {
            assert_eq!(error(source), expected);
        }
    }
}
