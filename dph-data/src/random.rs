//! Random numbers that are functions of a seed and a position.
//!
//! A resumed run must draw what the interrupted one would have drawn, in any order of access and with any
//! later version of any dependency. So the generator is written out here: SplitMix64 (Steele, Lea & Flood,
//! "Fast splittable pseudorandom number generators", 2014), whose n-th output is a function of seed and n.

/// The increment of SplitMix64: 2^64 divided by the golden ratio.
const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// A number from a seed and any keys. Different keys give independent numbers.
pub(crate) fn mix(seed: u64, keys: &[u64]) -> u64 {
    keys.iter().fold(finish(seed.wrapping_add(GAMMA)), |state, &key| {
        finish(state.wrapping_mul(GAMMA) ^ finish(key.wrapping_add(GAMMA)))
    })
}

/// The hash of a name, as a key for [`mix`].
pub(crate) fn hash_name(name: &str) -> u64 {
    // FNV-1a, finished once more because its high bits are weak for short names.
    let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    finish(hash)
}

/// Maps a random word to `0..bound` (Lemire's multiplication; the bias is below `bound / 2^64`).
///
/// A bound of 0 gives 0.
pub(crate) fn below(word: u64, bound: usize) -> usize {
    ((u128::from(word) * bound as u128) >> 64) as usize
}

/// A sequence of numbers from one seed.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    seed: u64,
    position: u64,
}

impl Stream {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, position: 0 }
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let word = mix(self.seed, &[self.position]);
        self.position += 1;
        below(word, bound)
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// A shuffle of `0..len` that is never stored: every element can be asked for alone, in constant time.
///
/// A balanced Feistel network permutes the next power of four; elements beyond `len` are walked on until
/// they fall inside (Black & Rogaway, "Ciphers with arbitrary finite domains", 2002).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Permutation {
    len: u64,
    half_bits: u32,
    seed: u64,
}

impl Permutation {
    pub(crate) fn new(len: usize, seed: u64) -> Self {
        let bits = usize::BITS - len.saturating_sub(1).leading_zeros();
        Self { len: len as u64, half_bits: bits.div_ceil(2).max(1), seed }
    }

    /// The element at `position`, which must be below `len`.
    pub(crate) fn at(&self, position: usize) -> usize {
        let mut element = position as u64;
        loop {
            element = self.scramble(element);
            if element < self.len {
                return element as usize;
            }
        }
    }

    fn scramble(&self, element: u64) -> u64 {
        let mask = (1_u64 << self.half_bits) - 1;
        let (mut left, mut right) = (element >> self.half_bits, element & mask);
        for round in 0..6 {
            (left, right) = (right, left ^ (mix(self.seed, &[round, right]) & mask));
        }
        (left << self.half_bits) | right
    }
}

fn finish(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// These numbers must never change: seeds in people's experiment files depend on them.
    #[test]
    fn the_generator_is_frozen() {
        assert_eq!(mix(0, &[]), 0xE220_A839_7B1D_CDAF);
        let mut stream = Stream::new(42);
        let drawn: Vec<usize> = (0..6).map(|_| stream.below(100)).collect();
        assert_eq!(drawn, FROZEN_DRAWS);
        let order: Vec<usize> = (0..10).map(|i| Permutation::new(10, 7).at(i)).collect();
        assert_eq!(order, FROZEN_ORDER);
    }

    const FROZEN_DRAWS: [usize; 6] = [92, 19, 41, 34, 84, 91];
    const FROZEN_ORDER: [usize; 10] = [8, 1, 2, 0, 5, 4, 3, 9, 7, 6];

    proptest! {
        #[test]
        fn a_permutation_has_every_element_once(len in 1_usize..600, seed: u64) {
            let permutation = Permutation::new(len, seed);
            let mut seen: Vec<usize> = (0..len).map(|i| permutation.at(i)).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..len).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_permutation_has_no_favourites() {
        let mut first = [0_u32; 5];
        for seed in 0..5000 {
            first[Permutation::new(5, seed).at(0)] += 1;
        }
        assert!(first.iter().all(|&count| (880..1120).contains(&count)), "{first:?}");
    }
}
