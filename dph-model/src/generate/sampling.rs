//! [`Sampling`]: how a token is chosen from logits.

use std::collections::HashSet;

use dph_core::best_index;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How tokens are chosen. The default is greedy.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// Divisor of the logits. 0 chooses the most likely token, of equals the first.
    pub temperature: f64,
    /// Sample only from this number of most likely tokens; 0 for all.
    pub top_k: usize,
    /// Sample only from the most likely tokens whose total probability is at least this (nucleus sampling, arXiv
    /// 1904.09751).
    pub top_p: f64,
    /// Positive logits of tokens that already occur in the prompt or the continuation are divided by this, negative
    /// ones are multiplied (arXiv 1909.05858). 1 for no penalty.
    pub repetition_penalty: f64,
    /// Most tokens to generate.
    pub max_tokens: usize,
    /// Tokens that end generation.
    pub stop: Vec<u32>,
    /// Random seed. Each prompt has its own stream of random numbers, given by its index.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_k: 0,
            top_p: 1.0,
            repetition_penalty: 1.0,
            max_tokens: 256,
            stop: Vec::new(),
            seed: 0,
        }
    }
}

/// An invalid setting.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SamplingError {
    /// `temperature`.
    #[error("temperature {0}: it must be a number of at least 0 (0 is greedy)")]
    Temperature(f64),
    /// `top_p`.
    #[error("top-p {0}: it must be greater than 0 and at most 1 (1 is no limit)")]
    TopP(f64),
    /// `repetition_penalty`.
    #[error("repetition penalty {0}: it must be greater than 0 (1 is no penalty)")]
    RepetitionPenalty(f64),
}

impl Sampling {
    /// Checks the settings.
    ///
    /// # Errors
    ///
    /// The first invalid setting.
    pub fn check(&self) -> Result<(), SamplingError> {
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            return Err(SamplingError::Temperature(self.temperature));
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return Err(SamplingError::TopP(self.top_p));
        }
        if !(self.repetition_penalty.is_finite() && self.repetition_penalty > 0.0) {
            return Err(SamplingError::RepetitionPenalty(self.repetition_penalty));
        }
        Ok(())
    }
}

/// Chooses the tokens of one sequence.
pub(super) struct Sampler<'a> {
    sampling: &'a Sampling,
    seen: HashSet<u32>,
    random: ChaCha8Rng,
}

impl<'a> Sampler<'a> {
    /// The sampler of the prompt with index `place`.
    pub fn new(sampling: &'a Sampling, place: usize, prompt: &[u32]) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(sampling.seed);
        random.set_stream(place as u64);
        Self { sampling, seen: prompt.iter().copied().collect(), random }
    }

    /// Chooses the next token.
    pub fn next(&mut self, logits: &[f32]) -> u32 {
        let token = match self.sampling.repetition_penalty {
            1.0 => self.choose(logits),
            penalty => {
                let mut logits = logits.to_vec();
                for &token in &self.seen {
                    let logit = &mut logits[token as usize];
                    *logit = if *logit > 0.0 { *logit / penalty as f32 } else { *logit * penalty as f32 };
                }
                self.choose(&logits)
            }
        };
        self.seen.insert(token);
        token
    }

    fn choose(&mut self, logits: &[f32]) -> u32 {
        let Sampling { temperature, top_k, top_p, .. } = *self.sampling;
        if temperature == 0.0 || top_k == 1 || logits.iter().all(|logit| logit.is_nan()) {
            return most_likely(logits);
        }
        let numbers = (0..).zip(logits.iter().copied()).filter(|(_, logit)| !logit.is_nan());
        let mut candidates: Vec<(u32, f32)> = numbers.collect();
        // By likelihood, then by id, so that the choice does not depend on the sort algorithm.
        let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if top_k > 0 && top_k < candidates.len() {
            candidates.select_nth_unstable_by(top_k - 1, order);
            candidates.truncate(top_k);
        }
        candidates.sort_unstable_by(order);
        let largest = f64::from(candidates[0].1);
        let weights: Vec<f64> =
            candidates.iter().map(|(_, logit)| ((f64::from(*logit) - largest) / temperature).exp()).collect();
        let kept = nucleus(&weights, top_p);
        let mut left = self.random.random::<f64>() * weights[..kept].iter().sum::<f64>();
        for ((token, _), weight) in candidates.iter().zip(&weights[..kept]) {
            left -= weight;
            if left < 0.0 {
                return *token;
            }
        }
        candidates[kept - 1].0
    }
}

/// Number of descending weights whose sum reaches a share of the total, at least one.
fn nucleus(weights: &[f64], share: f64) -> usize {
    if share >= 1.0 {
        return weights.len();
    }
    let enough = share * weights.iter().sum::<f64>();
    let mut sum = 0.0;
    let short = weights.iter().take_while(|&&weight| {
        sum += weight;
        sum < enough
    });
    (short.count() + 1).min(weights.len())
}

/// The token with the largest logit; the first one if no logit is a number.
fn most_likely(logits: &[f32]) -> u32 {
    best_index(logits.iter().copied()).unwrap_or(0) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Of four tokens with probabilities of 1/2, 1/4, 1/8, 1/8 at a temperature of 1.
    const LOGITS: [f32; 4] = [2.0 * LN_2, 3.0 * LN_2, LN_2, LN_2];
    const LN_2: f32 = std::f32::consts::LN_2;

    fn draw(sampling: &Sampling, prompt: &[u32], count: usize) -> Vec<u32> {
        let mut sampler = Sampler::new(sampling, 0, prompt);
        (0..count).map(|_| sampler.next(&LOGITS)).collect()
    }

    #[test]
    fn a_temperature_of_zero_is_greedy() {
        assert_eq!(draw(&Sampling::default(), &[], 3), [1, 1, 1]);
        assert_eq!(most_likely(&[f32::NAN, 1.0, 3.0, 3.0]), 2);
    }

    #[test]
    fn a_logit_that_is_not_a_number_is_never_drawn() {
        let sampling = Sampling { temperature: 1.0, ..Sampling::default() };
        let mut sampler = Sampler::new(&sampling, 0, &[]);
        let drawn: BTreeSet<u32> = (0..100).map(|_| sampler.next(&[f32::NAN, 1.0, f32::NAN, 1.0])).collect();
        assert_eq!(drawn, [1, 3].into());
        assert_eq!(sampler.next(&[f32::NAN; 2]), 0);
    }

    #[test]
    fn tokens_come_as_often_as_they_are_likely() {
        let sampling = Sampling { temperature: 1.0, ..Sampling::default() };
        let drawn = draw(&sampling, &[], 8000);
        for (token, expected) in [(0, 0.25), (1, 0.5), (2, 0.125), (3, 0.125)] {
            let share = drawn.iter().filter(|&&other| other == token).count() as f64 / 8000.0;
            assert!((share - expected).abs() < 0.02, "{token} came with {share}");
        }
        let cool = draw(&Sampling { temperature: 0.5, ..sampling }, &[], 8000);
        let share = cool.iter().filter(|&&token| token == 1).count() as f64 / 8000.0;
        assert!((share - 16.0 / 22.0).abs() < 0.02, "{share}");
    }

    #[test]
    fn top_k_and_top_p_leave_out_the_unlikely() {
        let kinds = |top_k, top_p| -> BTreeSet<u32> {
            let sampling = Sampling { temperature: 1.0, top_k, top_p, ..Sampling::default() };
            draw(&sampling, &[], 400).into_iter().collect()
        };
        assert_eq!(kinds(0, 1.0), [0, 1, 2, 3].into());
        assert_eq!(kinds(2, 1.0), [0, 1].into());
        assert_eq!(kinds(3, 1.0), [0, 1, 2].into());
        assert_eq!(kinds(1, 1.0), [1].into());
        assert_eq!(kinds(0, 0.5), [1].into());
        assert_eq!(kinds(0, 0.6), [0, 1].into());
        assert_eq!(kinds(0, 0.01), [1].into());
    }

    #[test]
    fn a_penalty_keeps_from_repeating() {
        let sampling = Sampling { repetition_penalty: 4.0, ..Sampling::default() };
        // What was said becomes unlikely; what the prompt says already is.
        assert_eq!(draw(&sampling, &[], 2), [1, 0]);
        assert_eq!(draw(&sampling, &[1], 1), [0]);
        let mut sampler = Sampler::new(&sampling, 0, &[0]);
        assert_eq!(sampler.next(&[-1.0, -2.0]), 1, "negative logits are multiplied");
    }

    #[test]
    fn a_seed_and_a_place_decide() {
        let sampling = |seed| Sampling { temperature: 1.0, seed, ..Sampling::default() };
        assert_eq!(draw(&sampling(1), &[], 50), draw(&sampling(1), &[], 50));
        assert_ne!(draw(&sampling(1), &[], 50), draw(&sampling(2), &[], 50));
        let sampling = sampling(1);
        let mut second = Sampler::new(&sampling, 1, &[]);
        assert_ne!(draw(&sampling, &[], 50), (0..50).map(|_| second.next(&LOGITS)).collect::<Vec<_>>());
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        let error = |sampling: Sampling| sampling.check().unwrap_err().to_string();
        let base = Sampling::default();
        assert!(error(Sampling { temperature: -1.0, ..base.clone() }).contains("temperature -1"));
        assert!(error(Sampling { top_p: 0.0, ..base.clone() }).contains("top-p 0"));
        assert!(error(Sampling { repetition_penalty: f64::NAN, ..base }).contains("penalty NaN"));
    }
}
