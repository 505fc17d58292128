//! [`generate`]: from the prompts of a request to its answers.

use std::sync::Arc;
use std::time::Duration;

use dph_data::{ChatError, Message};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, timeout_at};

use crate::generate::{AnswerSet, BestOf, check_prompt};
use crate::serve::app::App;
use crate::serve::error::ApiError;
use crate::serve::generation_settings::of_field;
use crate::serve::served_model::ServedModel;
use crate::serve::wire::TextPrompt;
use crate::serve::worker::{EndedAnswer, Event, GenerateJob, GrownBy};

/// Prompts of a request.
pub(super) enum Prompts {
    Chat(Vec<Message>),
    Texts(Vec<TextPrompt>),
}

impl Prompts {
    /// The field of the request that has them.
    fn field(&self) -> &'static str {
        match self {
            Self::Chat(_) => "messages",
            Self::Texts(_) => "prompt",
        }
    }
}

/// The answers of a request while they grow. If this is dropped, they grow no further.
pub(super) struct Growing {
    events: UnboundedReceiver<Event>,
    deadline: Instant,
    timeout: Duration,
    /// The field with the prompts.
    field: &'static str,
}

/// What happens next.
pub(super) enum Next {
    Token(GrownBy),
    Ended(Box<EndedAnswer>),
    Done(Vec<AnswerSet>),
}

/// Lets answers grow.
///
/// # Errors
/// Status 422 for prompts that the model cannot continue, 429 if too many requests wait.
pub(super) async fn generate(
    app: &App,
    served: &Arc<ServedModel>,
    prompts: Prompts,
    settings: BestOf,
    streams: bool,
) -> Result<Growing, ApiError> {
    let place = served.place()?;
    let field = prompts.field();
    let timeout = app.options.timeout;
    let deadline = Instant::now() + timeout;
    let (tokenising, most_tokens) = (served.clone(), app.options.request_tokens);
    let tokenise = move || tokenise(&tokenising, &prompts, most_tokens);
    let tokenised = timeout_at(deadline, app.tokenising.run(place, tokenise)).await;
    let (prompts, place) = tokenised.unwrap_or_else(|_| Err(ApiError::timeout(timeout)))?;
    let (sender, events) = unbounded_channel();
    served.queue.push_generation(GenerateJob { prompts, settings, streams, events: sender, place });
    Ok(Growing { events, deadline, timeout, field })
}

impl Growing {
    /// What happens next.
    ///
    /// # Errors
    /// Status 504 if it takes too long, or what the model said.
    pub async fn next(&mut self) -> Result<Next, ApiError> {
        match timeout_at(self.deadline, self.events.recv()).await {
            Ok(Some(Event::Token(grown))) => Ok(Next::Token(grown)),
            Ok(Some(Event::Ended(ended))) => Ok(Next::Ended(ended)),
            Ok(Some(Event::Done(Ok(sets)))) => Ok(Next::Done(sets)),
            Ok(Some(Event::Done(Err(error)))) => Err(ApiError::of_work(error, self.field)),
            Ok(None) => Err(ApiError::shutdown()),
            Err(_) => Err(ApiError::timeout(self.timeout)),
        }
    }

    /// The answers to each prompt, when all have ended.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    pub async fn all(mut self) -> Result<Vec<AnswerSet>, ApiError> {
        loop {
            if let Next::Done(sets) = self.next().await? {
                return Ok(sets);
            }
        }
    }
}

/// The tokens of the prompts.
fn tokenise(served: &ServedModel, prompts: &Prompts, most_tokens: usize) -> Result<Vec<Vec<u32>>, ApiError> {
    let (model, tokenizer) = (&served.model, &served.model.tokenizer);
    let field = prompts.field();
    let tokens = match prompts {
        Prompts::Chat(messages) => tokenizer.prompt(messages).map(|tokens| vec![tokens]),
        Prompts::Texts(texts) => {
            let tokens = |text: &TextPrompt| match text {
                TextPrompt::Text(text) => {
                    Ok(tokenizer.start_id().into_iter().chain(tokenizer.encode_text(text)?).collect())
                }
                TextPrompt::Tokens(tokens) => Ok(tokens.clone()),
            };
            texts.iter().map(tokens).collect::<Result<Vec<_>, ChatError>>()
        }
    };
    let prompts = tokens.map_err(|error| ApiError::field(field, format!("`{field}`: {error}")))?;
    let vocab = model.backbone.vocab();
    if let Some(token) = prompts.iter().flatten().find(|&&token| token as usize >= vocab) {
        return Err(ApiError::field(
            field,
            format!("`{field}`: token {token} is outside the vocabulary of {vocab}"),
        ));
    }
    for prompt in &prompts {
        check_prompt(model, prompt).map_err(|error| of_field(&error).of(field))?;
    }
    let total: usize = prompts.iter().map(Vec::len).sum();
    if total > most_tokens {
        let message = format!("`{field}` has {total} tokens, and at most {most_tokens} are accepted");
        return Err(ApiError::field(field, message));
    }
    Ok(prompts)
}
