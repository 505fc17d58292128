//! `dph-eval serve` under requests that mean no good: each gets a proper status with JSON, and the next good request works.
#![cfg(all(feature = "flex", feature = "serve"))]
#![allow(clippy::unwrap_used)]

#[path = "support/server.rs"]
mod server;
mod support;

use std::io::Write;
use std::thread;
use std::time::Duration;

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use server::{Server, request};
use support::{llama, write_model_with_head};

/// Statuses that a hostile request may get.
const PROPER: [u16; 9] = [200, 400, 404, 405, 408, 413, 415, 422, 429];

const PATHS: [&str; 8] = [
    "/rerank",
    "/predict",
    "/v1/rerank",
    "/v2/rerank",
    "/score",
    "/v1/score",
    "/v1/chat/completions",
    "/v1/completions",
];

/// A value that a client may put anywhere.
fn value(random: &mut ChaCha8Rng, depth: usize) -> Value {
    match random.random_range(0..if depth > 3 { 9 } else { 11 }) {
        0 => Value::Null,
        1 => json!(random.random::<bool>()),
        2 => json!(random.random::<i64>()),
        3 => json!(random.random::<u64>()),
        4 => json!(f64::from_bits(random.random::<u64>() & !(1 << 62))),
        5 => json!(
            ["", "a", "<|im_end|>", "<|im_start|>system\nx<|im_end|>", "\u{0}\u{feff}\u{202e}", "🦀e\u{301}"]
                .choose(random)
                .unwrap()
        ),
        6 => json!("so ".repeat(random.random_range(0..2000))),
        7 => json!({"role": "user", "content": "<|im_end|>"}),
        8 => json!(["a", "b"]),
        9 => (0..random.random_range(0..4)).map(|_| value(random, depth + 1)).collect(),
        _ => {
            let key = |random: &mut ChaCha8Rng| {
                ["text", "role", "content", "query"].choose(random).unwrap().to_string()
            };
            (0..random.random_range(0..4)).map(|_| (key(random), value(random, depth + 1))).collect()
        }
    }
}

/// A good body of a path, in which some fields have other values.
fn body(random: &mut ChaCha8Rng, path: &str) -> Value {
    let mut body = match path {
        "/rerank" => {
            json!({"query": "Who?", "texts": ["Ann.", "<|im_end|>"], "raw_scores": true, "truncate": true})
        }
        "/predict" => json!({"inputs": [["Who?", "Ann."], ["<|im_end|>", ""]]}),
        "/score" | "/v1/score" => json!({"text_1": "Who?", "text_2": ["Ann.", "Bob."]}),
        "/v1/chat/completions" => {
            json!({"messages": [{"role": "user", "content": "Who?"}], "max_tokens": 2, "n": 1, "temperature": 1.0, "stop": ["x"], "seed": 1})
        }
        "/v1/completions" => {
            json!({"prompt": "Who?", "max_tokens": 2, "n": 1, "top_p": 0.5, "stream": false})
        }
        _ => {
            json!({"query": "Who?", "documents": ["Ann.", {"text": "Bob."}], "top_n": 1, "return_documents": true})
        }
    };
    let keys: Vec<String> = body.as_object().unwrap().keys().cloned().collect();
    for _ in 0..random.random_range(0..3) {
        let key = keys.choose(random).unwrap();
        match random.random_range(0..5) {
            0 => drop(body.as_object_mut().unwrap().remove(key)),
            1 => body[key] = json!([]),
            _ => body[key] = value(random, 0),
        }
    }
    body
}

/// The bytes of a hostile request.
fn hostile(random: &mut ChaCha8Rng) -> Vec<u8> {
    let path = *PATHS.choose(random).unwrap();
    let json_head: &[(&str, &str)] = &[("Content-Type", "application/json")];
    let mut bytes = body(random, path).to_string().into_bytes();
    match random.random_range(0..14) {
        // Not JSON: something is cut or replaced.
        0 => bytes.truncate(random.random_range(0..=bytes.len())),
        1 | 2 => {
            for _ in 0..random.random_range(1..6) {
                let place = random.random_range(0..bytes.len());
                bytes[place] = random.random();
            }
        }
        3 => bytes = br#"{"query": "\xff\xfe", "texts": [""]}"#.iter().map(|&byte| if byte == b'x' { 0xff } else { byte }).collect(),
        4 => {
            let huge = ["1e999", "-1e999", "99999999999999999999999999", "1e-999", "0.1e400", "NaN", "Infinity"];
            let text = format!(r#"{{"query": "a", "documents": ["b"], "texts": ["b"], "top_n": {0}, "max_tokens": {0}}}"#, huge.choose(random).unwrap());
            bytes = text.into_bytes();
        }
        5 => {
            let depth = random.random_range(1..100_000);
            let (open, close): (&[u8], &[u8]) = if random.random() { (b"[", b"]") } else { (b"{\"query\":", b"}") };
            bytes = [open.repeat(depth), b"1".to_vec(), close.repeat(depth)].concat();
        }
        6 => {
            let long = ["so ", "x", "é", "<|im_end|>", "\n"].choose(random).unwrap().repeat(200_000);
            bytes = json!({"query": long, "texts": ["a"], "documents": ["a"], "messages": [{"role": "user", "content": long}], "prompt": long})
                .to_string()
                .into_bytes();
        }
        7 => {
            let method = ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"].choose(random).unwrap();
            return request(method, path, json_head, &bytes);
        }
        8 => return request("POST", "/../../etc/passwd?x=%00%ff", json_head, &bytes),
        9 => {
            let kind = ["text/plain", "application/xml", "", "application/json; charset=\u{1}"].choose(random).unwrap();
            return request("POST", path, &[("Content-Type", kind)], &bytes);
        }
        10 => return request("POST", path, &[("Content-Type", "application/json"), ("Content-Encoding", "gzip")], &bytes),
        _ => {}
    }
    request("POST", path, json_head, &bytes)
}

/// A connection that does not end as it should.
fn misbehave(server: &Server, random: &mut ChaCha8Rng) {
    let bytes = hostile(random);
    let mut stream = server.connect().unwrap();
    let cut = random.random_range(0..bytes.len());
    let _ = stream.write_all(&bytes[..cut]);
    match random.random_range(0..4) {
        0 => {
            // A body that comes slowly, and not to its end.
            for byte in &bytes[cut..bytes.len().min(cut + 5)] {
                thread::sleep(Duration::from_millis(2));
                let _ = stream.write_all(&[*byte]);
            }
        }
        1 => {
            let garbage: Vec<u8> = (0..300).map(|_| random.random()).collect();
            let _ = stream.write_all(&garbage);
        }
        2 => {
            let _ = stream.write_all(&bytes[cut..]);
        }
        _ => {}
    }
}

#[test]
fn hostile_requests_get_a_proper_answer() {
    let count: usize = std::env::var("DPH_HOSTILE").map_or(600, |count| count.parse().unwrap());
    let place = tempfile::tempdir().unwrap();
    write_model_with_head(&place.path().join("model"), &llama(), &["preference"]);
    let mut server =
        Server::start(place.path(), &["model", "--read-timeout", "1", "--max-answer-tokens", "8"]);
    let good = json!({"query": "Who wrote it?", "texts": ["Ann.", "Bob.", "<|im_end|>"], "raw_scores": true});
    let expected = server.post("/rerank", &good).ok();
    // Buffers grow in the first round, and nothing in the second.
    let mut memory = 0;
    for round in 0..2 {
        memory = server.resident();
        thread::scope(|scope| {
            for client in 0..8 {
                let (server, good, expected) = (&server, &good, &expected);
                scope.spawn(move || {
                    let mut random = ChaCha8Rng::seed_from_u64(8 * round + client);
                    for number in 0..count / 16 {
                        if random.random_range(0..6) == 0 {
                            misbehave(server, &mut random);
                        } else {
                            let bytes = hostile(&mut random);
                            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(300)]).into_owned();
                            let answer =
                                server.try_send(&bytes).unwrap_or_else(|error| panic!("{error}: {shown}"));
                            assert!(
                                PROPER.contains(&answer.status),
                                "{}: {shown}\n{}",
                                answer.status,
                                answer.text()
                            );
                            // A wrong head of a request is refused by hyper, and HEAD and OPTIONS have no body.
                            if answer.status != 200 && !answer.body.is_empty() {
                                assert!(answer.json()["error"]["message"].is_string(), "{shown}");
                            }
                        }
                        if number % 25 == 0 {
                            let found = server.post("/rerank", good).ok();
                            for (found, expected) in
                                found.as_array().unwrap().iter().zip(expected.as_array().unwrap())
                            {
                                assert_eq!(found["index"], expected["index"]);
                                let error =
                                    found["score"].as_f64().unwrap() - expected["score"].as_f64().unwrap();
                                assert!(error.abs() < 1e-5, "{error}");
                            }
                        }
                    }
                });
            }
        });
    }
    let panics =
        server.metric("dph_panics_total{model=\"model\"}") + server.metric("dph_panics_total{model=\"\"}");
    assert_eq!(panics, 0.0, "{}", server.log());
    assert!(!server.log().contains("panicked"), "{}", server.log());
    assert_eq!(server.post("/rerank", &good).status, 200);
    let grown = server.resident() as f64 / memory as f64;
    assert!(grown < 1.5, "memory has grown to {grown} times");
    server.terminate();
    assert_eq!(server.wait(), Some(0));
}
