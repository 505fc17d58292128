//! Compiles the table `[classify]`.

use toml::Spanned;

use super::compiler::Compiler;
use super::selection::nested_rows;
use crate::task::classes::Classes;
use crate::task::keys::ListKey;
use crate::task::recipe::{Body, Classify, ClassifyTarget as Target, Expr, Recipe, RowSelection};

/// The recipe of `[classify]` and the classes, if the task has one. Keys that it lacks are those of the task, whose mistakes are reported
/// there.
pub(super) fn classify(c: &mut Compiler<'_>) -> Option<(Recipe, Classes)> {
    let key = c.file.classify.take()?;
    let span = key.span();
    let file = key.into_inner();
    let of_task = |key: &Option<Spanned<String>>, name| {
        key.as_ref().and_then(|key| Expr::compile(name, key.get_ref()).ok())
    };
    let (keep, id) = (of_task(&c.file.keep, "keep"), of_task(&c.file.id, "id"));
    let group = of_task(&c.file.group, "group");
    let first = c.expression("first", &file.first);
    let second = file.second.as_ref().map(|key| c.expression("second", key));
    let gold = match &file.label {
        Some(key) => c.expression("label", key),
        None => of_task(&c.file.gold, "gold"),
    };
    let names = c.file.labels.clone().and_then(|key| c.quietly(|c| c.list("labels", &key)));
    let (target, classes) = match (file.labels, file.number) {
        (Some(labels), None) => {
            let labels_span = labels.span();
            let labels = labels.into_inner();
            if labels.len() < 2 {
                c.problem(
                    labels_span.clone(),
                    "a classifier needs at least two `labels`; a regressor has `number` instead",
                );
            }
            if let Some(twice) =
                labels.iter().enumerate().find(|(index, name)| labels[..*index].contains(name))
            {
                c.problem(labels_span.clone(), format!("the label `{}` is listed twice", twice.1));
            }
            let candidates = c.file.candidates.as_ref().map(|key| key.get_ref());
            if let Some(ListKey::Items(candidates)) = candidates.filter(|_| labels.len() >= 2)
                && candidates.len() != labels.len()
            {
                let message = format!(
                    "there are {} `labels`, and {} `candidates`; name each candidate, in their order",
                    labels.len(),
                    candidates.len()
                );
                c.problem(labels_span, message);
            }
            (Target::Class { names: labels.clone() }, Classes::Named(labels))
        }
        (None, Some(number)) => {
            let candidates =
                c.file.candidates.clone().and_then(|key| c.quietly(|c| c.list("candidates", &key)));
            let number = c.expression("number", &number);
            (Target::Number { number: Box::new(number?), candidates: Box::new(candidates?) }, Classes::Number)
        }
        (Some(_), Some(number)) => {
            c.problem(
                number.span(),
                "`labels` are for a classifier and `number` for a regressor; remove one of them",
            );
            return None;
        }
        (None, None) => {
            c.problem(span, "`[classify]` needs the key `labels`, or `number` for a regressor");
            return None;
        }
    };
    let second = match second {
        Some(second) => Some(second?),
        None => None,
    };
    let body = Classify { first: first?, second, gold: gold?, names, target };
    let rows = c.quietly(nested_rows);
    let recipe = Recipe {
        selection: RowSelection { rows, keep, join: None },
        id,
        group,
        system: None,
        attributes: Vec::new(),
        body: Body::Classify(Box::new(body)),
    };
    Some((recipe, classes))
}
