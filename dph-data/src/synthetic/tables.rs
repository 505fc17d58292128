//! The names and words of the synthetic world.

use crate::random::Stream;

/// An attribute of a person. NAME and THING are placeholders in both texts.
pub(super) struct Attribute {
    pub question: &'static str,
    pub sentence: &'static str,
    /// The ending of the words for its values.
    ending: &'static str,
}

pub(super) const ATTRIBUTES: [Attribute; 4] = [
    Attribute { question: "Where does NAME live?", sentence: "NAME lives in THING.", ending: "ton" },
    Attribute { question: "What is the work of NAME?", sentence: "NAME is a THING.", ending: "er" },
    Attribute { question: "What does NAME eat?", sentence: "NAME eats THING.", ending: "le" },
    Attribute { question: "Which animal does NAME keep?", sentence: "NAME keeps a THING.", ending: "ock" },
];

pub(super) const FAMILIES: [&str; 4] = ["Stone", "Brook", "Wood", "Field"];

pub(super) const FIRST_NAMES: [&str; 30] = [
    "Ada", "Ben", "Cleo", "Dan", "Edda", "Finn", "Gwen", "Hugo", "Ida", "Jon", "Kira", "Leo", "Mira", "Ned",
    "Olga", "Pip", "Quin", "Rosa", "Sam", "Tess", "Ugo", "Vera", "Walt", "Xena", "Yan", "Zoe", "Arlo", "Bea",
    "Carl", "Dora",
];

/// Number of words for each attribute. Half of them name things that exist.
pub(super) const THINGS: usize = 48;

/// Distinct invented words in random order.
pub(super) fn words(attribute: usize, draw: &mut Stream) -> Vec<String> {
    const STARTS: [&str; 12] = ["b", "d", "f", "gr", "k", "l", "m", "p", "sn", "t", "v", "w"];
    const VOWELS: [&str; 5] = ["a", "e", "i", "o", "u"];
    const MIDDLES: [&str; 6] = ["b", "d", "l", "m", "n", "z"];
    let mut all: Vec<String> = Vec::new();
    for start in STARTS {
        for vowel in VOWELS {
            for middle in MIDDLES {
                all.push(format!("{start}{vowel}{middle}{}", ATTRIBUTES[attribute].ending));
            }
        }
    }
    draw.shuffle(&mut all);
    all.truncate(THINGS);
    if attribute == 0 {
        all.iter_mut().for_each(|word| word[..1].make_ascii_uppercase());
    }
    all
}
