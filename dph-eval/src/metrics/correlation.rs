//! Pearson's and Spearman's correlation.

/// Pearson's correlation; NaN if one side is constant or a value is NaN.
///
/// # Panics
/// If the lists differ in length.
///
/// ```
/// assert_eq!(dph_eval::pearson(&[0.0, 1.0, 2.0], &[5.0, 3.0, 1.0]), -1.0);
/// ```
pub fn pearson(predictions: &[f64], references: &[f64]) -> f64 {
    weighted_pearson(&pairs(predictions, references))
}

/// Spearman's correlation: [`pearson`] of the ranks; equal values share the mean of their ranks.
///
/// # Panics
/// If the lists differ in length.
pub fn spearman(predictions: &[f64], references: &[f64]) -> f64 {
    weighted_spearman(&pairs(predictions, references))
}

/// Prediction and reference, and the number of documents that have them.
pub(crate) type Numbers = ((f64, f64), f64);

pub(crate) fn weighted_pearson(outcomes: &[Numbers]) -> f64 {
    let constant = |side: fn(&(f64, f64)) -> f64| {
        // Compared directly: the mean of equal floats may differ from them.
        outcomes.iter().all(|(pair, _)| side(pair) == side(&outcomes[0].0))
    };
    if constant(|pair| pair.0) || constant(|pair| pair.1) {
        return f64::NAN;
    }
    let all: f64 = outcomes.iter().map(|(_, count)| count).sum();
    let mean = |side: fn(&(f64, f64)) -> f64| {
        outcomes.iter().map(|(pair, count)| side(pair) * count).sum::<f64>() / all
    };
    let (x_mean, y_mean) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let (mut both, mut x_square, mut y_square) = (0.0, 0.0, 0.0);
    for ((x, y), count) in outcomes {
        let (x, y) = (x - x_mean, y - y_mean);
        both += count * x * y;
        x_square += count * x * x;
        y_square += count * y * y;
    }
    (both / (x_square * y_square).sqrt()).clamp(-1.0, 1.0)
}

pub(crate) fn weighted_spearman(outcomes: &[Numbers]) -> f64 {
    let counts: Vec<f64> = outcomes.iter().map(|(_, count)| *count).collect();
    let column =
        |side: fn(&(f64, f64)) -> f64| outcomes.iter().map(|(pair, _)| side(pair)).collect::<Vec<_>>();
    let x = ranks(&column(|pair| pair.0), &counts);
    let y = ranks(&column(|pair| pair.1), &counts);
    let ranked: Vec<Numbers> = x.into_iter().zip(y).zip(counts).collect();
    weighted_pearson(&ranked)
}

/// The rank of each value, from 1, where a value occurs as often as its count says; equal values share the mean of their ranks.
fn ranks(values: &[f64], counts: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0.0;
    for group in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let size: f64 = group.iter().map(|&index| counts[index]).sum();
        for &index in group {
            // NaN has no rank.
            ranks[index] = if values[index].is_nan() { f64::NAN } else { before + (size + 1.0) / 2.0 };
        }
        before += size;
    }
    ranks
}

fn pairs(predictions: &[f64], references: &[f64]) -> Vec<Numbers> {
    assert_eq!(predictions.len(), references.len(), "as many predictions as references");
    predictions.iter().zip(references).map(|(&x, &y)| ((x, y), 1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_values_share_their_rank() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0], &[1.0; 4]), [3.5, 1.0, 3.5, 2.0]);
        assert_eq!(ranks(&[3.0, 1.0, 2.0], &[2.0, 1.0, 1.0]), [3.5, 1.0, 2.0]);
        assert_eq!(ranks(&[0.0, -0.0], &[1.0; 2]), [1.5, 1.5]);
    }

    #[test]
    fn constant_or_nan_values_have_no_correlation() {
        assert!(pearson(&[0.1, 0.1, 0.1], &[1.0, 2.0, 3.0]).is_nan());
        assert!(spearman(&[1.0, 2.0], &[f64::NAN, 1.0]).is_nan());
        assert!(pearson(&[], &[]).is_nan());
    }

    proptest! {
        /// Predictions as positions measure the same as predictions as scores, if these are evenly spaced.
        #[test]
        fn neither_scale_nor_origin_matters(
            pairs in prop::collection::vec((0..6_u8, 0.0..5.0_f64), 3..60), scale in 0.1..9.0_f64, origin in -9.0..9.0_f64,
        ) {
            let (x, y): (Vec<f64>, Vec<f64>) = pairs.iter().map(|&(x, y)| (f64::from(x), y)).unzip();
            let moved: Vec<f64> = x.iter().map(|x| scale * x + origin).collect();
            for correlation in [pearson, spearman] {
                let (plain, moved) = (correlation(&x, &y), correlation(&moved, &y));
                prop_assert!((plain - moved).abs() < 1e-9 || plain.is_nan() && moved.is_nan());
            }
        }
    }
}
