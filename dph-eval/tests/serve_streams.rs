//! `dph-eval serve`: answers while they grow.
#![cfg(all(feature = "flex", feature = "serve"))]
#![allow(clippy::unwrap_used)]

#[path = "support/chat.rs"]
mod chat;
#[path = "support/server.rs"]
mod server;
mod support;

use chat::{chat, events};
use serde_json::{Value, json};
use server::Server;
use support::{ENDLESS, llama, write_endless_model, write_model_with_head};

fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    write_model_with_head(&place.path().join("model"), &llama(), &["preference", "helpfulness"]);
    place
}

#[test]
fn a_stream_has_the_same_answers() {
    let place = place();
    let server = Server::start(place.path(), &["model"]);
    let more = json!({"n": 3, "logprobs": true, "stop": ["e"]});
    let whole = server.post("/v1/chat/completions", &chat(more.clone())).ok();
    let mut body = chat(more);
    body.as_object_mut().unwrap().extend([
        ("stream".into(), json!(true)),
        ("stream_options".into(), json!({"include_usage": true})),
        ("token_rewards".into(), json!(true)),
    ]);
    let all = events(&server.post("/v1/chat/completions", &body));
    assert!(
        all.iter().all(|event| event["object"] == "chat.completion.chunk" && event["id"] == all[0]["id"])
    );
    let usage = &all.last().unwrap()["usage"];
    assert!(usage["completion_tokens"].as_u64() > Some(3), "{usage}");
    assert_eq!(all[0]["usage"], Value::Null);
    // A stream has answers by their numbers, and another response the best first.
    let text_of = |index: usize| -> String {
        let choices = all.iter().filter_map(|event| event["choices"].get(0));
        choices
            .filter(|choice| choice["index"] == index)
            .filter_map(|choice| choice["delta"]["content"].as_str())
            .collect()
    };
    for index in 0..3 {
        let text = text_of(index);
        let choices = whole["choices"].as_array().unwrap();
        let expected = choices.iter().find(|choice| choice["message"]["content"] == text);
        let Some(expected) = expected else { panic!("{text:?} is not in {whole}") };
        let of_choice = |event: &Value| {
            event["choices"].as_array().unwrap().iter().find(|choice| choice["index"] == index).cloned()
        };
        let parts: Vec<Value> = all.iter().filter_map(of_choice).collect();
        let text: String = parts.iter().filter_map(|part| part["delta"]["content"].as_str()).collect();
        assert_eq!(text, expected["message"]["content"]);
        assert_eq!(parts[0]["delta"]["role"], "assistant");
        let (end, growing) = parts.split_last().unwrap();
        for key in ["finish_reason", "tokens"] {
            assert_eq!(end[key], expected[key], "{key}");
        }
        // With rewards at every token the end is computed together with tokens: other last digits.
        for key in ["reward", "loglik"] {
            let error = end[key].as_f64().unwrap() - expected[key].as_f64().unwrap();
            assert!(error.abs() < 1e-4, "{key}: {end} instead of {expected}");
        }
        for part in growing {
            assert!(part["logprobs"]["content"][0]["logprob"].is_f64(), "{part}");
            assert!(part["finish_reason"].is_null() && part.get("reward").is_none(), "{part}");
        }
        // The token that completes a stop string has no reward of its own.
        for part in &growing[..growing.len() - 1] {
            assert!(part["token_reward"].is_f64(), "{part}");
        }
    }
    let refused = server.post("/v1/chat/completions", &chat(json!({"stream": true, "best_of": 2})));
    let (param, said) = refused.failed(400);
    assert!(param == "best_of" && said.contains("a stream cannot have them"), "{said}");
}

/// The end of an answer is sent when it ends or is dropped, and the log and the metrics have the end of a stream.
#[test]
fn ends_are_told_when_they_come() {
    let place = place();
    let server = Server::start(place.path(), &["model"]);
    for more in
        [json!({"reject_every": 4}), json!({"stop": ["e", "o"]}), json!({"reject_every": 5, "stop": ["th"]})]
    {
        let mut body = chat(json!({"n": 6, "max_tokens": 40, "stream": true, "seed": 3}));
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let all = events(&server.post("/v1/chat/completions", &body));
        let place_of = |index: usize, is_end: bool| {
            let choice = |event: &Value| event["choices"][0].clone();
            all.iter().rposition(|event| {
                choice(event)["index"] == index && choice(event)["finish_reason"].is_null() != is_end
            })
        };
        let ends: Vec<usize> = (0..6).map(|index| place_of(index, true).unwrap()).collect();
        let last_text = (0..6).filter_map(|index| place_of(index, false)).max().unwrap();
        assert!(ends.iter().any(|&end| end < last_text), "{more}: all ends come last");
        for (index, &end) in ends.iter().enumerate() {
            assert!(all[end]["choices"][0]["reward"].is_f64(), "{more}");
            assert!(place_of(index, false).is_none_or(|text| text < end), "{more}: something follows an end");
        }
        // The answers and rewards are those of a response without a stream.
        body["stream"] = json!(false);
        let whole = server.post("/v1/chat/completions", &body).ok();
        let mut expected: Vec<(f64, String)> =
            whole["choices"].as_array().unwrap().iter().map(of_end).collect();
        let mut found: Vec<(f64, String)> = ends.iter().map(|&end| of_end(&all[end]["choices"][0])).collect();
        expected.sort_by(|a, b| a.0.total_cmp(&b.0));
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                (found.0 - expected.0).abs() < 1e-4 && found.1 == expected.1,
                "{found:?} instead of {expected:?}"
            );
        }
    }
    let streams = "dph_requests_total{route=\"/v1/chat/completions\",status=\"200\"}";
    server.until("the streams are not counted", || server.metric(streams) == 6.0);
}

/// The reward and the reason of the end of an answer.
fn of_end(choice: &Value) -> (f64, String) {
    (choice["reward"].as_f64().unwrap(), choice["finish_reason"].to_string())
}

#[test]
fn a_stream_is_logged_when_it_ends() {
    let place = tempfile::tempdir().unwrap();
    write_endless_model(&place.path().join("model"));
    let limit = ENDLESS.to_string();
    let endless = chat(json!({"max_tokens": ENDLESS, "temperature": 0.0, "stream": true}));
    let counted = |server: &Server, status: u16| {
        server.metric(&format!("dph_requests_total{{route=\"/v1/chat/completions\",status=\"{status}\"}}"))
    };
    let server = Server::start(place.path(), &["model", "--max-answer-tokens", &limit, "--timeout", "300"]);
    let stream = server.begin_stream("/v1/chat/completions", &endless);
    assert!(!server.log().contains("/v1/chat/completions"), "{}", server.log());
    drop(stream);
    server.until("the client has not left", || counted(&server, 499) == 1.0);
    let logs = |server: &Server, line: &str| server.log().contains(line);
    server.until("the log lacks it", || logs(&server, "route=\"/v1/chat/completions\" status=499"));

    let server = Server::start(place.path(), &["model", "--max-answer-tokens", &limit, "--timeout", "1"]);
    let late = server.post("/v1/chat/completions", &endless);
    assert!(late.status == 200 && late.text().contains("more than 1 s"), "{}", late.text());
    server.until("the error is not counted", || counted(&server, 504) == 1.0);
    server.until("the log lacks it", || logs(&server, "route=\"/v1/chat/completions\" status=504"));
}
