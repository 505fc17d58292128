//! `/rerank` and `/predict`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use dph_data::Message;

use super::order::{ordered, score_of};
use crate::serve::app::App;
use crate::serve::error::ApiError;
use crate::serve::json_answer::json;
use crate::serve::json_body::JsonBody;
use crate::serve::scoring::{Fields, Wanted, rewards};
use crate::serve::truncate::DroppedEnd;
use crate::serve::wire::tei::{Direction, PredictRequest, Prediction, Predictions, Rank, RerankRequest};

/// `POST /rerank`.
pub async fn rerank(
    State(app): State<Arc<App>>,
    JsonBody(request): JsonBody<RerankRequest>,
) -> Result<Response, ApiError> {
    let RerankRequest { query, texts, raw_scores, return_text, .. } = request;
    let (is_raw, with_text) = (raw_scores.unwrap_or_default(), return_text.unwrap_or_default());
    let model = app.model(request.model.as_deref())?;
    let head = model.head(request.head.as_deref())?;
    let wanted = Wanted {
        sets: vec![(query.0, texts.clone())],
        truncate: dropped_end(request.truncate, request.truncation_direction),
        answer_tokens: None,
        fields: Fields { prompt: "query", answers: "texts" },
    };
    let rewarded = rewards(&app, model, wanted).await?;
    let of_head = rewarded.rewards.iter().flatten().map(|heads| heads[head]);
    let rank = |(index, reward)| Rank {
        index,
        score: score_of(reward, is_raw),
        text: with_text.then(|| texts[index].clone()),
    };
    Ok(json(&ordered(of_head).into_iter().map(rank).collect::<Vec<_>>()))
}

/// `POST /predict`.
pub async fn predict(
    State(app): State<Arc<App>>,
    JsonBody(request): JsonBody<PredictRequest>,
) -> Result<Response, ApiError> {
    let PredictRequest { inputs, raw_scores, .. } = request;
    let is_raw = raw_scores.unwrap_or_default();
    let model = app.model(request.model.as_deref())?;
    let named = request.head.as_deref().filter(|head| !head.is_empty());
    let only = named.map(|head| model.head(Some(head))).transpose()?;
    model.head(None)?;
    let wanted = Wanted {
        sets: inputs
            .pairs
            .into_iter()
            .map(|(prompt, answer)| (vec![Message::user(prompt)], vec![answer]))
            .collect(),
        truncate: dropped_end(request.truncate, request.truncation_direction),
        answer_tokens: None,
        fields: Fields { prompt: "inputs", answers: "inputs" },
    };
    let rewarded = rewards(&app, model, wanted).await?;
    let heads = model.model.heads();
    let predictions = |rewards: &Vec<f64>| {
        let wanted = ordered(rewards.iter().copied()).into_iter();
        let wanted = wanted.filter(|(head, _)| only.is_none_or(|only| *head == only));
        let prediction = |(head, reward): (usize, f64)| Prediction {
            label: heads[head].clone(),
            score: score_of(reward, is_raw),
        };
        wanted.map(prediction).collect()
    };
    let mut all = rewarded.rewards.iter().flatten().map(predictions);
    Ok(json(&match inputs.is_batch {
        true => Predictions::Many(all.collect()),
        false => Predictions::One(all.next().unwrap_or_default()),
    }))
}

fn dropped_end(truncate: Option<bool>, direction: Option<Direction>) -> Option<DroppedEnd> {
    truncate.unwrap_or_default().then_some(match direction {
        Some(Direction::Left) => DroppedEnd::First,
        Some(Direction::Right) | None => DroppedEnd::Last,
    })
}
