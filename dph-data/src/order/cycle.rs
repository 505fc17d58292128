//! The cycle of slots in which a mixture draws from its data sets.

/// The longest cycle of slots that is stored. Weights that are not fractions with a denominator up to this
/// are rounded to multiples of its reciprocal.
const LONGEST_CYCLE: usize = 4096;

/// The smallest whole numbers in the ratio of `weights` (which sum to 1), or the closest that fit the cycle.
pub(super) fn whole_shares(weights: &[f64]) -> Vec<u64> {
    let exact = (1..=LONGEST_CYCLE).find(|&period| {
        weights.iter().all(|weight| {
            let share = weight * period as f64;
            (share - share.round()).abs() < 1e-9 * period as f64 && (share.round() > 0.0 || *weight == 0.0)
        })
    });
    match exact {
        Some(period) => weights.iter().map(|weight| (weight * period as f64).round() as u64).collect(),
        // Every weight greater than 0 is drawn at least once in a cycle.
        None => weights
            .iter()
            .map(
                |weight| {
                    if *weight > 0.0 { ((weight * LONGEST_CYCLE as f64).round() as u64).max(1) } else { 0 }
                },
            )
            .collect(),
    }
}

/// One cycle of slots: the j-th draw of a data set with `share` draws in `period` slots is released at
/// `floor(j · period / share)` and due at `ceil((j + 1) · period / share)`; the earliest deadline goes first.
pub(super) fn schedule(shares: &[u64]) -> Vec<(usize, u64)> {
    let period: u64 = shares.iter().sum();
    let mut drawn = vec![0_u64; shares.len()];
    let mut cycle = Vec::with_capacity(period as usize);
    for slot in 0..period {
        let next = (0..shares.len())
            .filter(|&i| drawn[i] < shares[i] && drawn[i] * period / shares[i] <= slot)
            .min_by_key(|&i| ((drawn[i] + 1) * period).div_ceil(shares[i]));
        // The shares sum to the period, so some draw is always released (the schedule is feasible).
        if let Some(next) = next {
            cycle.push((next, drawn[next]));
            drawn[next] += 1;
        }
    }
    cycle
}
