//! [`blocks`]: the parts of a suite that share documents.

use std::collections::HashSet;

/// A part of a suite: the name of its task, and the groups of its documents.
pub(crate) type PartGroups<'a> = (&'a str, HashSet<&'a str>);

/// Parts of one task with a common group are one block: they are not independent of one another, as the levels of RM-Bench, which have the
/// same prompts. Every other part is a block of its own. Blocks are in the order of their first parts.
pub(crate) fn blocks(parts: &[PartGroups<'_>]) -> Vec<Vec<usize>> {
    let mut blocks: Vec<Vec<usize>> = Vec::new();
    for (index, (task, groups)) in parts.iter().enumerate() {
        let shares = |other: &usize| parts[*other].0 == *task && !parts[*other].1.is_disjoint(groups);
        let mut own = vec![index];
        let mut place = None;
        let mut kept = Vec::new();
        for block in blocks {
            if !block.iter().any(shares) {
                kept.push(block);
                continue;
            }
            place.get_or_insert(kept.len());
            own = [block, own].concat();
        }
        kept.insert(place.unwrap_or(kept.len()), own);
        blocks = kept;
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_with_a_common_group_are_one_block() {
        let part = |task, groups: &[&'static str]| (task, groups.iter().copied().collect());
        let parts = [
            part("a", &["1", "2"]),
            part("b", &["1"]),
            part("a", &[]),
            part("a", &["2", "3"]),
            part("a", &["4"]),
            part("a", &["3", "4"]),
        ];
        let mut found = blocks(&parts);
        found.iter_mut().for_each(|block| block.sort_unstable());
        assert_eq!(found, [vec![0, 3, 4, 5], vec![1], vec![2]]);
        assert_eq!(blocks(&parts[..3]), [[0], [1], [2]]);
    }
}
