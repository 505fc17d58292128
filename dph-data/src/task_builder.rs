//! Compiles a task file, noting every mistake on the way.

use std::ops::Range;
use std::path::Path;

use dph_core::suggestion::did_you_mean;
use toml::Spanned;
use toml::de::DeTable;

use crate::choice::List;
use crate::document::Recipe;
use crate::invalid_toml::TomlProblem;
use crate::metric::Metric;
use crate::task::{Kind, Source, Task};
use crate::task_file::{KEYS, ListKey, TaskFile};
use crate::template::{Expr, Template};
use crate::unfold::Unfold;

/// The task in a TOML text, or everything that is wrong with it. Files of the task are relative to the folder of `file`.
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
    let task = Builder { file: parsed, table, problems: &mut problems }.build(folder);
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

/// Compiles a task and notes every problem on the way.
pub(crate) struct Builder<'a> {
    pub file: TaskFile,
    /// The same file, with the places of its keys.
    pub table: &'a DeTable<'a>,
    pub problems: &'a mut Vec<TomlProblem>,
}

impl Builder<'_> {
    fn build(mut self, folder: &Path) -> Option<Task> {
        let name = self.file.name.get_ref().clone();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)) {
            self.problem(self.file.name.span(), "a name consists of letters, digits, `_`, `-` and `.`");
        }
        let kind = self.kind();
        let source = self.source(folder, kind);
        self.keys_fit(kind?);
        let unfold = self.unfold();
        let id = self.file.id.take().and_then(|key| self.expression("id", &key));
        let system = self.file.system.take().and_then(|key| self.template("system", &key));
        let attributes = self.file.attributes.take().map(Spanned::into_inner).unwrap_or_default();
        let attributes = attributes
            .into_iter()
            .filter_map(|(name, key)| Some((name, self.expression("attributes", &key)?)))
            .collect();
        let metrics = self.metrics(kind?);
        let body = self.body(kind?);
        Some(Task {
            name,
            about: self.file.about.take().unwrap_or_default(),
            kind: kind?,
            metrics,
            source: source?,
            recipe: Recipe { unfold, id, system, attributes, body: body? },
        })
    }

    fn kind(&mut self) -> Option<Kind> {
        let key = self.file.kind.clone();
        self.one_of("kind", key.get_ref(), key.span(), &Kind::ALL)
    }

    fn metrics(&mut self, kind: Kind) -> Vec<Metric> {
        let Some(key) = self.file.metric.take() else {
            return match kind {
                Kind::Choice | Kind::Preference => vec![Metric::Accuracy],
                Kind::Instruction | Kind::Text => Vec::new(),
            };
        };
        let span = key.span();
        let names = key.into_inner().into_vec();
        let mut metrics = Vec::new();
        for name in names {
            let Some(metric) = self.one_of("metric", &name, span.clone(), &Metric::ALL) else { continue };
            if metrics.contains(&metric) {
                self.problem(span.clone(), format!("the metric `{metric}` stands here twice"));
            }
            metrics.push(metric);
        }
        self.metrics_fit(kind, &metrics, span);
        metrics
    }

    /// Which rows there are.
    fn unfold(&mut self) -> Unfold {
        let rows = match self.file.rows.take() {
            Some(key) => {
                let span = key.span();
                let sources = match key.into_inner() {
                    ListKey::Expression(source) => vec![source],
                    ListKey::Items(sources) => sources,
                };
                let rows = sources.iter().map(|source| Expr::compile("rows", source));
                rows.filter_map(|row| self.noted(span.clone(), row)).collect()
            }
            None => Vec::new(),
        };
        let keep = self.file.keep.take().and_then(|key| self.expression("keep", &key));
        Unfold { rows, keep }
    }

    fn source(&mut self, folder: &Path, kind: Option<Kind>) -> Option<Source> {
        let synthetic = match self.file.source.take() {
            Some(key) => {
                let known = [("files", false), ("synthetic", true)];
                let synthetic = self.one_of("source", key.get_ref(), key.span(), &known)?;
                if synthetic && kind == Some(Kind::Preference) {
                    self.problem(
                        key.span(),
                        "the synthetic world has no preference pairs; use kind `choice`",
                    );
                }
                synthetic
            }
            None => false,
        };
        if synthetic {
            return Some(Source::Synthetic);
        }
        let folders = match self.file.folders.take() {
            Some(key) => {
                if key.get_ref().is_empty() {
                    self.problem(
                        key.span(),
                        "`folders` is empty: name at least one folder, or leave the key out",
                    );
                }
                key.into_inner()
            }
            None => vec![self.file.name.get_ref().clone()],
        };
        let files = std::mem::take(&mut self.file.files).into_iter().map(|(split, files)| {
            (split, files.into_vec().into_iter().map(|name| folder.join(name)).collect())
        });
        Some(Source::Files { folders, splits: std::mem::take(&mut self.file.splits), files: files.collect() })
    }

    pub(crate) fn needed<K, T>(
        &mut self,
        name: &'static str,
        key: Option<Spanned<K>>,
        compile: fn(&mut Self, &'static str, &Spanned<K>) -> Option<T>,
    ) -> Option<T> {
        let Some(key) = key else {
            let kind = &self.file.kind;
            let message = format!("a task of kind `{}` needs the key `{name}`", kind.get_ref());
            self.problem(kind.span(), message);
            return None;
        };
        compile(self, name, &key)
    }

    pub(crate) fn template(&mut self, name: &'static str, key: &Spanned<String>) -> Option<Template> {
        self.noted(key.span(), Template::compile(name, key.get_ref()))
    }

    pub(crate) fn expression(&mut self, name: &'static str, key: &Spanned<String>) -> Option<Expr> {
        self.noted(key.span(), Expr::compile(name, key.get_ref()))
    }

    /// An expression that defaults to the field of the key's own name.
    pub(crate) fn field(&mut self, name: &'static str, key: Option<Spanned<String>>) -> Option<Expr> {
        match key {
            Some(key) => self.expression(name, &key),
            None => Expr::compile(name, name).ok(),
        }
    }

    pub(crate) fn list(&mut self, name: &'static str, key: &Spanned<ListKey>) -> Option<List> {
        match key.get_ref() {
            ListKey::Expression(source) => {
                self.noted(key.span(), Expr::compile(name, source)).map(List::Expression)
            }
            ListKey::Items(items) => {
                let items =
                    items.iter().map(|source| self.noted(key.span(), Template::compile(name, source)));
                items.collect::<Option<_>>().map(List::Templates)
            }
        }
    }

    fn one_of<T: Copy>(
        &mut self,
        name: &str,
        given: &str,
        span: Range<usize>,
        known: &[(&str, T)],
    ) -> Option<T> {
        if let Some((_, value)) = known.iter().find(|(known, _)| *known == given) {
            return Some(*value);
        }
        let names = || known.iter().map(|(name, _)| *name);
        let all = || format!("it is one of {}", names().collect::<Vec<_>>().join(", "));
        let help = did_you_mean(given, names()).unwrap_or_else(all);
        self.problems.push(TomlProblem::new(span, format!("there is no {name} `{given}`")).help(help));
        None
    }

    fn noted<T>(&mut self, span: Range<usize>, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.problem(span, message)).ok()
    }

    pub(crate) fn problem(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.problems.push(TomlProblem::new(span, message));
    }
}
