//! Compiles a task file into a [`Task`] and reports all mistakes at once.

mod body;
mod checks;
mod classify;
mod compiler;
mod hub;
mod metrics;
mod plain;
mod selection;
mod source;

use std::path::Path;

use dph_core::suggestion::did_you_mean;
use toml::Spanned;
use toml::de::DeTable;

use self::body::body;
use self::checks::keys_fit;
use self::classify::classify;
use self::compiler::Compiler;
use self::hub::hub;
use self::metrics::metrics;
use self::plain::plain;
use self::selection::selection;
use self::source::source;
use super::definition::Task;
use super::keys::{KEYS, TaskFile};
use super::kind::Kind;
use super::recipe::Recipe;
use crate::invalid_toml::TomlProblem;

/// The task in a TOML text, or all of its problems. The files of the task are relative to the folder of `file`.
pub(crate) fn compile(source: &str, file: &str) -> Result<Task, Vec<TomlProblem>> {
    let table = DeTable::parse(source).map_err(|error| {
        let message = format!("not valid TOML: {}", error.message());
        vec![TomlProblem::new(error.span().unwrap_or(0..0), message)]
    })?;
    let table = table.get_ref();
    let mut problems = unknown_keys(table);
    let parsed = match toml::from_str::<TaskFile>(source) {
        Ok(parsed) => parsed,
        Err(error) => {
            problems.push(error.into());
            return Err(problems);
        }
    };
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    let task = task(&mut Compiler { file: parsed, table, problems: &mut problems }, folder);
    task.filter(|_| problems.is_empty()).ok_or(problems)
}

/// A problem for each key that no task has.
fn unknown_keys(table: &DeTable<'_>) -> Vec<TomlProblem> {
    let known = || KEYS.iter().map(|key| key.name.as_str());
    let unknown = table.keys().filter(|key| !known().any(|known| known == key.get_ref()));
    unknown
        .map(|key| {
            let all = || format!("the keys of a task are {}", known().collect::<Vec<_>>().join(", "));
            let help = did_you_mean(key.get_ref(), known()).unwrap_or_else(all);
            TomlProblem::new(key.span(), format!("unknown key `{}`", key.get_ref())).help(help)
        })
        .collect()
}

fn task(c: &mut Compiler<'_>, folder: &Path) -> Option<Task> {
    let name = c.file.name.get_ref().clone();
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)) {
        c.problem(c.file.name.span(), "a name consists of letters, digits, `_`, `-` and `.`");
    }
    let kind = kind(c);
    let source = source(c, folder, kind);
    keys_fit(c, kind?);
    let plain = plain(c);
    let classify = classify(c);
    let hub = hub(c);
    let selection = selection(c);
    let id = c.file.id.take().and_then(|key| c.expression("id", &key));
    let group = c.file.group.take().and_then(|key| c.expression("group", &key));
    let system = c.file.system.take().and_then(|key| c.template("system", &key));
    let attributes = c.file.attributes.take().map(Spanned::into_inner).unwrap_or_default();
    let attributes = attributes
        .into_iter()
        .filter_map(|(name, key)| Some((name, c.expression("attributes", &key)?)))
        .collect();
    let metrics = metrics(c, kind?);
    let window = c.file.window.take();
    if let Some(window) = window.as_ref().filter(|window| *window.get_ref() < 2) {
        c.problem(window.span(), "a window has at least 2 tokens");
    }
    let body = body(c, kind?);
    Some(Task {
        name,
        about: c.file.about.take().unwrap_or_default(),
        kind: kind?,
        metrics,
        window: window.map(Spanned::into_inner),
        source: source?,
        recipe: Recipe { selection, id, group, system, attributes, body: body? },
        plain,
        classify,
        hub,
    })
}

fn kind(c: &mut Compiler<'_>) -> Option<Kind> {
    let key = c.file.kind.clone();
    c.one_of("kind", key.get_ref(), key.span(), &Kind::ALL)
}
