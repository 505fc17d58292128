//! [`routes`]: every path of the service with its handler, its description and its types.

use std::sync::Arc;

use axum::routing::{MethodRouter, get, post};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::serve::app::App;
use crate::serve::handlers;
use crate::serve::wire::{
    Health, ModelInfo, ModelList, Refused, RequestBody, chat, completions, rerank, score, tei,
};

/// A path with its handler, and what `/openapi.json` says of it.
pub(super) struct Route {
    pub path: &'static str,
    pub handler: MethodRouter<Arc<App>>,
    pub summary: &'static str,
    /// The JSON of requests; a route without takes GET, with it POST.
    pub input: Option<Input>,
    pub output: Output,
    /// Whether it needs no key.
    pub is_open: bool,
}

/// The JSON of requests.
#[derive(Clone, Copy)]
pub(super) struct Input {
    pub schema: SchemaOf,
    /// Fields that are refused.
    pub refused: &'static [&'static [Refused]],
}

/// A type in a schema.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// What a route returns.
#[derive(Clone, Copy)]
pub(super) enum Output {
    Json(SchemaOf),
    /// With `stream` in the request, server-sent events with parts.
    JsonOrEvents {
        whole: SchemaOf,
        part: SchemaOf,
    },
    Text(&'static str),
}

/// All routes.
pub(super) fn routes() -> Vec<Route> {
    let rerank = |path| Route {
        path,
        handler: post(handlers::rerank),
        summary: "Rank documents by their rewards as answers to a query, in the form of Cohere and Jina",
        input: input::<rerank::RerankRequest>(),
        output: Output::Json(schema::<rerank::RerankResponse>),
        is_open: false,
    };
    let score = |path| Route {
        path,
        handler: post(handlers::score),
        summary: "Score answers to prompts, in the form of vLLM",
        input: input::<score::ScoreRequest>(),
        output: Output::Json(schema::<score::ScoreResponse>),
        is_open: false,
    };
    vec![
        Route {
            path: "/rerank",
            handler: post(handlers::tei_rerank),
            summary: "Rank texts by their rewards as answers to a query, in the form of text-embeddings-inference",
            input: input::<tei::RerankRequest>(),
            output: Output::Json(schema::<Vec<tei::Rank>>),
            is_open: false,
        },
        Route {
            path: "/predict",
            handler: post(handlers::predict),
            summary: "The scores of all reward heads for pairs of prompt and answer, in the form of text-embeddings-inference",
            input: input::<tei::PredictRequest>(),
            output: Output::Json(schema::<tei::Predictions>),
            is_open: false,
        },
        Route {
            path: "/v1/chat/completions",
            handler: post(handlers::chat),
            summary: "Answers to a conversation with their rewards, in the form of OpenAI",
            input: input::<chat::ChatRequest>(),
            output: Output::JsonOrEvents {
                whole: schema::<chat::ChatResponse>,
                part: schema::<chat::ChatChunk>,
            },
            is_open: false,
        },
        Route {
            path: "/v1/completions",
            handler: post(handlers::completions),
            summary: "Continuations of texts with their rewards, in the form of OpenAI",
            input: input::<completions::CompletionRequest>(),
            output: Output::JsonOrEvents {
                whole: schema::<completions::CompletionResponse>,
                part: schema::<completions::CompletionResponse>,
            },
            is_open: false,
        },
        rerank("/v1/rerank"),
        rerank("/v2/rerank"),
        score("/score"),
        score("/v1/score"),
        Route {
            path: "/v1/models",
            handler: get(handlers::models),
            summary: "The models and their reward heads",
            input: None,
            output: Output::Json(schema::<ModelList>),
            is_open: false,
        },
        Route {
            path: "/v1/models/{*id}",
            handler: get(handlers::model),
            summary: "A model and its reward heads",
            input: None,
            output: Output::Json(schema::<ModelInfo>),
            is_open: false,
        },
        Route {
            path: "/",
            handler: get(handlers::page),
            summary: "A page that shows answers with their rewards",
            input: None,
            output: Output::Text("text/html"),
            is_open: true,
        },
        Route {
            path: "/health",
            handler: get(handlers::health),
            summary: "Whether the service answers",
            input: None,
            output: Output::Json(schema::<Health>),
            is_open: true,
        },
        Route {
            path: "/metrics",
            handler: get(handlers::metrics),
            summary: "Numbers of requests, tokens and seconds, for Prometheus",
            input: None,
            output: Output::Text("text/plain"),
            is_open: false,
        },
        Route {
            path: "/openapi.json",
            handler: get(handlers::openapi),
            summary: "This description",
            input: None,
            output: Output::Json(schema::<serde_json::Map<String, serde_json::Value>>),
            is_open: true,
        },
    ]
}

fn input<T: JsonSchema + RequestBody>() -> Option<Input> {
    Some(Input { schema: schema::<T>, refused: T::REFUSED })
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}
