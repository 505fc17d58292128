//! Random positions of an answer.

use dph_core::CandidateSet;

use crate::random::{Permutation, hash_name, mix};

/// `count` different positions of the turn of a candidate, drawn by seed, id and epoch, and its last one, in ascending order. Positions count
/// from 0. A turn that is too short gives all of its positions.
///
/// # Panics
///
/// If there is no such candidate, or its turn is empty.
pub fn draw_positions(
    set: &CandidateSet,
    candidate: usize,
    count: usize,
    seed: u64,
    epoch: u64,
) -> Vec<usize> {
    let last = set.candidates[candidate].turn().len() - 1;
    // Another stream than that of the distractors.
    let order = Permutation::new(last, mix(seed, &[hash_name(&set.id), epoch, POSITIONS]));
    let mut positions: Vec<usize> = (0..count.min(last)).map(|place| order.at(place)).collect();
    positions.sort_unstable();
    positions.push(last);
    positions
}

const POSITIONS: u64 = 1;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use dph_core::Candidate;

    use super::*;

    #[test]
    fn positions_are_different_and_end_with_the_last_token() {
        let set = CandidateSet {
            id: "q".into(),
            candidates: vec![Candidate::new((0..40).collect(), 9), Candidate::new(vec![1, 2, 3], 2)],
            gold: Some(0),
            ..CandidateSet::default()
        };
        let mut seen = BTreeSet::new();
        for epoch in 0..60 {
            let drawn = draw_positions(&set, 0, 15, 5, epoch);
            assert_eq!((drawn.len(), drawn[15]), (16, 39));
            assert!(drawn.is_sorted_by(|one, next| one < next), "{drawn:?}");
            seen.extend(drawn);
        }
        assert_eq!(seen.len(), 40, "every position comes up");
        assert_eq!(draw_positions(&set, 0, 15, 5, 3), draw_positions(&set, 0, 15, 5, 3));
        assert_ne!(draw_positions(&set, 0, 15, 5, 3), draw_positions(&set, 0, 15, 6, 3));
        assert_eq!(draw_positions(&set, 1, 15, 5, 0), [0, 1, 2]);
        assert_eq!(draw_positions(&set, 1, 0, 5, 0), [2]);
    }
}
