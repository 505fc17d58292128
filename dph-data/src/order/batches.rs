//! Batches of sequences of similar length, which need little padding.

use dph_core::CandidateSet;

/// Groups sequences by length: every batch's longest length times its size stays within `budget` tokens.
///
/// `lengths[i]` is the length of item `i`, in tokens. The batches hold indices into `lengths`, each exactly
/// once, so results can be put back into their order. The longest come first, so that the remaining time is not
/// underestimated and a lack of memory shows in the first batch. An item that is longer than the budget is a batch of its
/// own. Items of equal length keep their order.
///
/// ```
/// let batches = dph_data::plan_batches(&[3, 9, 4, 4], 10);
/// assert_eq!(batches, [vec![1], vec![2, 3], vec![0]]);
/// ```
pub fn plan_batches(lengths: &[usize], budget: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(lengths[index]));

    let mut batches: Vec<Vec<usize>> = Vec::new();
    for index in order {
        match batches.last_mut() {
            Some(batch) if lengths[batch[0]].saturating_mul(batch.len() + 1) <= budget => batch.push(index),
            _ => batches.push(vec![index]),
        }
    }
    batches
}

/// Groups sequences into rows and rows into batches: the rows of a batch are as long as its longest sequence, shorter ones
/// share a row, and all rows together stay within `budget` tokens.
///
/// Like [`plan_batches`], with less padding: `result[batch][row]` holds indices into `lengths`.
///
/// ```
/// let batches = dph_data::plan_rows(&[3, 9, 4, 4, 1], 18);
/// assert_eq!(batches, [[vec![1], vec![2, 3, 4]].to_vec(), [vec![0]].to_vec()]);
/// ```
pub fn plan_rows(lengths: &[usize], budget: usize) -> Vec<Vec<Vec<usize>>> {
    let mut left: Vec<usize> = (0..lengths.len()).collect();
    left.sort_by_key(|&index| std::cmp::Reverse(lengths[index]));
    let mut batches = Vec::new();
    while let Some(&longest) = left.first() {
        let width = lengths[longest];
        let count = (budget / width.max(1)).max(1);
        // First fit: each sequence is put into the first row that has room for it.
        let mut rows: Vec<(usize, Vec<usize>)> = Vec::new();
        left.retain(|&index| {
            let length = lengths[index];
            if let Some((used, row)) = rows.iter_mut().find(|(used, _)| used + length <= width) {
                *used += length;
                row.push(index);
                return false;
            }
            let opens = rows.len() < count;
            if opens {
                rows.push((length, vec![index]));
            }
            !opens
        });
        batches.push(rows.into_iter().map(|(_, row)| row).collect());
    }
    batches
}

/// [`plan_batches`] over the sets' lengths with the prompt stored once ([`CandidateSet::packed_len`]).
pub fn plan_set_batches(sets: &[CandidateSet], budget: usize) -> Vec<Vec<usize>> {
    let lengths: Vec<usize> = sets.iter().map(CandidateSet::packed_len).collect();
    plan_batches(&lengths, budget)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_hold_every_item_once_within_the_budget(
            lengths in prop::collection::vec(0_usize..300, 0..120),
            budget in 1_usize..2000,
        ) {
            let batches = plan_rows(&lengths, budget);
            for rows in &batches {
                let used = |row: &Vec<usize>| row.iter().map(|&i| lengths[i]).sum::<usize>();
                let width = rows.iter().map(used).max().unwrap_or(0);
                prop_assert_eq!(width, rows.iter().flatten().map(|&i| lengths[i]).max().unwrap_or(0));
                prop_assert!(rows.len() == 1 || width * rows.len() <= budget);
            }
            let mut seen: Vec<usize> = batches.iter().flatten().flatten().copied().collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
        }

        #[test]
        fn every_item_once_within_the_budget_longest_first(
            lengths in prop::collection::vec(0_usize..300, 0..120),
            budget in 1_usize..2000,
        ) {
            let batches = plan_batches(&lengths, budget);
            let mut seen: Vec<usize> = batches.iter().flatten().copied().collect();
            let flat: Vec<usize> = seen.iter().map(|&i| lengths[i]).collect();
            prop_assert!(flat.is_sorted_by(|a, b| a >= b));
            for batch in &batches {
                let longest = batch.iter().map(|&i| lengths[i]).max().unwrap_or(0);
                prop_assert!(batch.len() == 1 || longest * batch.len() <= budget);
            }
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
        }

        #[test]
        fn no_batch_could_take_the_next_item(
            lengths in prop::collection::vec(1_usize..300, 0..120),
            budget in 1_usize..2000,
        ) {
            for pair in plan_batches(&lengths, budget).windows(2) {
                prop_assert!(lengths[pair[0][0]] * (pair[0].len() + 1) > budget);
            }
        }
    }
}
