//! Batches of sets with similar lengths, so that little is computed on padding.

use dph_core::CandidateSet;

/// Groups sequences by length: every batch's longest length times its size stays within `budget` tokens.
///
/// `lengths[i]` is the length of item `i`, in tokens. The batches hold indices into `lengths`, each exactly
/// once, so results can be put back into their order. The longest come first: the time left is then never
/// underestimated, and if memory runs out it does so at once. An item longer than the budget makes a batch of
/// its own. Equal lengths keep their order.
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
