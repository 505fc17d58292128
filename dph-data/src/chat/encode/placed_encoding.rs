//! [`encode`]: the tokens of a text, and their places.

use tokenizers::models::bpe::BPE;
use tokenizers::{Model, ModelWrapper, OffsetType, PreTokenizer, Token, Tokenizer};

use crate::chat::encode::placed_token::PlacedToken;

/// The tokens of a text, without those that a post-processor adds.
///
/// The places are those of the library, except for a byte-pair encoding that has neither a token nor bytes for a character
/// and no token of unknown text: it leaves out the character, and the library's places are those in a word without it.
pub(crate) fn encode(tokenizer: &Tokenizer, text: &str) -> Result<Vec<PlacedToken>, tokenizers::Error> {
    let encoding = match tokenizer.get_model() {
        ModelWrapper::BPE(model) if model.unk_token.is_none() => {
            let added = tokenizer.get_added_vocabulary();
            let mut words = added.extract_and_normalize(tokenizer.get_normalizer(), text);
            if let Some(pre_tokenizer) = tokenizer.get_pre_tokenizer() {
                pre_tokenizer.pre_tokenize(&mut words)?;
            }
            words.tokenize(|word| Ok(placed(model, word.get(), model.tokenize(word.get())?)))?;
            tokenizer.post_process(words.into_encoding(None, 0, OffsetType::Byte)?, None, false)?
        }
        _ => tokenizer.encode(text, false)?,
    };
    let places = encoding.get_ids().iter().zip(encoding.get_offsets());
    Ok(places.map(|(&id, &(start, end))| PlacedToken { id, start, end }).collect())
}

/// The tokens of a word with their places in it.
fn placed(model: &BPE, word: &str, mut tokens: Vec<Token>) -> Vec<Token> {
    if tokens.last().is_none_or(|last| last.offsets.1 == word.len()) {
        return tokens;
    }
    let prefix = model.continuing_subword_prefix.as_deref().unwrap_or_default();
    let suffix = model.end_of_word_suffix.as_deref().unwrap_or_default();
    let has_token = |(at, c): &(usize, char)| {
        let prefix = if *at == 0 { "" } else { prefix };
        let suffix = if at + c.len_utf8() == word.len() { suffix } else { "" };
        let piece = format!("{prefix}{c}{suffix}");
        let has_byte = |byte: u8| model.token_to_id(&format!("<{byte:#04X}>")).is_some();
        model.token_to_id(&piece).is_some() || (model.byte_fallback && piece.bytes().all(has_byte))
    };
    let bytes: Vec<usize> =
        word.char_indices().filter(has_token).flat_map(|(at, c)| at..at + c.len_utf8()).collect();
    for token in &mut tokens {
        let (start, end) = token.offsets;
        let part = bytes.get(start..end).unwrap_or_default();
        if let (Some(first), Some(last)) = (part.first(), part.last()) {
            token.offsets = (*first, last + 1);
        }
    }
    tokens
}
