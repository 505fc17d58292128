//! Expands the axes of a sweep into variants and checks each of them.

use std::path::Path;

use dph_data::TomlProblem;
use toml_edit::{DocumentMut, Value};

use super::label::{label, value_text};
use super::variants::{Axis, Sweep, Variant};
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
            Ok((source, experiment)) => {
                let names: Vec<&str> = choice.iter().map(|(axis, _)| axis.name.as_str()).collect();
                let values: Vec<&Value> = choice.iter().map(|(_, value)| *value).collect();
                let label = label(&names, &values, |label| variants.iter().any(|other| other.label == label));
                let values = values.into_iter().map(value_text).collect();
                variants.push(Variant { label, values, experiment, source });
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

/// The text of a variant and its experiment.
fn checked(text: &str, folder: &Path, choice: &Choice<'_>) -> Result<(String, Experiment), Vec<TomlProblem>> {
    let source = with_values(text, choice).map_err(|problem| vec![problem])?;
    match parse(&source, folder) {
        Ok(experiment) => Ok((source, experiment)),
        Err(problems) => Err(placed(text, folder, choice, problems)),
    }
}

/// The text of an experiment file with these values and without its sweep.
fn with_values(text: &str, choice: &[(&Axis, &Value)]) -> Result<String, TomlProblem> {
    let syntax =
        |error: toml_edit::TomlError| TomlProblem::new(error.span().unwrap_or_default(), error.message());
    let mut document: DocumentMut = text.parse().map_err(syntax)?;
    document.remove("sweep");
    for (axis, value) in choice {
        let keys: Vec<&str> = axis.key.split('.').collect();
        set(document.as_table_mut(), &keys, (*value).clone())
            .map_err(|message| TomlProblem::new(axis.span.clone(), format!("`{}`: {message}", axis.key)))?;
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
