//! Pairs of prompts: one with several right answers and its reference prompt, as RewardBench 2 has them.

use std::collections::{HashMap, HashSet};

use super::task_data::spread;
use crate::document::Document;
use crate::task::TaskMetric;

/// What both ids of a pair have behind their beginnings; the whole id of another document.
fn name(id: &str) -> &str {
    [TaskMetric::TIED, TaskMetric::REFERENCE].iter().find_map(|start| id.strip_prefix(start)).unwrap_or(id)
}

/// A seeded sample of whole pairs with at most `limit` documents, but one pair at least.
pub(super) fn sample_of_pairs(documents: &[Document], limit: usize, seed: u64) -> Vec<&Document> {
    let mut pairs: Vec<Vec<&Document>> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for document in documents {
        let place = *places.entry(name(document.id.as_deref().unwrap_or_default())).or_insert_with(|| {
            pairs.push(Vec::new());
            pairs.len() - 1
        });
        pairs[place].push(document);
    }
    spread(pairs.len(), (limit / 2).max(1), seed).flat_map(|place| pairs[place].clone()).collect()
}

/// The id of the other prompt of a pair.
pub(super) fn partner(id: &str) -> String {
    let other = if id.starts_with(TaskMetric::TIED) { TaskMetric::REFERENCE } else { TaskMetric::TIED };
    format!("{other}{}", name(id))
}

/// The ids without a partner among them, in their order.
pub(super) fn alone<'a>(ids: impl Iterator<Item = &'a str> + Clone) -> Vec<&'a str> {
    let all: HashSet<&str> = ids.clone().collect();
    ids.filter(|id| !all.contains(partner(id).as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_sampled_as_a_whole() {
        let documents: Vec<Document> = (0..6)
            .flat_map(|number| [format!("tied:{number}"), format!("ref:{number}")])
            .map(|id| Document { id: Some(id), ..Document::new(Vec::new(), Vec::new()) })
            .collect();
        for (limit, expected) in [(1, 2), (2, 2), (5, 4), (12, 12), (100, 12)] {
            let sample = sample_of_pairs(&documents, limit, 3);
            assert_eq!(sample.len(), expected, "{limit}");
            let ids = sample.iter().filter_map(|document| document.id.as_deref());
            assert!(alone(ids).is_empty());
        }
        let ids = ["tied:1", "ref:2", "tied:2", "other"];
        assert_eq!(alone(ids.into_iter()), ["tied:1", "other"]);
    }
}
