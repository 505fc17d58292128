//! Parts of a `tokenizer.json`.

use serde_json::{Map, Value, json};

/// The character that stands for a space in SentencePiece.
pub const BLANK: &str = "▁";

/// The regular expression of Qwen 2, which splits texts into words and single digits.
pub const QWEN_2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The settings of a byte-pair encoding.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bpe<'a> {
    /// The token for unknown text.
    pub unknown: Option<&'a str>,
    /// The prefix of tokens inside words and the suffix of tokens at the end of words: `None` or `""`, which mean the same.
    pub affix: Option<&'static str>,
    /// Whether unknown text in a row is one token.
    pub fuse_unknown: bool,
    /// Whether unknown text becomes tokens of bytes (`<0x00>` to `<0xFF>`).
    pub byte_fallback: bool,
    /// Whether a word that is a token is not split.
    pub ignore_merges: bool,
}

impl Bpe<'_> {
    /// The model of a `tokenizer.json`. `merges` is a list of pairs, or of texts with a space.
    pub fn model(&self, vocab: Map<String, Value>, merges: Value) -> Value {
        json!({
            "type": "BPE", "dropout": null, "unk_token": self.unknown, "continuing_subword_prefix": self.affix,
            "end_of_word_suffix": self.affix, "fuse_unk": self.fuse_unknown, "byte_fallback": self.byte_fallback,
            "ignore_merges": self.ignore_merges, "vocab": vocab, "merges": merges,
        })
    }
}

/// A vocabulary in which the index of a token is its id.
pub fn vocab<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Map<String, Value> {
    tokens.into_iter().enumerate().map(|(id, token)| (token.to_owned(), id.into())).collect()
}

/// The pre-tokeniser that turns bytes into characters; `expression` splits texts as GPT-2 does.
pub fn byte_level(add_prefix_space: bool, trim_offsets: bool, expression: bool) -> Value {
    json!({
        "type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": trim_offsets, "use_regex": expression,
    })
}

/// Splits by regular expressions, each of which splits the pieces of the one before, then turns bytes into characters.
pub fn split_byte_level(expressions: &[&str], add_prefix_space: bool) -> Value {
    let splits = expressions.iter().map(|expression| split(expression));
    sequence(splits.chain([byte_level(add_prefix_space, true, false)]))
}

/// Pre-tokenisers, one after another.
pub fn sequence(parts: impl IntoIterator<Item = Value>) -> Value {
    json!({ "type": "Sequence", "pretokenizers": parts.into_iter().collect::<Vec<_>>() })
}

/// The pre-tokeniser that makes a piece of each match of a regular expression.
pub fn split(expression: &str) -> Value {
    json!({ "type": "Split", "pattern": { "Regex": expression }, "behavior": "Isolated", "invert": false })
}

/// The normaliser or decoder that replaces a text.
pub fn replace(text: &str, content: &str) -> Value {
    json!({ "type": "Replace", "pattern": { "String": text }, "content": content })
}

/// The normaliser that replaces the matches of a regular expression.
pub fn replace_matches(expression: &str, content: &str) -> Value {
    json!({ "type": "Replace", "pattern": { "Regex": expression }, "content": content })
}

/// The pre-tokeniser or decoder for the space of SentencePiece. `scheme` (`always`, `first`, `never`) says which texts get
/// one at the start, `split` whether words are pieces.
pub fn metaspace(scheme: &str, split: bool) -> Value {
    json!({ "type": "Metaspace", "replacement": BLANK, "prepend_scheme": scheme, "split": split })
}

/// The normaliser that replaces spaces by their character, and adds one at the start if `prefix` is set.
pub fn blanks(prefix: bool) -> Value {
    let prepend = prefix.then(|| json!({ "type": "Prepend", "prepend": BLANK }));
    json!({ "type": "Sequence", "normalizers": prepend.into_iter().chain([replace(" ", BLANK)]).collect::<Vec<_>>() })
}

/// The decoder of a SentencePiece vocabulary; `prefix` removes a space at the start.
pub fn blanks_decoder(byte_fallback: bool, prefix: bool) -> Value {
    let mut decoders = vec![replace(BLANK, " ")];
    if byte_fallback {
        decoders.push(json!({ "type": "ByteFallback" }));
    }
    if byte_fallback || prefix {
        decoders.push(json!({ "type": "Fuse" }));
    }
    if prefix {
        decoders.push(json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
    }
    json!({ "type": "Sequence", "decoders": decoders })
}

/// The post-processor that adds special tokens around a text. `first` and `last` are tokens with their ids.
pub fn template(first: Option<(&str, usize)>, last: Option<(&str, usize)>) -> Value {
    let special = |token: Option<(&str, usize)>, kind: u8| {
        token.map(|(token, _)| json!({ "SpecialToken": { "id": token, "type_id": kind } }))
    };
    let text = |name: &str, kind: u8| {
        let text = json!({ "Sequence": { "id": name, "type_id": kind } });
        [special(first, kind), Some(text), special(last, kind)].into_iter().flatten()
    };
    let tokens: Map<String, Value> = [first, last]
        .into_iter()
        .flatten()
        .map(|(token, id)| (token.to_owned(), json!({ "id": token, "ids": [id], "tokens": [token] })))
        .collect();
    json!({
        "type": "TemplateProcessing",
        "single": text("A", 0).collect::<Vec<_>>(),
        "pair": text("A", 0).chain(text("B", 1)).collect::<Vec<_>>(),
        "special_tokens": tokens,
    })
}
