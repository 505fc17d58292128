//! `dph-eval serve`: what requests and commands are refused, and what the service tells of itself.
#![cfg(all(feature = "flex", feature = "serve"))]
#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;
#[path = "support/server.rs"]
mod server;
mod support;

use std::fs;

use command::run;
use serde_json::{Value, json};
use server::{Server, place, request};

#[test]
fn an_error_is_json_that_names_the_field() {
    let place = place();
    let args =
        ["first", "plain", "--max-candidates", "3", "--max-request-tokens", "100", "--max-body", "5000"];
    let server = Server::start(place.path(), &args);
    let rerank = |body: Value| server.post("/rerank", &body);
    let long = "word ".repeat(60);
    for (body, param, message) in [
        (json!({"texts": ["a"]}), "query", "missing field `query`"),
        (json!({"query": 1, "texts": ["a"]}), "query", "`query`: expected a string, or a list of messages"),
        (json!({"query": [], "texts": ["a"]}), "query", "`query`: expected a list of messages"),
        (json!({"query": [{"role": "a b", "content": "x"}], "texts": ["a"]}), "query", "is not a role"),
        (json!({"query": "x", "texts": []}), "texts", "`texts` must have at least one text"),
        (
            json!({"query": "x", "texts": ["a", 1]}),
            "texts[1]",
            "`texts[1]`: expected a string, found the number 1",
        ),
        (
            json!({"query": "x", "texts": ["a", "b", "c", "d"]}),
            "texts",
            "has 4 texts, and at most 3 are accepted",
        ),
        (json!({"query": "x", "texts": vec!["a ".repeat(40); 3]}), "texts", "at most 100 are accepted"),
        (
            json!({"query": "x", "texts": ["a", long.repeat(8)]}),
            "texts",
            "`query` with the longest of `texts` has",
        ),
        (json!({"query": long.repeat(8), "texts": ["a"]}), "query", "`query` alone has"),
        (json!({"query": "word ".repeat(50), "texts": ["a"]}), "query", "at most 100 are accepted"),
        (json!({"query": "x", "texts": ["a"], "head": "safety"}), "head", "it has preference, helpfulness"),
        (json!({"query": "x", "texts": ["a"], "model": "plain"}), "model", "`plain` has no preference head"),
        (
            json!({"query": "x", "texts": ["a"], "raw_scores": "yes"}),
            "raw_scores",
            "expected true or false, found a string",
        ),
        (
            json!({"query": "x", "texts": ["a"], "truncation_direction": 1}),
            "truncation_direction",
            "expected one of Left",
        ),
        (json!({"query": "x", "texts": ["a"], "truncation_direction": "up"}), "truncation_direction", "`up`"),
        (json!(["x", ["a"]]), "body", "expected an object, found a list"),
        (json!({"query": [["user", "x"]], "texts": ["a"]}), "query", "message 1: it is not an object"),
        (
            json!({"query": [{"role": "user", "content": [{"type": null, "text": "x"}]}], "texts": ["a"]}),
            "query",
            "a part of `content` must be",
        ),
        (
            json!({"query": "x", "texts": ["a"], "query_": 1, "texts": null}),
            "texts",
            "expected a list, found null",
        ),
    ] {
        let (found, said) = rerank(body.clone()).failed(422);
        assert_eq!(found, param, "{body}: {said}");
        assert!(said.contains(message), "{body}: {said}");
    }
    let (param, said) = rerank(json!({"query": "x", "texts": ["a"], "model": "third"})).failed(404);
    assert_eq!(
        (param, said.as_str()),
        (json!("model"), "there is no such model; the service has first, plain")
    );
    let (param, said) = server.post("/v1/score", &json!({"text_1": ["a", "b"], "text_2": ["c"]})).failed(422);
    assert!(param == "text_1" && said.contains("has 2 texts and `text_2` has 1"), "{said}");
    // Null is as good as nothing, and a whole number may have a point.
    let nulls = json!({"query": "x", "texts": ["a"], "raw_scores": null, "return_text": null, "truncate": null, "truncation_direction": null, "model": null, "head": null});
    assert_eq!(
        rerank(nulls).ok(),
        rerank(json!({"query": "x", "texts": ["a"], "model": "", "head": ""})).ok()
    );
    let documents = |more: Value| {
        let mut body = json!({"query": "x", "documents": ["a", "b"], "top_n": 1.0});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        server.post("/v1/rerank", &body)
    };
    assert_eq!(documents(json!({"rank_fields": null})).ok()["results"].as_array().unwrap().len(), 1);
    for (path, body, param) in [
        ("/v1/rerank", json!({"query": "x", "documents": ["a"], "rank_fields": ["title"]}), "rank_fields"),
        (
            "/v2/rerank",
            json!({"query": "x", "documents": ["a"], "max_chunks_per_doc": 2}),
            "max_chunks_per_doc",
        ),
        (
            "/score",
            json!({"text_1": "x", "text_2": "a", "truncate_prompt_tokens": 8}),
            "truncate_prompt_tokens",
        ),
    ] {
        let (found, said) = server.post(path, &body).failed(400);
        assert!(found == param && said.contains("is not supported"), "{said}");
    }
    documents(json!({"max_tokens_per_doc": 0})).failed(422);
    // A document of three tokens has the score of its first three tokens.
    let scored = |document: &str, most: Value| {
        let body =
            json!({"query": "x", "documents": [document], "max_tokens_per_doc": most, "raw_scores": true});
        server.post("/v2/rerank", &body).ok()["results"][0]["relevance_score"].clone()
    };
    assert_eq!(scored("abc", json!(3)), scored("abc", json!(null)));
    assert_eq!(scored(&"word ".repeat(60), json!(3)), scored(&"word ".repeat(70), json!(3)));
    assert_ne!(scored("one two", json!(1)), scored("one two", json!(null)));
    let (param, said) = server.post("/predict", &json!({"inputs": "a"})).failed(422);
    assert!(param == "inputs" && said.contains("a text alone has no reward"), "{said}");
    let (param, _) = server.post("/v1/rerank", &json!({"query": "a", "documents": [{}]})).failed(422);
    assert_eq!(param, "documents[0]");

    let (param, said) = rerank(json!({"query": "x".repeat(6000), "texts": ["a"]})).failed(413);
    assert!(param == "body" && said.contains("more than 5000 bytes"), "{said}");
    let chunked = b"POST /rerank HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    let endless = [&chunked[..], &b"400\r\n"[..], &[b' '; 0x400], b"\r\n"].concat();
    // A client that waits to be told to send its body is not told to send one that is too large.
    let announced = b"POST /rerank HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 5001\r\n\r\n";
    server.send(announced).failed(413);
    let endless = [
        endless.clone(),
        [&b"400\r\n"[..], &[b' '; 0x400], b"\r\n"].concat().repeat(8),
        b"0\r\n\r\n".to_vec(),
    ]
    .concat();
    server.send(&endless).failed(413);
    server.post_bytes("/rerank", b"{").failed(400);
    server.send(&request("POST", "/rerank", &[("Content-Type", "text/plain")], b"{}")).failed(415);
    let encoded = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
    assert!(
        server
            .send(&request("POST", "/rerank", &encoded, b"{}"))
            .failed(415)
            .1
            .contains("Content-Encoding: gzip")
    );
    let marked = [&b"\xEF\xBB\xBF"[..], br#"{"query": "x", "texts": ["a"]}"#].concat();
    server.post_bytes("/rerank", &marked).ok();
    server.get("/nothing").failed(404);
    let wrong_method = server.get("/rerank");
    assert_eq!(wrong_method.failed(405).1, "this path has the method POST");
    assert_eq!(wrong_method.header("allow"), Some("POST"));
    assert!(server.get("/health").header("x-request-id").is_some());
    // What is too long can be cut.
    let body = json!({"query": "Who?", "texts": [long.repeat(8)], "truncate": true});
    assert_eq!(rerank(body).status, 422, "at most 100 tokens");
    let server = Server::start(place.path(), &["first"]);
    for direction in ["Left", "Right"] {
        let text = format!("first {} last", long.repeat(8));
        let body = json!({"query": "Who?", "texts": [text, "a"], "truncate": true, "truncation_direction": direction});
        assert_eq!(server.post("/rerank", &body).ok().as_array().unwrap().len(), 2);
    }
    let body = json!({"query": long.repeat(8), "texts": ["a"], "truncate": true});
    assert!(server.post("/rerank", &body).failed(422).1.contains("the context of the model is 256"));
    let pair = json!({"inputs": ["x", long.repeat(8)]});
    assert!(server.post("/predict", &pair).failed(422).1.starts_with("a pair of `inputs` has"));
    // The smallest whole number of 64 bits is a seed, and the one below is none.
    let seeded = |seed: &str| {
        let body = format!(r#"{{"prompt": "x", "max_tokens": 1, "seed": {seed}}}"#);
        server.post_bytes("/v1/completions", body.as_bytes())
    };
    assert_eq!(seeded("-9223372036854775808").ok()["seed"], i64::MIN);
    assert_eq!(seeded("-9223372036854775809").failed(422).0, "seed");
}

#[test]
fn a_key_that_is_there_twice_is_an_error() {
    let place = place();
    let server = Server::start(place.path(), &["first"]);
    let user = r#"{"role": "user", "content": "x"}"#;
    for (path, body, param) in [
        ("/rerank", r#"{"query": "x", "texts": ["a"], "texts": ["b"]}"#.to_owned(), "texts"),
        ("/rerank", r#"{"query": "x", "texts": ["a"], "other": 1, "other": 1}"#.to_owned(), "other"),
        ("/v1/chat/completions", format!(r#"{{"messages": [{user}], "n": 1, "n": 2}}"#), "n"),
        (
            "/v1/chat/completions",
            format!(r#"{{"messages": [{user}, {{"role": "user", "role": "system", "content": "x"}}]}}"#),
            "messages[1].role",
        ),
        (
            "/v1/rerank",
            r#"{"query": "x", "documents": ["a", {"text": "b", "text": "c"}]}"#.to_owned(),
            "documents[1].text",
        ),
        (
            "/v1/completions",
            r#"{"prompt": "x", "stream_options": {"more": [{"a": 1, "a": null}]}}"#.to_owned(),
            "stream_options.more[0].a",
        ),
    ] {
        let (found, said) = server.post_bytes(path, body.as_bytes()).failed(422);
        assert_eq!(found, param, "{body}: {said}");
        assert!(said.starts_with(&format!("`{param}` is there twice")), "{body}: {said}");
    }
}

#[test]
fn keys_and_origins_are_asked_for() {
    let place = place();
    fs::write(place.path().join("keys"), "# of the site\nsecret\n").unwrap();
    let args = ["first", "--api-keys", "keys", "--cors-origin", "https://example.org"];
    let server = Server::start_with(place.path(), &args, &[("DPH_API_KEYS", "other, third\nfourth")]);
    let body = json!({"query": "Who?", "texts": ["a"]}).to_string();
    let with = |headers: &[(&str, &str)]| {
        let headers = [&[("Content-Type", "application/json")], headers].concat();
        server.send(&request("POST", "/rerank", &headers, body.as_bytes()))
    };
    for key in ["secret", "other", "third", "fourth"] {
        with(&[("Authorization", &format!("Bearer {key}"))]).ok();
    }
    for headers in [&[][..], &[("Authorization", "Bearer secre")], &[("Authorization", "secret")]] {
        let refused = with(headers);
        refused.failed(401);
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    }
    assert!(with(&[]).failed(401).1.contains("a key is needed"));
    assert!(with(&[("Authorization", "Bearer wrong")]).failed(401).1.contains("is not known"));
    server.get("/metrics").failed(401);
    server.get("/v1/models").failed(401);
    server.get("/health").ok();
    server.get("/openapi.json").ok();
    let preflight = |server: &Server, origin: &str| {
        let headers = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "x-stainless-os"),
        ];
        let answer = server.send(&request("OPTIONS", "/rerank", &headers, b""));
        if let Some(headers) = answer.header("access-control-allow-headers") {
            assert_eq!(headers, "x-stainless-os");
        }
        answer.header("access-control-allow-origin").map(String::from)
    };
    assert_eq!(preflight(&server, "https://example.org").as_deref(), Some("https://example.org"));
    assert_eq!(preflight(&server, "https://example.com"), None);
    assert!(!server.log().contains("secret"), "{}", server.log());

    let server = Server::start(place.path(), &["first"]);
    assert_eq!(preflight(&server, "https://example.org"), None);
    assert!(!server.get("/health").head.to_ascii_lowercase().contains("access-control"));
}

#[test]
fn a_local_service_has_no_answer_for_pages_that_give_it_their_name() {
    let place = place();
    let to = |server: &Server, path: &str, host: &str| {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        server.send(head.as_bytes())
    };
    let server = Server::start(place.path(), &["first", "--allow-host", "models.example.org"]);
    for host in [&*server.address.to_string(), "localhost:1", "models.example.org", "Models.example.org:443"]
    {
        assert_eq!(to(&server, "/v1/models", host).status, 200, "{host}");
    }
    for path in ["/", "/v1/models", "/nothing"] {
        let (_, said) = to(&server, path, "example.com").failed(403);
        assert!(said.contains("--allow-host NAME"), "{path}: {said}");
    }
    // With keys such a page has none.
    let server = Server::start_with(place.path(), &["first"], &[("DPH_API_KEYS", "secret")]);
    assert_eq!(to(&server, "/health", "example.com").status, 200);
    let refused = run(place.path(), &["serve", "first", "--allow-host", "example.org:80"]).failed(2);
    assert!(refused.contains("expected a host name without a port"), "{refused}");
}

#[test]
fn the_log_has_no_contents_and_the_description_is_whole() {
    let place = place();
    // Other crates tell tokens in their details.
    let server = Server::start_with(place.path(), &["first"], &[("RUST_LOG", "trace")]);
    server.post("/rerank", &json!({"query": "confidential", "texts": ["private"]})).ok();
    server
        .post("/rerank", &json!({"query": "confidential", "texts": ["private"], "model": "hidden"}))
        .failed(404);
    let has = |line: &str| server.log().contains(line);
    server.until("the log lacks requests", || has("route=\"/rerank\" status=200") && has("status=404"));
    let log = server.log();
    assert!(
        !["confidential", "private", "hidden", "Replacing char"].iter().any(|word| log.contains(word)),
        "{log}"
    );

    let description = server.get("/openapi.json").ok();
    assert_eq!(description["openapi"], "3.1.0");
    let paths = description["paths"].as_object().unwrap();
    for path in ["/rerank", "/predict", "/v1/rerank", "/v2/rerank", "/score", "/v1/score"] {
        let body = &paths[path]["post"]["requestBody"]["content"]["application/json"]["schema"];
        let name = body["$ref"].as_str().unwrap().strip_prefix("#/components/schemas/").unwrap();
        assert!(description["components"]["schemas"][name]["properties"].is_object(), "{path}");
    }
    let open = &paths["/health"]["get"]["responses"];
    assert!(open.get("401").is_none() && open.get("405").is_some(), "{open}");
    let streams = &paths["/v1/completions"]["post"]["responses"]["200"]["content"];
    assert!(streams.get("text/event-stream").is_some(), "{streams}");
    // No reference leads nowhere.
    let text = description.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(description.pointer(pointer).is_some(), "{pointer}");
    }
    for path in paths.keys() {
        assert!(
            ![404, 405].contains(
                &server
                    .send(&request(
                        if paths[path].get("post").is_some() { "POST" } else { "GET" },
                        &path.replace("{id}", "first"),
                        &[],
                        b""
                    ))
                    .status
            ),
            "{path}"
        );
    }
}

#[test]
fn the_description_says_what_the_service_has_and_accepts() {
    let place = place();
    let limits = ["--max-candidates", "3", "--max-answers", "4", "--max-answer-tokens", "8"];
    let server = Server::start(place.path(), &[&["first", "plain"], &limits[..]].concat());
    let description = server.get("/openapi.json").ok();
    let says = |schema: &str, field: &str, word: &str| {
        description["components"]["schemas"][schema]["properties"][field][word].clone()
    };
    let requests = [
        "RankRequest",
        "PredictRequest",
        "RerankRequest",
        "ScoreRequest",
        "ChatRequest",
        "CompletionRequest",
    ];
    for schema in requests {
        assert_eq!(says(schema, "head", "enum"), json!([null, "", "helpfulness", "preference"]), "{schema}");
        assert_eq!(says(schema, "model", "enum"), json!([null, "", "first", "plain"]), "{schema}");
    }
    for (schema, field, word, limit) in [
        ("RankRequest", "texts", "maxItems", 3),
        ("RerankRequest", "documents", "maxItems", 3),
        ("ScoreRequest", "text_1", "maxItems", 3),
        ("ScoreRequest", "text_2", "maxItems", 3),
        ("PredictRequest", "inputs", "maxItems", 3),
        ("ChatRequest", "n", "maximum", 4),
        ("ChatRequest", "max_completion_tokens", "maximum", 8),
        ("CompletionRequest", "best_of", "maximum", 4),
        ("CompletionRequest", "max_tokens", "maximum", 8),
        ("CompletionRequest", "logprobs", "maximum", 0),
        ("CompletionRequest", "repetition_penalty", "exclusiveMinimum", 0),
        ("ChatRequest", "top_p", "exclusiveMinimum", 0),
    ] {
        assert_eq!(says(schema, field, word).as_f64(), Some(f64::from(limit)), "{schema}, {field}");
    }
    let [_, tokens, list] =
        &description["components"]["schemas"]["TextPrompts"]["anyOf"].as_array().unwrap()[..]
    else {
        panic!("a text, its tokens, or a list of these")
    };
    let (largest, most) = (&tokens["items"]["maximum"], &list["maxItems"]);
    assert_eq!((&list["items"]["anyOf"][1]["items"]["maximum"], most), (largest, &json!(4)));
    let of_tokens = |token: u64| {
        server.post("/v1/completions", &json!({"prompt": [token], "model": "first", "max_tokens": 1})).status
    };
    let largest = largest.as_u64().unwrap();
    assert_eq!([largest, largest + 1].map(of_tokens), [200, 422]);
    for (field, values, status) in
        [("n", [4, 5], [200, 422]), ("max_tokens", [8, 9], [200, 422]), ("logprobs", [0, 1], [200, 400])]
    {
        let of_value = |value: i64| {
            let mut body = json!({"prompt": "x", "max_tokens": 1});
            body[field] = value.into();
            server.post("/v1/completions", &body).status
        };
        assert_eq!(values.map(of_value), status, "{field}");
    }
}

#[test]
fn what_cannot_be_served_is_a_wrong_request() {
    let place = place();
    let refused = |args: &[&str]| run(place.path(), &[&["serve"], args].concat()).failed(2);
    for none in ["", " , \n"] {
        assert!(refused(&["first", "--api-key", none]).contains("DPH_API_KEYS has no key"));
    }
    assert!(refused(&["first", "first"]).contains("two models have the name `first`"));
    assert!(refused(&["nothing"]).contains("nothing: there is no such directory"));
    assert!(refused(&["first", "--cors-origin", "example.org"]).contains("`example.org` is not an origin"));
    assert!(refused(&["first", "--api-keys", "nothing"]).contains("nothing: there is no such file"));
    fs::write(place.path().join("wide"), b"\xFF\xFEs\0e\0").unwrap();
    assert!(refused(&["first", "--api-keys", "wide"]).contains("wide: this is not UTF-8, but UTF-16"));
    assert!(refused(&["first", "second", "--base", "plain"]).contains("are for one model"));
    let server = Server::start(place.path(), &["first"]);
    let address = server.address.to_string();
    assert!(refused(&["first", "--listen", &address]).contains(&format!("--listen {address}: ")));
}
