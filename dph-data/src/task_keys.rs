//! Which keys of a task file belong together.

use std::ops::Range;

use crate::invalid_toml::TomlProblem;
use crate::metric::Metric;
use crate::task::Kind;
use crate::task_builder::Builder;
use crate::task_file::KEYS;

impl Builder<'_> {
    /// A problem for each key that is not for this kind of task, and for keys that contradict each other.
    pub(crate) fn keys_fit(&mut self, kind: Kind) {
        for (key, value) in self.table {
            let known = KEYS.iter().find(|known| known.name == *key.get_ref());
            let Some(known) = known.filter(|known| !known.kinds.contains(&kind)) else { continue };
            let kinds: Vec<String> = known.kinds.iter().map(|kind| format!("`{kind}`")).collect();
            let message = format!("`{}` has no meaning in a task of kind `{kind}`", known.name);
            let help = format!("it belongs to {}", kinds.join(", "));
            self.problems.push(TomlProblem::new(value.span(), message).help(help));
        }
        if let (Some(_), Some(prompt)) = (&self.file.user, &self.file.prompt) {
            let span = prompt.span();
            self.problem(span, "`user` and `prompt` both say what comes before the answers; keep one");
        }
    }

    /// Every metric needs something to compare predictions with, and every score a metric.
    pub(crate) fn metrics_fit(&mut self, kind: Kind, metrics: &[Metric], span: Range<usize>) {
        for metric in metrics {
            if kind == Kind::Preference && *metric != Metric::Accuracy {
                let message = format!("the metric `{metric}` has no meaning for pairs");
                self.problems.push(
                    TomlProblem::new(span.clone(), message)
                        .help("the better answer of a pair is always the first: use `accuracy`"),
                );
            }
            if kind == Kind::Choice && metric.needs_score() && self.file.score.is_none() {
                let message = format!("the metric `{metric}` needs the key `score`");
                self.problem(span.clone(), message);
            }
        }
    }
}
