//! Answers after a prompt without the question.

use dph_core::{Candidate, CandidateScores, CandidateSet, Style};
use dph_data::{ChatTokenizer, Message, PlainPrompt};

use crate::pass::ScoreError;

/// The prompt without the question (Touvron et al., arXiv 2302.13971, section 3).
const PROMPT: &str = "Answer:";

/// The answers of `sets` after a prompt without the question, one set for each.
///
/// # Errors
/// The chat template of the tokenizer rejects the prompt.
pub(crate) fn unconditional_sets<'a>(
    tokenizer: &ChatTokenizer,
    style: Style,
    sets: impl IntoIterator<Item = &'a CandidateSet>,
) -> Result<Vec<CandidateSet>, ScoreError> {
    let with_prompt = match style {
        Style::Chat => tokenizer.candidate_set(String::new(), &[Message::user(PROMPT)], &["x"], None),
        Style::Plain => {
            let prompt = PlainPrompt {
                contexts: vec![PROMPT.into()],
                delimiter: " ".into(),
                ..PlainPrompt::default()
            };
            tokenizer.plain_set("", &prompt, &["x".to_owned()], None, None).map(|(set, _)| set)
        }
    };
    let conversation =
        with_prompt.map_err(|error| ScoreError::Unconditional { message: error.to_string() })?;
    let own = conversation.candidates.first().map_or(&[][..], |only| &only.tokens[..only.answer.start]);
    let prompt = [&conversation.prompt[..], own].concat();
    let candidate = |candidate: &Candidate| Candidate {
        tokens: candidate.tokens[candidate.turn()].to_vec(),
        answer: 0..candidate.answer.len(),
        ..*candidate
    };
    let set = |set: &CandidateSet| CandidateSet {
        id: set.id.clone(),
        prompt: prompt.clone(),
        candidates: set.candidates.iter().map(candidate).collect(),
        ..CandidateSet::default()
    };
    Ok(sets.into_iter().map(set).collect())
}

/// Adds the likelihoods of such sets to the scores of the sets that they were made of.
pub(crate) fn add_unconditional<'a>(
    scores: impl IntoIterator<Item = &'a mut Vec<CandidateScores>>,
    without: &[Vec<CandidateScores>],
) {
    for (scores, without) in scores.into_iter().flatten().zip(without.iter().flatten()) {
        scores.unconditional = Some(without.loglik);
    }
}
