//! [`examples`]: the texts of the documents on which heads and the likelihood disagree most.

use std::collections::BTreeSet;

use dph_core::{CandidateSet, Scorer};
use dph_data::ChatTokenizer;

use crate::bench::plan::BenchPlan;
use crate::bench::scored_sets::ScoredSets;
use crate::disagreement::disagreements;
use crate::results::{DocumentScores, Example};

/// The texts of the documents on which one of these heads and the mean log-likelihood disagree most. Texts that the tokenizer cannot
/// decode are left out.
pub(crate) fn examples(
    documents: &[DocumentScores],
    heads: &[String],
    plan: &BenchPlan,
    sets: &ScoredSets,
    tokenizer: &ChatTokenizer,
) -> Vec<Example> {
    let mut chosen: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
    for reward in Scorer::rewards(heads) {
        let found = disagreements(documents, heads, [&reward, &Scorer::LoglikMean]);
        chosen.extend(found.iter().map(|one| {
            let DocumentScores { task, split, id, .. } = one.document;
            (task.as_str(), split.as_str(), id.as_str())
        }));
    }
    let example = |(task, split, id): (&str, &str, &str)| {
        let mut tasks = plan.tasks.iter().zip(&sets.tasks);
        let (_, data) = tasks.find(|(planned, _)| planned.task.name == task && planned.split == split)?;
        let (prompt, candidates) = texts(data.sets.iter().find(|set| set.id == id)?, tokenizer)?;
        Some(Example { task: task.into(), split: split.into(), id: id.into(), prompt, candidates })
    };
    chosen.into_iter().filter_map(example).collect()
}

/// The text of the prompt and of each candidate.
fn texts(set: &CandidateSet, tokenizer: &ChatTokenizer) -> Option<(String, Vec<String>)> {
    let text = |tokens: &[u32]| tokenizer.decode(tokens).ok().map(Example::shortened);
    let candidates = set.candidates.iter().map(|candidate| {
        let end = candidate.answer.end.min(candidate.tokens.len());
        text(candidate.tokens.get(..end)?)
    });
    Some((text(&set.prompt)?, candidates.collect::<Option<_>>()?))
}
