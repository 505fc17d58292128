//! Expands the axes of a sweep into variants and checks each of them.

use std::path::Path;

use dph_data::TomlProblem;
use dph_eval::Suite;
use toml_edit::{DocumentMut, Value};

use super::label::{label, value_text};
use super::task_axis::{set_task, take_suites};
use super::variants::{Axis, Sweep, SweptTask, Variant};
use crate::experiment::Experiment;
use crate::experiment::parse::{parse, set};

/// The variants of an experiment file, given its text, its folder and its swept keys (at least one).
///
/// A problem that also exists without the sweep is reported at its own line, a problem that a swept value causes at the swept key.
pub(crate) fn expand(text: &str, folder: &Path, axes: Vec<Axis>) -> Result<Sweep, Vec<TomlProblem>> {
    let mut variants: Vec<Variant> = Vec::new();
    let mut problems: Vec<TomlProblem> = Vec::new();
    for choice in combinations(&axes) {
        match checked(text, folder, &choice) {
            Ok((source, experiment, task)) => {
                let names: Vec<&str> = choice.iter().map(|(axis, _)| axis.name.as_str()).collect();
                let values: Vec<&Value> = choice.iter().map(|(_, value)| *value).collect();
                let label = label(&names, &values, |label| variants.iter().any(|other| other.label == label));
                let values = values.into_iter().map(value_text).collect();
                variants.push(Variant { label, values, experiment, source, task });
            }
            // Several variants often have the same problem.
            Err(found) => {
                for problem in found {
                    if !problems.contains(&problem) {
                        problems.push(problem);
                    }
                }
            }
        }
    }
    if problems.is_empty() {
        problems = without_tasks(&axes, &variants);
    }
    match problems.is_empty() {
        true => Ok(Sweep { axes, variants }),
        false => Err(problems),
    }
}

/// A value for every axis.
type Choice<'a> = Vec<(&'a Axis, &'a Value)>;

/// Every combination of values. The value of the last axis changes first.
fn combinations(axes: &[Axis]) -> Vec<Choice<'_>> {
    let mut choices: Vec<Choice<'_>> = vec![Vec::new()];
    for axis in axes {
        let mut longer = Vec::new();
        for choice in &choices {
            longer.extend(axis.values.iter().map(|value| [choice.as_slice(), &[(axis, value)]].concat()));
        }
        choices = longer;
    }
    choices
}

/// The text of a variant, its experiment and, in a sweep over tasks, its task.
fn checked(
    text: &str,
    folder: &Path,
    choice: &Choice<'_>,
) -> Result<(String, Experiment, Option<SweptTask>), Vec<TomlProblem>> {
    let source = with_values(text, choice).map_err(|problem| vec![problem])?;
    let mut experiment = parse(&source, folder).map_err(|problems| placed(text, folder, choice, problems))?;
    let Some((axis, _)) = choice.iter().find(|(axis, _)| axis.is_task()) else {
        return Ok((source, experiment, None));
    };
    let (task, source) = take_suites(&mut experiment, &source)
        .map_err(|message| vec![TomlProblem::new(axis.span.clone(), message)])?;
    Ok((source, experiment, Some(task)))
}

/// Reports a suite of a sweep over tasks that has none of these tasks.
fn without_tasks(axes: &[Axis], variants: &[Variant]) -> Vec<TomlProblem> {
    let Some(axis) = axes.iter().find(|axis| axis.is_task()) else { return Vec::new() };
    let tasks: Vec<&SweptTask> = variants.iter().filter_map(|variant| variant.task.as_ref()).collect();
    let mut suites: Vec<&String> = tasks.iter().flat_map(|task| &task.suites).collect();
    suites.dedup();
    let has_none = |name: &&&String| {
        let suite = Suite::find(name);
        suite.is_ok_and(|suite| {
            !suite.tasks.iter().any(|part| tasks.iter().any(|task| task.name == part.task))
        })
    };
    let problem = |name: &&String| {
        let message = format!(
            "`task`: none of these tasks is in the suite `{name}`; remove it from `suites` of [eval]"
        );
        TomlProblem::new(axis.span.clone(), message)
    };
    suites.iter().filter(has_none).map(problem).collect()
}

/// The text of an experiment file with these values and without its sweep.
fn with_values(text: &str, choice: &[(&Axis, &Value)]) -> Result<String, TomlProblem> {
    let syntax =
        |error: toml_edit::TomlError| TomlProblem::new(error.span().unwrap_or_default(), error.message());
    let mut document: DocumentMut = text.parse().map_err(syntax)?;
    document.remove("sweep");
    // The stages that other keys give a `mix` are not trained on the task.
    let (tasks, others): (Vec<_>, Vec<_>) = choice.iter().partition(|(axis, _)| axis.is_task());
    for (axis, value) in others {
        let keys: Vec<&str> = axis.key.split('.').collect();
        set(document.as_table_mut(), &keys, (*value).clone())
            .map_err(|message| TomlProblem::new(axis.span.clone(), format!("`{}`: {message}", axis.key)))?;
    }
    for (axis, task) in tasks {
        set_task(&mut document, task)
            .map_err(|message| TomlProblem::new(axis.span.clone(), format!("`task`: {message}")))?;
    }
    Ok(document.to_string())
}

/// The problems of a variant with their lines in the file. A problem is assigned to the first of the chosen values that causes it. A
/// problem that exists without any of these values keeps its line in the file.
fn placed(text: &str, folder: &Path, choice: &Choice<'_>, problems: Vec<TomlProblem>) -> Vec<TomlProblem> {
    let of_file = parse(text, folder).err().unwrap_or_default();
    let with_first = |count: usize| {
        let source = with_values(text, &choice[..count]).ok()?;
        Some(parse(&source, folder).err().unwrap_or_default())
    };
    let earlier: Vec<Vec<TomlProblem>> =
        (1..choice.len()).map(|count| with_first(count).unwrap_or_default()).collect();
    let place = |problem: TomlProblem| {
        let same = |other: &&TomlProblem| other.message == problem.message;
        if let Some(problem) = of_file.iter().find(same) {
            return problem.clone();
        }
        let first = earlier.iter().position(|problems| problems.iter().any(|other| same(&other)));
        let (axis, value) = choice[first.unwrap_or(choice.len() - 1)];
        let message = format!("{}={}: {}", axis.name, value_text(value), problem.message);
        TomlProblem { help: problem.help, ..TomlProblem::new(axis.span.clone(), message) }
    };
    problems.into_iter().map(place).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::axes;
    use super::*;

    const FILE: &str = r#"name = "x"
[model]
path = "somewhere"
[[stage]]
name = "dph"
objective = { dph = { form = "separable" } }
steps = 3
mix = { world = 1.0 }
[sweep]
"#;

    fn sweep(sweep: &str) -> Result<Sweep, Vec<TomlProblem>> {
        let text = format!("{FILE}{sweep}\n");
        expand(&text, Path::new(""), axes(&text).unwrap())
    }

    /// The text at the span of each problem, and its message.
    fn problems(swept: &str) -> Vec<(String, String)> {
        let text = format!("{FILE}{swept}\n");
        let place = |problem: TomlProblem| (text[problem.span].to_string(), problem.message);
        sweep(swept).unwrap_err().into_iter().map(place).collect()
    }

    #[test]
    fn every_combination_is_a_variant_and_the_last_key_changes_first() {
        let sweep = sweep(
            "\"head.pooling\" = [\n  \"identity\", # first\n  { projection = 4 },\n]\n\"stage.dph.objective.dph.form\" = [\"separable\", \"contrastive\"]\nseed = [7]",
        )
        .unwrap();
        let labels: Vec<&str> = sweep.variants.iter().map(|variant| variant.label.as_str()).collect();
        assert_eq!(
            labels,
            [
                "pooling=identity,form=separable,seed=7",
                "pooling=identity,form=contrastive,seed=7",
                "pooling=projection-4,form=separable,seed=7",
                "pooling=projection-4,form=contrastive,seed=7",
            ]
        );
        let last = &sweep.variants[3];
        assert_eq!(last.values, ["{ projection = 4 }", "contrastive", "7"]);
        assert_eq!(last.experiment.seed, 7);
        assert!(last.experiment.sweep.is_empty());
        // The text of a variant gives the same experiment.
        assert_eq!(parse(&last.source, Path::new("")).unwrap(), last.experiment);
        assert_eq!(last.experiment.stages[0].steps, 3);
    }

    #[test]
    fn an_invalid_value_is_reported_once_at_its_key() {
        let found = problems("seed = [1, 2]\n\"head.pooling\" = [\"identity\", \"tanh\"]");
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, "\"head.pooling\"");
        assert!(found[0].1.starts_with("pooling=tanh: unknown variant `tanh`"), "{found:?}");

        let found = problems("\"stage.sft.steps\" = [1]");
        assert_eq!(
            found,
            [("\"stage.sft.steps\"".into(), "`stage.sft.steps`: there is no stage `sft`; known: dph".into())]
        );

        let found = problems("\"stage.dph.steps\" = [0]\n\"head.dropout\" = [0.5, 2.0]");
        let places: Vec<&str> = found.iter().map(|(place, _)| place.as_str()).collect();
        assert_eq!(places, ["\"stage.dph.steps\"", "\"head.dropout\""], "{found:?}");
    }

    #[test]
    fn a_task_is_the_mix_of_the_stages_that_have_none() {
        let text = r#"name = "x"
model = { path = "somewhere" }
stage = [
  { name = "sft", trainable = "all", objective = { sft = {} }, steps = 3, mix = { alpaca = 1.0 } },
  { name = "dph", objective = { dph = {} }, steps = 3 },
]
[eval]
suites = ["glue"]
split = "test"
[sweep]
seed = [1, 2]
task = ["mnli", "piqa", "mine.toml"]
"#;
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("mine.toml"), dph_data::Task::embedded_source("rte").unwrap())
            .unwrap();
        let sweep = expand(text, dir.path(), axes(text).unwrap()).unwrap();
        let mine = dir.path().join("mine.toml").display().to_string();
        for (variant, (task, splits)) in sweep.variants[3..].iter().zip([
            ("mnli", vec!["validation", "validation_mismatched"]),
            ("piqa", vec!["test"]),
            (mine.as_str(), vec!["test"]),
        ]) {
            let Experiment { stages, eval, seed, .. } = &variant.experiment;
            assert_eq!(*seed, 2);
            let mix = |stage: usize| stages[stage].mix.keys().cloned().collect::<Vec<_>>();
            assert_eq!((mix(0), mix(1)), (vec!["alpaca".to_owned()], vec![task.to_owned()]));
            assert_eq!(
                (&eval.tasks[..], &eval.split.0),
                (&[task.to_owned()][..], &splits.iter().map(|split| split.to_string()).collect())
            );
            assert_eq!(variant.task, Some(SweptTask { name: task.into(), suites: vec!["glue".into()] }));
            assert!(eval.suites.is_empty());
            // The text of a variant gives the same experiment.
            assert_eq!(parse(&variant.source, dir.path()).unwrap(), variant.experiment);
        }
        assert_eq!(sweep.variants[5].label, "seed=2,task=mine.toml");
    }

    #[test]
    fn swept_keys_need_no_value_in_the_file() {
        let text = "name = \"x\"\nmodel = {}\n[sweep]\n\"model.path\" = [\"a\", \"b\"]\n";
        let variants = expand(text, Path::new(""), axes(text).unwrap()).unwrap().variants;
        assert_eq!(variants[1].experiment.model.path.as_deref(), Some("b".as_ref()));
    }

    #[test]
    fn a_problem_of_the_file_is_reported_at_its_own_line() {
        let text = format!("{FILE}seed = [1, 2]\n").replace("steps = 3", "steps = 0");
        let found = expand(&text, Path::new(""), axes(&text).unwrap()).unwrap_err();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            (&text[found[0].span.clone()], found[0].message.as_str()),
            ("0", "`steps` must be at least 1")
        );
    }
}
