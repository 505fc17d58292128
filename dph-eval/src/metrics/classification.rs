//! F1 and Matthews' correlation, as GLUE uses them.

use std::collections::BTreeMap;

/// The F1 score of class 1: `2 TP / (2 TP + FP + FN)`; 0 if that class neither occurs nor is predicted.
///
/// # Panics
/// If the lists differ in length.
///
/// ```
/// assert_eq!(dph_eval::f1(&[1, 1, 0, 0], &[1, 0, 1, 0]), 0.5);
/// ```
pub fn f1(predictions: &[usize], references: &[usize]) -> f64 {
    weighted_f1(&pairs(predictions, references))
}

/// Matthews' correlation of predicted and gold classes, for any number of classes (`R_K`, Gorodkin 2004); 0 if one side is
/// constant.
///
/// # Panics
/// If the lists differ in length.
pub fn matthews(predictions: &[usize], references: &[usize]) -> f64 {
    weighted_matthews(&pairs(predictions, references))
}

/// Predicted and gold class, and the number of documents that have them.
pub(crate) type Classes = ((usize, usize), f64);

pub(crate) fn weighted_f1(outcomes: &[Classes]) -> f64 {
    let (mut hits, mut errors) = (0.0, 0.0);
    for ((predicted, gold), count) in outcomes {
        match (*predicted == 1, *gold == 1) {
            (true, true) => hits += count,
            (false, false) => {}
            _ => errors += count,
        }
    }
    if hits > 0.0 { 2.0 * hits / (2.0 * hits + errors) } else { 0.0 }
}

pub(crate) fn weighted_matthews(outcomes: &[Classes]) -> f64 {
    let (mut all, mut right) = (0.0, 0.0);
    let mut sums: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for ((predicted, gold), count) in outcomes {
        all += count;
        right += if predicted == gold { *count } else { 0.0 };
        sums.entry(*predicted).or_default().0 += count;
        sums.entry(*gold).or_default().1 += count;
    }
    let total = |term: fn(&(f64, f64)) -> f64| sums.values().map(term).sum::<f64>();
    let both = right * all - total(|(predicted, gold)| predicted * gold);
    let predicted = all * all - total(|(predicted, _)| predicted * predicted);
    let gold = all * all - total(|(_, gold)| gold * gold);
    if predicted > 0.0 && gold > 0.0 { both / (predicted * gold).sqrt() } else { 0.0 }
}

fn pairs(predictions: &[usize], references: &[usize]) -> Vec<Classes> {
    assert_eq!(predictions.len(), references.len(), "as many predictions as references");
    predictions.iter().zip(references).map(|(&predicted, &gold)| ((predicted, gold), 1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        assert_eq!(f1(&[0, 0], &[0, 0]), 0.0);
        assert_eq!(f1(&[1, 0, 1], &[1, 1, 1]), 0.8);
        // A third class counts as an error if class 1 was expected.
        assert_eq!(f1(&[2, 1], &[1, 1]), 2.0 / 3.0);
        assert_eq!(matthews(&[0, 1, 2], &[0, 1, 2]), 1.0);
        assert_eq!(matthews(&[1, 2, 0], &[0, 1, 2]), -0.5);
        assert_eq!(matthews(&[], &[]), 0.0);
    }
}
