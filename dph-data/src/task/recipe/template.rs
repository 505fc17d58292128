//! Jinja for task files: a missing field is an error, and every error has a [`SkipReason`].

use std::sync::LazyLock;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Expression, UndefinedBehavior, Value};
use regex::Regex;
use serde_json::{Map, Value as Json};

use super::known_names::unknown_name;
use super::values::{is_missing, is_no_number, kind_name};
use crate::rows::{RowProblem, SkipReason, field_names};

/// Names that templates may use besides the row's fields.
const BUILT_IN: [&str; 8] = ["letters", "answers", "candidate", "index", "label", "turn", "split", "rows"];

/// The beginning of the message about a value that is no text.
const NO_TEXT: &str = "text is needed here, but the value is ";

/// The environment of expressions. Every template has its own copy.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // A trailing newline in the TOML string is part of the prompt.
    if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
        environment.set_syntax(syntax);
    }
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.set_formatter(|output, state, value| match value.kind() {
        // Jinja would silently write "none" or the brackets of a list into the prompt.
        ValueKind::None | ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => {
            Err(Error::new(ErrorKind::BadSerialization, format!("{NO_TEXT}{}", kind_name(value))))
        }
        _ => minijinja::escape_formatter(output, state, value),
    });
    environment.add_filter("regex_replace", regex_replace);
    environment.add_global("letters", Value::from_iter(('A'..='Z').map(String::from)));
    environment
});

/// The filter `regex_replace(expression, text)`: all matches of a regular expression are replaced by a text, in which `\\1` to `\\9` are
/// what the groups of the expression match, as in Python.
fn regex_replace(text: String, expression: &str, with: &str) -> Result<String, Error> {
    let invalid = |error: regex::Error| Error::new(ErrorKind::InvalidOperation, error.to_string());
    // The crate writes a group as `${1}`.
    let with = (1..=9).fold(with.replace('$', "$$"), |with, group| {
        with.replace(&format!("\\{group}"), &format!("${{{group}}}"))
    });
    Ok(Regex::new(expression).map_err(invalid)?.replace_all(&text, with).into_owned())
}

/// A row as the context of templates and expressions.
pub(crate) struct Fields<'a> {
    json: &'a Map<String, Json>,
    value: Value,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(row: &'a Map<String, Json>) -> Self {
        Self { json: row, value: Value::from(Serde(row)) }
    }

    /// The row with additional variables, which hide fields of the same name.
    pub(crate) fn with(&self, names: Value) -> Value {
        minijinja::context! { ..names, ..self.value.clone() }
    }

    fn lacks(&self, path: &str) -> bool {
        let mut steps = path.split('.');
        let mut found = steps.next().and_then(|first| self.json.get(first));
        for step in steps {
            // Only the fields of objects can be missing; the rest of a path may be a method.
            found = match found {
                Some(Json::Object(object)) => object.get(step),
                other => return other.is_none(),
            };
        }
        found.is_none()
    }

    /// The value of a field; `None` if it is missing.
    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        self.value.get_attr(name).ok().filter(|value| !is_missing(value))
    }

    /// The field of a template that has a value of some kind, if it is the only one; `paths` are the fields of the template.
    fn of_kind<'p>(&self, kind: &str, paths: &'p [String]) -> Option<&'p str> {
        let is_it = |path: &&String| {
            let mut steps = path.split('.');
            let first = steps.next().and_then(|first| self.json.get(first));
            let found = steps.try_fold(first?, |found, step| found.get(step))?;
            (kind_name(&Value::from(Serde(found))) == kind).then_some(())
        };
        let mut found = paths.iter().filter(|path| is_it(path).is_some());
        match (found.next(), found.next()) {
            (Some(path), None) => Some(path),
            _ => None,
        }
    }

    /// The names of the row's fields.
    pub(crate) fn all_names(&self) -> impl Iterator<Item = &str> {
        self.json.keys().map(String::as_str)
    }

    /// The names of the row's fields, for messages.
    pub(crate) fn names(&self) -> String {
        field_names(self.json)
    }

    /// The message about a path that is missing.
    fn missing(&self, path: &str, key: &str) -> String {
        let (mut there, mut place) = (self.json, "there is".to_owned());
        for step in path.split('.') {
            let Some(Json::Object(object)) = there.get(step) else { break };
            (there, place) = (object, format!("`{step}` has"));
        }
        format!("the row has no field `{path}` (for `{key}`); {place} {}", field_names(there))
    }
}

/// A compiled template.
#[derive(Debug)]
pub(crate) struct Template {
    environment: Environment<'static>,
    key: &'static str,
}

impl Template {
    /// Compiles a template; the error is a sentence.
    pub(crate) fn compile(key: &'static str, source: &str) -> Result<Self, String> {
        let mut environment = ENVIRONMENT.clone();
        let unknown = unknown_name(&ENVIRONMENT, key, source, false);
        environment
            .add_template_owned(key, source.to_owned())
            .map_err(|error| format!("the template of `{key}` is not valid Jinja: {}", describe(&error)))?;
        unknown.map_or(Ok(Self { environment, key }), Err)
    }

    pub(crate) fn render(&self, fields: &Fields<'_>) -> Result<String, RowProblem> {
        self.render_with(fields, minijinja::context! {})
    }

    pub(crate) fn render_with(&self, fields: &Fields<'_>, names: Value) -> Result<String, RowProblem> {
        let template = self.environment.get_template(self.key);
        let rendered = template.and_then(|template| {
            template
                .render(fields.with(names))
                .map_err(|error| attach(error, template.undeclared_variables(true)))
        });
        rendered.map_err(|error| row_problem(self.key, error, fields))
    }
}

/// A compiled expression.
#[derive(Debug)]
pub(crate) struct Expr {
    expression: Expression<'static, 'static>,
    key: &'static str,
    source: String,
}

impl Expr {
    /// Compiles an expression; the error is a sentence.
    pub(crate) fn compile(key: &'static str, source: &str) -> Result<Self, String> {
        let expression = ENVIRONMENT
            .compile_expression_owned(source.to_owned())
            .map_err(|error| format!("`{key}` is not a valid Jinja expression: {}", describe(&error)))?;
        match unknown_name(&ENVIRONMENT, key, source, true) {
            Some(unknown) => Err(unknown),
            None => Ok(Self { expression, key, source: source.to_owned() }),
        }
    }

    /// The value for a row; undefined if the expression refers to a missing field.
    pub(crate) fn eval(&self, fields: &Fields<'_>) -> Result<Value, RowProblem> {
        self.eval_in(&fields.value, fields)
    }

    /// The value for a row with additional variables, see [`Fields::with`].
    pub(crate) fn eval_with(&self, fields: &Fields<'_>, names: Value) -> Result<Value, RowProblem> {
        self.eval_in(&fields.with(names), fields)
    }

    fn eval_in(&self, context: &Value, fields: &Fields<'_>) -> Result<Value, RowProblem> {
        self.expression.eval(context).map_err(|error| {
            let names = self.expression.undeclared_variables(true);
            row_problem(self.key, attach(error, names), fields)
        })
    }

    /// The value for a row. A missing value, null and a number that is not finite are errors.
    pub(crate) fn require(&self, fields: &Fields<'_>) -> Result<Value, RowProblem> {
        let value = self.eval(fields)?;
        if value.is_undefined() {
            return Err(RowProblem::new(SkipReason::MissingField, fields.missing(&self.source, self.key)));
        }
        if value.is_none() || is_no_number(&value) {
            return Err(RowProblem::new(
                SkipReason::WrongType,
                format!("the field `{}` (for `{}`) is {}", self.source, self.key, kind_name(&value)),
            ));
        }
        Ok(value)
    }

    /// The value for a row as a list. Any other type is an error.
    pub(crate) fn list(&self, fields: &Fields<'_>) -> Result<Vec<Value>, RowProblem> {
        let value = self.require(fields)?;
        match value.kind() {
            ValueKind::Seq | ValueKind::Iterable => {
                value.try_iter().map(Iterator::collect).map_err(|error| row_problem(self.key, error, fields))
            }
            _ => Err(RowProblem::new(
                SkipReason::WrongType,
                format!("`{}` must give a list, but `{}` is {}", self.key, self.source, kind_name(&value)),
            )),
        }
    }

    /// The source of the expression.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }
}

/// The variables of a failed template, attached to its error.
#[derive(Debug, thiserror::Error)]
#[error("uses {0:?}")]
struct Names(Vec<String>);

fn attach(error: Error, names: impl IntoIterator<Item = String>) -> Error {
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort();
    error.with_source(Names(names))
}

fn row_problem(key: &str, error: Error, fields: &Fields<'_>) -> RowProblem {
    let names = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<Names>());
    match error.kind() {
        ErrorKind::UndefinedError => {
            let missing = names.into_iter().flat_map(|names| &names.0).find(|name| {
                !BUILT_IN.contains(&name.split('.').next().unwrap_or_default()) && fields.lacks(name)
            });
            let message = match missing {
                Some(name) => fields.missing(name, key),
                None => format!("{} (for `{key}`)", describe(&error)),
            };
            RowProblem::new(SkipReason::MissingField, message)
        }
        ErrorKind::BadSerialization | ErrorKind::NonPrimitive => {
            let kind = error.detail().and_then(|detail| detail.strip_prefix(NO_TEXT));
            let field = kind.zip(names).and_then(|(kind, names)| fields.of_kind(kind, &names.0));
            let field = field.map_or_else(String::new, |field| format!(" (the field `{field}`)"));
            RowProblem::new(SkipReason::WrongType, format!("`{key}`: {}{field}", describe(&error)))
        }
        _ => RowProblem::new(SkipReason::Template, format!("`{key}`: {}", describe(&error))),
    }
}

fn describe(error: &Error) -> String {
    let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    match error.line() {
        Some(line) if line > 1 => format!("{what} (line {line} of the template)"),
        _ => what,
    }
}
