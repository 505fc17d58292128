//! `/v1/chat/completions`.

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
use crate::serve::wire::chat::{
    AnswerMessage, ChatChoice, ChatChunk, ChatDelta, ChatLogprobs, ChatRequest, ChatResponse, Delta,
    TokenLogprob,
};
use crate::serve::wire::{GenerationUsage, finish_reason};

/// `POST /v1/chat/completions`.
pub async fn chat(
    State(app): State<Arc<App>>,
    JsonBody(request): JsonBody<ChatRequest>,
) -> Result<Response, ApiError> {
    let mut asked = request.generating();
    if request.max_completion_tokens.is_some() {
        (asked.max_tokens, asked.max_tokens_field) = (request.max_completion_tokens, "max_completion_tokens");
    }
    let served = app.model(asked.model)?;
    let found = settings(&asked, served, &app.options, 1)?;
    let best_of = found.best_of;
    let messages = Prompts::Chat(request.messages.0.clone());
    let growing = generate(&app, served, messages, best_of.clone(), asked.streams).await?;
    let created = Created::by(&app, served, "chatcmpl", found.seed);
    let logprobs = request.logprobs.unwrap_or_default();
    if asked.streams {
        let wishes = Wishes { logprobs, usage: asked.includes_usage };
        return Ok(events(
            growing,
            served.clone(),
            best_of,
            wishes,
            Chunks { created, has_usage: asked.includes_usage },
        ));
    }
    let sets = growing.all().await?;
    let tokenizer = &served.model.tokenizer;
    let answers = sets.iter().flat_map(|set| best_answers(set, &best_of, found.n)).enumerate();
    let choice = |(index, answer)| {
        let tokens = logprobs.then(|| token_logprobs(answer, tokenizer)).transpose()?;
        Ok(ChatChoice {
            index,
            message: AnswerMessage { role: "assistant", content: answer.text.clone(), refusal: None },
            logprobs: tokens.map(chat_logprobs),
            finish_reason: finish_reason(answer.end),
            judgement: judgement(answer, &served.model, best_of.head),
        })
    };
    let choices = answers.map(choice).collect::<Result<_, ApiError>>()?;
    let (usage, Created { id, at, seed, model }) = (usage(&sets), created);
    Ok(json(&ChatResponse { id, object: "chat.completion", created: at, model, seed, choices, usage }))
}

fn chat_logprobs(tokens: impl IntoIterator<Item = (String, f32)>) -> ChatLogprobs {
    let of_token = |(token, logprob): (String, f32)| TokenLogprob {
        bytes: token.as_bytes().to_vec(),
        token,
        logprob,
        top_logprobs: Vec::new(),
    };
    ChatLogprobs { content: tokens.into_iter().map(of_token).collect() }
}

/// The parts of a stream.
struct Chunks {
    created: Created,
    /// Whether the last part has the numbers of tokens.
    has_usage: bool,
}

impl Chunks {
    fn chunk(&self, choices: Vec<ChatDelta>, usage: Option<Option<GenerationUsage>>) -> String {
        json_text(&ChatChunk {
            id: &self.created.id,
            object: "chat.completion.chunk",
            created: self.created.at,
            model: &self.created.model,
            seed: self.created.seed,
            choices,
            usage,
        })
    }
}

impl Form for Chunks {
    fn part(&self, part: Part) -> String {
        let role = part.is_first.then_some("assistant");
        let content = Some(part.text).filter(|text| part.is_first || !text.is_empty());
        let (finish_reason, judgement) = part.end.unzip();
        let logprobs = part.logprob.map(|token| chat_logprobs([token]));
        let delta = Delta { role, content };
        let token_reward = part.token_reward;
        let choice = ChatDelta { index: part.index, delta, logprobs, finish_reason, token_reward, judgement };
        self.chunk(vec![choice], self.has_usage.then_some(None))
    }

    fn usage(&self, usage: GenerationUsage) -> String {
        self.chunk(Vec::new(), Some(Some(usage)))
    }
}
