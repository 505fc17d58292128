//! A request for answers, and the events of a stream.

use serde_json::{Value, json};

use crate::server::Answer;

/// A question with a seed, and more fields.
pub fn chat(more: Value) -> Value {
    let mut body =
        json!({"messages": [{"role": "user", "content": "Who wrote it?"}], "max_tokens": 20, "seed": 7});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// The JSON of the events of a stream, which ends as it should.
pub fn events(response: &Answer) -> Vec<Value> {
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("content-type"), Some("text/event-stream"));
    let text = response.text();
    let mut data: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(data.pop(), Some("[DONE]"), "{text}");
    data.into_iter().map(|data| serde_json::from_str(data).unwrap()).collect()
}
