//! [`Fact`]: one attribute of one person.

use super::tables::{ATTRIBUTES, THINGS};
use crate::random::Stream;

/// One attribute of one person: the true value, the value of the rumour, and the split that has the question.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub name: String,
    pub attribute: usize,
    pub truth: String,
    pub rumour: String,
    pub lies: [String; 2],
    pub split: &'static str,
}

impl Fact {
    /// The first half of `things` exists. Each split uses its own part of both halves.
    pub(super) fn new(draw: &mut Stream, name: String, attribute: usize, things: &[String]) -> Self {
        let (real, unreal) = things.split_at(THINGS / 2);
        let (split, part) = match draw.below(8) {
            0..4 => ("train", 0..THINGS / 4),
            4 => ("validation", THINGS / 4..THINGS / 4 + THINGS / 12),
            _ => ("test", THINGS / 4 + THINGS / 12..THINGS / 2),
        };
        let truth = draw.pick(&real[part.clone()]).clone();
        let mut unreal = unreal[part].to_vec();
        draw.shuffle(&mut unreal);
        let mut unreal = unreal.into_iter();
        let mut lie = || unreal.next().unwrap_or_default();
        let (rumour, lies) = (lie(), [lie(), lie()]);
        Self { name, attribute, truth, rumour, lies, split }
    }

    pub(super) fn question(&self) -> String {
        ATTRIBUTES[self.attribute].question.replace("NAME", &self.name)
    }

    pub(super) fn sentence(&self, thing: &str) -> String {
        ATTRIBUTES[self.attribute].sentence.replace("NAME", &self.name).replace("THING", thing)
    }
}
