//! [`events`]: answers while they grow, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use serde::Serialize;

use crate::generate::{Answer, BestOf};
use crate::serve::error::ApiError;
use crate::serve::generating::{Growing, Next};
use crate::serve::judgement::{judgement, token_text, usage};
use crate::serve::served_model::ServedModel;
use crate::serve::wire::{GenerationUsage, Judgement, finish_reason};

/// A part of an answer.
pub(super) struct Part {
    /// Number of the answer, over all prompts.
    pub index: usize,
    /// Whether it is the first part of this answer.
    pub is_first: bool,
    /// The text that is added.
    pub text: String,
    /// Text and log-probability of the token, if they are wanted and there is one.
    pub logprob: Option<(String, f32)>,
    /// The reward so far, if it is wanted.
    pub token_reward: Option<f64>,
    /// Why the answer ended, and what the model says of it.
    pub end: Option<(&'static str, Judgement)>,
}

/// The JSON of parts in the form of a route.
pub(super) trait Form: Send + 'static {
    /// The JSON of a part.
    fn part(&self, part: Part) -> String;
    /// The JSON of the numbers of tokens.
    fn usage(&self, usage: GenerationUsage) -> String;
}

/// What a stream has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wishes {
    pub logprobs: bool,
    pub usage: bool,
}

/// The answers while they grow. The last event is `[DONE]`. An error is an event, too, since the status has been sent.
pub(super) fn events<F: Form>(
    growing: Growing,
    served: Arc<ServedModel>,
    settings: BestOf,
    wishes: Wishes,
    form: F,
) -> Response {
    let parts = Parts { served, settings, wishes, sent: Vec::new(), form };
    let state = (Some(growing), parts, Vec::new());
    let stream = unfold(state, |(mut growing, mut parts, mut ready)| async move {
        while ready.is_empty() {
            let next = growing.as_mut()?.next().await;
            if !matches!(next, Ok(Next::Token(_))) {
                growing = None;
            }
            ready =
                next.and_then(|next| parts.of(next)).unwrap_or_else(|error| vec![json_text(&error.body())]);
            if growing.is_none() {
                ready.push("[DONE]".into());
            }
            // They are taken from the end.
            ready.reverse();
        }
        let event = Event::default().data(ready.pop()?);
        Some((Ok::<_, Infallible>(event), (growing, parts, ready)))
    });
    Sse::new(stream).keep_alive(KeepAlive::default()).into_response()
}

/// JSON on one line.
pub(super) fn json_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// The parts of answers.
struct Parts<F> {
    served: Arc<ServedModel>,
    settings: BestOf,
    wishes: Wishes,
    /// Bytes of each answer that have been sent; `None` before its first part.
    sent: Vec<Option<usize>>,
    form: F,
}

impl<F: Form> Parts<F> {
    /// The JSON of what happened.
    fn of(&mut self, next: Next) -> Result<Vec<String>, ApiError> {
        match next {
            Next::Token(grown) => {
                let logprob = match self.wishes.logprobs {
                    true => Some((token_text(grown.token, &self.served.model.tokenizer)?, grown.log_prob)),
                    false => None,
                };
                let reward = grown.rewards.get(self.settings.head).map(|&reward| f64::from(reward));
                let index = grown.prompt * self.settings.answers + grown.answer;
                let is_first = self.add(index, grown.text.len()).is_none();
                let token_reward = reward.filter(|reward| reward.is_finite());
                let part = Part { index, is_first, text: grown.text, logprob, token_reward, end: None };
                Ok(vec![self.form.part(part)])
            }
            Next::Done(sets) => {
                let usage = self.wishes.usage.then(|| self.form.usage(usage(&sets)));
                let answers = sets.iter().flat_map(|set| &set.answers).enumerate();
                let mut all: Vec<String> = answers.map(|(index, answer)| self.end(index, answer)).collect();
                all.extend(usage);
                Ok(all)
            }
        }
    }

    fn end(&mut self, index: usize, answer: &Answer) -> String {
        let sent = self.add(index, 0);
        let text = answer.text.get(sent.unwrap_or(0)..).unwrap_or_default().to_owned();
        let judgement = judgement(answer, &self.served.model, self.settings.head);
        let end = Some((finish_reason(answer.end), judgement));
        self.form.part(Part { index, is_first: sent.is_none(), text, logprob: None, token_reward: None, end })
    }

    /// Notes that bytes of an answer are sent. Returns the number of those before.
    fn add(&mut self, index: usize, bytes: usize) -> Option<usize> {
        if self.sent.len() <= index {
            self.sent.resize(index + 1, None);
        }
        let before = self.sent[index];
        self.sent[index] = Some(before.unwrap_or(0) + bytes);
        before
    }
}
