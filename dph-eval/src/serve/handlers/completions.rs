//! `/v1/completions`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::created::Created;
use crate::serve::app::App;
use crate::serve::error::ApiError;
use crate::serve::generating::{Prompts, generate};
use crate::serve::generation_settings::settings;
use crate::serve::json_answer::json;
use crate::serve::json_body::JsonBody;
use crate::serve::judgement::{best_answers, judgement, token_logprobs, usage};
use crate::serve::stream::{Form, Part, Wishes, events, json_text};
use crate::serve::wire::completions::{
    CompletionChoice, CompletionLogprobs, CompletionRequest, CompletionResponse,
};
use crate::serve::wire::{GenerationUsage, finish_reason};

/// `POST /v1/completions`.
pub async fn completions(
    State(app): State<Arc<App>>,
    JsonBody(request): JsonBody<CompletionRequest>,
) -> Result<Response, ApiError> {
    let asked = request.generating();
    let served = app.model(asked.model)?;
    let found = settings(&asked, served, &app.options, request.prompt.0.len())?;
    let best_of = found.best_of;
    let prompts = Prompts::Texts(request.prompt.0.clone());
    let growing = generate(&app, served, prompts, best_of.clone(), asked.streams).await?;
    let created = Created::by(&app, served, "cmpl", found.seed);
    let form = Chunks { created, has_usage: asked.includes_usage };
    let logprobs = request.logprobs.is_some();
    if asked.streams {
        let wishes = Wishes { logprobs, usage: asked.includes_usage };
        return Ok(events(growing, served.clone(), best_of, wishes, form));
    }
    let sets = growing.all().await?;
    let tokenizer = &served.model.tokenizer;
    let answers = sets.iter().flat_map(|set| best_answers(set, &best_of, found.n)).enumerate();
    let choice = |(index, answer)| {
        let tokens = logprobs.then(|| token_logprobs(answer, tokenizer)).transpose()?;
        Ok(CompletionChoice {
            index,
            text: answer.text.clone(),
            logprobs: tokens.map(|tokens| completion_logprobs(0, tokens)),
            finish_reason: Some(finish_reason(answer.end)),
            token_reward: None,
            judgement: Some(judgement(answer, &served.model, best_of.head)),
        })
    };
    let choices = answers.map(choice).collect::<Result<_, ApiError>>()?;
    Ok(json(&form.response(choices, Some(Some(usage(&sets))))))
}

/// The log-probabilities of tokens, the first of which begins behind `first` characters.
fn completion_logprobs(first: usize, tokens: impl IntoIterator<Item = (String, f32)>) -> CompletionLogprobs {
    let (tokens, token_logprobs): (Vec<String>, Vec<f32>) = tokens.into_iter().unzip();
    let begin = |offset: &mut usize, token: &String| {
        let begin = *offset;
        *offset += token.chars().count();
        Some(begin)
    };
    let text_offset = tokens.iter().scan(first, begin).collect();
    CompletionLogprobs { tokens, token_logprobs, top_logprobs: None, text_offset }
}

/// The parts of a stream.
struct Chunks {
    created: Created,
    /// Whether the last part has the numbers of tokens.
    has_usage: bool,
}

impl Chunks {
    fn response(
        &self,
        choices: Vec<CompletionChoice>,
        usage: Option<Option<GenerationUsage>>,
    ) -> CompletionResponse<'_> {
        CompletionResponse {
            id: &self.created.id,
            object: "text_completion",
            created: self.created.at,
            model: &self.created.model,
            seed: self.created.seed,
            choices,
            usage,
        }
    }
}

impl Form for Chunks {
    fn part(&self, part: Part) -> String {
        let (finish_reason, judgement) = part.end.unzip();
        let choice = CompletionChoice {
            index: part.index,
            text: part.text,
            logprobs: part.logprob.map(|token| completion_logprobs(part.text_offset, [token])),
            finish_reason,
            token_reward: part.token_reward,
            judgement,
        };
        json_text(&self.response(vec![choice], self.has_usage.then_some(None)))
    }

    fn usage(&self, usage: GenerationUsage) -> String {
        json_text(&self.response(Vec::new(), Some(Some(usage))))
    }
}
