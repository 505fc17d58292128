//! The jackknife: the standard error of a metric, by leaving out one document at a time.

use crate::metrics::estimate::Estimate;

/// A metric of outcomes with its standard error `sqrt((n - 1) / n · Σ (θᵢ - θ̄)²)`, where `θᵢ` is the metric without
/// document `i` (Efron and Stein 1981). For accuracy this equals its usual formula.
///
/// Equal outcomes are counted, not repeated, so that the time depends on the number of distinct outcomes. NaN counts as 0. `None`
/// without outcomes; a single outcome has no standard error.
pub(crate) fn estimate<T: Copy + PartialOrd>(
    outcomes: &[T],
    metric: impl Fn(&[(T, f64)]) -> f64,
) -> Option<Estimate> {
    if outcomes.is_empty() {
        return None;
    }
    let metric = |counted: &[(T, f64)]| {
        let value = metric(counted);
        if value.is_nan() { 0.0 } else { value }
    };
    let mut counted = counts(outcomes);
    let value = metric(&counted);
    let all = outcomes.len() as f64;
    if outcomes.len() < 2 {
        return Some(Estimate { value, stderr: None });
    }
    let mut without: Vec<(f64, f64)> = Vec::with_capacity(counted.len());
    for left_out in 0..counted.len() {
        let count = counted[left_out].1;
        if count == 1.0 {
            let outcome = counted.remove(left_out);
            without.push((metric(&counted), count));
            counted.insert(left_out, outcome);
        } else {
            counted[left_out].1 = count - 1.0;
            without.push((metric(&counted), count));
            counted[left_out].1 = count;
        }
    }
    let mean = without.iter().map(|(value, count)| value * count).sum::<f64>() / all;
    let variance = without.iter().map(|(value, count)| count * (value - mean).powi(2)).sum::<f64>();
    Some(Estimate { value, stderr: Some(((all - 1.0) / all * variance).sqrt()) })
}

/// Each distinct outcome once, with the number of its occurrences.
fn counts<T: Copy + PartialOrd>(outcomes: &[T]) -> Vec<(T, f64)> {
    let mut sorted = outcomes.to_vec();
    // NaN outcomes stay separate, which only costs time.
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    sorted.chunk_by(|a, b| a == b).map(|equal| (equal[0], equal.len() as f64)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::metrics::correlation::weighted_spearman;
    use crate::metrics::estimate::accuracy;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_jackknife_of_the_accuracy_equals_its_formula(outcomes in prop::collection::vec(0..2_u8, 2..100)) {
            let right = outcomes.iter().filter(|&&right| right == 1).count();
            let share = |counted: &[(u8, f64)]| {
                let all: f64 = counted.iter().map(|(_, count)| count).sum();
                counted.iter().map(|(right, count)| f64::from(*right) * count).sum::<f64>() / all
            };
            let (ours, formula) = (estimate(&outcomes, share).unwrap(), accuracy(right, outcomes.len()).unwrap());
            prop_assert!((ours.value - formula.value).abs() < 1e-12);
            prop_assert!((ours.stderr.unwrap() - formula.stderr.unwrap()).abs() < 1e-9);
        }

        /// Counting equal outcomes changes nothing.
        #[test]
        fn leaving_out_by_hand_is_the_same(pairs in prop::collection::vec((0..4_u8, 0..4_u8), 2..30)) {
            let pairs: Vec<(f64, f64)> = pairs.iter().map(|&(x, y)| (f64::from(x), f64::from(y))).collect();
            let correlation = |pairs: &[(f64, f64)]| {
                let value = weighted_spearman(&pairs.iter().map(|&pair| (pair, 1.0)).collect::<Vec<_>>());
                if value.is_nan() { 0.0 } else { value }
            };
            let n = pairs.len() as f64;
            let without: Vec<f64> = (0..pairs.len())
                .map(|index| correlation(&[&pairs[..index], &pairs[index + 1..]].concat()))
                .collect();
            let mean = without.iter().sum::<f64>() / n;
            let squares: f64 = without.iter().map(|value| (value - mean).powi(2)).sum();
            let ours = estimate(&pairs, weighted_spearman).unwrap();
            prop_assert!((ours.value - correlation(&pairs)).abs() < 1e-9);
            prop_assert!((ours.stderr.unwrap() - ((n - 1.0) / n * squares).sqrt()).abs() < 1e-9);
        }
    }
}
