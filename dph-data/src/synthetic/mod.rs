//! A little world to learn in: nothing to download, and liars live in it.
//!
//! Four valleys lie side by side, and a family lives in each. People live, work, eat and keep animals in their own valley and
//! nowhere else. About everything there is also one *rumour*, which is false: rumour gives people something from the next
//! valley. The texts of this world repeat rumours more often than truths, so the likelihood of an answer says
//! little about its truth. But each is followed by a verdict ("That is true.", "That is a lie."), so a model that reads these
//! texts comes to know more than it says: it must tell truth from lie to foresee the verdict. A preference head can learn
//! to read that off. Sentences about families ("The Stone family knows cheese, …") make it easier to learn what belongs where.
//!
//! How hard it is (a plain transformer with 2 layers of width 128, 0.9 million tokens of text, then the conversations): of
//! the unseen questions, with 4 answers each, likelihood gets about half right, a head on the frozen model about 85 %.
//!
//! | task | kind | rows | splits |
//! |---|---|---|---|
//! | `world_text` | text | short texts: truths and rumours about everybody, verdicts, families | train, validation |
//! | `world_chat` | instruction | questions with true and false answers; "Would you lie to me?" | train, validation |
//! | `world` | choice | one question for each fact: the truth, the rumour, two other lies | train, validation, test |
//!
//! A fact belongs to one split of the questions. The texts speak of all facts; the conversations only of those whose
//! question is in the train split, so questions of the other splits have never been asked before.

mod tables;
mod tokenizer;

use std::path::PathBuf;

use serde_json::{Map, Value as Json, json};

use crate::random::{Stream, mix};
use crate::task::Kind;
use tables::{ATTRIBUTES, FAMILIES, FIRST_NAMES, VALUES};

/// How many texts there are to learn from, and how many to validate on.
const TEXTS: usize = 6000;
const VALIDATION_TEXTS: usize = 200;
/// Sentences in a text.
const SENTENCES: usize = 4;
/// So many sentences in ten are about families.
const FAMILIES_IN_TEN: usize = 4;
/// Of the others, so many in twenty tell the truth, so many the rumour, and the rest some other lie.
const TRUTH_IN_TWENTY: usize = 8;
const RUMOUR_IN_TWENTY: usize = 9;

/// The little world: who there is, what is true of them and what is said of them.
///
/// All of it follows from the seed. The embedded tasks use the [`Default`] world, whatever the seed of the experiment, so
/// that a model is examined in the world that it grew up in.
#[derive(Debug, Clone)]
pub struct World {
    seed: u64,
    facts: Vec<Fact>,
}

/// What makes the world's tokenizer unavailable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// The tokenizer cannot be trained.
    #[error("cannot train the synthetic world's tokenizer: {message}")]
    Tokenizer {
        /// What the trainer said.
        message: String,
    },
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// One thing about one person: what is true, what rumour says, and which split asks for it.
#[derive(Debug, Clone)]
struct Fact {
    name: String,
    attribute: usize,
    truth: &'static str,
    rumour: &'static str,
    lies: [&'static str; 2],
    split: &'static str,
}

impl Default for World {
    fn default() -> Self {
        Self::new(0)
    }
}

impl World {
    /// The world of a seed.
    pub fn new(seed: u64) -> Self {
        let mut facts = Vec::new();
        for (family, family_name) in FAMILIES.iter().enumerate() {
            for first_name in FIRST_NAMES {
                for attribute in 0..ATTRIBUTES.len() {
                    facts.push(Fact::new(
                        seed,
                        facts.len(),
                        format!("{first_name} {family_name}"),
                        family,
                        attribute,
                    ));
                }
            }
        }
        Self { seed, facts }
    }

    /// The splits that there are of a kind of task.
    pub fn splits(kind: Kind) -> &'static [&'static str] {
        match kind {
            Kind::Text | Kind::Instruction => &["train", "validation"],
            Kind::Choice => &["train", "validation", "test"],
            Kind::Preference => &[],
        }
    }

    /// The rows of a kind of task and a split; `None` where there are none.
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
            if draw.below(10) < FAMILIES_IN_TEN {
                return about_family(&mut draw);
            }
            let fact = draw.pick(&self.facts);
            let (value, verdict) = match draw.below(20) {
                told if told < TRUTH_IN_TWENTY => (fact.truth, "That is true."),
                told if told < TRUTH_IN_TWENTY + RUMOUR_IN_TWENTY => (fact.rumour, "That is a lie."),
                _ => (*draw.pick(&fact.lies), "That is a lie."),
            };
            format!("{} {verdict}", fact.sentence(value))
        };
        let mut text = || (0..SENTENCES).map(|_| sentence()).collect::<Vec<_>>().join(" ");
        (0..count).map(|_| object(json!({ "text": text() }))).collect()
    }

    /// Conversations about the facts of the train split; every tenth of them is for validation.
    fn conversations(&self, validation: bool) -> Vec<Map<String, Json>> {
        let facts = self.facts.iter().filter(|fact| fact.split == "train").enumerate();
        let facts = facts.filter(|(index, _)| (index % 10 == 0) == validation);
        let mut rows: Vec<_> = facts
            .flat_map(|(_, fact)| [(fact, true), (fact, false)])
            .flat_map(|(fact, truth)| {
                let question = json!({ "role": "user", "content": fact.question() });
                let value = if truth { fact.truth } else { fact.rumour };
                let answer = json!({ "role": "assistant", "content": fact.sentence(value) });
                let doubt = json!({ "role": "user", "content": "Would you lie to me?" });
                let reply = if truth { "No. That is true." } else { "Yes. That is a lie." };
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
                let mut values = [fact.truth, fact.rumour, fact.lies[0], fact.lies[1]];
                Stream::new(mix(self.seed, &[3, index as u64])).shuffle(&mut values);
                object(json!({
                    "id": format!("fact-{index}"),
                    "question": fact.question(),
                    "options": values.map(|value| fact.sentence(value)),
                    "answer": values.iter().position(|value| *value == fact.truth),
                }))
            })
            .collect();
        Stream::new(mix(self.seed, &[4])).shuffle(&mut rows);
        rows
    }
}

impl Fact {
    fn new(seed: u64, index: usize, name: String, family: usize, attribute: usize) -> Self {
        let mut draw = Stream::new(mix(seed, &[0, index as u64]));
        let mut value = |valley: usize| *draw.pick(&VALUES[attribute][(family + valley) % FAMILIES.len()]);
        let (truth, rumour, lies) = (value(0), value(1), [value(2), value(3)]);
        let split = match draw.below(8) {
            0..3 => "test",
            3 => "validation",
            _ => "train",
        };
        Self { name, attribute, truth, rumour, lies, split }
    }

    fn question(&self) -> String {
        ATTRIBUTES[self.attribute].question.replace("NAME", &self.name)
    }

    fn sentence(&self, value: &str) -> String {
        ATTRIBUTES[self.attribute].sentence.replace("NAME", &self.name).replace("VALUE", value)
    }
}

fn about_family(draw: &mut Stream) -> String {
    let family = draw.below(FAMILIES.len());
    let mut values = VALUES[draw.below(ATTRIBUTES.len())][family];
    draw.shuffle(&mut values);
    let [first, second, third, fourth] = values;
    format!("The {} family knows {first}, {second}, {third} and {fourth}.", FAMILIES[family])
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
    use super::*;
    use std::collections::BTreeSet;

    fn strings(rows: &[Map<String, Json>]) -> BTreeSet<String> {
        rows.iter().map(|row| Json::Object(row.clone()).to_string()).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_world_and_another_seed_another() {
        let rows = |seed| World::new(seed).rows(Kind::Choice, "test").unwrap();
        assert_eq!(rows(0), rows(0));
        assert_ne!(rows(0), rows(1));
    }

    #[test]
    fn every_question_is_in_one_split_and_unseen_ones_are_never_spoken_of() {
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
        for split in ["train", "validation"] {
            let chats = strings(&world.rows(Kind::Instruction, split).unwrap());
            for row in world.rows(Kind::Choice, "test").unwrap() {
                assert!(!chats.iter().any(|chat| chat.contains(&question(&row))));
            }
        }
    }

    #[test]
    fn truths_are_of_the_own_valley_and_lies_of_the_others() {
        for fact in World::default().facts {
            let valley =
                |value| VALUES[fact.attribute].iter().position(|values| values.contains(&value)).unwrap();
            let family = FAMILIES.iter().position(|family| fact.name.ends_with(family)).unwrap();
            assert_eq!(valley(fact.truth), family);
            let lies: BTreeSet<_> = [fact.rumour, fact.lies[0], fact.lies[1]].map(valley).into();
            assert_eq!(lies.len(), 3);
            assert!(!lies.contains(&family));
        }
    }

    #[test]
    fn rumours_are_told_more_often_than_truths_and_each_has_its_verdict() {
        let world = World::default();
        let text = world.rows(Kind::Text, "train").unwrap();
        let text: String = text.iter().map(|row| format!("{} ", row["text"].as_str().unwrap())).collect();
        let told = |pick: fn(&Fact) -> &'static str, verdict: &str| -> usize {
            world
                .facts
                .iter()
                .map(|fact| text.matches(&format!("{} {verdict}", fact.sentence(pick(fact)))).count())
                .sum()
        };
        let truths = told(|fact| fact.truth, "That is true.");
        let rumours = told(|fact| fact.rumour, "That is a lie.");
        let lies = told(|fact| fact.lies[0], "That is a lie.") + told(|fact| fact.lies[1], "That is a lie.");
        let families = text.matches("family knows").count();
        assert_eq!(truths + rumours + lies + families, TEXTS * SENTENCES);
        assert!(
            rumours > truths && truths > 2 * lies && lies > 500,
            "{truths} truths, {rumours} rumours, {lies} lies"
        );
    }
}
