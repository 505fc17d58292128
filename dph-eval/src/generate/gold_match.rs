//! [`GoldMatch`]: when an answer equals a right one.

use serde::Deserialize;

/// When an answer counts as equal to a right answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GoldMatch {
    /// The same text, apart from blanks at its ends.
    #[default]
    Exact,
    /// The same words by the normalisation of SQuAD's evaluation (Rajpurkar et al., 2016): in lower case, without ASCII
    /// punctuation and without the articles a, an and the.
    Normalized,
    /// The normalised answer contains the normalised right answer as whole words.
    Contains,
}

impl GoldMatch {
    /// Whether an answer equals a right answer.
    pub fn is_match(self, answer: &str, gold: &str) -> bool {
        match self {
            GoldMatch::Exact => answer.trim() == gold.trim(),
            GoldMatch::Normalized => words(answer) == words(gold),
            GoldMatch::Contains => {
                let (answer, gold) = (words(answer), words(gold));
                !gold.is_empty() && answer.windows(gold.len()).any(|window| window == gold)
            }
        }
    }
}

/// The normalised words of a text.
fn words(text: &str) -> Vec<String> {
    let text: String = text.to_lowercase().chars().filter(|letter| !letter.is_ascii_punctuation()).collect();
    let is_article = |word: &&str| matches!(*word, "a" | "an" | "the");
    text.split_whitespace().filter(|word| !is_article(word)).map(String::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_match_is_wider_than_the_one_before() {
        use GoldMatch::{Contains, Exact, Normalized};
        let same =
            |answer: &str, gold: &str| [Exact, Normalized, Contains].map(|kind| kind.is_match(answer, gold));
        assert_eq!(same(" The Panthers.\n", "The Panthers."), [true, true, true]);
        assert_eq!(same("panthers", "The Panthers."), [false, true, true]);
        assert_eq!(same("It was the Panthers, in 2015.", "The Panthers"), [false, false, true]);
        assert_eq!(same("They won 3080 games", "308"), [false, false, false], "whole words only");
        assert_eq!(same("an answer", "the"), [false, false, false], "nothing is left of the right answer");
    }
}
