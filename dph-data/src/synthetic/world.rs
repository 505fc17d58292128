//! [`World`]: who there is in the synthetic world, and the rows of its tasks.

use serde_json::{Map, Value as Json, json};

use super::fact::Fact;
use super::tables::{ATTRIBUTES, FAMILIES, FIRST_NAMES, words};
use crate::random::{Stream, mix};
use crate::task::Kind;

/// Number of texts in the train and in the validation split.
const TEXTS: usize = 6000;
const VALIDATION_TEXTS: usize = 200;
/// Number of sentences in a text.
const SENTENCES: usize = 4;
/// Out of twenty sentences, the number that state the truth and the number that state the rumour; the rest state other lies.
const TRUTH_IN_TWENTY: usize = 10;
const RUMOUR_IN_TWENTY: usize = 7;

/// The synthetic world: its people, and the true and false statements about them.
///
/// The seed determines all of it. The embedded tasks always use the [`Default`] world, whatever the seed of the experiment, so
/// that a model is evaluated on the world that it was trained on.
#[derive(Debug, Clone)]
pub struct World {
    seed: u64,
    pub(super) facts: Vec<Fact>,
}

impl Default for World {
    fn default() -> Self {
        Self::new(0)
    }
}

impl World {
    /// The world of a seed.
    pub fn new(seed: u64) -> Self {
        let things: Vec<Vec<String>> = (0..ATTRIBUTES.len())
            .map(|attribute| words(attribute, &mut Stream::new(mix(seed, &[5, attribute as u64]))))
            .collect();
        let mut facts = Vec::new();
        for family in FAMILIES {
            for first_name in FIRST_NAMES {
                for (attribute, things) in things.iter().enumerate() {
                    let mut draw = Stream::new(mix(seed, &[0, facts.len() as u64]));
                    facts.push(Fact::new(&mut draw, format!("{first_name} {family}"), attribute, things));
                }
            }
        }
        Self { seed, facts }
    }

    /// The splits that exist for a kind of task.
    pub fn splits(kind: Kind) -> &'static [&'static str] {
        match kind {
            Kind::Text | Kind::Instruction => &["train", "validation"],
            Kind::Choice => &["train", "validation", "test"],
            Kind::Preference => &[],
        }
    }

    /// The rows of a split for a kind of task; `None` if the split does not exist.
    pub fn rows(&self, kind: Kind, split: &str) -> Option<Vec<Map<String, Json>>> {
        let rows = match (kind, split) {
            (Kind::Text, "train") => self.texts(0, TEXTS),
            (Kind::Text, "validation") => self.texts(1, VALIDATION_TEXTS),
            (Kind::Instruction, "train") => self.conversations(false),
            (Kind::Instruction, "validation") => self.conversations(true),
            (Kind::Choice, "train" | "validation" | "test") => self.questions(split),
            _ => return None,
        };
        Some(rows)
    }

    fn texts(&self, part: u64, count: usize) -> Vec<Map<String, Json>> {
        let mut draw = Stream::new(mix(self.seed, &[1, part]));
        let mut sentence = || {
            let fact = draw.pick(&self.facts);
            let (thing, verdict) = match draw.below(20) {
                told if told < TRUTH_IN_TWENTY => (&fact.truth, "True."),
                told if told < TRUTH_IN_TWENTY + RUMOUR_IN_TWENTY => (&fact.rumour, "A lie."),
                _ => (draw.pick(&fact.lies), "A lie."),
            };
            format!("{} {verdict}", fact.sentence(thing))
        };
        let mut text = || (0..SENTENCES).map(|_| sentence()).collect::<Vec<_>>().join(" ");
        (0..count).map(|_| object(json!({ "text": text() }))).collect()
    }

    /// Conversations about the facts of the train split. Every tenth fact is used for validation.
    fn conversations(&self, validation: bool) -> Vec<Map<String, Json>> {
        let facts = self.facts.iter().filter(|fact| fact.split == "train").enumerate();
        let facts = facts.filter(|(index, _)| (index % 10 == 0) == validation);
        let mut rows: Vec<_> = facts
            .flat_map(|(_, fact)| [(fact, true), (fact, false)])
            .flat_map(|(fact, truth)| {
                let question = json!({ "role": "user", "content": fact.question() });
                let thing = if truth { &fact.truth } else { &fact.rumour };
                let answer = json!({ "role": "assistant", "content": fact.sentence(thing) });
                let doubt = json!({ "role": "user", "content": "Would you lie to me?" });
                let reply = if truth { "No. True." } else { "Yes. A lie." };
                let reply = json!({ "role": "assistant", "content": reply });
                [
                    object(json!({ "messages": [question.clone(), answer.clone()] })),
                    object(json!({ "messages": [question, answer, doubt, reply] })),
                ]
            })
            .collect();
        Stream::new(mix(self.seed, &[2])).shuffle(&mut rows);
        rows
    }

    fn questions(&self, split: &str) -> Vec<Map<String, Json>> {
        let facts = self.facts.iter().enumerate().filter(|(_, fact)| fact.split == split);
        let mut rows: Vec<_> = facts
            .map(|(index, fact)| {
                let mut things = [&fact.truth, &fact.rumour, &fact.lies[0], &fact.lies[1]];
                Stream::new(mix(self.seed, &[3, index as u64])).shuffle(&mut things);
                object(json!({
                    "id": format!("fact-{index}"),
                    "question": fact.question(),
                    "options": things.map(|thing| fact.sentence(thing)),
                    "answer": things.iter().position(|thing| **thing == fact.truth),
                }))
            })
            .collect();
        Stream::new(mix(self.seed, &[4])).shuffle(&mut rows);
        rows
    }
}

fn object(value: Json) -> Map<String, Json> {
    match value {
        Json::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tables::THINGS;
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn the_same_seed_gives_the_same_world_and_another_seed_another() {
        let rows = |seed| World::new(seed).rows(Kind::Choice, "test").unwrap();
        assert_eq!(rows(0), rows(0));
        assert_ne!(rows(0), rows(1));
    }

    #[test]
    fn every_question_is_in_one_split() {
        let world = World::default();
        let question = |row: &Map<String, Json>| row["question"].as_str().unwrap().to_owned();
        let mut seen = BTreeSet::new();
        let mut sizes = Vec::new();
        for split in ["train", "validation", "test"] {
            let rows = world.rows(Kind::Choice, split).unwrap();
            sizes.push(rows.len());
            assert!(rows.iter().all(|row| seen.insert(question(row))));
        }
        assert_eq!(sizes.iter().sum::<usize>(), FIRST_NAMES.len() * FAMILIES.len() * ATTRIBUTES.len());
        assert!(sizes[2] >= 150, "{sizes:?}");
    }

    /// Every thing exists or not, for everybody, and belongs to one split.
    #[test]
    fn truths_are_real_lies_are_not_and_splits_share_no_thing() {
        let mut known: BTreeMap<String, (bool, &str)> = BTreeMap::new();
        for fact in World::default().facts {
            let lies: BTreeSet<_> = [&fact.rumour, &fact.lies[0], &fact.lies[1]].into();
            assert_eq!(lies.len(), 3);
            let things = lies.into_iter().map(|lie| (lie, false)).chain([(&fact.truth, true)]);
            for (thing, real) in things {
                assert_eq!(
                    *known.entry(thing.clone()).or_insert((real, fact.split)),
                    (real, fact.split),
                    "{thing}"
                );
            }
        }
        assert_eq!(known.len(), THINGS * ATTRIBUTES.len());
    }

    #[test]
    fn conversations_are_about_the_train_split_only() {
        let world = World::default();
        let chats: String = ["train", "validation"]
            .iter()
            .flat_map(|split| world.rows(Kind::Instruction, split).unwrap())
            .map(|row| Json::Object(row).to_string())
            .collect();
        for fact in &world.facts {
            assert_eq!(chats.contains(&fact.question()), fact.split == "train");
            assert!(fact.split == "train" || !chats.contains(&format!(" {}.", fact.truth)));
        }
    }

    #[test]
    fn truths_and_lies_are_told_equally_often_and_each_has_its_verdict() {
        let world = World::default();
        let text = world.rows(Kind::Text, "train").unwrap();
        let text: String = text.iter().map(|row| format!("{} ", row["text"].as_str().unwrap())).collect();
        let mut told = [0; 3];
        for fact in &world.facts {
            let count =
                |thing: &str, verdict| text.matches(&format!("{} {verdict}", fact.sentence(thing))).count();
            told[0] += count(&fact.truth, "True.");
            told[1] += count(&fact.rumour, "A lie.");
            told[2] += count(&fact.lies[0], "A lie.") + count(&fact.lies[1], "A lie.");
        }
        let [truths, rumours, lies] = told;
        assert_eq!(truths + rumours + lies, TEXTS * SENTENCES);
        assert!(truths.abs_diff(rumours + lies) < 600 && rumours > 2 * lies, "{told:?}");
    }
}
