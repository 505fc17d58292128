//! [`rewards`]: from the texts of a request to the rewards of its answers.

use std::sync::Arc;

use dph_core::{CandidateScores, CandidateSet};
use dph_data::{ChatError, Message};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::timeout;

use crate::pass::{Unscorable, computed_tokens};
use crate::serve::app::App;
use crate::serve::error::ApiError;
use crate::serve::options::ServeOptions;
use crate::serve::served_model::ServedModel;
use crate::serve::truncate::{DroppedEnd, first_tokens, truncated};
use crate::serve::worker::ScoreJob;

/// Answers whose rewards are wanted.
pub(super) struct Wanted {
    /// Prompts with their answers.
    pub sets: Vec<(Vec<Message>, Vec<String>)>,
    /// Whether answers that are too long are cut, and where; else they are an error.
    pub truncate: Option<DroppedEnd>,
    /// Most tokens of an answer; longer ones lose their end.
    pub answer_tokens: Option<usize>,
    /// The fields of the request with prompts and answers, for errors.
    pub fields: Fields,
}

/// Names of the fields of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    pub prompt: &'static str,
    pub answers: &'static str,
}

/// The rewards of the answers of a request.
pub(super) struct Rewarded {
    /// One list for each prompt, with the rewards of all heads for each answer.
    pub rewards: Vec<Vec<Vec<f64>>>,
    /// Number of tokens that were computed, each prompt counted once.
    pub tokens: usize,
}

/// The rewards of answers, computed together with other requests that wait. If nobody waits for them any more, that is, if this future
/// is dropped, they are not computed.
///
/// # Errors
/// Status 422 for a request beyond the limits or that the model cannot score, 429 if too many wait, 504 if it takes too long.
pub(super) async fn rewards(
    app: &App,
    model: &Arc<ServedModel>,
    wanted: Wanted,
) -> Result<Rewarded, ApiError> {
    let options = &app.options;
    check_count(&wanted, options)?;
    let place = model.place()?;
    let computed = timeout(options.timeout, compute(app, model, wanted, place)).await;
    computed.unwrap_or_else(|_| Err(ApiError::timeout(options.timeout)))
}

async fn compute(
    app: &App,
    model: &Arc<ServedModel>,
    wanted: Wanted,
    place: OwnedSemaphorePermit,
) -> Result<Rewarded, ApiError> {
    let fields = wanted.fields;
    let (tokenising, most_tokens) = (model.clone(), app.options.request_tokens);
    let tokenise = move || tokenise(&tokenising, &wanted, most_tokens);
    let (sets, place) = app.tokenising.run(place, tokenise).await?;
    let tokens = tokens_of(model, &sets);
    let (reply, scores) = oneshot::channel();
    model.queue.push_score(ScoreJob { sets, tokens, reply, place });
    let scores = match scores.await {
        Ok(Ok(scores)) => scores,
        Ok(Err(error)) => return Err(ApiError::of_work(error, fields.answers)),
        Err(_) => return Err(ApiError::shutdown()),
    };
    let rewards: Vec<Vec<Vec<f64>>> = scores.iter().map(|set| set.iter().map(of_heads).collect()).collect();
    if rewards.iter().flatten().flatten().any(|reward| !reward.is_finite()) {
        return Err(ApiError::internal(format!(
            "the model `{}` gave a reward that is not finite",
            model.name
        )));
    }
    Ok(Rewarded { rewards, tokens })
}

fn of_heads(scores: &CandidateScores) -> Vec<f64> {
    scores.rewards.iter().map(|&reward| reward.into()).collect()
}

fn check_count(wanted: &Wanted, options: &ServeOptions) -> Result<(), ApiError> {
    let field = wanted.fields.answers;
    let count: usize = wanted.sets.iter().map(|(_, answers)| answers.len()).sum();
    if count == 0 || wanted.sets.iter().any(|(_, answers)| answers.is_empty()) {
        return Err(ApiError::field(field, format!("`{field}` must have at least one text")));
    }
    if count > options.candidates {
        let message = format!(
            "`{field}` has {count} texts, and at most {} are accepted in a request",
            options.candidates
        );
        return Err(ApiError::field(field, message));
    }
    Ok(())
}

/// The candidate sets of a request.
fn tokenise(model: &ServedModel, wanted: &Wanted, most_tokens: usize) -> Result<Vec<CandidateSet>, ApiError> {
    let mut sets = Vec::with_capacity(wanted.sets.len());
    for (index, (prompt, answers)) in wanted.sets.iter().enumerate() {
        let refused = |error: ChatError| refused(error, wanted.fields);
        let tokenizer = &model.model.tokenizer;
        let shorter = wanted.answer_tokens.map(|most| {
            answers
                .iter()
                .map(|answer| first_tokens(&model.model, answer, most))
                .collect::<Result<Vec<_>, _>>()
        });
        let shorter = shorter.transpose().map_err(refused)?;
        let answers = shorter.as_ref().unwrap_or(answers);
        let mut set = tokenizer.candidate_set(index.to_string(), prompt, answers, None).map_err(refused)?;
        if let Some(dropped) = wanted.truncate {
            set = truncated(&model.model, prompt, answers, set, dropped).map_err(refused)?;
        }
        model.model.check(&set).map_err(|error| unscorable(&error, &set, wanted.fields))?;
        sets.push(set);
    }
    let tokens = tokens_of(model, &sets);
    if tokens > most_tokens {
        let prompts: usize = sets.iter().map(|set| set.prompt.len()).sum();
        let Fields { prompt, answers } = wanted.fields;
        let field = if prompts > most_tokens { prompt } else { answers };
        let message = format!("the request has {tokens} tokens, and at most {most_tokens} are accepted");
        return Err(ApiError::field(field, message));
    }
    Ok(sets)
}

fn tokens_of(model: &ServedModel, sets: &[CandidateSet]) -> usize {
    computed_tokens(model.model.backbone.is_packable(), sets, None)
}

/// A conversation that the tokenizer or its template refuses.
fn refused(error: ChatError, fields: Fields) -> ApiError {
    let field = match error {
        ChatError::NoAnswer { .. } | ChatError::LongAnswer { .. } => fields.answers,
        _ => fields.prompt,
    };
    ApiError::field(field, format!("`{field}`: {error}"))
}

fn unscorable(error: &Unscorable, set: &CandidateSet, fields: Fields) -> ApiError {
    let Fields { prompt, answers } = fields;
    let &Unscorable::TooLong { tokens, context } = error else {
        return ApiError::field(answers, format!("`{answers}`: {error}"));
    };
    let (field, tokens, what) = if prompt == answers {
        (answers, tokens, format!("a pair of `{answers}`"))
    } else if set.prompt.len() >= context {
        (prompt, set.prompt.len(), format!("`{prompt}` alone"))
    } else {
        (answers, tokens, format!("`{prompt}` with the longest of `{answers}`"))
    };
    let message =
        format!("{what} has {tokens} tokens, and the context of the model is {context}; shorten it");
    ApiError::field(field, message)
}
