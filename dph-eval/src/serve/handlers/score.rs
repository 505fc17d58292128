//! `/score` and `/v1/score`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use dph_data::Message;

use super::order::score_of;
use crate::serve::app::App;
use crate::serve::error::ApiError;
use crate::serve::json_answer::json;
use crate::serve::json_body::JsonBody;
use crate::serve::scoring::{Fields, Wanted, rewards};
use crate::serve::time::seconds_since_1970;
use crate::serve::wire::rerank::Usage;
use crate::serve::wire::score::{Score, ScoreRequest, ScoreResponse};

/// `POST /v1/score`.
pub async fn score(
    State(app): State<Arc<App>>,
    JsonBody(request): JsonBody<ScoreRequest>,
) -> Result<Response, ApiError> {
    let model = app.model(request.model.as_deref())?;
    let head = model.head(request.head.as_deref())?;
    let (prompts, answers) = (request.text_1.0, request.text_2.0);
    let sets = match (&prompts[..], answers.len()) {
        ([prompt], _) => vec![(vec![Message::user(prompt)], answers)],
        (prompts, count) if prompts.len() == count => {
            let pairs = prompts.iter().zip(answers);
            pairs.map(|(prompt, answer)| (vec![Message::user(prompt)], vec![answer])).collect()
        }
        (prompts, count) => {
            let message = format!(
                "`text_1` has {} texts and `text_2` has {count}; give one text_1 for all, or one for each text_2",
                prompts.len()
            );
            return Err(ApiError::field("text_1", message));
        }
    };
    let wanted = Wanted {
        sets,
        truncate: None,
        answer_tokens: None,
        fields: Fields { prompt: "text_1", answers: "text_2" },
    };
    let rewarded = rewards(&app, model, wanted).await?;
    let is_raw = !request.use_activation.unwrap_or(true);
    let scores = rewarded.rewards.iter().flatten().enumerate();
    let score = |(index, heads): (usize, &Vec<f64>)| Score {
        index,
        object: "score",
        score: score_of(heads[head], is_raw),
    };
    Ok(json(&ScoreResponse {
        id: app.new_id("score"),
        object: "list",
        created: seconds_since_1970(),
        model: model.name.clone(),
        data: scores.map(score).collect(),
        usage: Usage::new(rewarded.tokens),
    }))
}
