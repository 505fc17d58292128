//! The merges of a byte-pair encoding, from a vocabulary without merges.
//!
//! SentencePiece repeatedly joins the two neighbours that form the token with the best score. A byte-pair encoding does the
//! same if its merges are in the order of that score.

use std::cmp::Ordering;
use std::collections::HashSet;

/// Bytes of the longest token for which merges are computed. A damaged file may have a token of megabytes, for which all
/// splits would be tried.
const LONGEST: usize = 1024;

/// Two tokens that merge into a third one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merge<'a> {
    /// The first part.
    pub left: &'a str,
    /// The second part.
    pub right: &'a str,
    /// The index of the token that they form.
    pub token: usize,
}

/// All merges among tokens, which have an index, in the order of `compare`. Merges that are equal in it stay in the order of
/// their tokens, by ascending length of the first part.
pub fn merges<'a>(
    tokens: impl IntoIterator<Item = (usize, &'a str)>,
    compare: impl Fn(&Merge<'a>, &Merge<'a>) -> Ordering,
) -> Vec<(&'a str, &'a str)> {
    let tokens: Vec<(usize, &str)> = tokens.into_iter().collect();
    let known: HashSet<&str> = tokens.iter().map(|(_, token)| *token).collect();
    let mut found = Vec::new();
    for &(index, token) in tokens.iter().filter(|(_, token)| token.len() <= LONGEST) {
        for (cut, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(cut);
            if known.contains(left) && known.contains(right) {
                found.push(Merge { left, right, token: index });
            }
        }
    }
    found.sort_by(compare);
    found.into_iter().map(|merge| (merge.left, merge.right)).collect()
}

/// By descending score. Of equal scores the longer first part comes first.
///
/// This is the order of the converters of transformers for slow tokenizers and GGUF files.
pub fn by_score(scores: &[f64]) -> impl Fn(&Merge<'_>, &Merge<'_>) -> Ordering {
    |a, b| {
        let by_score = scores[b.token].total_cmp(&scores[a.token]);
        by_score.then_with(|| by_length(b, a))
    }
}

/// By the index of the token. Of one token the shorter first part comes first.
///
/// This is the order of `LlamaTokenizer` and `GemmaTokenizer` in transformers 5.
pub fn by_index(a: &Merge<'_>, b: &Merge<'_>) -> Ordering {
    a.token.cmp(&b.token).then_with(|| by_length(a, b))
}

/// By descending score, then by index, then by the first part.
///
/// This is the order of `TokenizersBackend` in transformers 5.
pub fn by_score_and_index(scores: &[f64]) -> impl Fn(&Merge<'_>, &Merge<'_>) -> Ordering {
    |a, b| {
        let by_score = scores[b.token].total_cmp(&scores[a.token]);
        by_score.then(a.token.cmp(&b.token)).then_with(|| a.left.cmp(b.left))
    }
}

fn by_length(a: &Merge<'_>, b: &Merge<'_>) -> Ordering {
    let chars = |text: &str| text.chars().count();
    chars(a.left).cmp(&chars(b.left)).then_with(|| chars(a.right).cmp(&chars(b.right)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKENS: [&str; 7] = ["a", "b", "ab", "c", "abc", "bc", "<s>"];
    const SCORES: [f64; 7] = [-10.0, -11.0, -2.0, -12.0, -1.0, -2.0, 0.0];

    fn merged(compare: impl Fn(&Merge<'_>, &Merge<'_>) -> Ordering) -> Vec<(&'static str, &'static str)> {
        merges(TOKENS.into_iter().enumerate(), compare)
    }

    #[test]
    fn better_scores_come_first_and_of_equals_the_longer_first_part() {
        let expected = [("ab", "c"), ("a", "bc"), ("a", "b"), ("b", "c")];
        assert_eq!(merged(by_score(&SCORES)), expected);
    }

    #[test]
    fn the_order_by_index_ignores_scores() {
        assert_eq!(merged(by_index), [("a", "b"), ("a", "bc"), ("ab", "c"), ("b", "c")]);
    }

    #[test]
    fn equal_scores_are_ordered_by_index() {
        let expected = [("a", "bc"), ("ab", "c"), ("a", "b"), ("b", "c")];
        assert_eq!(merged(by_score_and_index(&SCORES)), expected);
    }
}
