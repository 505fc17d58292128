//! [`CutRules`]: where a text can be cut so that both parts alone have the tokens that they have together.

use std::collections::HashSet;
use std::sync::OnceLock;

use serde_json::Value as Json;
use tokenizers::{AddedToken, ModelWrapper, Tokenizer};

use crate::chat::encode::control::ControlTokens;
use crate::chat::encode::placed_token::PlacedToken;

/// The places at which a tokenizer can be cut.
///
/// A text can always be cut before a control token. Byte-pair encodings can often be cut before the blank between two words
/// as well: the tokens of a word do not depend on the words before it.
pub(crate) struct CutRules {
    /// Control tokens before which a text can be cut.
    control: HashSet<u32>,
    /// The ids of all added tokens.
    added: HashSet<u32>,
    /// Whether no added token affects the text beside it.
    plain_tokens: bool,
    /// Whether a text can be cut before the blank between two words. It takes a look at the whole vocabulary.
    at_blanks: OnceLock<bool>,
}

/// A place at which a text is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Number of tokens before it.
    pub tokens: usize,
    /// Number of bytes before it.
    pub bytes: usize,
    /// What has to precede the second part. Its tokens are dropped.
    pub before: &'static str,
}

impl Cut {
    /// The cut at the beginning of a text.
    pub(crate) const START: Self = Self { tokens: 0, bytes: 0, before: "" };
}

impl CutRules {
    pub(crate) fn new(tokenizer: &Tokenizer, control: &ControlTokens) -> Self {
        let added = tokenizer.get_added_tokens_decoder();
        let is_cut = |id: &u32| {
            added.get(id).is_some_and(|token| {
                let plain = !(token.lstrip || token.single_word || token.normalized);
                // A longer token around it could begin before the cut.
                let longer =
                    |other: &AddedToken| other.content.rfind(&token.content).is_some_and(|at| at > 0);
                plain && !added.values().any(|other| other.single_word || longer(other))
            })
        };
        // The token of unknown text stands for any text.
        let ids = control.ids().iter().copied().filter(|&id| control.contains(id));
        let plain = |token: &AddedToken| {
            let blank_inside = token.content.trim_start().contains(char::is_whitespace);
            !(token.single_word || token.normalized && !token.content.is_ascii() || blank_inside)
        };
        Self {
            control: ids.filter(is_cut).collect(),
            plain_tokens: added.values().all(plain),
            added: added.into_keys().collect(),
            at_blanks: OnceLock::new(),
        }
    }

    /// The last place before `end` at which a text with these tokens can be cut, whatever follows `end`.
    pub(crate) fn find(
        &self,
        tokenizer: &Tokenizer,
        control: &ControlTokens,
        text: &str,
        tokens: &[PlacedToken],
        end: usize,
    ) -> Option<Cut> {
        let length = |token: &PlacedToken| control.text(token.id).map_or(0, str::len);
        let at_control = tokens
            .iter()
            .rposition(|token| self.control.contains(&token.id) && token.start + length(token) <= end)
            .map(|place| Cut { tokens: place, bytes: tokens[place].start, before: "" });
        let first = at_control.map_or(0, |cut| cut.bytes);
        self.at_blank(tokenizer, text, tokens, first..end).or(at_control)
    }

    /// The last blank between two words in this range of a text.
    fn at_blank(
        &self,
        tokenizer: &Tokenizer,
        text: &str,
        tokens: &[PlacedToken],
        range: std::ops::Range<usize>,
    ) -> Option<Cut> {
        // It does not pay for a few words.
        if range.len() < 200 || !self.plain_tokens {
            return None;
        }
        if !*self.at_blanks.get_or_init(|| words_are_independent(tokenizer)) {
            return None;
        }
        let bytes = text.as_bytes();
        (range.start + 1..range.end.saturating_sub(1)).rev().find_map(|at| {
            let between = bytes[at] == b' '
                && bytes[at - 1].is_ascii_alphanumeric()
                && bytes[at + 1].is_ascii_alphabetic();
            let place = between.then(|| tokens.partition_point(|token| token.start < at))?;
            let (before, behind) = (tokens.get(place.checked_sub(1)?)?, tokens.get(place)?);
            let parts = before.end <= at && behind.start <= at + 1;
            let words = ![before, behind].iter().any(|token| self.added.contains(&token.id));
            (parts && words).then_some(Cut { tokens: place, bytes: at, before: "a" })
        })
    }
}

/// Whether the tokens of a word, with the blank before it, never depend on the words before it.
fn words_are_independent(tokenizer: &Tokenizer) -> bool {
    let ModelWrapper::BPE(model) = tokenizer.get_model() else { return false };
    if model.dropout.is_some() {
        return false;
    }
    let json =
        |value: Option<Result<Json, serde_json::Error>>| value.and_then(Result::ok).unwrap_or_default();
    let normalizer = json(tokenizer.get_normalizer().map(serde_json::to_value));
    let pre_tokenizer = json(tokenizer.get_pre_tokenizer().map(serde_json::to_value));
    let normalizers = steps(&normalizer, "normalizers");
    let pre_tokenizers = steps(&pre_tokenizer, "pretokenizers");
    let kind = |step: &Json| step["type"].as_str().unwrap_or_default().to_owned();
    let is_metaspace = pre_tokenizers.iter().all(|step| kind(step) == "Metaspace")
        && normalizers.iter().all(|step| matches!(&*kind(step), "Prepend" | "Replace"));
    if is_metaspace {
        // No token continues from one word into the next.
        let crosses = |token: &String| token.trim_start_matches(BLANK).contains(BLANK);
        return !tokenizer.get_vocab(false).keys().any(crosses);
    }
    // The expressions of byte-level tokenizers separate words before a blank.
    let separates = |step: &&Json| match &*kind(step) {
        "ByteLevel" => step["use_regex"] != false,
        "Split" => {
            step["behavior"] == "Isolated"
                && step["pattern"]["Regex"].as_str().is_some_and(|expression| WORDS.contains(&expression))
        }
        _ => false,
    };
    let known = |step: &&Json| separates(step) || matches!(&*kind(step), "Digits" | "ByteLevel");
    normalizers.iter().all(|step| kind(step) == "NFC")
        && pre_tokenizers.iter().any(separates)
        && pre_tokenizers.iter().all(known)
}

/// SentencePiece's character for a blank.
const BLANK: char = '▁';

/// Expressions for words with the blank before them, of Llama 3 and of Qwen.
const WORDS: [&str; 3] = [
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
];

/// The steps of a sequence; another step is the only one.
fn steps<'a>(json: &'a Json, key: &str) -> Vec<&'a Json> {
    match json[key].as_array() {
        Some(steps) => steps.iter().collect(),
        None if json.is_null() => Vec::new(),
        None => vec![json],
    }
}
