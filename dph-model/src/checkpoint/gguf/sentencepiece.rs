//! SentencePiece vocabularies (`tokenizer.ggml.model = "llama"`) as byte-pair encodings.

use std::collections::HashMap;

use serde_json::{Value, json};

/// The character for a space.
const BLANK: &str = "▁";

/// The pairs of tokens that merge into another token, best first.
///
/// SentencePiece repeatedly joins the two neighbours that form the token with the best score. A byte-pair encoding
/// does the same if its merges are in the order of that score. Merges into the same token are ordered by descending
/// length of the first part, as in the converter of transformers.
pub(super) fn merges<'a>(tokens: &[&'a str], scores: &[f64]) -> Vec<(&'a str, &'a str)> {
    let ids: HashMap<&str, usize> = tokens.iter().enumerate().map(|(id, token)| (*token, id)).collect();
    let mut found: Vec<(&str, &str, f64)> = Vec::new();
    // A damaged file may have a token of megabytes, for which all splits would be tried. Real tokens are shorter than
    // this.
    for (&token, &score) in tokens.iter().zip(scores).filter(|(token, _)| token.len() <= LONGEST) {
        for (cut, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(cut);
            if ids.contains_key(left) && ids.contains_key(right) {
                found.push((left, right, score));
            }
        }
    }
    found.sort_by(|a, b| {
        let by_score = b.2.total_cmp(&a.2);
        let chars = |text: &str| text.chars().count();
        by_score.then_with(|| chars(b.0).cmp(&chars(a.0))).then_with(|| chars(b.1).cmp(&chars(a.1)))
    });
    found.into_iter().map(|(left, right, _)| (left, right)).collect()
}

/// Bytes of the longest token for which merges are computed.
const LONGEST: usize = 1024;

/// Replaces spaces by their character, and adds one at the start if the model requires it.
pub(super) fn normalizer(prefix: bool) -> Value {
    let prepend = prefix.then(|| json!({ "type": "Prepend", "prepend": BLANK }));
    let replace = json!({ "type": "Replace", "pattern": { "String": " " }, "content": BLANK });
    json!({ "type": "Sequence", "normalizers": prepend.into_iter().chain([replace]).collect::<Vec<_>>() })
}

/// The inverse.
pub(super) fn decoder(prefix: bool) -> Value {
    let mut decoders = vec![
        json!({ "type": "Replace", "pattern": { "String": BLANK }, "content": " " }),
        json!({ "type": "ByteFallback" }),
        json!({ "type": "Fuse" }),
    ];
    if prefix {
        decoders.push(json!({ "type": "Strip", "content": " ", "start": 1, "stop": 0 }));
    }
    json!({ "type": "Sequence", "decoders": decoders })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn better_scores_come_first_and_of_equals_the_longer_first_part() {
        let tokens = ["a", "b", "ab", "c", "abc", "bc", "<s>"];
        let scores = [-10.0, -11.0, -1.0, -12.0, -2.0, -3.0, 0.0];
        assert_eq!(merges(&tokens, &scores), [("a", "b"), ("ab", "c"), ("a", "bc"), ("b", "c")]);
    }
}
