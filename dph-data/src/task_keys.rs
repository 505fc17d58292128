//! Which keys of a task file belong together.

use std::ops::Range;

use toml::Spanned;

use crate::invalid_toml::TomlProblem;
use crate::metric::Metric;
use crate::task::Kind;
use crate::task_builder::Builder;
use crate::task_file::ListKey;

impl Builder<'_> {
    /// Every key that this kind of task never looks at is a mistake.
    pub(crate) fn keys_fit(&mut self, kind: Kind) {
        let f = &self.file;
        let span = |key: &Option<Spanned<String>>| key.as_ref().map(Spanned::span);
        let list_span = |key: &Option<Spanned<ListKey>>| key.as_ref().map(Spanned::span);
        use Kind::{Choice, Instruction, Preference, Text};
        type Key<'a> = (&'a str, Option<Range<usize>>, &'a [Kind]);
        let keys: [Key<'_>; 18] = [
            ("system", span(&f.system), &[Choice, Preference, Instruction]),
            ("user", span(&f.user), &[Choice, Preference, Instruction]),
            ("metric", f.metric.as_ref().map(Spanned::span), &[Choice, Preference]),
            ("candidates", list_span(&f.candidates), &[Choice]),
            ("answer", span(&f.answer), &[Choice, Preference]),
            ("labels", list_span(&f.labels), &[Choice]),
            ("gold", span(&f.gold), &[Choice]),
            ("score", span(&f.score), &[Choice, Preference]),
            ("prompt", span(&f.prompt), &[Preference]),
            ("chosen", span(&f.chosen), &[Preference]),
            ("rejected", span(&f.rejected), &[Preference]),
            ("target", span(&f.target), &[Instruction]),
            ("targets", span(&f.targets), &[Instruction]),
            ("distractors", span(&f.distractors), &[Instruction]),
            ("turns", span(&f.turns), &[Instruction]),
            ("messages", span(&f.messages), &[Instruction]),
            ("attributes", f.attributes.as_ref().map(Spanned::span), &[Instruction]),
            ("text", span(&f.text), &[Text]),
        ];
        let misplaced = keys.into_iter().filter(|(_, _, kinds)| !kinds.contains(&kind));
        let problems: Vec<_> = misplaced
            .filter_map(|(key, span, kinds)| {
                let kinds: Vec<String> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
                let message = format!("`{key}` has no meaning in a task of kind `{kind}`");
                Some(TomlProblem::new(span?, message).help(format!("it belongs to {}", kinds.join(", "))))
            })
            .collect();
        self.problems.extend(problems);
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
