//! [`events`]: answers while they grow, as server-sent events.

use std::collections::BTreeSet;
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
use crate::serve::stream_status::StreamStatus;
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
    /// Number of characters of the tokens before, if log-probabilities are wanted.
    pub text_offset: usize,
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
    let parts =
        Parts { served, settings, wishes, sent: Vec::new(), chars: Vec::new(), ended: BTreeSet::new(), form };
    let ended = StreamStatus::default();
    let state = (Some(growing), parts, Vec::new(), ended.clone());
    let stream = unfold(state, |(mut growing, mut parts, mut ready, ended)| async move {
        while ready.is_empty() {
            let next = growing.as_mut()?.next().await;
            let is_last = !matches!(next, Ok(Next::Token(_) | Next::Ended(_)));
            let events = next.and_then(|next| parts.of(next));
            if is_last || events.is_err() {
                growing = None;
            }
            ready = events.unwrap_or_else(|error| {
                ended.fail(error.status);
                vec![json_text(&error.body())]
            });
            if growing.is_none() {
                ready.push("[DONE]".into());
            }
            // They are taken from the end.
            ready.reverse();
        }
        let event = Event::default().data(ready.pop()?);
        Some((Ok::<_, Infallible>(event), (growing, parts, ready, ended)))
    });
    let mut response = Sse::new(stream).keep_alive(KeepAlive::default()).into_response();
    response.extensions_mut().insert(ended);
    response
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
    /// Characters of the tokens of each answer whose log-probabilities have been sent.
    chars: Vec<usize>,
    /// Answers whose end has been sent.
    ended: BTreeSet<usize>,
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
                let text_offset = self.chars[index];
                self.chars[index] += logprob.as_ref().map_or(0, |(text, _)| text.chars().count());
                let token_reward = reward.filter(|reward| reward.is_finite());
                let text = grown.text;
                let part = Part { index, is_first, text, logprob, text_offset, token_reward, end: None };
                Ok(vec![self.form.part(part)])
            }
            Next::Ended(ended) => {
                let index = ended.prompt * self.settings.answers + ended.number;
                Ok(self.end(index, &ended.answer).into_iter().collect())
            }
            Next::Done(sets) => {
                let usage = self.wishes.usage.then(|| self.form.usage(usage(&sets)));
                let answers = sets.iter().flat_map(|set| &set.answers).enumerate();
                let mut all: Vec<String> =
                    answers.filter_map(|(index, answer)| self.end(index, answer)).collect();
                all.extend(usage);
                Ok(all)
            }
        }
    }

    /// The end of an answer; `None` if it has been sent.
    fn end(&mut self, index: usize, answer: &Answer) -> Option<String> {
        if !self.ended.insert(index) {
            return None;
        }
        let sent = self.add(index, 0);
        let text = answer.text.get(sent.unwrap_or(0)..).unwrap_or_default().to_owned();
        let judgement = judgement(answer, &self.served.model, self.settings.head);
        let end = Some((finish_reason(answer.end), judgement));
        let is_first = sent.is_none();
        let part = Part { index, is_first, text, logprob: None, text_offset: 0, token_reward: None, end };
        Some(self.form.part(part))
    }

    /// Notes that bytes of an answer are sent. Returns the number of those before.
    fn add(&mut self, index: usize, bytes: usize) -> Option<usize> {
        if self.sent.len() <= index {
            self.sent.resize(index + 1, None);
            self.chars.resize(index + 1, 0);
        }
        let before = self.sent[index];
        self.sent[index] = Some(before.unwrap_or(0) + bytes);
        before
    }
}
