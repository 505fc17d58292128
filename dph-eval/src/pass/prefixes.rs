//! [`share_prefixes`]: which prompts are stored in one row, with their common beginning once.

/// Prompts with a shorter common beginning do not share a row: the attention to one more run of keys costs as much.
const SHORTEST: usize = 16;

/// Items whose prompts begin with the same tokens, in one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shared {
    /// Number of tokens that are stored once. For a single item it is its whole prompt.
    pub prefix: usize,
    /// Indices of the items.
    pub items: Vec<usize>,
}

/// An item to put into a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'a> {
    /// Its prompt.
    pub prompt: &'a [u32],
    /// Number of tokens of prompt and candidates.
    pub tokens: usize,
}

/// Groups items so that few tokens are computed. A group has at most `budget` tokens, unless it is a single item. A prefix is
/// shorter than all of its prompts.
///
/// In the order of their tokens, the prompts are the leaves of a tree whose nodes are common beginnings. From the leaves to the
/// root, each node either adds its items to one group or keeps the groups below it, whichever saves more tokens.
pub(super) fn share_prefixes(items: &[Item<'_>], budget: usize) -> Vec<Shared> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|&a, &b| items[a].prompt.cmp(items[b].prompt));
    let common: Vec<usize> =
        order.windows(2).map(|pair| common_prefix(items[pair[0]].prompt, items[pair[1]].prompt)).collect();
    let Some(last) = order.len().checked_sub(1) else { return Vec::new() };
    let groups = Tree { common: &common }.groups(0, last);
    let groups = groups.into_iter().map(|places| places.into_iter().map(|place| order[place]).collect());
    groups.flat_map(|group: Vec<usize>| split(items, group, budget)).collect()
}

/// Number of tokens that two prompts begin with; less than the length of each.
fn common_prefix(a: &[u32], b: &[u32]) -> usize {
    let shorter = a.len().min(b.len()).saturating_sub(1);
    a.iter().zip(b).take(shorter).take_while(|(a, b)| a == b).count()
}

/// Prompts in the order of their tokens.
struct Tree<'a> {
    /// Number of common tokens of each prompt and the next.
    common: &'a [usize],
}

impl Tree<'_> {
    /// The groups of the prompts `first..=last` that save the most tokens.
    fn groups(&self, first: usize, last: usize) -> Vec<Vec<usize>> {
        let Some(&prefix) = self.common[first..last].iter().min() else { return vec![vec![first]] };
        // The subtrees below this node.
        let mut children = Vec::new();
        let mut start = first;
        for place in first..=last {
            if place == last || self.common[place] == prefix {
                children.push(self.groups(start, place));
                start = place + 1;
            }
        }
        if prefix < SHORTEST {
            return children.into_iter().flatten().collect();
        }
        let size = |groups: &[Vec<usize>]| groups.iter().map(Vec::len).sum::<usize>();
        let (joined, mut kept): (Vec<_>, Vec<_>) =
            children.into_iter().partition(|groups| size(groups) * prefix >= self.saved(groups));
        let together = joined.iter().map(|groups| size(groups)).sum::<usize>().saturating_sub(1) * prefix;
        if together > joined.iter().map(|groups| self.saved(groups)).sum() {
            let mut group: Vec<usize> = joined.into_iter().flatten().flatten().collect();
            group.sort_unstable();
            kept.push(vec![group]);
        } else {
            kept.extend(joined);
        }
        kept.into_iter().flatten().collect()
    }

    /// Number of tokens that need not be computed.
    fn saved(&self, groups: &[Vec<usize>]) -> usize {
        let prefix = |group: &[usize]| match group {
            [first, .., last] => self.common[*first..*last].iter().min().copied().unwrap_or(0),
            _ => 0,
        };
        groups.iter().map(|group| group.len().saturating_sub(1) * prefix(group)).sum()
    }
}

/// Rows of a group, each within the budget.
fn split(items: &[Item<'_>], group: Vec<usize>, budget: usize) -> Vec<Shared> {
    let mut rows: Vec<Shared> = Vec::new();
    let mut used = 0;
    for item in group {
        let tokens = items[item].tokens;
        if let Some(row) = rows.last_mut() {
            let prefix = row.prefix.min(common_prefix(items[row.items[0]].prompt, items[item].prompt));
            // A shorter prefix is a smaller saving for those that are already in the row.
            let longer = used + (row.prefix - prefix) * (row.items.len() - 1) + tokens - prefix;
            if longer <= budget && prefix >= SHORTEST {
                row.prefix = prefix;
                row.items.push(item);
                used = longer;
                continue;
            }
        }
        rows.push(Shared { prefix: items[item].prompt.len(), items: vec![item] });
        used = tokens;
    }
    rows
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn items(prompts: &[Vec<u32>]) -> Vec<Item<'_>> {
        prompts.iter().map(|prompt| Item { prompt, tokens: prompt.len() + 3 }).collect()
    }

    fn computed(items: &[Item<'_>], rows: &[Shared]) -> usize {
        let tokens = |row: &Shared| {
            row.prefix + row.items.iter().map(|&item| items[item].tokens - row.prefix).sum::<usize>()
        };
        rows.iter().map(tokens).sum()
    }

    proptest! {
        #[test]
        fn rows_hold_every_item_once_behind_its_own_beginning(
            // Beginnings of beginnings.
            tree in prop::collection::vec((0_usize..40, prop::collection::vec((0_usize..60, prop::collection::vec(0_usize..9, 0..5)), 0..4)), 0..5),
            budget in 1_usize..500,
        ) {
            let mut prompts = Vec::new();
            for (a, (long, middles)) in tree.iter().enumerate() {
                for (b, (more, leaves)) in middles.iter().enumerate() {
                    for (c, end) in leaves.iter().enumerate() {
                        let lengths = [(a, *long), (b, *more), (c, *end)];
                        let tokens = lengths.iter().flat_map(|&(token, count)| vec![token as u32; count]);
                        prompts.push(tokens.chain([7]).collect::<Vec<u32>>());
                    }
                }
            }
            let items = items(&prompts);
            let rows = share_prefixes(&items, budget);
            let mut seen: Vec<usize> = rows.iter().flat_map(|row| row.items.clone()).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..items.len()).collect::<Vec<_>>());
            for row in &rows {
                let first = items[row.items[0]].prompt;
                if row.items.len() == 1 {
                    prop_assert_eq!(row.prefix, first.len());
                    continue;
                }
                prop_assert!(row.prefix >= SHORTEST && computed(&items, std::slice::from_ref(row)) <= budget);
                for &item in &row.items {
                    prop_assert!(items[item].prompt.len() > row.prefix);
                    prop_assert_eq!(&items[item].prompt[..row.prefix], &first[..row.prefix]);
                }
            }
            prop_assert!(computed(&items, &rows) <= items.iter().map(|item| item.tokens).sum());
        }
    }

    #[test]
    fn the_beginning_that_saves_most_is_shared() {
        let prompt = |parts: &[(u32, usize)]| -> Vec<u32> {
            parts.iter().flat_map(|&(token, count)| vec![token; count]).collect()
        };
        // Three questions on one passage, and three others after the same examples.
        let prompts = [
            prompt(&[(1, 50), (2, 100), (3, 1), (9, 2)]),
            prompt(&[(1, 50), (2, 100), (4, 1), (9, 2)]),
            prompt(&[(1, 50), (2, 100), (5, 1), (9, 2)]),
            prompt(&[(1, 50), (6, 10)]),
            prompt(&[(1, 50), (7, 10)]),
            prompt(&[(8, 60)]),
        ];
        let rows = share_prefixes(&items(&prompts), 4096);
        let row = |prefix, items: &[usize]| Shared { prefix, items: items.to_vec() };
        assert_eq!(rows, [row(150, &[0, 1, 2]), row(50, &[3, 4]), row(60, &[5])]);
        // Rows that are full.
        let rows = share_prefixes(&items(&prompts[..3]), 160);
        assert_eq!(rows, [row(153, &[0]), row(153, &[1]), row(153, &[2])]);
        // Nothing before a question is shared as a whole: its last token predicts the answer.
        let twice = [vec![1; 20], vec![1; 20]];
        assert_eq!(share_prefixes(&items(&twice), 4096), [row(19, &[0, 1])]);
        assert_eq!(share_prefixes(&items(&[vec![1; 16], vec![1; 16]]), 99).len(), 2);
        assert!(share_prefixes(&[], 1).is_empty());
    }
}
