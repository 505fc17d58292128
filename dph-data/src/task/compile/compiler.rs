//! [`Compiler`]: a task file, and the problems noted while it is compiled.

use std::ops::Range;

use dph_core::suggestion::did_you_mean;
use toml::Spanned;
use toml::de::DeTable;

use crate::invalid_toml::TomlProblem;
use crate::task::keys::{ListKey, TaskFile};
use crate::task::recipe::{Expr, List, Template};

/// A task file whose keys are compiled one by one, and the problems found so far.
pub(crate) struct Compiler<'a> {
    pub file: TaskFile,
    /// The same file, with the places of its keys.
    pub table: &'a DeTable<'a>,
    pub problems: &'a mut Vec<TomlProblem>,
}

impl Compiler<'_> {
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

    /// An expression; the default is the field with the name of the key.
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

    pub(crate) fn one_of<T: Copy>(
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

    /// Compiles keys whose mistakes are reported elsewhere.
    pub(crate) fn quietly<T>(&mut self, compile: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.problems.len();
        let compiled = compile(self);
        self.problems.truncate(before);
        compiled
    }

    pub(crate) fn noted<T>(&mut self, span: Range<usize>, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.problem(span, message)).ok()
    }

    pub(crate) fn problem(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.problems.push(TomlProblem::new(span, message));
    }
}
