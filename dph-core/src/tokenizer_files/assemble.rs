//! Puts the parts of a tokenizer together.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::added_tokens::AddedToken;
use super::post_processor::PostProcessor;
use super::settings::Settings;

/// The parts of a tokenizer that its vocabulary and its class determine.
pub(super) struct Parts {
    pub model: Value,
    pub normalizer: Value,
    pub pre_tokenizer: Value,
    pub decoder: Value,
    pub post_processor: PostProcessor,
    /// The special tokens that the class has if no configuration names them, by key.
    pub names: Vec<(&'static str, String)>,
    /// Tokens that are added if the configuration has no list of special tokens.
    pub additional: Vec<AddedToken>,
    /// Whether tokens of the configuration are found in the text as it is, whatever they say.
    pub raw_added_tokens: bool,
    /// Whether all special tokens lose their flags.
    pub plain_special_tokens: bool,
}

/// The `tokenizer.json`.
pub(super) fn assemble(parts: &Parts, settings: &Settings) -> Value {
    let named = settings.named(&parts.names);
    let configured: BTreeMap<usize, AddedToken> = settings.added_tokens(&named);
    let raw = |token: &AddedToken| AddedToken {
        normalized: token.normalized && !parts.raw_added_tokens,
        ..token.clone()
    };
    let mut added: Vec<AddedToken> = configured.values().map(raw).collect();
    let additional = settings.additional().unwrap_or_else(|| parts.additional.clone());
    let fixed = added.len();
    for token in named.iter().map(|(_, token)| token).chain(&additional) {
        // The flags of the configuration's list win, otherwise those of the last token of a text.
        match added.iter().position(|other| other.content == token.content) {
            Some(place) if place >= fixed => added[place] = token.clone(),
            Some(_) => {}
            None => added.push(token.clone()),
        }
    }
    for token in &mut added {
        let is = |other: &AddedToken| other.content == token.content;
        let has_name = named.iter().any(|(_, other)| is(other));
        token.special |= has_name;
        if parts.plain_special_tokens && (has_name || additional.iter().any(is)) {
            *token = AddedToken::new(token.content.clone(), true);
        }
    }
    let (entries, ids) = entries(&added, &parts.model["vocab"]);
    let text =
        |key: &str| named.iter().find(|(name, _)| name == key).map(|(_, token)| token.content.as_str());
    let post_processor = parts.post_processor.json(text, |token| ids.get(token).copied());
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": entries,
        "normalizer": parts.normalizer,
        "pre_tokenizer": parts.pre_tokenizer,
        "post_processor": post_processor,
        "decoder": parts.decoder,
        "model": parts.model,
    })
}

/// The entries of added tokens by ascending id, and the ids. A token that is not in the vocabulary gets the next id.
fn entries<'a>(added: &'a [AddedToken], vocab: &Value) -> (Vec<Value>, HashMap<&'a str, usize>) {
    let mut places = HashMap::new();
    let size = match vocab {
        Value::Array(tokens) => {
            let texts = tokens.iter().enumerate().filter_map(|(id, token)| Some((token[0].as_str()?, id)));
            places.extend(texts);
            tokens.len()
        }
        Value::Object(ids) => {
            places.extend(ids.iter().filter_map(|(text, id)| Some((text.as_str(), id.as_u64()? as usize))));
            ids.len()
        }
        _ => 0,
    };
    let mut next = size;
    let mut entries = BTreeMap::new();
    let mut ids = HashMap::new();
    for token in added {
        let id = places.get(token.content.as_str()).copied().unwrap_or_else(|| {
            next += 1;
            next - 1
        });
        ids.insert(token.content.as_str(), id);
        entries.insert(id, token.json(id));
    }
    (entries.into_values().collect(), ids)
}
