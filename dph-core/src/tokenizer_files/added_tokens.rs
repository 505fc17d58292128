//! [`AddedToken`]: a token that is found in a text before the text is tokenised.

use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AddedToken {
    pub content: String,
    pub single_word: bool,
    pub lstrip: bool,
    pub rstrip: bool,
    pub normalized: bool,
    pub special: bool,
}

impl AddedToken {
    pub fn new(content: impl Into<String>, special: bool) -> Self {
        let content = content.into();
        Self { content, single_word: false, lstrip: false, rstrip: false, normalized: !special, special }
    }

    /// A token of a configuration: an object with `content` and flags.
    pub fn parse(value: &Value) -> Option<Self> {
        let flag = |name: &str, default: bool| value[name].as_bool().unwrap_or(default);
        let special = flag("special", false);
        Some(Self {
            content: value["content"].as_str()?.to_owned(),
            single_word: flag("single_word", false),
            lstrip: flag("lstrip", false),
            rstrip: flag("rstrip", false),
            normalized: flag("normalized", !special),
            special,
        })
    }

    /// A special token of a configuration: its text, or an object.
    pub fn parse_special(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::new(text, true)),
            object => Some(Self { special: true, ..Self::parse(object)? }),
        }
    }

    /// The entry of a `tokenizer.json`.
    pub fn json(&self, id: usize) -> Value {
        json!({
            "id": id, "content": self.content, "single_word": self.single_word, "lstrip": self.lstrip,
            "rstrip": self.rstrip, "normalized": self.normalized, "special": self.special,
        })
    }
}
