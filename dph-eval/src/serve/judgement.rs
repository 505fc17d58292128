//! The best answers of a set, and what the model says of them.

use std::collections::BTreeMap;

use dph_core::best_first;
use dph_data::ChatTokenizer;

use crate::generate::{Answer, AnswerEnd, AnswerSet, BestOf};
use crate::model::Model;
use crate::serve::error::ApiError;
use crate::serve::wire::{GenerationUsage, Judgement};

/// The `n` best answers of a set, the best first; of equals, the one with the lower number. Dropped ones come last, those first that grew
/// longest.
pub(super) fn best_answers<'a>(set: &'a AnswerSet, settings: &BestOf, n: usize) -> Vec<&'a Answer> {
    let mut answers: Vec<&Answer> = set.answers.iter().collect();
    let survived = |answer: &Answer| match answer.end {
        AnswerEnd::Rejected => answer.drawn.len(),
        _ => usize::MAX,
    };
    let value = |answer: &Answer| settings.selection_value(answer);
    answers.sort_by(|a, b| survived(b).cmp(&survived(a)).then_with(|| best_first(value(a), value(b))));
    // The choice itself may be random.
    let chosen = answers.iter().position(|answer| std::ptr::eq(*answer, set.best()));
    answers[..=chosen.unwrap_or(0)].rotate_right(1);
    answers.truncate(n);
    answers
}

/// What the model says of an answer.
pub(super) fn judgement(answer: &Answer, model: &Model, head: usize) -> Judgement {
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    let rewards = model.heads().iter().zip(&answer.scores.rewards);
    let rewards: BTreeMap<String, Option<f64>> =
        rewards.map(|(head, &reward)| (head.clone(), finite(reward.into()))).collect();
    let reward = answer.scores.rewards.get(head).and_then(|&reward| finite(reward.into()));
    Judgement { reward, rewards, loglik: finite(answer.scores.loglik), tokens: answer.scores.tokens }
}

/// Numbers of tokens of all sets.
pub(super) fn usage(sets: &[AnswerSet]) -> GenerationUsage {
    let prompt_tokens = sets.iter().map(|set| set.usage.prompt).sum();
    let completion_tokens = sets.iter().map(|set| set.usage.generated).sum();
    GenerationUsage { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens }
}

/// Text and log-probability of the tokens of an answer. Those of a stop string do not belong to it.
///
/// # Errors
/// Tokens that the decoder of the tokenizer rejects.
pub(super) fn token_logprobs(
    answer: &Answer,
    tokenizer: &ChatTokenizer,
) -> Result<Vec<(String, f32)>, ApiError> {
    let mut all = Vec::with_capacity(answer.drawn.len());
    let mut length = 0;
    for &(token, log_prob) in &answer.drawn {
        if answer.end == AnswerEnd::StopString && length >= answer.text.len() {
            break;
        }
        let text = token_text(token, tokenizer)?;
        length += text.len();
        all.push((text, log_prob));
    }
    Ok(all)
}

/// The text of a token.
///
/// # Errors
/// A token that the decoder of the tokenizer rejects.
pub(super) fn token_text(token: u32, tokenizer: &ChatTokenizer) -> Result<String, ApiError> {
    tokenizer.decode(&[token]).map_err(|error| ApiError::internal(error.to_string()))
}
