//! Encodes message content. Content is text; it never produces control tokens.

use std::collections::HashMap;

use serde_json::Value as Json;
use tokenizers::Tokenizer;

use super::error::ChatError;

/// Encodes text without producing control tokens, whatever the text contains.
///
/// `Tokenizer::set_encode_special_tokens` would do half of this: it lets tokens flagged as special be read as text, but
/// not the other added ones (Qwen's `<tool_call>`, …). So this is a second tokenizer that has no added tokens,
/// except those that consist of blanks (GPT-NeoX), which are mere vocabulary. Vocabularies that hold their
/// control tokens among the ordinary ones (SentencePiece's `</s>`) can still produce them; such a piece is cut in two.
pub(crate) struct ContentEncoder {
    tokenizer: Tokenizer,
    control: HashMap<u32, String>,
    unknown: Option<u32>,
}

impl ContentEncoder {
    /// The encoder for a `tokenizer.json`.
    pub(crate) fn new(mut json: Json) -> Result<Self, String> {
        let mut control = HashMap::new();
        if let Some(Json::Array(added)) = json.get_mut("added_tokens") {
            added.retain(|token| {
                let content = token["content"].as_str().unwrap_or_default();
                let blank = !content.is_empty() && content.chars().all(char::is_whitespace);
                let keep = blank && token["special"] != true;
                if !keep && let Some(id) = token["id"].as_u64().and_then(|id| u32::try_from(id).ok()) {
                    control.insert(id, content.to_owned());
                }
                keep
            });
        }
        let unknown = json["model"]["unk_token"].as_str().map(str::to_owned);
        let unknown_id = json["model"]["unk_id"].as_u64().and_then(|id| u32::try_from(id).ok());
        let tokenizer: Tokenizer = serde_json::from_value(json).map_err(|error| error.to_string())?;
        let unknown = unknown_id.or_else(|| unknown.and_then(|token| tokenizer.token_to_id(&token)));
        Ok(Self { tokenizer, control, unknown })
    }

    /// The tokens that only a template may emit.
    pub(crate) fn control(&self) -> &HashMap<u32, String> {
        &self.control
    }

    /// The tokens of a text. Empty text has none, even if the normaliser would add a prefix.
    pub(crate) fn encode(&self, text: &str) -> Result<Vec<u32>, ChatError> {
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let encoding = self.tokenizer.encode_fast(text, false).map_err(tokenise)?;
        if encoding.get_ids().iter().any(|id| self.is_control(*id)) {
            return self.encode_cut(text);
        }
        Ok(encoding.get_ids().to_vec())
    }

    /// Splits the text inside the first piece that became a control token, and encodes both parts.
    fn encode_cut(&self, text: &str) -> Result<Vec<u32>, ChatError> {
        let encoding = self.tokenizer.encode(text, false).map_err(tokenise)?;
        let found = encoding.get_ids().iter().position(|id| self.is_control(*id));
        let span = found.map(|position| encoding.get_offsets()[position]);
        let cut = span.and_then(|(start, end)| {
            let piece = text.get(start..end)?;
            // Split after the first character that is not whitespace.
            let (offset, c) = piece.char_indices().find(|(_, c)| !c.is_whitespace())?;
            Some(start + offset + c.len_utf8()).filter(|cut| *cut < end)
        });
        let cut = cut.ok_or_else(|| ChatError::Tokenise {
            message: "a character of the text becomes a control token, and it cannot be cut".to_owned(),
        })?;
        let mut ids = self.encode(&text[..cut])?;
        ids.extend(self.encode(&text[cut..])?);
        Ok(ids)
    }

    fn is_control(&self, id: u32) -> bool {
        Some(id) != self.unknown && self.control.contains_key(&id)
    }
}

fn tokenise(error: tokenizers::Error) -> ChatError {
    ChatError::Tokenise { message: error.to_string() }
}
