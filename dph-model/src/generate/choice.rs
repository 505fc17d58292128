//! [`Choice`]: the next token of an answer.

use super::finish::Finish;
use super::softmax::Softmax;

/// The next token of an answer, or its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Index of the answer.
    pub answer: usize,
    /// The token that the answer grows by; `None` if nothing is added to it.
    pub token: Option<u32>,
    /// The token that was drawn, a stop token included; `None` if nothing was drawn.
    pub drawn: Option<Drawn>,
    /// Why the answer ends; `None` if it goes on.
    pub finish: Option<Finish>,
}

/// A token under the model's own distribution: without temperature, truncation and penalty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawn {
    /// The token.
    pub token: u32,
    /// Its log-probability (natural logarithm).
    pub log_prob: f32,
    /// The divergence of the distribution p from the uniform one, `KL(U ‖ p)`. Its mean over an answer is the
    /// self-certainty of the answer (arXiv 2502.18581).
    pub certainty: f32,
}

impl Drawn {
    /// A token under logits.
    pub(super) fn new(logits: &[f32], token: u32) -> Self {
        let softmax = Softmax::new(logits, 1.0);
        let count = logits.len() as f64;
        let certainty = softmax.log_total() - softmax.mean - count.ln();
        let log_prob = f64::from(logits[token as usize]) - softmax.log_total();
        Self { token, log_prob: log_prob as f32, certainty: certainty as f32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_its_log_probability_and_the_divergence_from_chance() {
        let probabilities = [0.5f64, 0.25, 0.125, 0.125];
        let logits = probabilities.map(|p| (p.ln() + 3.0) as f32);
        let drawn = Drawn::new(&logits, 1);
        assert!((f64::from(drawn.log_prob) - 0.25f64.ln()).abs() < 1e-6);
        let divergence: f64 = probabilities.iter().map(|p| 0.25 * (0.25 / p).ln()).sum();
        assert!((f64::from(drawn.certainty) - divergence).abs() < 1e-6, "{drawn:?}");
        assert!(Drawn::new(&[1.0; 8], 0).certainty.abs() < 1e-6, "chance");
    }
}
