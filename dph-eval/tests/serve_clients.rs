//! `dph-eval serve` and the clients that people use: `openai`, `cohere`, LangChain's re-ranker, and `curl`.
#![cfg(all(feature = "flex", feature = "serve"))]
#![allow(clippy::unwrap_used)]

#[path = "support/server.rs"]
mod server;
mod support;

use std::path::Path;
use std::process::Command;

use dph_core::testing::{Run, python_with};
use serde_json::{Value, json};
use server::Server;
use support::{llama, write_model_with_head};

const PROGRAM: &str = r#"
import json
address = sys.argv[1]
client = openai.OpenAI(base_url=address + "/v1", api_key="secret", max_retries=0)
assert [model.id for model in client.models.list()] == ["mine"]
messages = [{"role": "user", "content": "Who wrote it?"}]
ask = dict(model="mine", messages=messages, max_tokens=12, seed=5, temperature=1.0)
four = client.chat.completions.create(**ask, n=4, logprobs=True)
rewards = [choice.reward for choice in four.choices]
for choice in four.choices:
    assert abs(sum(token.logprob for token in choice.logprobs.content) - choice.loglik) < 1e-3
best = client.chat.completions.create(**ask, extra_body={"best_of": 4})
assert len(best.choices) == 1 and abs(best.choices[0].reward - max(rewards)) < 1e-5
assert best.choices[0].message.content == four.choices[rewards.index(max(rewards))].message.content
texts, usage = [""] * 4, None
for chunk in client.chat.completions.create(**ask, n=4, stream=True, stream_options={"include_usage": True}):
    usage = chunk.usage or usage
    for choice in chunk.choices:
        texts[choice.index] += choice.delta.content or ""
assert sorted(texts) == sorted(choice.message.content for choice in four.choices), texts
assert rewards == sorted(rewards, reverse=True)
assert client.models.retrieve("mine").id == "mine"
assert usage.completion_tokens == four.usage.completion_tokens
try:
    client.chat.completions.create(**ask, stream=True, extra_body={"best_of": 4})
    raise SystemExit("a stream with best_of")
except openai.BadRequestError as error:
    assert error.param == "best_of" and "a stream cannot have them" in str(error)
try:
    client.with_options(api_key="wrong").models.list()
    raise SystemExit("a wrong key")
except openai.AuthenticationError:
    pass
two = client.completions.create(model="mine", prompt="Ann", n=2, best_of=3, max_tokens=5, seed=1)
assert two.choices[0].reward >= two.choices[1].reward
texts = ["Ann.", "Bob wrote it.", "Nobody knows"]
found = {}
for name, reranker in [("v1", cohere.Client(base_url=address, api_key="secret")), ("v2", cohere.ClientV2(base_url=address, api_key="secret"))]:
    results = reranker.rerank(model="mine", query="Who wrote it?", documents=texts, top_n=3).results
    found[name] = [[result.index, result.relevance_score] for result in results]
from langchain_core.documents import Document
reranker = langchain_cohere.CohereRerank(client=cohere.ClientV2(base_url=address, api_key="secret"), model="mine", top_n=3)
ranked = reranker.compress_documents([Document(page_content=text) for text in texts], query="Who wrote it?")
found["langchain"] = [[texts.index(document.page_content), document.metadata["relevance_score"]] for document in ranked]
print(json.dumps(found))
"#;

#[test]
fn clients_in_python() {
    let place = tempfile::tempdir().unwrap();
    write_model_with_head(&place.path().join("model"), &llama(), &["preference"]);
    let server = Server::start_with(place.path(), &["mine=model"], &[("DPH_API_KEYS", "secret")]);
    let address = format!("http://{}", server.address);
    let packages = ["openai", "cohere", "langchain_cohere"];
    let Some(printed) = python_with(&packages, PROGRAM, &[Path::new(&address)]) else { return };
    let found: Value = serde_json::from_str(printed.lines().last().unwrap()).unwrap();
    let body =
        json!({"query": "Who wrote it?", "texts": ["Ann.", "Bob wrote it.", "Nobody knows"]}).to_string();
    let headers = [("Content-Type", "application/json"), ("Authorization", "Bearer secret")];
    let ranks = server.send(&server::request("POST", "/rerank", &headers, body.as_bytes())).ok();
    let ranks: Value =
        ranks.as_array().unwrap().iter().map(|rank| json!([rank["index"], rank["score"]])).collect();
    for client in ["v1", "v2", "langchain"] {
        assert_eq!(found[client], ranks, "{client}");
    }
}

const SCHEMATHESIS: &str = r#"
import subprocess, tempfile
# A schema cannot say which requests a model has room for, so that they may be refused.
command = [sys.executable, "-m", "schemathesis.cli", "run", sys.argv[1] + "/openapi.json", "--phases=examples,fuzzing", "--seed=1",
    "--max-examples=20", "--exclude-checks=positive_data_acceptance"]
# It writes into the directory where it runs.
run = subprocess.run(command, capture_output=True, text=True, cwd=tempfile.mkdtemp())
assert run.returncode == 0, run.stdout + run.stderr
print(run.stdout)
"#;

/// Requests that the description allows and others: no answer has status 500, and each has the form that the description says.
#[test]
fn schemathesis() {
    let place = tempfile::tempdir().unwrap();
    write_model_with_head(&place.path().join("model"), &llama(), &["preference"]);
    let server = Server::start(place.path(), &["model", "--max-answer-tokens", "8"]);
    let address = format!("http://{}", server.address);
    let Some(printed) = python_with(&["schemathesis"], SCHEMATHESIS, &[Path::new(&address)]) else { return };
    assert!(printed.contains("Tested: 13"), "{printed}");
}

#[test]
fn curl() {
    let place = tempfile::tempdir().unwrap();
    write_model_with_head(&place.path().join("model"), &llama(), &["preference"]);
    let server = Server::start(place.path(), &["model"]);
    let body = json!({"query": "Who wrote it?", "texts": ["Ann.", "Bob wrote it."]});
    let curl = |more: &[&str]| {
        let address = format!("http://{}/rerank", server.address);
        let mut command = Command::new("curl");
        command.args(["--silent", "--show-error", "--data", &body.to_string(), &address]).args(more);
        serde_json::from_str::<Value>(&Run::new(&mut command).ok()).unwrap()
    };
    assert_eq!(curl(&["--header", "Content-Type: application/json"]), server.post("/rerank", &body).ok());
    let refused = curl(&[]);
    assert!(
        refused["error"]["message"].as_str().unwrap().contains("must be `application/json`"),
        "{refused}"
    );
}
