//! The jackknife: the standard error of a metric, by leaving out one unit at a time.

use crate::metrics::estimate::Estimate;
use crate::metrics::sample::{Sample, Unit};

/// A metric of outcomes with its standard error `sqrt((n - 1) / n · Σ (θᵢ - θ̄)²)`, where `θᵢ` is the metric without
/// unit `i` of `n` (Efron and Stein 1981). For accuracy this equals its usual formula.
///
/// NaN counts as 0. `None` without outcomes; a single unit has no standard error.
pub(crate) fn estimate<T: Copy + Ord>(
    sample: &Sample<T>,
    metric: impl Fn(&[(T, f64)]) -> f64,
) -> Option<Estimate> {
    let all = sample.len() as f64;
    let metric = |times: &dyn Fn(usize) -> f64| {
        let value = metric(&sample.weighted(times));
        if value.is_nan() { 0.0 } else { value }
    };
    let units = sample.units();
    let value = (!units.is_empty()).then(|| metric(&|unit| units[unit].count as f64))?;
    if sample.len() < 2 {
        return Some(Estimate { value, stderr: None });
    }
    let without =
        |left_out: usize| metric(&|unit| units[unit].count as f64 - f64::from(u8::from(unit == left_out)));
    let without: Vec<(f64, f64)> =
        units.iter().enumerate().map(|(index, unit)| (without(index), unit.count as f64)).collect();
    let mean = without.iter().map(|(value, count)| value * count).sum::<f64>() / all;
    let variance = without.iter().map(|(value, count)| count * (value - mean).powi(2)).sum::<f64>();
    Some(Estimate { value, stderr: Some(((all - 1.0) / all * variance).sqrt()) })
}

/// The mean `x̄` of a value over documents, with the standard error `sqrt(n / (n - 1) · Σ (Σ (x - x̄))²) / d` for `d` documents in `n` units,
/// where the inner sum is over the documents of a unit (the variance of Liang and Zeger 1986 for clusters).
///
/// `None` without outcomes; a single unit has no standard error.
pub(crate) fn of_a_mean<T: Copy + Ord>(sample: &Sample<T>, value: impl Fn(&T) -> f64) -> Option<Estimate> {
    let (units, documents) = (sample.len() as f64, sample.documents() as f64);
    let outcomes = sample.outcomes();
    let sum = |unit: &Unit, mean: f64| -> f64 {
        let terms = unit.outcomes.iter();
        terms.map(|&(outcome, times)| f64::from(times) * (value(&outcomes[outcome]) - mean)).sum()
    };
    let all = sample.units().iter();
    let mean = all.map(|unit| unit.count as f64 * sum(unit, 0.0)).sum::<f64>() / documents;
    let squares: f64 = sample.units().iter().map(|unit| unit.count as f64 * sum(unit, mean).powi(2)).sum();
    let stderr = (units > 1.0).then(|| (units / (units - 1.0) * squares).sqrt() / documents);
    (documents > 0.0).then_some(Estimate { value: mean, stderr })
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
            let sample = Sample::new(outcomes.iter().map(|&right| (right, None)));
            let formula = accuracy(right, outcomes.len()).unwrap();
            for ours in [estimate(&sample, share), of_a_mean(&sample, |&right| f64::from(right))] {
                prop_assert!((ours.unwrap().value - formula.value).abs() < 1e-12);
                prop_assert!((ours.unwrap().stderr.unwrap() - formula.stderr.unwrap()).abs() < 1e-9);
            }
        }

        /// Counting equal outcomes changes nothing.
        #[test]
        fn leaving_out_by_hand_is_the_same(pairs in prop::collection::vec((0..4_u8, 0..4_u8), 2..30)) {
            let number = |(x, y): (u8, u8)| (f64::from(x), f64::from(y));
            let correlation = |pairs: &[(u8, u8)]| {
                let value = weighted_spearman(&pairs.iter().map(|&pair| (number(pair), 1.0)).collect::<Vec<_>>());
                if value.is_nan() { 0.0 } else { value }
            };
            let n = pairs.len() as f64;
            let without: Vec<f64> = (0..pairs.len())
                .map(|index| correlation(&[&pairs[..index], &pairs[index + 1..]].concat()))
                .collect();
            let mean = without.iter().sum::<f64>() / n;
            let squares: f64 = without.iter().map(|value| (value - mean).powi(2)).sum();
            let weighted = |pairs: &[((u8, u8), f64)]| {
                weighted_spearman(&pairs.iter().map(|&(pair, count)| (number(pair), count)).collect::<Vec<_>>())
            };
            let ours = estimate(&Sample::new(pairs.iter().map(|&pair| (pair, None))), weighted).unwrap();
            prop_assert!((ours.value - correlation(&pairs)).abs() < 1e-9);
            prop_assert!((ours.stderr.unwrap() - ((n - 1.0) / n * squares).sqrt()).abs() < 1e-9);
        }
    }
}
