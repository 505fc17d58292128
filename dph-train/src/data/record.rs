//! [`DataRecord`]: identifies the data that a stage or an evaluation used.

use std::fmt;

use dph_core::terminal::numbers::counted;
use dph_core::{Candidate, CandidateSet};
use dph_data::{TaskData, WrittenLength};
use serde::{Deserialize, Serialize};

/// The data that a stage or an evaluation used: the content of each data set.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct DataRecord(Vec<TaskRecord>);

/// The content of a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct TaskRecord {
    role: Role,
    task: String,
    split: String,
    /// Number of candidate sets.
    sets: usize,
    /// BLAKE3 hash of the candidate sets.
    hash: String,
}

/// The purpose of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Role {
    Training,
    Validation,
    Evaluation,
}

impl DataRecord {
    /// Adds a data set. `task` is the name or path by which the experiment names it.
    pub fn add(&mut self, role: Role, task: &str, split: &str, data: &TaskData) {
        self.0.push(TaskRecord {
            role,
            task: task.into(),
            split: split.into(),
            sets: data.sets.len(),
            hash: content_hash(data),
        });
    }

    /// The differences between this record and a later one in words; `None` if there are none.
    pub fn differences(&self, now: &Self) -> Option<String> {
        let mut differences = Vec::new();
        for then in &self.0 {
            match now.0.iter().find(|now| now.is_same_part(then)) {
                Some(now) if now.hash == then.hash => {}
                Some(now) => {
                    let sets = match then.sets == now.sets {
                        true => "its rows, the tokenizer or the chat template".to_owned(),
                        false => format!("then {}, now {}", counted(then.sets, "set"), now.sets),
                    };
                    differences.push(format!("{then} changed ({sets})"));
                }
                None => differences.push(format!("{then} is missing (then {})", counted(then.sets, "set"))),
            }
        }
        for now in &now.0 {
            if !self.0.iter().any(|then| then.is_same_part(now)) {
                differences.push(format!("{now} is new ({})", counted(now.sets, "set")));
            }
        }
        (!differences.is_empty()).then(|| differences.join("; "))
    }
}

impl TaskRecord {
    fn is_same_part(&self, other: &Self) -> bool {
        (self.role, &self.task, &self.split) == (other.role, &other.task, &other.split)
    }
}

impl fmt::Display for TaskRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Role::Training => "training",
            Role::Validation => "validation",
            Role::Evaluation => "evaluation",
        };
        write!(f, "the {role} data of `{}`, split `{}`,", self.task, self.split)
    }
}

/// A hash of everything in a data set that training or evaluation depends on.
fn content_hash(data: &TaskData) -> String {
    let mut hash = Hash::default();
    for set in &data.sets {
        // A new field must be added to the hash.
        let CandidateSet { id, prompt, candidates, gold, earlier_answers, attributes, token_types } = set;
        hash.bytes(id.as_bytes()).tokens(prompt).number(candidates.len());
        // Nothing that is resumed depends on the number of characters.
        for Candidate { tokens, answer, next, bytes, chars: _ } in candidates {
            hash.tokens(tokens).number(answer.start).number(answer.end).number(*bytes);
            // Records of earlier versions do not have it.
            if let Some(next) = next {
                hash.number(*next as usize);
            }
        }
        hash.number(gold.map_or(usize::MAX, |gold| gold)).number(earlier_answers.len());
        for range in earlier_answers {
            hash.number(range.start).number(range.end);
        }
        hash.number(attributes.len());
        for (name, value) in attributes {
            hash.bytes(name.as_bytes()).bytes(&value.to_le_bytes());
        }
        // Records of earlier versions do not have them.
        if !token_types.is_empty() {
            hash.tokens(token_types);
        }
    }
    for (id, score) in &data.scores {
        hash.bytes(id.as_bytes()).bytes(&score.to_le_bytes());
    }
    for text in &data.whole_texts.texts {
        let WrittenLength { words, bytes, chars: _ } = text.length;
        hash.bytes(text.id.as_bytes()).number(words).number(bytes);
    }
    hash.0.finalize().to_hex()[..32].to_string()
}

/// A hash of parts whose lengths are included.
#[derive(Default)]
struct Hash(blake3::Hasher);

impl Hash {
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.number(bytes.len());
        self.0.update(bytes);
        self
    }

    fn tokens(&mut self, tokens: &[u32]) -> &mut Self {
        let bytes: Vec<u8> = tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
        self.bytes(&bytes)
    }

    fn number(&mut self, number: usize) -> &mut Self {
        self.0.update(&(number as u64).to_le_bytes());
        self
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn data(sets: &[CandidateSet]) -> TaskData {
        TaskData {
            task: "x".into(),
            split: "train".into(),
            sets: sets.to_vec(),
            rows: sets.len(),
            ..TaskData::default()
        }
    }

    fn set() -> CandidateSet {
        let candidate = |tokens: &[u32]| Candidate::new(tokens.to_vec(), tokens.len());
        CandidateSet {
            id: "1".into(),
            prompt: vec![1, 2],
            candidates: vec![candidate(&[3]), candidate(&[4, 5])],
            gold: Some(0),
            ..CandidateSet::default()
        }
    }

    #[test]
    fn every_part_of_a_set_changes_the_hash() {
        let hash = content_hash(&data(&[set()]));
        assert_eq!(content_hash(&data(&[set()])), hash);
        let changes: [fn(&mut CandidateSet); 9] = [
            |set| set.id = "2".into(),
            |set| set.prompt.push(3),
            |set| set.candidates[1].tokens[0] = 9,
            |set| set.candidates[1].bytes = 9,
            |set| set.candidates[1].answer.start = 1,
            |set| set.gold = Some(1),
            |set| set.earlier_answers.push(0..1),
            |set| set.attributes.extend([("verbosity".into(), 1.0)]),
            |set| set.token_types.push(1),
        ];
        for change in changes {
            let mut changed = set();
            change(&mut changed);
            assert_ne!(content_hash(&data(&[changed])), hash);
        }
        assert_ne!(content_hash(&data(&[set(), set()])), hash);
        let mut scored = data(&[set()]);
        scored.scores.insert("1".into(), 0.5);
        assert_ne!(content_hash(&scored), hash);
    }

    #[test]
    fn differences_name_the_data_set() {
        let record = |parts: &[(Role, &str, usize)]| {
            let mut record = DataRecord::default();
            for &(role, split, sets) in parts {
                record.add(role, "pairs", split, &data(&vec![set(); sets]));
            }
            record
        };
        let then = record(&[(Role::Training, "train", 3), (Role::Validation, "validation", 2)]);
        assert_eq!(then.differences(&then), None);
        let now = record(&[(Role::Training, "train", 4), (Role::Validation, "held-out", 2)]);
        assert_eq!(
            then.differences(&now).unwrap(),
            "the training data of `pairs`, split `train`, changed (then 3 sets, now 4); \
             the validation data of `pairs`, split `validation`, is missing (then 2 sets); \
             the validation data of `pairs`, split `held-out`, is new (2 sets)"
        );
    }
}
