//! `dph-eval serve`: answers in the form of OpenAI, with their rewards.
#![cfg(all(feature = "flex", feature = "serve"))]
#![allow(clippy::unwrap_used)]

#[path = "support/chat.rs"]
mod chat;
#[path = "support/server.rs"]
mod server;
mod support;

use std::path::Path;
use std::thread;

use chat::{chat, events};
use dph_data::Message;
use dph_eval::{Answer, BestOf, Model, generate};
use dph_model::Sampling;
use serde_json::{Value, json};
use server::Server;
use support::{
    ENDLESS, llama, lswt, lswt_with_registers, write_endless_model, write_model, write_model_with_head,
};

fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    write_model_with_head(&place.path().join("model"), &llama(), &["preference", "helpfulness"]);
    write_model(&place.path().join("plain"), &lswt());
    place
}

fn open(dir: &Path) -> Model {
    Model::open(dir, &dph_core::device("flex").unwrap()).unwrap()
}

/// The answers of the library, by their numbers.
fn library(model: &Model, prompt: Vec<u32>, answers: usize, max_tokens: usize, seed: u64) -> Vec<Answer> {
    let sampling = Sampling { temperature: 1.0, max_tokens, seed, ..Sampling::default() };
    let settings = BestOf { answers, sampling, ..BestOf::default() };
    generate(model, &[prompt], &settings, &mut |_| {}).unwrap().remove(0).answers
}

/// Answers in the order of their rewards.
fn ranked(mut answers: Vec<Answer>) -> Vec<Answer> {
    answers.sort_by(|a, b| b.scores.rewards[0].total_cmp(&a.scores.rewards[0]));
    answers
}

#[test]
fn answers_and_rewards_are_those_of_the_library() {
    let place = place();
    let model = open(&place.path().join("model"));
    // A prompt that begins with an earlier one has other last digits.
    let server = Server::start(place.path(), &["model", "plain", "--prefix-cache", "0"]);
    let prompt = model.tokenizer.prompt(&[Message::user("Who wrote it?")]).unwrap();
    let expected = ranked(library(&model, prompt.clone(), 3, 20, 7));
    let found = server.post("/v1/chat/completions", &chat(json!({"n": 3, "logprobs": true}))).ok();
    assert_eq!(
        (&found["object"], &found["model"], &found["seed"]),
        (&json!("chat.completion"), &json!("model"), &json!(7))
    );
    let choices = found["choices"].as_array().unwrap();
    assert_eq!(choices.len(), 3);
    for (choice, expected) in choices.iter().zip(&expected) {
        assert_eq!(
            choice["message"],
            json!({"role": "assistant", "content": expected.text, "refusal": null})
        );
        assert_eq!(choice["reward"].as_f64(), Some(expected.scores.rewards[0].into()));
        assert_eq!(choice["rewards"]["helpfulness"].as_f64(), Some(expected.scores.rewards[1].into()));
        assert_eq!(choice["loglik"].as_f64(), Some(expected.scores.loglik));
        assert_eq!(choice["tokens"], expected.tokens.len());
        let logprobs = choice["logprobs"]["content"].as_array().unwrap();
        assert_eq!(logprobs.len(), expected.tokens.len());
        for (found, (token, log_prob)) in logprobs.iter().zip(&expected.drawn) {
            assert_eq!(found["token"], model.tokenizer.decode(&[*token]).unwrap());
            assert!((found["logprob"].as_f64().unwrap() - f64::from(*log_prob)).abs() < 1e-6);
        }
    }
    let tokens: usize = found["usage"]["completion_tokens"].as_u64().unwrap() as usize;
    assert!(tokens >= expected.iter().map(|answer| answer.tokens.len()).sum(), "{found}");
    assert_eq!(found["usage"]["prompt_tokens"], prompt.len());

    // The best two of six, the best first.
    let mut six = library(&model, prompt, 6, 20, 7);
    six.sort_by(|a, b| b.scores.rewards[0].total_cmp(&a.scores.rewards[0]));
    let best = server.post("/v1/chat/completions", &chat(json!({"n": 2, "best_of": 6}))).ok();
    let texts: Vec<&Value> =
        best["choices"].as_array().unwrap().iter().map(|choice| &choice["message"]["content"]).collect();
    assert_eq!(texts, [&six[0].text, &six[1].text]);
    let by_other =
        server.post("/v1/chat/completions", &chat(json!({"best_of": 6, "head": "helpfulness"}))).ok();
    six.sort_by(|a, b| b.scores.rewards[1].total_cmp(&a.scores.rewards[1]));
    assert_eq!(by_other["choices"][0]["message"]["content"], six[0].text);
    assert_eq!(by_other["choices"][0]["reward"].as_f64(), Some(six[0].scores.rewards[1].into()));

    // Answers that are returned are not dropped; where all are, those that grew longest come first.
    let dropping = |more: Value| {
        let mut body = chat(json!({"best_of": 8, "reject_every": 2}));
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.post("/v1/chat/completions", &body).ok()["choices"].as_array().unwrap().clone()
    };
    let two = dropping(json!({"n": 2}));
    assert!(two.iter().all(|choice| choice["finish_reason"] != "rejected"), "{two:?}");
    assert!(two[0]["reward"].as_f64() >= two[1]["reward"].as_f64(), "{two:?}");
    let all = dropping(json!({"n": 8}));
    let survived = |choice: &Value| match choice["finish_reason"] == "rejected" {
        true => choice["tokens"].as_u64().unwrap(),
        false => u64::MAX,
    };
    assert!(all.iter().any(|choice| choice["finish_reason"] == "rejected"), "{all:?}");
    for pair in all.windows(2) {
        let order = |choice: &Value| (survived(choice), choice["reward"].as_f64().unwrap());
        assert!(order(&pair[0]) >= order(&pair[1]), "{pair:?}");
    }

    // A seed that nobody gave can be given again.
    let mut body = chat(json!({}));
    body.as_object_mut().unwrap().remove("seed");
    let first = server.post("/v1/chat/completions", &body).ok();
    body["seed"] = first["seed"].clone();
    let again = server.post("/v1/chat/completions", &body).ok();
    assert_eq!(first["choices"], again["choices"]);

    // A model without a head has no rewards.
    let plain = server.post("/v1/chat/completions", &chat(json!({"model": "plain", "best_of": 3}))).ok();
    assert_eq!((&plain["choices"][0]["reward"], &plain["choices"][0]["rewards"]), (&Value::Null, &json!({})));
}

/// Requests with settings of their own grow in one pass over the model, and each has the answers that it has alone.
#[test]
fn requests_that_grow_together_have_the_answers_that_they_have_alone() {
    let place = tempfile::tempdir().unwrap();
    write_endless_model(&place.path().join("model"));
    // Keys of this one are rotated anew for every token.
    write_model_with_head(&place.path().join("registers"), &lswt_with_registers(), &["preference"]);
    let limit = ENDLESS.to_string();
    let args =
        ["model", "registers", "--max-answer-tokens", &limit, "--timeout", "300", "--generations", "12"];
    let server = Server::start(place.path(), &args);
    let requests: Vec<Value> = [
        json!({"n": 3}),
        json!({"n": 2, "temperature": 0.7, "top_p": 0.8, "seed": 3, "max_tokens": 33}),
        json!({"temperature": 0.0, "max_tokens": 5}),
        json!({"n": 4, "best_of": 6, "repetition_penalty": 1.3}),
        json!({"n": 5, "stop": ["e", "an"], "seed": 11}),
        json!({"n": 6, "reject_every": 4, "seed": 2, "max_tokens": 30}),
        json!({"n": 2, "token_rewards": true, "logprobs": true}),
        json!({"messages": [{"role": "system", "content": "Be brief, and true."}, {"role": "user", "content": "Why?"}], "n": 2}),
        json!({"model": "registers", "n": 3}),
        json!({"model": "registers", "n": 2, "seed": 1, "stop": ["o"]}),
    ]
    .map(chat)
    .to_vec();
    let ask = |body: &Value| server.post("/v1/chat/completions", body).ok()["choices"].clone();
    let alone: Vec<Value> = requests.iter().map(ask).collect();
    let endless = |more: Value| {
        let body = json!({"max_tokens": ENDLESS, "temperature": 0.0, "stream": true});
        let mut body = chat(body);
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.begin_stream("/v1/chat/completions", &body)
    };
    let streams = [endless(json!({})), endless(json!({"token_rewards": true}))];
    let together: Vec<Value> = thread::scope(|scope| {
        let asked: Vec<_> = requests.iter().map(|body| scope.spawn(move || ask(body))).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    for ((found, expected), body) in together.iter().zip(&alone).zip(&requests) {
        let (found, expected) = (found.as_array().unwrap(), expected.as_array().unwrap());
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            for key in ["message", "finish_reason", "tokens"] {
                assert_eq!(found[key], expected[key], "{body}");
            }
            for key in ["reward", "loglik"] {
                let error = found[key].as_f64().unwrap() - expected[key].as_f64().unwrap();
                assert!(error.abs() < 1e-4, "{body}, {key}: {found} instead of {expected}");
            }
        }
    }
    drop(streams);
    let passes = server.metric("dph_pass_requests_count{model=\"model\"}");
    let alone = server.metric("dph_pass_requests_bucket{model=\"model\",le=\"1\"}");
    assert!(alone < passes, "no requests grew together");
}

/// A conversation whose system prompt and history are kept has the answers that it has where nothing is kept.
#[test]
fn what_prompts_begin_with_is_kept_within_bounds() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path();
    write_model_with_head(&dir.join("model"), &llama(), &["preference"]);
    let server = Server::start(dir, &["model"]);
    let without = Server::start(dir, &["model", "--prefix-cache", "0"]);
    let small = Server::start(dir, &["model", "--prefix-cache", "100kB"]);
    let metric = |server: &Server, name: &str| server.metric(&format!("{name}{{model=\"model\"}}"));
    let mut messages =
        vec![json!({"role": "system", "content": "You know who wrote which book. Be brief, and true."})];
    let mut prompt_tokens = 0;
    for question in [
        "Who wrote it?",
        "And the other one?",
        "When?",
        "Who wrote it, and when? Was it long before the other one?",
    ] {
        messages.push(json!({"role": "user", "content": question}));
        let body = chat(json!({"messages": messages, "n": 3, "token_rewards": true}));
        let [found, expected, other] =
            [&server, &without, &small].map(|server| server.post("/v1/chat/completions", &body).ok());
        for (index, expected) in expected["choices"].as_array().unwrap().iter().enumerate() {
            for found in [&found, &other] {
                let found = &found["choices"][index];
                assert_eq!(found["message"], expected["message"]);
                let error = found["reward"].as_f64().unwrap() - expected["reward"].as_f64().unwrap();
                assert!(error.abs() < 1e-5, "{found} instead of {expected}");
            }
        }
        assert_eq!(found["usage"], expected["usage"]);
        prompt_tokens = expected["usage"]["prompt_tokens"].as_u64().unwrap();
        messages.push(json!({"role": "assistant", "content": expected["choices"][0]["message"]["content"]}));
        assert!(metric(&small, "dph_prefix_bytes") <= 100e3);
    }
    assert_eq!(metric(&server, "dph_prefix_hits_total"), 3.0);
    let saved = metric(&server, "dph_prefix_tokens_total");
    assert!(saved > prompt_tokens as f64, "{saved} of {prompt_tokens} in the last of four turns");
    assert!(metric(&server, "dph_prefix_bytes") > 0.0);
    for name in ["dph_prefix_hits_total", "dph_prefix_tokens_total", "dph_prefix_bytes"] {
        assert_eq!(metric(&without, name), 0.0, "{name}");
    }
    assert!(metric(&small, "dph_prefix_hits_total") <= 3.0);
}

#[test]
fn texts_are_continued() {
    let place = place();
    let model = open(&place.path().join("model"));
    let server = Server::start(place.path(), &["model"]);
    let tokens: Vec<u32> = model
        .tokenizer
        .start_id()
        .into_iter()
        .chain(model.tokenizer.encode_text("Ann wrote").unwrap())
        .collect();
    let numbered = library(&model, tokens.clone(), 2, 9, 3);
    let expected = ranked(numbered.clone());
    for prompt in [json!("Ann wrote"), json!(tokens), json!([tokens]), json!(["Ann wrote"])] {
        let body = json!({"prompt": prompt, "n": 2, "max_tokens": 9, "seed": 3, "logprobs": 0});
        let found = server.post("/v1/completions", &body).ok();
        for (choice, expected) in found["choices"].as_array().unwrap().iter().zip(&expected) {
            assert_eq!(choice["text"], expected.text);
            assert_eq!(choice["reward"].as_f64(), Some(expected.scores.rewards[0].into()));
            assert_eq!(choice["logprobs"]["tokens"].as_array().unwrap().len(), expected.tokens.len());
            assert_eq!(choice["logprobs"]["text_offset"][0], 0);
        }
    }
    let two = json!({"prompt": ["Ann wrote", "Bob"], "n": 2, "max_tokens": 9, "seed": 3});
    let found = server.post("/v1/completions", &two).ok();
    assert_eq!(found["choices"].as_array().unwrap().len(), 4);
    assert_eq!(found["choices"][1]["text"], expected[1].text);
    let mut streamed = two.clone();
    (streamed["stream"], streamed["logprobs"]) = (json!(true), json!(0));
    let all = events(&server.post("/v1/completions", &streamed));
    let mut offsets = [0; 4];
    for part in all.iter().map(|event| &event["choices"][0]).filter(|part| !part["logprobs"].is_null()) {
        let offset = &mut offsets[part["index"].as_u64().unwrap() as usize];
        assert_eq!(part["logprobs"]["text_offset"], json!([*offset]));
        *offset += part["logprobs"]["tokens"][0].as_str().unwrap().chars().count();
    }
    assert!(offsets.iter().all(|&offset| offset > 0), "{offsets:?}");
    let streamed: Vec<String> = (0..4)
        .map(|index| {
            let parts =
                all.iter().map(|event| &event["choices"][0]).filter(|choice| choice["index"] == index);
            parts.map(|part| part["text"].as_str().unwrap()).collect()
        })
        .collect();
    assert_eq!(streamed[..2], [&*numbered[0].text, &*numbered[1].text]);
    for of_prompt in [0..2, 2..4] {
        let texts = found["choices"].as_array().unwrap()[of_prompt.clone()].iter();
        let mut texts: Vec<&str> = texts.map(|choice| choice["text"].as_str().unwrap()).collect();
        let mut streamed: Vec<&str> = streamed[of_prompt].iter().map(|text| &**text).collect();
        texts.sort_unstable();
        streamed.sort_unstable();
        assert_eq!(streamed, texts);
    }
}

#[test]
fn what_cannot_be_generated_names_the_field() {
    let place = place();
    let server =
        Server::start(place.path(), &["model", "plain", "--max-answers", "4", "--max-answer-tokens", "50"]);
    for (more, status, param, message) in [
        (json!({"n": 0}), 422, "n", "`n` must be at least 1"),
        (json!({"n": 3, "best_of": 2}), 422, "best_of", "must be at least `n`, 3"),
        (json!({"n": 5}), 422, "n", "asks for 5 answers, and at most 4 are generated"),
        (json!({"max_tokens": 51}), 422, "max_tokens", "at most 50 are generated"),
        (json!({"max_completion_tokens": 0}), 422, "max_completion_tokens", "at least 1"),
        (json!({"temperature": -1.0}), 422, "temperature", "at least 0"),
        (json!({"stream_options": [true]}), 422, "stream_options", "expected an object, found a list"),
        (json!({"seed": 0.5}), 422, "seed", "expected a whole number"),
        (json!({"top_p": 0.0}), 422, "top_p", "greater than 0"),
        (json!({"messages": []}), 422, "messages", "expected a list of messages"),
        (
            json!({"messages": [{"role": "user", "content": "so ".repeat(300)}]}),
            422,
            "messages",
            "leaves no room",
        ),
        (json!({"model": "plain", "token_rewards": true}), 422, "model", "has no preference head"),
        (json!({"head": "safety"}), 422, "head", "it has preference, helpfulness"),
        (json!({"tools": [{}]}), 400, "tools", "not supported"),
        (json!({"functions": [{}]}), 400, "functions", "answers are text"),
        (json!({"tool_choice": "required"}), 400, "tool_choice", "answers are text"),
        (json!({"modalities": ["text", "audio"]}), 400, "modalities", "answers are text"),
        (json!({"guided_json": {"type": "object"}}), 400, "guided_json", "not bound to a form"),
        (json!({"min_p": 0.1}), 400, "min_p", "use `top_p`"),
        (json!({"min_tokens": 3}), 400, "min_tokens", "not supported"),
        (json!({"ignore_eos": true}), 400, "ignore_eos", "not supported"),
        (json!({"stop_token_ids": [1]}), 400, "stop_token_ids", "use `stop`"),
        (json!({"logit_bias": {"1": 5}}), 400, "logit_bias", "not supported"),
        (
            json!({"messages": [{"role": "assistant", "content": null, "tool_calls": [{"id": "a"}]}]}),
            422,
            "messages",
            "`tool_calls` is not supported",
        ),
        (
            json!({"messages": [{"role": "tool", "content": "1"}]}),
            422,
            "messages",
            "the role \"tool\" is not supported",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "refusal", "refusal": "no"}]}]}),
            422,
            "messages",
            "type `refusal` is not supported",
        ),
        (json!({"top_logprobs": 3}), 400, "top_logprobs", "not supported"),
        (json!({"presence_penalty": 1.0}), 400, "presence_penalty", "use `repetition_penalty`"),
        (json!({"response_format": {"type": "json_object"}}), 400, "response_format", "answers are text"),
    ] {
        let (found, said) = server.post("/v1/chat/completions", &chat(more.clone())).failed(status);
        assert_eq!(found, param, "{more}: {said}");
        assert!(said.contains(message), "{more}: {said}");
    }
    let many = json!({"prompt": ["a", "b", "c", "d", "e"], "max_tokens": 2});
    assert_eq!(server.post("/v1/completions", &many).failed(422).0, "prompt");
    // What asks for nothing passes.
    let neutral = json!({
        "tools": [], "tool_choice": "auto", "functions": null, "function_call": "none", "modalities": ["text"], "min_p": 0, "min_tokens": 0,
        "ignore_eos": false, "stop_token_ids": [], "logit_bias": {}, "presence_penalty": 0.0, "response_format": {"type": "text"}, "stop": [],
        "top_logprobs": 0, "seed": -0.0, "max_tokens": 2.0,
    });
    server.post("/v1/chat/completions", &chat(neutral)).ok();
    // A developer is the system, and no content an empty one.
    let of = |messages: Value| {
        let found =
            server.post("/v1/chat/completions", &chat(json!({"messages": messages, "max_tokens": 4}))).ok();
        (found["choices"][0]["message"].clone(), found["usage"].clone())
    };
    let talk = |role: &str, content: Value| {
        of(
            json!([{"role": role, "content": content}, {"role": "user", "content": "Who?"}, {"role": "assistant", "content": null}, {"role": "user", "content": "Why?"}]),
        )
    };
    assert_eq!(talk("developer", json!("Be brief.")), talk("system", json!("Be brief.")));
    assert_eq!(talk("system", json!(null)), talk("system", json!("")));
    // At a temperature of 0, or one that no number of f32 divides by, all answers are the most likely one.
    let greedy = |temperature: f64, n: usize| {
        server.post("/v1/chat/completions", &chat(json!({"temperature": temperature, "n": n}))).ok()["choices"].clone()
    };
    let expected = greedy(0.0, 1)[0]["message"].clone();
    for (temperature, n) in [(0.0, 3), (1e-39, 1), (1e-300, 2)] {
        for choice in greedy(temperature, n).as_array().unwrap() {
            assert_eq!(choice["message"], expected, "{temperature}");
        }
    }
    let completion = |body: Value| server.post("/v1/completions", &body);
    assert_eq!(completion(json!({"prompt": []})).failed(422).0, "prompt");
    assert!(completion(json!({"prompt": [999_999]})).failed(422).1.contains("outside the vocabulary"));
    assert_eq!(completion(json!({"prompt": "x", "logprobs": 2})).failed(400).0, "logprobs");
    assert_eq!(completion(json!({"prompt": "x", "echo": true})).failed(400).0, "echo");
    completion(json!({"prompt": "x", "response_format": null, "max_tokens": 2})).ok();
}

/// Requests for rewards and for answers take turns; a client that leaves ends its answers.
#[test]
fn requests_take_turns() {
    let place = tempfile::tempdir().unwrap();
    write_endless_model(&place.path().join("model"));
    let limit = ENDLESS.to_string();
    let server = Server::start(place.path(), &["model", "--max-answer-tokens", &limit, "--timeout", "300"]);
    let endless = chat(json!({"max_tokens": ENDLESS, "temperature": 0.0, "stream": true}));
    let stream = server.begin_stream("/v1/chat/completions", &endless);
    for _ in 0..3 {
        server.post("/rerank", &json!({"query": "Who?", "texts": ["Ann.", "Bob."]})).ok();
        server.post("/v1/chat/completions", &chat(json!({"max_tokens": 3}))).ok();
    }
    let waiting = server.metric("dph_queue_requests{model=\"model\"}");
    assert_eq!(waiting, 1.0, "the long request has ended: {}", server.log());
    drop(stream);
    server.until("the answers still grow", || {
        server.metric("dph_abandoned_total{model=\"model\"}") == 1.0
            && server.metric("dph_queue_requests{model=\"model\"}") == 0.0
    });
}
