//! McNemar's test of two accuracies on the same documents.

use statrs::distribution::{Binomial, ChiSquared, ContinuousCDF, DiscreteCDF};

/// With fewer documents that only one side answers correctly, the test is exact.
pub(crate) const EXACT_BELOW: usize = 25;

/// The two-sided p-value of McNemar's test (1947): `only_a` documents are right on side A alone, `only_b` on side B alone.
///
/// Below [`EXACT_BELOW`] of them together it is the exact binomial test, otherwise the χ² test with Edwards' continuity correction (1948).
pub(crate) fn mcnemar(only_a: usize, only_b: usize) -> f64 {
    let all = only_a + only_b;
    if all < EXACT_BELOW {
        let fewer = only_a.min(only_b) as u64;
        let below = Binomial::new(0.5, all as u64).map_or(0.5, |binomial| binomial.cdf(fewer));
        return (2.0 * below).min(1.0);
    }
    let difference = (only_a as f64 - only_b as f64).abs() - 1.0;
    let statistic = difference.max(0.0).powi(2) / all as f64;
    ChiSquared::new(1.0).map_or(1.0, |distribution| distribution.sf(statistic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        assert_eq!(mcnemar(0, 0), 1.0);
        assert_eq!(mcnemar(3, 3), 1.0);
        assert!((mcnemar(5, 0) - 2.0 / 32.0).abs() < 1e-12);
        assert!((mcnemar(0, 5) - mcnemar(5, 0)).abs() < 1e-15);
        // χ² = (|40 − 20| − 1)² / 60 = 6.0167
        assert!((mcnemar(40, 20) - 0.014_171_4).abs() < 1e-5, "{}", mcnemar(40, 20));
        assert_eq!(mcnemar(20, 20), 1.0);
    }
}
