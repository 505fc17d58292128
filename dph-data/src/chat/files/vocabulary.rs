//! The tokenizer of a folder's files, with the tokens that its configuration adds.

use std::collections::HashMap;

use serde::Deserialize;
use tokenizers::{AddedToken, Tokenizer};

use crate::chat::encode::control::ControlTokens;
use crate::chat::files::tokenizer_files::TokenizerFiles;

/// The tokenizer in `tokenizer.json` with the tokens of `added_tokens_decoder` and the named tokens (`bos_token` and the
/// like), which transformers adds as well.
pub(crate) fn vocabulary(files: &TokenizerFiles) -> Result<Tokenizer, String> {
    let message = |error: tokenizers::Error| error.to_string();
    let mut tokenizer: Tokenizer =
        serde_json::from_slice(&files.tokenizer).map_err(|error| error.to_string())?;
    let present = tokenizer.get_added_tokens_decoder();
    let is_new = |token: &AddedToken| !present.values().any(|other| same_token(other, token));
    let mut added: Vec<AddedToken> =
        files.added_tokens.values().filter(|token| is_new(token)).cloned().collect();
    for name in files.tokens.all() {
        let known = present.values().chain(&added).any(|token| token.content == *name);
        if !known {
            added.push(AddedToken::from(name.as_str(), true));
        }
    }
    for token in &mut added {
        token.special |= files.tokens.all().any(|name| *name == token.content);
    }
    tokenizer.add_tokens(added).map_err(message)?;
    Ok(tokenizer)
}

/// The tokens that only the format of a conversation may write: those that are special, and those with a name.
pub(crate) fn control_tokens(files: &TokenizerFiles, tokenizer: &Tokenizer) -> Result<ControlTokens, String> {
    let special = tokenizer.get_added_tokens_decoder().into_iter().filter(|(_, token)| token.special);
    let mut control: HashMap<u32, String> = special.map(|(id, token)| (id, token.content)).collect();
    for name in files.tokens.all() {
        control.extend(tokenizer.token_to_id(name).map(|id| (id, name.clone())));
    }
    for name in ["bos_token_id", "eos_token_id", "pad_token_id"] {
        let token = files.id(name).and_then(|id| Some((id, tokenizer.id_to_token(id)?)));
        // A single character, often the first of the vocabulary, also pads the texts in which it stands.
        let is_control = |text: &str| name != "pad_token_id" || text.chars().nth(1).is_some();
        control.extend(token.filter(|(_, text)| is_control(text)));
    }
    let UnknownFile { model } = serde_json::from_slice(&files.tokenizer).unwrap_or_default();
    let unknown = model.unk_id.or_else(|| tokenizer.token_to_id(model.unk_token.as_deref()?));
    ControlTokens::new(control, unknown)
}

/// The keys of `tokenizer.json` that name the token of unknown text.
#[derive(Default, Deserialize)]
struct UnknownFile {
    model: UnknownModel,
}

#[derive(Default, Deserialize)]
struct UnknownModel {
    #[serde(default)]
    unk_id: Option<u32>,
    #[serde(default)]
    unk_token: Option<String>,
}

/// Whether two added tokens are the same in all respects.
fn same_token(a: &AddedToken, b: &AddedToken) -> bool {
    a.content == b.content
        && (a.lstrip, a.rstrip, a.single_word, a.normalized, a.special)
            == (b.lstrip, b.rstrip, b.single_word, b.normalized, b.special)
}
