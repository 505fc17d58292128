//! Compiles the table `[plain]`.

use toml::Spanned;

use super::compiler::Compiler;
use super::selection::nested_rows;
use crate::task::keys::PlainFile;
use crate::task::recipe::{Body, Contexts, Expr, Plain, Recipe, RowSelection};

/// Between a context and a candidate.
const DELIMITER: &str = " ";
/// Behind a few-shot example.
const SEPARATOR: &str = "\n\n";

/// The recipe of `[plain]`, if the task has one. Keys that it lacks are those of the task, whose mistakes are reported there.
pub(super) fn plain(c: &mut Compiler<'_>) -> Option<Recipe> {
    let key = c.file.plain.take()?;
    let span = key.span();
    let mut file = key.into_inner();
    let of_task = |key: &Option<Spanned<String>>, name| {
        key.as_ref().and_then(|key| Expr::compile(name, key.get_ref()).ok())
    };
    let (task_gold, task_keep) = (of_task(&c.file.gold, "gold"), of_task(&c.file.keep, "keep"));
    let (score, id) = (of_task(&c.file.score, "score"), of_task(&c.file.id, "id"));
    let group = of_task(&c.file.group, "group");
    let keep = match file.keep.take() {
        Some(key) => c.expression("keep", &key),
        None => task_keep,
    };
    let join = file.join.take().and_then(|key| c.expression("join", &key));
    let labels = match file.labels.take() {
        Some(key) => c.list("labels", &key),
        None => c.file.labels.clone().and_then(|key| c.quietly(|c| c.list("labels", &key))),
    };
    let gold = match file.gold.take() {
        Some(key) => c.expression("gold", &key),
        None => task_gold,
    };
    let description = file.description.take().and_then(|key| c.template("description", &key));
    let rows = c.quietly(nested_rows);
    let contexts = contexts(c, &mut file, span)?;
    let body = Plain {
        contexts,
        labels,
        gold: gold?,
        score,
        delimiter: file.delimiter.unwrap_or_else(|| DELIMITER.into()),
        separator: file.separator.unwrap_or_else(|| SEPARATOR.into()),
        description,
    };
    Some(Recipe {
        selection: RowSelection { rows, keep, join },
        id,
        group,
        system: None,
        attributes: Vec::new(),
        body: Body::Plain(Box::new(body)),
    })
}

fn contexts(c: &mut Compiler<'_>, file: &mut PlainFile, table: std::ops::Range<usize>) -> Option<Contexts> {
    if let Some(contexts) = file.contexts.take() {
        let others =
            [file.context.take().map(|key| key.span()), file.candidates.take().map(|key| key.span())];
        let others = others.into_iter().chain([file.answer.take().map(|key| key.span())]);
        for span in others.flatten() {
            c.problem(
                span,
                "`contexts` are the candidates, which `continuation` follows; remove it, or remove this key",
            );
        }
        let Some(continuation) = file.continuation.take() else {
            c.problem(table, "`contexts` needs the key `continuation`");
            return None;
        };
        let contexts = c.list("contexts", &contexts);
        let continuation = c.template("continuation", &continuation);
        return Some(Contexts::Own { contexts: contexts?, continuation: continuation? });
    }
    if let Some(continuation) = file.continuation.take() {
        c.problem(
            continuation.span(),
            "`continuation` follows `contexts`; with one `context`, `candidates` follow it",
        );
    }
    let Some(context) = file.context.take() else {
        c.problem(table, "`[plain]` needs the key `context`, or `contexts` with `continuation`");
        return None;
    };
    let context = c.template("context", &context);
    let candidates = match file.candidates.take() {
        Some(key) => c.list("candidates", &key),
        None => c.file.candidates.clone().and_then(|key| c.quietly(|c| c.list("candidates", &key))),
    };
    let answer = file.answer.take().and_then(|key| c.template("answer", &key));
    Some(Contexts::Shared { context: Box::new(context?), candidates: candidates?, answer })
}
