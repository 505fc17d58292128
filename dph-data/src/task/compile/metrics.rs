//! Compiles `metric`.

use std::ops::Range;

use super::compiler::Compiler;
use crate::invalid_toml::TomlProblem;
use crate::task::kind::Kind;
use crate::task::metric::TaskMetric;

/// The metrics of a task, or the default metrics of its kind.
pub(super) fn metrics(c: &mut Compiler<'_>, kind: Kind) -> Vec<TaskMetric> {
    let Some(key) = c.file.metric.take() else {
        return match kind {
            Kind::Choice | Kind::Preference => vec![TaskMetric::Accuracy],
            Kind::Text => TaskMetric::OF_TEXTS.to_vec(),
            Kind::Instruction => Vec::new(),
        };
    };
    let span = key.span();
    let names = key.into_inner().into_vec();
    if names.is_empty() {
        c.problem(
            span.clone(),
            "`metric` is an empty list; name a metric, or leave the key out for the default",
        );
    }
    let mut metrics = Vec::new();
    for name in names {
        let Some(metric) = c.one_of("metric", &name, span.clone(), &TaskMetric::ALL) else { continue };
        if metrics.contains(&metric) {
            c.problem(span.clone(), format!("the metric `{metric}` is listed twice"));
        }
        metrics.push(metric);
    }
    metrics_fit(c, kind, &metrics, span);
    metrics
}

/// Checks that the metrics suit the kind of task and that a correlation has a `score`.
fn metrics_fit(c: &mut Compiler<'_>, kind: Kind, metrics: &[TaskMetric], span: Range<usize>) {
    for metric in metrics {
        if (kind == Kind::Text) != metric.is_of_texts() {
            let names = TaskMetric::ALL.iter().filter(|(_, of)| of.is_of_texts() == (kind == Kind::Text));
            let names: Vec<String> = names.map(|(name, _)| format!("`{name}`")).collect();
            let message = format!("the metric `{metric}` has no meaning in a task of kind `{kind}`");
            c.problems
                .push(TomlProblem::new(span.clone(), message).help(format!("it has {}", names.join(", "))));
            continue;
        }
        if kind == Kind::Preference && *metric != TaskMetric::Accuracy {
            let message = format!("the metric `{metric}` has no meaning for pairs");
            c.problems.push(
                TomlProblem::new(span.clone(), message)
                    .help("the better answer of a pair is always the first: use `accuracy`"),
            );
        }
        if kind == Kind::Choice && metric.needs_score() && c.file.score.is_none() {
            let message = format!("the metric `{metric}` needs the key `score`");
            c.problem(span.clone(), message);
        }
    }
}
