//! The key `task` of `[sweep]`: tasks, each of which is trained on alone and evaluated.

use dph_eval::Suite;
use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::variants::SweptTask;
use crate::experiment::{Experiment, Splits};

/// Trains on one task and evaluates it: the stages without `mix` have this task as theirs, and `[eval]` has it as its only one.
pub(super) fn set_task(document: &mut DocumentMut, task: &Value) -> Result<(), String> {
    let Some(name) = task.as_str() else {
        return Err(format!(
            "a task is given by its name or the path of its file, such as \"cola\", not by {task}"
        ));
    };
    let mut without_mix: Vec<&mut dyn TableLike> =
        stages(document).into_iter().filter(|stage| !stage.contains_key("mix")).collect();
    if without_mix.is_empty() {
        return Err(
            "each of its tasks is the `mix` of the stages that have none, and here every stage has one: remove `mix` from the stage that is to be trained on one task at a time".into(),
        );
    }
    for stage in &mut without_mix {
        stage.insert("mix", Item::Value(InlineTable::from_iter([(name, Value::from(1.0))]).into()));
    }
    let eval = document.entry("eval").or_insert(Item::Table(Table::new()));
    let Some(eval) = eval.as_table_like_mut() else { return Err("`eval` is not a table".into()) };
    if eval.contains_key("tasks") {
        return Err(
            "each of its tasks is evaluated after the training on it, and `[eval]` names `tasks` as well: remove them; `suites` of `[eval]` name the means".into(),
        );
    }
    eval.insert("tasks", Item::Value(Array::from_iter([name]).into()));
    Ok(())
}

/// Moves the suites of a variant, whose means belong to all of its tasks together, from its evaluation into the result. The task is evaluated
/// on the splits that they name for it.
pub(super) fn take_suites(experiment: &mut Experiment, source: &str) -> Result<(SweptTask, String), String> {
    let eval = &mut experiment.eval;
    let suites = std::mem::take(&mut eval.suites);
    let name = eval.tasks.first().cloned().unwrap_or_default();
    let mut splits: Vec<String> = Vec::new();
    for suite in &suites {
        let suite = Suite::find(suite).map_err(|error| error.to_string())?;
        for part in suite.tasks {
            if part.task == name && !splits.contains(&part.split) {
                splits.push(part.split);
            }
        }
    }
    let mut document: DocumentMut =
        source.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
    if let Some(eval) = document.get_mut("eval").and_then(Item::as_table_like_mut) {
        eval.remove("suites");
    }
    let source = match splits.is_empty() {
        true => document.to_string(),
        false => with_splits(experiment, &document.to_string(), splits),
    };
    Ok((SweptTask { name, suites }, source))
}

/// Sets the splits of the evaluation in an experiment and in its text, which is returned.
pub(crate) fn with_splits(experiment: &mut Experiment, source: &str, splits: Vec<String>) -> String {
    // The text was parsed before.
    let mut document: DocumentMut = source.parse().unwrap_or_default();
    if let Some(eval) = document.get_mut("eval").and_then(Item::as_table_like_mut) {
        let value: Value = match &splits[..] {
            [split] => split.as_str().into(),
            splits => Array::from_iter(splits.iter().map(String::as_str)).into(),
        };
        eval.insert("split", Item::Value(value));
    }
    experiment.eval.split = Splits(splits);
    document.to_string()
}

/// The tables of the stages.
fn stages(document: &mut DocumentMut) -> Vec<&mut dyn TableLike> {
    match document.get_mut("stage") {
        Some(Item::ArrayOfTables(tables)) => {
            tables.iter_mut().map(|table| table as &mut dyn TableLike).collect()
        }
        Some(Item::Value(Value::Array(tables))) => tables
            .iter_mut()
            .filter_map(Value::as_inline_table_mut)
            .map(|table| table as &mut dyn TableLike)
            .collect(),
        _ => Vec::new(),
    }
}
