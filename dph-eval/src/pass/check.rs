//! [`check_sets`]: whether a language model can take candidate sets.

use dph_core::{Candidate, CandidateSet};
use dph_model::{Backbone, InputError};

/// Sets that a model cannot score.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// The model cannot score a set.
    #[error("document {id}: {source}")]
    Set {
        /// The set.
        id: String,
        /// The reason.
        source: Unscorable,
    },
    /// The model has no output matrix.
    #[error(
        "this is a reward model without an output matrix, so answers have no log-likelihood; use their rewards (--scorer reward) or, if it has no head \
         either, fetch the weights of its layer `score`"
    )]
    NoOutput,
    /// The model refuses a batch.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The chat template refuses a prompt without a question.
    #[error("a prompt without the question, which `loglik-relative` needs: {message}")]
    Unconditional {
        /// The error of the template.
        message: String,
    },
}

/// Why a candidate set cannot be scored by a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unscorable {
    /// There is nothing to score.
    #[error("there is no candidate")]
    NoCandidate,
    /// Nothing predicts the first token of an answer.
    #[error("no token precedes candidate {candidate}, and nothing predicts its first token")]
    NoContext {
        /// Index of the candidate.
        candidate: usize,
    },
    /// A candidate has no tokens, not even the end-of-turn token.
    #[error("candidate {candidate} has no tokens")]
    EmptyCandidate {
        /// Index of the candidate.
        candidate: usize,
    },
    /// Prompt and answer do not fit into the model's context.
    #[error(
        "prompt and longest answer have {tokens} tokens, but the context of the model is {context}; shorten the prompt or the answers"
    )]
    TooLong {
        /// Length of the longest sequence.
        tokens: usize,
        /// Longest sequence that the model takes.
        context: usize,
    },
    /// A token is not in the model's vocabulary.
    #[error(
        "token {token} is outside the model's vocabulary of {vocab}: the tokenizer belongs to another model"
    )]
    UnknownToken {
        /// The token.
        token: u32,
        /// Size of the vocabulary.
        vocab: usize,
    },
}

/// Whether a model can take all of `sets`.
///
/// # Errors
///
/// The first set that it cannot take, and the reason.
pub fn check_sets<'a>(
    backbone: &Backbone,
    sets: impl IntoIterator<Item = &'a CandidateSet>,
) -> Result<(), ScoreError> {
    sets.into_iter().try_for_each(|set| {
        check_set(backbone, set).map_err(|source| ScoreError::Set { id: set.id.clone(), source })
    })
}

pub(crate) fn check_set(backbone: &Backbone, set: &CandidateSet) -> Result<(), Unscorable> {
    if set.candidates.is_empty() {
        return Err(Unscorable::NoCandidate);
    }
    let precedes = |candidate: &Candidate| set.prompt.len() + candidate.answer.start > 0;
    if let Some(candidate) = set.candidates.iter().position(|candidate| !precedes(candidate)) {
        return Err(Unscorable::NoContext { candidate });
    }
    if let Some(candidate) = set.candidates.iter().position(|candidate| candidate.tokens.is_empty()) {
        return Err(Unscorable::EmptyCandidate { candidate });
    }
    let (tokens, context) = (set.sequence_len(), backbone.context());
    if tokens > context {
        return Err(Unscorable::TooLong { tokens, context });
    }
    let vocab = backbone.vocab();
    let answers = set.candidates.iter().flat_map(|candidate| candidate.tokens.iter().chain(&candidate.next));
    match set.prompt.iter().chain(answers).find(|&&token| token as usize >= vocab) {
        Some(&token) => Err(Unscorable::UnknownToken { token, vocab }),
        None => Ok(()),
    }
}
