//! [`ScoreLayer`]: a preference head as the layer `score` of the classes `*ForSequenceClassification` of transformers.

use dph_core::{Ending, LinearReward, NotLinear, PreferenceHead, PreferenceHeadConfig, Style};
use serde_json::{Map, Value, json};

use super::classes::classifier_class;
use super::error::CheckpointError;
use super::file_names::{CHAT_TEMPLATE_FILE, GENERATION_CONFIG_FILE, TOKENIZER_CONFIG_FILE, TOKENIZER_FILE};
use super::files::ModelFiles;
use super::reward_layer::OWN_KEY;
use crate::family::{Family, keys, labelled};

/// A preference head as one linear layer, with the names of its rewards.
#[derive(Debug, Clone)]
pub struct ScoreLayer {
    names: Vec<String>,
    linear: LinearReward,
    /// Whether the last token is the end-of-turn token, and not the last one of the conversation.
    ends_with_turn: bool,
    /// The padding token behind which the last token is, if the head depends on it.
    unpadded: Option<u32>,
}

impl ScoreLayer {
    /// The layer of a head.
    ///
    /// # Errors
    ///
    /// If the head is not linear, or reads another state.
    pub fn new(head: &PreferenceHead, config: &PreferenceHeadConfig) -> Result<Self, NotLinear> {
        Ok(Self {
            names: config.rewards.clone(),
            linear: head.to_linear(config)?,
            ends_with_turn: config.ending == Ending::Turn && config.style == Style::Chat,
            unpadded: match config.ending {
                Ending::Unpadded(pad) => Some(pad),
                Ending::Turn | Ending::Conversation => None,
            },
        })
    }

    /// What the rewards have in addition to those of transformers, whose layer has no bias.
    pub fn offsets(&self) -> impl Iterator<Item = (&str, f32)> {
        self.names.iter().map(String::as_str).zip(self.linear.offset.iter().copied())
    }

    /// The weights, `[heads, d_model]`.
    pub(super) fn weight(&self) -> (Vec<usize>, Vec<f32>) {
        let width = self.linear.weight.first().map_or(0, Vec::len);
        (vec![self.names.len(), width], self.linear.weight.concat())
    }

    /// The text of the configuration of the model with this layer and this padding token.
    pub(super) fn config(
        &self,
        family: &Family,
        json: &str,
        pad: Option<&PadToken>,
    ) -> Result<String, CheckpointError> {
        let Some(class) = classifier_class(family.model_type()) else {
            return Err(CheckpointError::NoClass { model_type: family.model_type() });
        };
        // The text was parsed when the files were opened.
        let mut keys = labelled(keys(json).unwrap_or_default(), &self.names);
        keys.insert("architectures".into(), json!([class]));
        let pad = self.unpadded.map(u64::from).or(pad.map(|pad| pad.id));
        keys.insert("pad_token_id".into(), json!(pad));
        let mut own = Map::new();
        if self.ends_with_turn {
            own.insert("ending".into(), json!(Ending::Turn));
        }
        if self.linear.offset.iter().any(|offset| *offset != 0.0) {
            own.insert("offset".into(), json!(self.linear.offset));
        }
        keys.remove(OWN_KEY);
        if !own.is_empty() {
            keys.insert(OWN_KEY.into(), own.into());
        }
        Ok(Value::Object(keys).to_string())
    }

    /// A file beside the weights, changed so that transformers reads the same token: a padding token that never ends a turn, and a
    /// template without blanks behind the last turn.
    pub(super) fn companion(&self, name: &str, bytes: Vec<u8>, pad: Option<&PadToken>) -> Vec<u8> {
        match name {
            _ if self.unpadded.is_some() => bytes,
            CHAT_TEMPLATE_FILE if self.ends_with_turn => match String::from_utf8(bytes) {
                Ok(template) => trimmed(&template).into_bytes(),
                Err(error) => error.into_bytes(),
            },
            TOKENIZER_CONFIG_FILE | "special_tokens_map.json" => {
                let Ok(Value::Object(mut file)) = serde_json::from_slice(&bytes) else { return bytes };
                if let (true, Some(Value::String(template))) =
                    (self.ends_with_turn, file.get_mut("chat_template"))
                {
                    *template = trimmed(template);
                }
                match pad {
                    Some(pad) => drop(file.insert("pad_token".into(), pad.text.as_str().into())),
                    None => drop(file.remove("pad_token")),
                }
                format!("{:#}\n", Value::Object(file)).into_bytes()
            }
            _ => bytes,
        }
    }
}

/// A template whose conversations have no blanks behind their last turn.
fn trimmed(template: &str) -> String {
    format!(
        "{{% set conversation %}}{template}{{% endset %}}{{{{ conversation if add_generation_prompt else conversation.rstrip() }}}}"
    )
}

/// A token for padding that does not end a text or a turn. transformers reads the last token that is not the padding token.
pub(super) struct PadToken {
    id: u64,
    text: String,
}

impl PadToken {
    /// The padding token of the model if it is one, else the token for unknown text or the one that begins texts.
    pub fn find(files: &ModelFiles, config_json: &str) -> Option<Self> {
        let config = keys(config_json).unwrap_or_default();
        let read = |name: &str| -> Value {
            files.read(name).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
        };
        let (tokenizer, settings) = (read(TOKENIZER_FILE), read(TOKENIZER_CONFIG_FILE));
        let generation = read(GENERATION_CONFIG_FILE);
        let ids = |value: &Value| -> Vec<u64> {
            let list = value.as_array().into_iter().flatten().filter_map(Value::as_u64);
            list.chain(value.as_u64()).collect()
        };
        let mut ends = ids(&generation["eos_token_id"]);
        ends.extend(config.get("eos_token_id").map(ids).unwrap_or_default());
        let token = |name: &str| {
            let value = &settings[name];
            let text = value.as_str().or_else(|| value["content"].as_str())?;
            Some(Self { id: token_id(&tokenizer, text)?, text: text.into() })
        };
        ends.extend(token("eos_token").map(|token| token.id));
        let names = ["pad_token", "unk_token", "bos_token"];
        names.into_iter().filter_map(token).find(|token| !ends.contains(&token.id))
    }
}

/// The id of a token in a `tokenizer.json`.
fn token_id(tokenizer: &Value, text: &str) -> Option<u64> {
    let added = tokenizer["added_tokens"].as_array().into_iter().flatten();
    let added = added.filter(|token| token["content"] == text).find_map(|token| token["id"].as_u64());
    added.or_else(|| tokenizer["model"]["vocab"].get(text)?.as_u64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_wrapped() {
        assert_eq!(
            trimmed("{{ x }}\n"),
            "{% set conversation %}{{ x }}\n{% endset %}{{ conversation if add_generation_prompt else conversation.rstrip() }}"
        );
    }

    #[test]
    fn a_token_is_found_in_either_place() {
        let tokenizer = json!({"added_tokens": [{"content": "<a>", "id": 7}], "model": {"vocab": {"b": 3}}});
        assert_eq!(token_id(&tokenizer, "<a>"), Some(7));
        assert_eq!(token_id(&tokenizer, "b"), Some(3));
        assert_eq!(token_id(&tokenizer, "c"), None);
    }
}
