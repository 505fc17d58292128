//! [`Sampling`]: how a token is chosen from logits.

use std::collections::HashSet;

use dph_core::best_index;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::decoder::kernels::exp;

/// How tokens are chosen. The default is greedy.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// Divisor of the logits. 0, or less than the smallest normal number of f32, chooses the most likely token, of equals the first.
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
    /// Random seed. Each answer has its own stream of random numbers, given by the seed, the tokens of its prompt and its
    /// number among the answers to this prompt.
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
    /// Whether the most likely token is chosen: the inverse of a smaller temperature is no number of f32.
    pub fn is_greedy(&self) -> bool {
        self.temperature < f64::from(f32::MIN_POSITIVE)
    }

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
#[derive(Debug)]
pub(super) struct Sampler {
    sampling: Sampling,
    seen: HashSet<u32>,
    random: ChaCha8Rng,
}

impl Sampler {
    /// The sampler of the answer with this number to a prompt.
    pub fn new(sampling: &Sampling, prompt: &[u32], number: u64) -> Self {
        let mut content = blake3::Hasher::new();
        content.update(&sampling.seed.to_le_bytes());
        for token in prompt {
            content.update(&token.to_le_bytes());
        }
        let mut random = ChaCha8Rng::from_seed(*content.finalize().as_bytes());
        random.set_stream(number);
        let seen = match sampling.repetition_penalty {
            1.0 => HashSet::new(),
            _ => prompt.iter().copied().collect(),
        };
        Self { sampling: sampling.clone(), seen, random }
    }

    /// Chooses the next token.
    pub fn next(&mut self, logits: &[f32]) -> u32 {
        match self.sampling.repetition_penalty {
            1.0 => self.choose(logits),
            penalty => {
                let mut logits = logits.to_vec();
                for &token in &self.seen {
                    let logit = &mut logits[token as usize];
                    *logit = if *logit > 0.0 { *logit / penalty as f32 } else { *logit * penalty as f32 };
                }
                let token = self.choose(&logits);
                self.seen.insert(token);
                token
            }
        }
    }

    fn choose(&mut self, logits: &[f32]) -> u32 {
        let Sampling { temperature, top_k, top_p, .. } = self.sampling;
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a });
        // Without a finite logit there is no distribution.
        if self.sampling.is_greedy() || top_k == 1 || !largest.is_finite() {
            return most_likely(logits);
        }
        let scale = (1.0 / temperature) as f32;
        let weight = |logit: f32| if logit.is_nan() { 0.0 } else { exp((logit - largest) * scale) };
        let share = self.random.random::<f64>();
        if top_k == 0 && top_p >= 1.0 {
            let weights: Vec<f32> = logits.iter().map(|&logit| weight(logit)).collect();
            return draw(share, (0..).zip(weights)).unwrap_or_else(|| most_likely(logits));
        }
        let mut candidates: Vec<(u32, f32)> =
            (0..).zip(logits.iter().copied()).filter(|(_, logit)| !logit.is_nan()).collect();
        if top_k > 0 && top_k < candidates.len() {
            candidates.select_nth_unstable_by(top_k - 1, by_likelihood);
            candidates.truncate(top_k);
        }
        let mut candidates: Vec<(u32, f32)> =
            candidates.into_iter().map(|(token, logit)| (token, weight(logit))).collect();
        keep_nucleus(&mut candidates, top_p);
        // In an order that does not depend on the sort algorithm.
        candidates.sort_unstable_by_key(|(token, _)| *token);
        draw(share, candidates.into_iter()).unwrap_or_else(|| most_likely(logits))
    }
}

/// By likelihood, then by id.
fn by_likelihood(a: &(u32, f32), b: &(u32, f32)) -> std::cmp::Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// The token at a share, from 0 to 1, of the sum of weights.
fn draw(share: f64, weights: impl Iterator<Item = (u32, f32)> + Clone) -> Option<u32> {
    let mut left = share * weights.clone().map(|(_, weight)| f64::from(weight)).sum::<f64>();
    let mut last = None;
    for (token, weight) in weights.filter(|(_, weight)| *weight > 0.0) {
        left -= f64::from(weight);
        last = Some(token);
        if left < 0.0 {
            break;
        }
    }
    last
}

/// Most likely tokens that are sorted at first.
const FIRST: usize = 64;

/// Keeps the most likely tokens whose weights reach a share of the total, at least one.
fn keep_nucleus(candidates: &mut Vec<(u32, f32)>, share: f64) {
    if share >= 1.0 {
        return;
    }
    let enough = share * candidates.iter().map(|(_, weight)| f64::from(*weight)).sum::<f64>();
    let mut sorted = FIRST;
    // Mostly a few tokens are enough, and sorting the whole vocabulary would take longer than the rest.
    loop {
        let count = sorted.min(candidates.len());
        if count < candidates.len() {
            candidates.select_nth_unstable_by(count, by_likelihood);
        }
        candidates[..count].sort_unstable_by(by_likelihood);
        let mut sum = 0.0;
        let reached = candidates[..count].iter().position(|(_, weight)| {
            sum += f64::from(*weight);
            sum >= enough
        });
        match reached {
            Some(place) => return candidates.truncate(place + 1),
            None if count == candidates.len() => return,
            None => sorted *= 8,
        }
    }
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
        let mut sampler = Sampler::new(sampling, prompt, 0);
        (0..count).map(|_| sampler.next(&LOGITS)).collect()
    }

    #[test]
    fn a_temperature_of_zero_is_greedy() {
        assert_eq!(draw(&Sampling::default(), &[], 3), [1, 1, 1]);
        assert_eq!(most_likely(&[f32::NAN, 1.0, 3.0, 3.0]), 2);
        for temperature in [f64::MIN_POSITIVE, 1e-300, 1e-39, 1e-38, 2e-38, 1e-37, 1e-30, 1e-9] {
            for (top_k, top_p) in [(0, 1.0), (3, 1.0), (0, 0.9)] {
                let sampling = Sampling { temperature, top_k, top_p, ..Sampling::default() };
                assert_eq!(draw(&sampling, &[], 20), [1; 20], "{temperature}");
            }
        }
    }

    #[test]
    fn a_logit_that_is_not_a_number_is_never_drawn() {
        let sampling = Sampling { temperature: 1.0, ..Sampling::default() };
        let mut sampler = Sampler::new(&sampling, &[], 0);
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
        let mut sampler = Sampler::new(&sampling, &[0], 0);
        assert_eq!(sampler.next(&[-1.0, -2.0]), 1, "negative logits are multiplied");
    }

    #[test]
    fn a_seed_a_prompt_and_a_number_decide() {
        let sampling = |seed| Sampling { temperature: 1.0, seed, ..Sampling::default() };
        assert_eq!(draw(&sampling(1), &[], 50), draw(&sampling(1), &[], 50));
        assert_ne!(draw(&sampling(1), &[], 50), draw(&sampling(2), &[], 50));
        let sampling = sampling(1);
        let mut second = Sampler::new(&sampling, &[], 1);
        assert_ne!(draw(&sampling, &[], 50), (0..50).map(|_| second.next(&LOGITS)).collect::<Vec<_>>());
        assert_ne!(draw(&sampling, &[], 50), draw(&sampling, &[3], 50));
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
