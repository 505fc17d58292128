//! Answers that are scored after their generation.

use dph_core::{Candidate, CandidateSet};
use dph_model::Prompts;

use crate::generate::error::GenerationError;
use crate::generate::growing_answer::GrowingAnswer;
use crate::generate::prompt_answers::PromptAnswers;
use crate::model::Model;
use crate::score::score;
use crate::scoring::Scoring;

/// Scores the answers from the number `first` of each prompt on that have ended, were not scored before, and whose states were not those
/// of the whole answer: answers that a stop string cut and, if `streamed` is false, all answers that have rewards.
pub(crate) fn rescore(
    model: &Model,
    prompts: &Prompts<'_>,
    has_rewards: bool,
    streamed: bool,
    all: &mut [PromptAnswers],
    first: &[usize],
) -> Result<(), GenerationError> {
    let (mut sets, mut places) = (Vec::new(), Vec::new());
    for (prompt, (answers, &first)) in all.iter().zip(first).enumerate() {
        let wanted = |answer: &GrowingAnswer| {
            answer.end.is_some() && !answer.is_rescored() && (answer.is_cut() || has_rewards && !streamed)
        };
        let numbers: Vec<usize> =
            (first..answers.answers.len()).filter(|&number| wanted(&answers.answers[number])).collect();
        if numbers.is_empty() {
            continue;
        }
        let candidates = numbers.iter().map(|&number| {
            let tokens = answers.answers[number].final_tokens();
            let ended = model.tokenizer.ended(tokens);
            let answer = 0..tokens.len().min(ended.len());
            Candidate { answer, ..Candidate::new(ended, 0) }
        });
        sets.push(CandidateSet {
            id: prompt.to_string(),
            prompt: prompts.tokens()[prompt].clone(),
            candidates: candidates.collect(),
            ..CandidateSet::default()
        });
        places.push((prompt, numbers));
    }
    if sets.is_empty() {
        return Ok(());
    }
    let scoring = Scoring { rewards: has_rewards, ..Scoring::default() };
    let scores = score(model, &sets, &scoring, &mut |_| {})?;
    for (((prompt, numbers), set), scores) in places.into_iter().zip(&sets).zip(scores) {
        all[prompt].usage.rescored += match model.backbone.is_packable() {
            true => set.packed_len(),
            false => set.one_by_one().map(|set| set.packed_len()).sum(),
        };
        for (number, scores) in numbers.into_iter().zip(scores) {
            all[prompt].answers[number].rescore(scores.loglik, scores.rewards);
        }
    }
    Ok(())
}
