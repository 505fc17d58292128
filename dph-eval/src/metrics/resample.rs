//! The bootstrap and the paired permutation test: statistics of resampled documents.
//!
//! Every block of resamples has its own stream of random numbers, so that the numbers do not depend on the number of threads.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_distr::{Binomial, Distribution};
use rayon::prelude::*;

use crate::metrics::sample::{Sample, Weighted};

/// The number of resamples.
pub(crate) const RESAMPLES: usize = 10_000;

/// Resamples with one stream of random numbers.
const BLOCK: usize = 100;

/// Below this many draws for each distinct unit, units are drawn one by one.
const DRAWS_PER_UNIT: usize = 8;

/// The statistic of [`RESAMPLES`] resamples: as many units as there are, drawn with replacement (Efron 1979).
pub(crate) fn bootstrap<T, R>(
    sample: &Sample<T>,
    seed: u64,
    statistic: impl Fn(&Weighted<T>) -> R + Sync,
) -> Vec<R>
where
    T: Copy + Ord + Sync,
    R: Send,
{
    let draw = Draw::new(sample.units().iter().map(|unit| unit.count).collect());
    blocks(seed, |rng| {
        let times = draw.times(rng);
        statistic(&sample.weighted(|unit| times[unit] as f64))
    })
}

/// The statistic of [`RESAMPLES`] samples in which the two sides of every unit are exchanged with probability 1/2: its
/// distribution if the two sides do not differ (Fisher's permutation test for pairs).
pub(crate) fn permutations<T, R>(
    sample: &Sample<(T, T)>,
    seed: u64,
    statistic: impl Fn(&Weighted<(T, T)>) -> R + Sync,
) -> Vec<R>
where
    T: Copy + Ord + Sync,
    R: Send,
{
    let pairs = sample.outcomes();
    blocks(seed, |rng| {
        // Kept pairs, then exchanged ones.
        let mut weights = vec![0.0; 2 * pairs.len()];
        for unit in sample.units() {
            let exchanged = binomial(unit.count, 0.5, rng);
            for &(pair, number) in &unit.outcomes {
                weights[pair] += f64::from(number) * (unit.count - exchanged) as f64;
                weights[pairs.len() + pair] += f64::from(number) * exchanged as f64;
            }
        }
        let both = pairs.iter().copied().chain(pairs.iter().map(|&(a, b)| (b, a)));
        statistic(&both.zip(weights).filter(|(_, weight)| *weight > 0.0).collect())
    })
}

/// The seed of the resamples of what has this name (FNV-1a).
pub(crate) fn seed(name: &str) -> u64 {
    name.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// The two-sided p-value of a statistic by its values under the null hypothesis; the observed value counts as one of them, so that
/// it is never 0 (Phipson and Smyth 2010).
pub(crate) fn p_value(observed: f64, under_null: &[f64]) -> f64 {
    // Sums in another order differ by rounding.
    let limit = observed.abs() * (1.0 - 1e-9) - 1e-12;
    let extreme = under_null.iter().filter(|value| value.abs() >= limit).count();
    (extreme + 1) as f64 / (under_null.len() + 1) as f64
}

/// The interval that holds the middle 95 % of some values, with linear interpolation between them; `None` without values.
pub(crate) fn percentile_interval(values: impl IntoIterator<Item = f64>) -> Option<[f64; 2]> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let quantile = |share: f64| {
        let place = share * last as f64;
        let below = values[place.floor() as usize];
        below + (values[place.ceil() as usize] - below) * place.fract()
    };
    Some([quantile(0.025), quantile(0.975)])
}

/// The sum of what is resampled independently.
pub(crate) fn sum_of_resamples(parts: impl IntoIterator<Item = Vec<f64>>) -> Vec<f64> {
    let mut sums = Vec::new();
    for values in parts {
        sums.resize(values.len(), 0.0);
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
    }
    sums
}

fn blocks<R: Send>(seed: u64, resample: impl Fn(&mut ChaCha8Rng) -> R + Sync) -> Vec<R> {
    let blocks = (0..RESAMPLES / BLOCK).into_par_iter().map(|block| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(block as u64);
        (0..BLOCK).map(|_| resample(&mut rng)).collect::<Vec<R>>()
    });
    blocks.collect::<Vec<_>>().into_iter().flatten().collect()
}

/// How often each distinct unit is drawn.
struct Draw {
    counts: Vec<usize>,
    all: usize,
    /// The distinct unit of every unit, if units are drawn one by one.
    one_by_one: Vec<u32>,
}

impl Draw {
    fn new(counts: Vec<usize>) -> Self {
        let all: usize = counts.iter().sum();
        let units = counts.iter().enumerate();
        let one_by_one = match all < DRAWS_PER_UNIT * counts.len() {
            true => units.flat_map(|(unit, &count)| std::iter::repeat_n(unit as u32, count)).collect(),
            false => Vec::new(),
        };
        Self { counts, all, one_by_one }
    }

    fn times(&self, rng: &mut ChaCha8Rng) -> Vec<usize> {
        let mut times = vec![0; self.counts.len()];
        if !self.one_by_one.is_empty() {
            for _ in 0..self.all {
                let place = (u64::from(rng.next_u32()) * self.all as u64) >> 32;
                times[self.one_by_one[place as usize] as usize] += 1;
            }
            return times;
        }
        // A multinomial number is a chain of binomial ones.
        let (mut draws, mut left) = (self.all, self.all);
        for (times, &count) in times.iter_mut().zip(&self.counts) {
            *times = if count == left { draws } else { binomial(draws, count as f64 / left as f64, rng) };
            draws -= *times;
            left -= count;
        }
        times
    }
}

fn binomial(draws: usize, share: f64, rng: &mut ChaCha8Rng) -> usize {
    // A share is between 0 and 1.
    Binomial::new(draws as u64, share).map_or(0, |binomial| binomial.sample(rng) as usize)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn share(outcomes: &Weighted<u32>) -> f64 {
        let all: f64 = outcomes.iter().map(|(_, weight)| weight).sum();
        outcomes.iter().map(|(value, weight)| f64::from(*value) * weight).sum::<f64>() / all
    }

    fn deviation(values: &[f64]) -> f64 {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt()
    }

    /// Few distinct units (drawn by a chain of binomials), many (drawn one by one) and groups have the deviation of the mean.
    #[test]
    fn the_deviation_of_resampled_means_is_their_standard_error() {
        let spread = |values: &[u32], groups: &dyn Fn(usize) -> Option<String>| {
            let groups: Vec<Option<String>> = (0..values.len()).map(groups).collect();
            let sample =
                Sample::new(values.iter().zip(&groups).map(|(&value, group)| (value, group.as_deref())));
            deviation(&bootstrap(&sample, 7, share))
        };
        let deviation_of =
            |values: &[u32]| deviation(&values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>());
        let few: Vec<u32> = (0..400).map(|index| u32::from(index % 4 == 0)).collect();
        let many: Vec<u32> = (0..400).collect();
        for values in [&few, &many] {
            let expected = deviation_of(values) / 20.0;
            assert!((spread(values, &|_| None) / expected - 1.0).abs() < 0.03);
            // Four equal documents in a group are worth one.
            let groups: Vec<u32> = values.iter().flat_map(|&value| [value; 4]).collect();
            assert!((spread(&groups, &|index| Some((index / 4).to_string())) / expected - 1.0).abs() < 0.03);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers_on_any_number_of_threads() {
        let sample = Sample::new((0..100_u32).map(|value| (value % 7, None)));
        let with = |threads: usize, seed| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| bootstrap(&sample, seed, share))
        };
        assert_eq!(with(1, 3), with(4, 3));
        assert_ne!(with(1, 3), with(1, 4));
    }

    /// Exchanging the sides of pairs is the sign test, whose distribution is known.
    #[test]
    fn permutations_of_pairs_give_the_binomial_p_value() {
        let pairs = std::iter::repeat_n((1_u32, 0_u32), 9).chain(std::iter::repeat_n((0, 1), 2));
        let sample = Sample::new(pairs.map(|pair| (pair, None)));
        let difference = |pairs: &Weighted<(u32, u32)>| -> f64 {
            pairs.iter().map(|((a, b), weight)| weight * (f64::from(*a) - f64::from(*b))).sum()
        };
        let p = p_value(7.0, &permutations(&sample, 1, difference));
        // 2 (C(11, 9) + C(11, 10) + C(11, 11)) / 2^11
        assert!((p - 134.0 / 2048.0).abs() < 0.008, "{p}");
        assert_eq!(p_value(0.0, &[0.0; 10]), 1.0);
    }

    #[test]
    fn quantiles_by_hand() {
        assert_eq!(percentile_interval((0..=40).map(f64::from)), Some([1.0, 39.0]));
        let [low, high] = percentile_interval([5.0, 1.0]).unwrap();
        assert!((low - 1.1).abs() < 1e-12 && (high - 4.9).abs() < 1e-12);
        assert_eq!(percentile_interval([]), None);
    }

    proptest! {
        /// A resample has as many units as the sample.
        #[test]
        fn every_draw_is_made(counts in prop::collection::vec(1..40_usize, 1..30), seed: u64) {
            let draw = Draw::new(counts.clone());
            let times = draw.times(&mut ChaCha8Rng::seed_from_u64(seed));
            prop_assert_eq!(times.iter().sum::<usize>(), counts.iter().sum::<usize>());
        }
    }
}
