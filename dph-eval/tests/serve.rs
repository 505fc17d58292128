//! `dph-eval serve`, over loopback: the scores of the command line and the library, in the forms of others.
#![cfg(all(feature = "flex", feature = "serve"))]
#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;
#[path = "support/server.rs"]
mod server;
mod support;

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use command::run_with;
use dph_data::Message;
use dph_eval::{Model, RankRequest, Ranking, Scoring, score};
use serde_json::{Value, json};
use server::{Server, answer, place, request};
use support::{ENDLESS, write_endless_model};

/// The rewards that the library gives to a request alone.
fn library(dir: &Path, prompt: &[Message], texts: &[&str]) -> Vec<Vec<f64>> {
    let model = Model::open(dir, &dph_core::device("flex").unwrap()).unwrap();
    let set = model.tokenizer.candidate_set("x", prompt, texts, None).unwrap();
    let scoring = Scoring { log_likelihood: false, ..Scoring::default() };
    let scores = score(&model, &[set], &scoring, &mut |_| {}).unwrap().remove(0);
    scores.iter().map(|scores| scores.rewards.iter().map(|&reward| reward.into()).collect()).collect()
}

/// The scores of ranked texts in the order of the request.
fn in_order(ranks: &Value, score: &str) -> Vec<f64> {
    let mut ranks = ranks.as_array().unwrap().clone();
    assert!(ranks.is_sorted_by(|a, b| a[score].as_f64() >= b[score].as_f64()), "{ranks:?}");
    ranks.sort_by_key(|rank| rank["index"].as_u64());
    ranks.iter().map(|rank| rank[score].as_f64().unwrap()).collect()
}

fn sigmoids(rewards: impl IntoIterator<Item = f64>) -> Vec<f64> {
    rewards.into_iter().map(|reward| 1.0 / (1.0 + (-reward).exp())).collect()
}

fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance, "{found} instead of {expected}");
    }
}

const TEXTS: [&str; 4] = ["Ann.", "Bob wrote it, I think.", "", "Nobody knows"];

#[test]
fn the_scores_are_those_of_command_line_and_library() {
    let place = place();
    let dir = place.path();
    let server = Server::start(dir, &["first", "org/other=second", "plain"]);
    let expected = library(&dir.join("first"), &[Message::user("Who wrote it?")], &TEXTS);
    let first: Vec<f64> = expected.iter().map(|heads| heads[0]).collect();
    let second: Vec<f64> = expected.iter().map(|heads| heads[1]).collect();

    let line = json!({"prompt": "Who wrote it?", "candidates": TEXTS}).to_string();
    let printed = run_with(dir, &["rank", "first", "--json"], &line).ok();
    let ranking: Ranking = serde_json::from_str(&printed).unwrap();
    let ranks = |more: Value| {
        let mut body = json!({"query": "Who wrote it?", "texts": TEXTS});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.post("/rerank", &body).ok()
    };
    let raw = ranks(json!({"raw_scores": true, "return_text": true}));
    // To the bit, and in the same order.
    assert_eq!(in_order(&raw, "score"), first);
    for (ranked, rank) in ranking.ranking.iter().zip(raw.as_array().unwrap()) {
        assert_eq!(
            (Some(ranked.index as u64), ranked.score),
            (rank["index"].as_u64(), rank["score"].as_f64())
        );
        assert_eq!(rank["text"], ranked.candidate);
    }
    let sigmoid = ranks(json!({}));
    assert!(sigmoid[0].get("text").is_none(), "{sigmoid}");
    close(&in_order(&sigmoid, "score"), &sigmoids(first.clone()), 1e-15);
    assert_eq!(in_order(&ranks(json!({"raw_scores": true, "head": "helpfulness"})), "score"), second);

    // Pairs are computed one by one.
    let alone =
        |text: &str| library(&dir.join("first"), &[Message::user("Who wrote it?")], &[text]).remove(0);
    let body = json!({"inputs": ["Who wrote it?", "Ann."], "raw_scores": true});
    let predictions = server.post("/predict", &body).ok();
    for prediction in predictions.as_array().unwrap() {
        let head = usize::from(prediction["label"] == "helpfulness");
        assert_eq!(prediction["score"].as_f64(), Some(alone("Ann.")[head]), "{predictions}");
    }
    assert_eq!(predictions.as_array().unwrap().len(), 2);
    let pairs: Vec<[&str; 2]> = TEXTS.iter().map(|text| ["Who wrote it?", *text]).collect();
    let many =
        server.post("/predict", &json!({"inputs": pairs, "raw_scores": true, "head": "preference"})).ok();
    let many: Vec<f64> =
        many.as_array().unwrap().iter().map(|one| one[0]["score"].as_f64().unwrap()).collect();
    close(&many, &first, 1e-5);

    // A prompt for all answers, or one for each.
    for (text_1, tolerance) in [(json!("Who wrote it?"), 0.0), (json!(vec!["Who wrote it?"; 4]), 1e-5)] {
        for path in ["/score", "/v1/score"] {
            let body = json!({"text_1": text_1, "text_2": TEXTS, "use_activation": false, "model": "first"});
            let scored = server.post(path, &body).ok();
            let data = scored["data"].as_array().unwrap();
            let scores: Vec<f64> = data.iter().map(|one| one["score"].as_f64().unwrap()).collect();
            close(&scores, &first, tolerance);
            assert_eq!((&scored["model"], &scored["object"]), (&json!("first"), &json!("list")));
            assert!(scored["usage"]["total_tokens"].as_u64() > Some(10), "{scored}");
        }
    }

    for path in ["/v1/rerank", "/v2/rerank"] {
        let documents = [json!("Ann."), json!({"text": TEXTS[1]}), json!(""), json!(TEXTS[3])];
        let body = json!({"query": "Who wrote it?", "documents": documents, "model": "first"});
        let all = server.post(path, &body).ok();
        close(&in_order(&all["results"], "relevance_score"), &sigmoids(first.clone()), 1e-15);
        let mut two = body.clone();
        two.as_object_mut()
            .unwrap()
            .extend([("top_n".into(), json!(2)), ("return_documents".into(), json!(true))]);
        let two = server.post(path, &two).ok();
        assert_eq!(two["results"].as_array().unwrap().len(), 2);
        let best = &ranking.ranking[0];
        assert_eq!(two["results"][0]["document"]["text"], best.candidate);
    }

    // A conversation, and another model.
    let prompt = [Message::system("Be true."), Message::user("Who wrote it?")];
    let body = json!({"query": prompt, "texts": TEXTS, "raw_scores": true, "model": "org/other"});
    let other: Vec<f64> = library(&dir.join("second"), &prompt, &TEXTS).concat();
    assert_eq!(in_order(&server.post("/rerank", &body).ok(), "score"), other);

    let models = server.get("/v1/models").ok();
    let names: Vec<&Value> = models["data"].as_array().unwrap().iter().map(|model| &model["id"]).collect();
    assert_eq!(names, ["first", "org/other", "plain"]);
    for path in ["/v1/models/org/other", "/v1/models/org%2Fother"] {
        assert_eq!(server.get(path).ok(), models["data"][1]);
    }
    for path in ["/v1/models/other", "/v1/models/%FF"] {
        assert_eq!(server.get(path).failed(404).0, "model");
    }
    assert_eq!(models["data"][0]["heads"], json!(["preference", "helpfulness"]));
    assert_eq!(server.get("/health").ok(), json!({"status": "ok"}));
}

/// Requests of many clients at once are computed together, and each has the scores that it has alone.
#[test]
fn requests_of_several_clients_share_batches() {
    let place = place();
    let dir = place.path();
    // However long it takes on this machine.
    let server = Server::start(dir, &["first", "--queue", "200", "--timeout", "300"]);
    let model = Model::open(&dir.join("first"), &dph_core::device("flex").unwrap()).unwrap();
    let mut before = 0.0;
    // They wait for each other only if they take longer to compute than to send, hence longer ones where this machine is too fast.
    for (round, copies) in [1, 4, 16, 64].into_iter().enumerate() {
        let texts = |i: usize| -> Vec<String> {
            (0..copies * (1 + i % 5)).map(|k| format!("Answer {k} {}", "so ".repeat(i * k % 7))).collect()
        };
        let ask = |i: usize| {
            let body =
                json!({"query": format!("Who is number {}?", i % 9), "texts": texts(i), "raw_scores": true});
            in_order(&server.post("/rerank", &body).ok(), "score")
        };
        let ask = &ask;
        let found: Vec<Vec<f64>> = thread::scope(|scope| {
            let asked: Vec<_> = (0..120).map(|i| scope.spawn(move || ask(i))).collect();
            asked.into_iter().map(|asked| asked.join().unwrap()).collect()
        });
        for (i, found) in found.iter().enumerate() {
            let request = RankRequest {
                id: None,
                prompt: vec![Message::user(format!("Who is number {}?", i % 9))],
                candidates: texts(i),
            };
            let set = request.candidate_set("x".into(), &model.tokenizer).unwrap();
            let scores = score(&model, &[set], &Scoring::default(), &mut |_| {}).unwrap().remove(0);
            let expected: Vec<f64> = scores.iter().map(|scores| scores.rewards[0].into()).collect();
            close(found, &expected, 1e-5);
        }
        let asked = 120.0 * (round + 1) as f64;
        assert_eq!(server.metric("dph_batch_requests_sum{model=\"first\"}"), asked);
        assert_eq!(server.metric("dph_requests_total{route=\"/rerank\",status=\"200\"}"), asked);
        let batches = server.metric("dph_batch_requests_count{model=\"first\"}");
        if batches - before < 100.0 {
            return;
        }
        before = batches;
    }
    panic!("no requests were computed together: {}", server.log());
}

#[test]
fn a_full_queue_refuses_and_a_slow_client_is_left() {
    let place = tempfile::tempdir().unwrap();
    write_endless_model(&place.path().join("model"));
    let limit = ENDLESS.to_string();
    let args =
        ["model", "--queue", "2", "--read-timeout", "1", "--max-answer-tokens", &limit, "--timeout", "300"];
    let server = Server::start(place.path(), &args);
    let endless = json!({"prompt": "Who", "max_tokens": ENDLESS, "temperature": 0.0, "stream": true});
    let streams = [(); 2].map(|()| server.begin_stream("/v1/completions", &endless));
    let body = json!({"query": "Who?", "texts": ["Ann.", "Bob."]});
    for (path, body) in [("/rerank", &body), ("/v1/completions", &endless)] {
        let answer = server.post(path, body);
        let (_, said) = answer.failed(429);
        assert!(said.contains("2 requests wait for the model `model`"), "{said}");
        let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&seconds));
    }
    drop(streams);
    server.until("the queue stays full", || server.post("/rerank", &body).status == 200);

    // A body that never comes, and a head that never ends.
    let head =
        b"POST /rerank HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    assert!(server.send(head).failed(408).1.contains("within 1 s"));
    let mut stream = server.connect().unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nHost:").unwrap();
    match answer(&mut stream) {
        Ok(answer) => assert_eq!(answer.status, 408),
        Err(error) => {
            assert!(![ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()), "{error}");
        }
    }
    server.get("/health").ok();
}

/// Work of a client that has left is not done.
#[test]
fn a_client_that_leaves_costs_nothing() {
    let place = place();
    let args =
        ["first", "--batch-requests", "1", "--max-request-tokens", "10000000", "--max-body", "100000000"];
    let server = Server::start(place.path(), &args);
    let metric = |name: &str| server.metric(&format!("{name}{{model=\"first\"}}"));
    let asked = 20;
    // Where this machine is done before the clients have left, they ask for more.
    for (round, words) in [20, 200].into_iter().enumerate() {
        let texts: Vec<String> = (0..500).map(|i| format!("Answer {i} {}", "so ".repeat(words))).collect();
        let body = json!({"query": "Who?", "texts": texts}).to_string();
        let bytes = request("POST", "/rerank", &[("Content-Type", "application/json")], body.as_bytes());
        let streams: Vec<_> = (0..asked)
            .map(|_| {
                let mut stream = server.connect().unwrap();
                stream.write_all(&bytes).unwrap();
                stream
            })
            .collect();
        let before = (round * asked) as f64;
        server.until("a request is not computed", || metric("dph_batch_requests_sum") > before);
        drop(streams);
        server.until("requests still wait", || metric("dph_queue_requests") == 0.0);
        server.post("/rerank", &json!({"query": "Who?", "texts": ["a"]})).ok();
        let (computed, left) = (metric("dph_batch_requests_sum"), metric("dph_abandoned_total"));
        if left > 0.0 {
            assert!(
                computed <= ((round + 1) * (asked + 1)) as f64 && computed < before + asked as f64,
                "{computed} computed, {left} left"
            );
            return;
        }
    }
    panic!("what nobody waited for was computed: {}", server.log());
}

/// A long request has several batches. Others are computed between them, and the rest is not if its client leaves.
#[test]
fn a_long_request_takes_turns() {
    let place = place();
    let args =
        ["first", "--token-budget", "256", "--max-request-tokens", "10000000", "--max-body", "100000000"];
    let server = Server::start(place.path(), &args);
    let texts = |count: usize| (0..count).map(|i| format!("Answer {i} so so so")).collect::<Vec<_>>();
    let bytes = |count: usize| {
        let body = json!({"query": "Who?", "texts": texts(count)}).to_string();
        request("POST", "/rerank", &[("Content-Type", "application/json")], body.as_bytes())
    };
    let tokens = || server.metric("dph_tokens_total{model=\"first\"}");
    let (mut overtook, mut stopped) = (false, false);
    server.send(&bytes(512)).ok();
    let whole = tokens();
    // Where this machine is done before, it is tried again.
    for _ in 0..50 {
        let before = tokens();
        let mut long = server.connect().unwrap();
        long.write_all(&bytes(512)).unwrap();
        server.until("the long request is not computed", || tokens() > before);
        server.post("/rerank", &json!({"query": "Who?", "texts": ["a"]})).ok();
        overtook |= tokens() < before + whole;
        drop(long);
        server.until("a request is computed for nobody", || {
            server.metric("dph_queue_requests{model=\"first\"}") == 0.0
        });
        stopped |= tokens() < before + whole;
        if overtook && stopped {
            return;
        }
    }
    panic!("overtook {overtook}, stopped {stopped}: {}", server.log());
}

#[test]
fn a_request_that_takes_too_long_ends() {
    let place = tempfile::tempdir().unwrap();
    write_endless_model(&place.path().join("model"));
    let limit = ENDLESS.to_string();
    let args = ["model", "--timeout", "1", "--max-answer-tokens", &limit, "--max-request-tokens", &limit];
    let server = Server::start(place.path(), &args);
    let endless = json!({"prompt": "Who", "max_tokens": ENDLESS, "temperature": 0.0});
    let (_, said) = server.post("/v1/completions", &endless).failed(504);
    assert!(said.contains("more than 1 s"), "{said}");
    // Attention is quadratic: one of these takes longer on any machine.
    for words in [15_000, 60_000, 240_000] {
        let answer = server.post("/rerank", &json!({"query": "Who?", "texts": ["so ".repeat(words)]}));
        if answer.status != 200 {
            let (_, said) = answer.failed(504);
            assert!(said.contains("more than 1 s"), "{said}");
            return;
        }
    }
    panic!("no request took too long: {}", server.log());
}

/// A client that keeps its connection is told to open another one, which it cannot, before it sends a request that would be lost.
#[test]
fn connections_are_closed_when_the_service_ends() {
    let place = tempfile::tempdir().unwrap();
    write_endless_model(&place.path().join("model"));
    let limit = ENDLESS.to_string();
    let args = ["model", "--timeout", "5", "--max-answer-tokens", &limit, "--max-request-tokens", &limit];
    let mut server = Server::start(place.path(), &args);
    let body = json!({"prompt": "Who", "max_tokens": ENDLESS, "temperature": 0.0}).to_string();
    let kept = format!(
        "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = server.connect().unwrap();
    stream.write_all(kept.as_bytes()).unwrap();
    server.until("the request does not wait", || server.metric("dph_queue_requests{model=\"model\"}") == 1.0);
    server.terminate();
    let last = answer(&mut stream).unwrap();
    last.failed(504);
    assert_eq!(last.header("connection"), Some("close"));
    assert_eq!(server.wait(), Some(0), "{}", server.log());
}

/// All that was accepted when the service is asked to end is answered, and it ends well.
#[test]
fn the_end_loses_no_accepted_request() {
    let place = place();
    let mut server = Server::start(place.path(), &["first", "--queue", "500"]);
    let texts: Vec<String> = (0..40).map(|i| format!("Answer {i} {}", "so ".repeat(20))).collect();
    let rerank = json!({"query": "Who?", "texts": texts});
    let complete = json!({"prompt": "Who", "n": 3, "max_tokens": 40});
    let bytes = [("/rerank", rerank), ("/v1/completions", complete)].map(|(path, body)| {
        request("POST", path, &[("Content-Type", "application/json")], body.to_string().as_bytes())
    });
    let answered = AtomicUsize::new(0);
    let lost: usize = thread::scope(|scope| {
        let (server, answered) = (&server, &answered);
        let client = |bytes| {
            move || {
                let mut lost = 0;
                // Until the service takes no connection any more.
                while let Ok(mut stream) = server.connect() {
                    let sent = stream.write_all(bytes);
                    match answer(&mut stream) {
                        Ok(answer) if answer.status == 200 => drop(answered.fetch_add(1, Ordering::Relaxed)),
                        Ok(answer) => panic!("{answer:?}"),
                        // The system had connected it, and the service had not accepted it.
                        Err(_) if sent.is_err() => {}
                        Err(_) => lost += 1,
                    }
                }
                lost
            }
        };
        let clients: Vec<_> = (0..32).map(|number| scope.spawn(client(&bytes[number % 2]))).collect();
        server.until("nothing is answered", || answered.load(Ordering::Relaxed) >= 100);
        server.terminate();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });
    assert_eq!(server.wait(), Some(0), "{}", server.log());
    assert_eq!(lost, 0, "{lost} were lost and {answered:?} answered");
    assert!(server.log().contains("the service ends"), "{}", server.log());
}
