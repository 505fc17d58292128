//! [`Refused`]: fields of others that would change an answer, and that the service does not have.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// The JSON of a request.
pub trait RequestBody: DeserializeOwned {
    /// Fields of other services that this one refuses.
    const REFUSED: &'static [&'static [Refused]];
}

/// A field that would change an answer, and is refused so that it is not overlooked. A value that asks for nothing passes: null, false,
/// 0, an empty text, list or object, and those that `neutral` says.
#[derive(Debug)]
pub struct Refused {
    pub field: &'static str,
    pub why: &'static str,
    neutral: fn(&Value) -> bool,
}

impl Refused {
    const fn new(field: &'static str, why: &'static str) -> Self {
        Self { field, why, neutral: |_| false }
    }

    const fn unless(self, neutral: fn(&Value) -> bool) -> Self {
        Self { neutral, ..self }
    }

    /// Whether a value asks for something.
    pub fn refuses(&self, value: &Value) -> bool {
        !asks_for_nothing(value) && !(self.neutral)(value)
    }
}

/// Null, false, 0, and what is empty.
pub fn asks_for_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(is) => !is,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

const TEXT: &str = "answers are text";
const FREE: &str = "answers are not bound to a form";
const PENALTY: &str = "use `repetition_penalty`";
const ENDS: &str = "an answer ends where the model or `stop` ends it";
const TEMPLATE: &str = "the chat template is that of the model";

const HALF: &str = "`reject_every` drops the half";
const ALL: &str = "all of `best_of` answers are generated";

/// Of chat and text completions.
pub const OF_GENERATION: &[Refused] = &[
    Refused::new("presence_penalty", PENALTY),
    Refused::new("frequency_penalty", PENALTY),
    Refused::new("logit_bias", "use `top_k`, `top_p` or `repetition_penalty`"),
    Refused::new("min_p", "use `top_p`"),
    Refused::new("min_tokens", ENDS),
    Refused::new("ignore_eos", ENDS),
    Refused::new("stop_token_ids", "use `stop`"),
    Refused::new("use_beam_search", "use `best_of`"),
    Refused::new("length_penalty", "use `loglik_weight`").unless(|value| value.as_f64() == Some(1.0)),
    Refused::new("prompt_logprobs", "log-probabilities are those of answers"),
    Refused::new("response_format", TEXT).unless(|value| value["type"] == "text"),
    Refused::new("structured_outputs", FREE),
    Refused::new("guided_json", FREE),
    Refused::new("guided_regex", FREE),
    Refused::new("guided_choice", "use `/rerank`, which scores given answers"),
    Refused::new("guided_grammar", FREE),
    Refused::new("echo", "the prompt is not returned"),
    Refused::new("reject_fraction", HALF),
    Refused::new("reject_minimum", HALF),
    Refused::new("price", ALL),
    Refused::new("wave", ALL),
];

/// Of chats alone.
pub const OF_CHATS: &[Refused] = &[
    Refused::new("tools", TEXT),
    Refused::new("tool_choice", TEXT).unless(is_optional_tool),
    Refused::new("functions", TEXT),
    Refused::new("function_call", TEXT).unless(is_optional_tool),
    Refused::new("modalities", TEXT).unless(|value| *value == Value::from(vec!["text"])),
    Refused::new("audio", TEXT),
    Refused::new("top_logprobs", "those of tokens that were not drawn are not kept"),
    Refused::new("chat_template", TEMPLATE),
    Refused::new("chat_template_kwargs", TEMPLATE),
    Refused::new("continue_final_message", "an answer is a message of its own"),
];

/// Of text completions alone.
pub const OF_COMPLETIONS: &[Refused] = &[
    Refused::new("logprobs", "only 0 is: those of tokens that were not drawn are not kept"),
    Refused::new("suffix", "a text is continued at its end"),
];

/// Of the ranking of documents.
pub const OF_RANKINGS: &[Refused] = &[
    Refused::new("rank_fields", "of a document, `text` is read")
        .unless(|value| *value == Value::from(vec!["text"])),
    Refused::new("max_chunks_per_doc", "a document is read as a whole"),
];

/// Of the scores of pairs.
pub const OF_SCORES: &[Refused] =
    &[Refused::new("truncate_prompt_tokens", "send shorter texts, or use `truncation` of `/v1/rerank`")];

fn is_optional_tool(value: &Value) -> bool {
    *value == "none" || *value == "auto"
}
