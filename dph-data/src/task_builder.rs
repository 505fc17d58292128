//! Compiles a task file, noting every mistake on the way.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::DeTable;

use crate::document::{Body, Choice, List, Recipe};
use crate::preference::Preference;
use crate::task::{Kind, Metric, Source, Task};
use crate::task_error::TaskProblem;
use crate::task_file::{FileList, KEYS, ListKey, TaskFile, nearest};
use crate::template::{Expr, Template};

/// The task in a TOML text, or everything that is wrong with it. Files of the task are relative to the folder of `file`.
pub(crate) fn compile(source: &str, file: &str) -> Result<Task, Vec<TaskProblem>> {
    let mut problems = unknown_keys(source).map_err(|problem| vec![problem])?;
    let parsed = match toml::from_str::<TaskFile>(source) {
        Ok(parsed) => parsed,
        Err(error) => {
            problems.push(TaskProblem::new(error.span().unwrap_or(0..0), error.message()));
            return Err(problems);
        }
    };
    let folder = Path::new(file).parent().unwrap_or(Path::new(""));
    let task = Builder { file: parsed, problems: &mut problems }.build(folder);
    task.filter(|_| problems.is_empty()).ok_or(problems)
}

/// A problem for each key that no task has, or the one problem that keeps the file from being TOML.
fn unknown_keys(source: &str) -> Result<Vec<TaskProblem>, TaskProblem> {
    let table = DeTable::parse(source).map_err(|error| {
        TaskProblem::new(error.span().unwrap_or(0..0), format!("not valid TOML: {}", error.message()))
    })?;
    let unknown = table.get_ref().keys().filter(|key| !KEYS.contains(&key.get_ref().as_ref()));
    Ok(unknown
        .map(|key| {
            let help = match nearest(key.get_ref(), KEYS) {
                Some(known) => format!("did you mean `{known}`?"),
                None => format!("the keys of a task are {}", KEYS.join(", ")),
            };
            TaskProblem::new(key.span(), format!("unknown key `{}`", key.get_ref())).help(help)
        })
        .collect())
}

/// Compiles a task and notes every problem on the way.
struct Builder<'a> {
    file: TaskFile,
    problems: &'a mut Vec<TaskProblem>,
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
        let id = self.file.id.take().and_then(|key| self.expression("id", &key));
        let system = self.file.system.take().and_then(|key| self.template("system", &key));
        let body = self.body(kind?);
        let metric = self.metric(kind?);
        Some(Task {
            name,
            about: self.file.about.take().unwrap_or_default(),
            kind: kind?,
            metric,
            source: source?,
            recipe: Recipe { id, system, body: body? },
        })
    }

    fn kind(&mut self) -> Option<Kind> {
        const KINDS: [(&str, Kind); 4] = [
            ("choice", Kind::Choice),
            ("preference", Kind::Preference),
            ("instruction", Kind::Instruction),
            ("text", Kind::Text),
        ];
        let key = self.file.kind.clone();
        self.one_of("kind", &key, &KINDS)
    }

    fn metric(&mut self, kind: Kind) -> Option<Metric> {
        match self.file.metric.take() {
            Some(key) => self.one_of("metric", &key, &[("accuracy", Metric::Accuracy)]),
            None => matches!(kind, Kind::Choice | Kind::Preference).then_some(Metric::Accuracy),
        }
    }

    fn source(&mut self, folder: &Path, kind: Option<Kind>) -> Option<Source> {
        let synthetic = match self.file.source.take() {
            Some(key) => {
                let synthetic = self.one_of("source", &key, &[("files", false), ("synthetic", true)])?;
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
            let names = match files {
                FileList::One(name) => vec![name],
                FileList::Many(names) => names,
            };
            (split, names.into_iter().map(|name| folder.join(name)).collect())
        });
        Some(Source::Files { folders, splits: std::mem::take(&mut self.file.splits), files: files.collect() })
    }

    fn body(&mut self, kind: Kind) -> Option<Body> {
        match kind {
            Kind::Choice => {
                let user = self.file.user.take();
                let user = self.needed("user", user, Self::template);
                let candidates = self.file.candidates.take();
                let candidates = self.needed("candidates", candidates, Self::list);
                let answer = self.file.answer.take().and_then(|key| self.template("answer", &key));
                let labels = self.file.labels.take().and_then(|key| self.list("labels", &key));
                let gold = self.file.gold.take();
                let gold = self.needed("gold", gold, Self::expression);
                Some(Body::Choice(Box::new(Choice {
                    user: user?,
                    candidates: candidates?,
                    answer,
                    labels,
                    gold: gold?,
                })))
            }
            Kind::Preference => {
                let user = self.file.user.take().and_then(|key| self.template("user", &key));
                let prompt = self.file.prompt.take();
                let prompt = self.field("prompt", prompt);
                let chosen = self.file.chosen.take();
                let chosen = self.field("chosen", chosen);
                let rejected = self.file.rejected.take();
                let rejected = self.field("rejected", rejected);
                Some(Body::Preference {
                    user,
                    layout: Preference { prompt: prompt?, chosen: chosen?, rejected: rejected? },
                })
            }
            Kind::Instruction if self.file.messages.is_some() => {
                for key in [self.file.user.take(), self.file.target.take()].into_iter().flatten() {
                    self.problem(
                        key.span(),
                        "`messages` holds the whole conversation; drop it, or drop this key",
                    );
                }
                let messages = self.file.messages.take();
                let messages = self.needed("messages", messages, Self::expression);
                Some(Body::Conversation { messages: messages? })
            }
            Kind::Instruction => {
                let user = self.file.user.take();
                let user = self.needed("user", user, Self::template);
                let target = self.file.target.take();
                let target = self.needed("target", target, Self::template);
                Some(Body::Instruction { user: user?, target: target? })
            }
            Kind::Text => {
                let text = self.file.text.take();
                Some(Body::Text { text: self.needed("text", text, Self::template)? })
            }
        }
    }

    /// Every key that this kind of task never looks at is a mistake.
    fn keys_fit(&mut self, kind: Kind) {
        let f = &self.file;
        let span = |key: &Option<Spanned<String>>| key.as_ref().map(Spanned::span);
        let list_span = |key: &Option<Spanned<ListKey>>| key.as_ref().map(Spanned::span);
        use Kind::{Choice, Instruction, Preference, Text};
        type Key<'a> = (&'a str, Option<Range<usize>>, &'a [Kind]);
        let keys: [Key<'_>; 13] = [
            ("system", span(&f.system), &[Choice, Preference, Instruction]),
            ("user", span(&f.user), &[Choice, Preference, Instruction]),
            ("metric", span(&f.metric), &[Choice, Preference]),
            ("candidates", list_span(&f.candidates), &[Choice]),
            ("answer", span(&f.answer), &[Choice]),
            ("labels", list_span(&f.labels), &[Choice]),
            ("gold", span(&f.gold), &[Choice]),
            ("prompt", span(&f.prompt), &[Preference]),
            ("chosen", span(&f.chosen), &[Preference]),
            ("rejected", span(&f.rejected), &[Preference]),
            ("target", span(&f.target), &[Instruction]),
            ("messages", span(&f.messages), &[Instruction]),
            ("text", span(&f.text), &[Text]),
        ];
        let misplaced = keys.into_iter().filter(|(_, _, kinds)| !kinds.contains(&kind));
        let problems: Vec<_> = misplaced
            .filter_map(|(key, span, kinds)| {
                let kinds: Vec<String> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
                let message = format!("`{key}` has no meaning in a task of kind `{kind}`");
                Some(TaskProblem::new(span?, message).help(format!("it belongs to {}", kinds.join(", "))))
            })
            .collect();
        self.problems.extend(problems);
        if let (Some(_), Some(prompt)) = (&self.file.user, &self.file.prompt) {
            let span = prompt.span();
            self.problem(span, "`user` and `prompt` both say what comes before the answers; keep one");
        }
    }

    fn needed<K, T>(
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

    fn template(&mut self, name: &'static str, key: &Spanned<String>) -> Option<Template> {
        self.noted(key.span(), Template::compile(name, key.get_ref()))
    }

    fn expression(&mut self, name: &'static str, key: &Spanned<String>) -> Option<Expr> {
        self.noted(key.span(), Expr::compile(name, key.get_ref()))
    }

    /// An expression that defaults to the field of the key's own name.
    fn field(&mut self, name: &'static str, key: Option<Spanned<String>>) -> Option<Expr> {
        match key {
            Some(key) => self.expression(name, &key),
            None => Expr::compile(name, name).ok(),
        }
    }

    fn list(&mut self, name: &'static str, key: &Spanned<ListKey>) -> Option<List> {
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

    fn one_of<T: Copy>(&mut self, name: &str, key: &Spanned<String>, known: &[(&str, T)]) -> Option<T> {
        let given = key.get_ref().as_str();
        if let Some((_, value)) = known.iter().find(|(known, _)| *known == given) {
            return Some(*value);
        }
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let help = match nearest(given, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("it is one of {}", names.join(", ")),
        };
        self.problems.push(TaskProblem::new(key.span(), format!("there is no {name} `{given}`")).help(help));
        None
    }

    fn noted<T>(&mut self, span: Range<usize>, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.problem(span, message)).ok()
    }

    fn problem(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.problems.push(TaskProblem::new(span, message));
    }
}
