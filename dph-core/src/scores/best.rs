//! The best of some values. Everything that compares candidates uses this rule.

use std::cmp::Ordering;

/// Index of the highest value; of equals the first.
///
/// NaN never wins: `None` if there are no values or all of them are NaN.
pub fn best_index<T: Into<f64>>(values: impl IntoIterator<Item = T>) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (index, value) in values.into_iter().enumerate() {
        let value = value.into();
        if !value.is_nan() && best.is_none_or(|(_, best)| value > best) {
            best = Some((index, value));
        }
    }
    best.map(|(index, _)| index)
}

/// The order in which a stable sort puts the value of [`best_index`] first: descending, with NaN last.
pub fn best_first(a: f64, b: f64) -> Ordering {
    b.partial_cmp(&a).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAN: f64 = f64::NAN;

    #[test]
    fn the_first_of_equals_wins_and_nan_never_does() {
        assert_eq!(best_index([1.0, 3.0, 3.0]), Some(1));
        assert_eq!(best_index([NAN, -5.0, NAN, -7.0]), Some(1));
        assert_eq!(best_index([NAN, f64::NEG_INFINITY]), Some(1));
        assert_eq!(best_index([-0.0, 0.0]), Some(0));
        assert_eq!(best_index([NAN, NAN]), None);
        assert_eq!(best_index(Vec::<f64>::new()), None);
    }

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![-2.0..2.0, Just(-0.0), Just(0.0), Just(NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)]
    }

    proptest! {
        #[test]
        fn sorting_puts_the_best_first(values in prop::collection::vec(value(), 0..8)) {
            let mut order: Vec<usize> = (0..values.len()).collect();
            order.sort_by(|&a, &b| best_first(values[a], values[b]));
            let first = order.first().copied().filter(|&index| !values[index].is_nan());
            prop_assert_eq!(first, best_index(values));
        }
    }
}
