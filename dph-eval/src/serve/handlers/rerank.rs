//! `/v1/rerank` and `/v2/rerank`.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::order::{ordered, score_of};
use crate::serve::app::App;
use crate::serve::error::ApiError;
use crate::serve::json_answer::json;
use crate::serve::json_body::JsonBody;
use crate::serve::scoring::{Fields, Wanted, rewards};
use crate::serve::truncate::DroppedEnd;
use crate::serve::wire::rerank::{DocumentText, RerankRequest, RerankResponse, RerankResult, Usage};

/// `POST /v1/rerank`.
pub async fn rerank(
    State(app): State<Arc<App>>,
    JsonBody(request): JsonBody<RerankRequest>,
) -> Result<Response, ApiError> {
    let model = app.model(request.model.as_deref())?;
    let head = model.head(request.head.as_deref())?;
    if request.max_tokens_per_doc == Some(0) {
        return Err(ApiError::field("max_tokens_per_doc", "`max_tokens_per_doc` must be at least 1"));
    }
    let texts: Vec<String> = request.documents.into_iter().map(|document| document.0).collect();
    let wanted = Wanted {
        sets: vec![(request.query.0, texts.clone())],
        truncate: request.truncation.unwrap_or_default().then_some(DroppedEnd::Last),
        answer_tokens: request.max_tokens_per_doc,
        fields: Fields { prompt: "query", answers: "documents" },
    };
    let rewarded = rewards(&app, model, wanted).await?;
    let is_raw = request.raw_scores.unwrap_or_default();
    let with_document = request.return_documents.unwrap_or_default();
    let result = |(index, reward)| RerankResult {
        index,
        relevance_score: score_of(reward, is_raw),
        document: with_document.then(|| DocumentText { text: texts[index].clone() }),
    };
    let most = request.top_n.filter(|&most| most > 0).unwrap_or(texts.len());
    let of_head = rewarded.rewards.iter().flatten().map(|heads| heads[head]);
    Ok(json(&RerankResponse {
        id: app.new_id("rerank"),
        model: model.name.clone(),
        results: ordered(of_head).into_iter().take(most).map(result).collect(),
        usage: Usage::new(rewarded.tokens),
    }))
}
