//! The choice among answers, and the value by which it is made.

use dph_core::{Scorer, best_index};

use crate::generate::answer::{Answer, AnswerEnd};
use crate::generate::settings::{BestOf, Selection};

impl BestOf {
    /// The value by which an answer is chosen, the higher the better. It does not say whether the answer was rejected.
    pub(crate) fn selection_value(&self, answer: &Answer) -> f64 {
        match self.selection {
            Selection::Reward => {
                let scores = &answer.scores;
                self.value(&scores.rewards, scores.loglik, scores.tokens)
            }
            Selection::Loglik => Scorer::LoglikMean.value(&answer.scores),
            Selection::SelfCertainty => answer.self_certainty,
            Selection::Random => 0.0,
        }
    }
}

/// Index of the chosen answer. A rejected one is never chosen, and of equals the first is.
pub(crate) fn choose(answers: &[Answer], settings: &BestOf, prompt: &[u32]) -> usize {
    let whole: Vec<usize> =
        (0..answers.len()).filter(|&index| answers[index].end != AnswerEnd::Rejected).collect();
    let chosen = match settings.selection {
        Selection::Random if !whole.is_empty() => {
            Some(random(settings.sampling.seed, prompt) as usize % whole.len())
        }
        _ => best_index(whole.iter().map(|&index| settings.selection_value(&answers[index]))),
    };
    chosen.and_then(|place| whole.get(place)).or(whole.first()).copied().unwrap_or(0)
}

/// A number that depends on the seed and the prompt.
fn random(seed: u64, prompt: &[u32]) -> u64 {
    let mut content = blake3::Hasher::new();
    content.update(b"selection");
    content.update(&seed.to_le_bytes());
    for token in prompt {
        content.update(&token.to_le_bytes());
    }
    let hash = content.finalize();
    hash.as_bytes()[..8].iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
}
