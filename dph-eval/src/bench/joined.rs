//! [`Bench::joined`]: the evaluations of several models, each on other tasks, as one.

use dph_core::Scorer;

use crate::bench::evaluate::Bench;
use crate::bench::plan::BenchPlan;
use crate::bench::summary::summarise;
use crate::outcomes::{heads, scorer_named};

impl Bench {
    /// The evaluations of several models, each on other tasks, as one evaluation on the tasks of `plan`, in their order.
    ///
    /// The figures of the tasks are those of their models. The means over the suites of the plan, with their intervals, and the p-values
    /// are computed from all documents, as for one model. A mixture has another weight in each model, so it has no mean.
    pub fn joined(name: impl Into<String>, parts: Vec<Self>, plan: &BenchPlan) -> Self {
        let mut joined = Self::new(name);
        let mut styles: Vec<_> = parts.iter().map(|part| part.results.style).collect();
        styles.dedup();
        joined.results.style = styles.first().copied().flatten().filter(|_| styles.len() == 1);
        for part in parts {
            part.scorers.iter().for_each(|scorer| joined.add_scorer(scorer));
            joined.results.results.extend(part.results.results);
            joined.results.unscored.extend(part.results.unscored);
            joined.documents.extend(part.documents);
            joined.examples.extend(part.examples);
            joined.warnings.extend(part.warnings);
        }
        let heads = heads(&joined.documents);
        let scorers: Vec<Scorer> =
            joined.scorers.iter().filter_map(|name| scorer_named(name, &joined.results, &heads)).collect();
        summarise(&mut joined.results, &joined.documents, plan, &heads, &scorers);
        joined
    }
}
