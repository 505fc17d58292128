//! The wrong answer that an epoch uses.

use dph_core::CandidateSet;

use crate::random::{below, hash_name, mix};

/// The index of one wrong answer of a set, drawn by seed, id and epoch.
///
/// A question with many distractors thus becomes one pair in each epoch, as in the paper. `None` if there is no gold answer
/// or no other candidate.
pub fn draw_distractor(set: &CandidateSet, seed: u64, epoch: u64) -> Option<usize> {
    let gold = set.gold?;
    let distractors = set.candidates.len().checked_sub(1).filter(|&count| count > 0)?;
    let drawn = below(mix(seed, &[hash_name(&set.id), epoch]), distractors);
    Some(if drawn < gold { drawn } else { drawn + 1 })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use dph_core::Candidate;

    use super::*;

    #[test]
    fn distractors_are_wrong_answers_and_all_come_up() {
        let mut set = CandidateSet {
            id: "q".into(),
            candidates: vec![Candidate::default(); 4],
            gold: Some(2),
            ..CandidateSet::default()
        };
        let drawn: BTreeSet<_> = (0..60).map(|epoch| draw_distractor(&set, 5, epoch)).collect();
        assert_eq!(drawn, [Some(0), Some(1), Some(3)].into());
        assert_eq!(draw_distractor(&set, 5, 9), draw_distractor(&set.clone(), 5, 9));
        set.gold = None;
        assert_eq!(draw_distractor(&set, 5, 0), None);
        set.gold = Some(0);
        set.candidates.truncate(1);
        assert_eq!(draw_distractor(&set, 5, 0), None);
    }
}
