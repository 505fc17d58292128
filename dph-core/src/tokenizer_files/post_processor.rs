//! [`PostProcessor`]: the special tokens around a text.

use serde_json::{Value, json};

use super::parts::template;

/// The special tokens around a text.
#[derive(Debug, Clone, Copy)]
pub(super) enum PostProcessor {
    /// The beginning-of-text and the end-of-text token, where the configuration asks for them.
    Configured { bos: bool, eos: bool },
    /// `</s>` after each text.
    T5,
    /// `[CLS]` and `[SEP]`.
    Albert,
    /// The tokens of RoBERTa.
    Roberta { trim_offsets: bool, add_prefix_space: bool },
}

impl PostProcessor {
    /// The post-processor of a `tokenizer.json`. `named` is the text of a token by its key, `id` the id of a token.
    pub fn json<'a>(
        self,
        named: impl Fn(&str) -> Option<&'a str>,
        id: impl Fn(&str) -> Option<usize>,
    ) -> Value {
        let token = |text: &'a str| Some((text, id(text)?));
        let name = |key: &str| named(key).and_then(token);
        match self {
            Self::Configured { bos, eos } => {
                let optional = |wanted: bool, key: &str| Some(key).filter(|_| wanted).and_then(name);
                template(optional(bos, "bos_token"), optional(eos, "eos_token"))
            }
            Self::T5 => {
                let end = "</s>";
                let Some(id) = named("eos_token").and_then(&id) else { return Value::Null };
                let special = json!({ "SpecialToken": { "id": end, "type_id": 0 } });
                let text = |name: &str| json!({ "Sequence": { "id": name, "type_id": 0 } });
                json!({
                    "type": "TemplateProcessing",
                    "single": [text("A"), special],
                    "pair": [text("A"), special, text("B"), special],
                    "special_tokens": { end: { "id": end, "ids": [id], "tokens": [end] } },
                })
            }
            Self::Albert => match (name("cls_token"), name("sep_token")) {
                (Some((_, cls)), Some((_, sep))) => {
                    // The pair has no second `[CLS]`.
                    let mut template = template(Some(("[CLS]", cls)), Some(("[SEP]", sep)));
                    if let Some(pair) = template["pair"].as_array_mut() {
                        pair.remove(3);
                    }
                    template
                }
                _ => Value::Null,
            },
            Self::Roberta { trim_offsets, add_prefix_space } => {
                match (name("sep_token"), name("cls_token")) {
                    (Some(sep), Some(cls)) => json!({
                        "type": "RobertaProcessing", "sep": sep, "cls": cls, "trim_offsets": trim_offsets,
                        "add_prefix_space": add_prefix_space,
                    }),
                    _ => Value::Null,
                }
            }
        }
    }
}
