//! [`DocumentScores`]: the scores of a document, a line of `documents.jsonl`.

use std::collections::BTreeMap;
use std::path::Path;

use dph_core::{CandidateScores, CandidateSet};
use dph_data::Kind;
use serde::{Deserialize, Serialize};

use crate::results::error::ResultsError;
use crate::results::json_lines::{read_lines, write_lines};

/// File name of the documents' scores, beside `results.json`.
pub const DOCUMENTS_FILE: &str = "documents.jsonl";

/// The scores of one document's candidates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DocumentScores {
    /// The task.
    pub task: String,
    /// The split.
    pub split: String,
    /// The document's id within the split.
    pub id: String,
    /// What the document is: by default a choice. In a preference pair a tie is wrong.
    #[serde(default = "choice", skip_serializing_if = "is_choice")]
    pub kind: Kind,
    /// The group of documents that share something ([`dph_data::Document::group`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Index of the gold candidate.
    pub gold: Option<usize>,
    /// Indices of all right candidates, where there is more than one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub right: Vec<usize>,
    /// The reference score, in tasks that have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// The number that a regressor predicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predicted: Option<f64>,
    /// The candidates, in the order of the source row.
    pub candidates: Vec<ScoredCandidate>,
}

/// One candidate's scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoredCandidate {
    /// Sum of the log-probabilities (natural logarithm) of the answer's tokens; null if it was not computed or is not finite.
    pub loglik: Option<f64>,
    /// The same sum after a prompt without the question; absent if it was not computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unconditional: Option<f64>,
    /// Number of answer tokens, without the end-of-turn token.
    pub tokens: usize,
    /// Length of the answer in UTF-8 bytes.
    pub bytes: usize,
    /// Length of the answer in characters; 0 in files of earlier versions.
    #[serde(default)]
    pub chars: usize,
    /// For a whole text, its number of words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<usize>,
    /// The log-probability of the candidate as a class, see [`CandidateScores::class`]; absent without a classifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<f64>,
    /// The reward of each head by name; null if it is not finite.
    pub rewards: BTreeMap<String, Option<f32>>,
}

impl DocumentScores {
    /// The scores of a candidate set of a choice, without `group`, `right` and `score`; `heads` are the names of the rewards.
    pub fn new(
        task: &str,
        split: &str,
        set: &CandidateSet,
        scores: &[CandidateScores],
        heads: &[String],
    ) -> Self {
        let candidates = scores.iter().map(|scores| ScoredCandidate::new(scores, heads)).collect();
        Self {
            task: task.into(),
            split: split.into(),
            id: set.id.clone(),
            kind: Kind::Choice,
            group: None,
            gold: set.gold,
            right: Vec::new(),
            score: None,
            predicted: None,
            candidates,
        }
    }

    /// Indices of the right candidates: those of `right`, or the gold one.
    pub(crate) fn right_candidates(&self) -> &[usize] {
        if self.right.is_empty() { self.gold.as_slice() } else { &self.right }
    }

    /// Reads `documents.jsonl` in a directory.
    ///
    /// # Errors
    /// The file is missing or has invalid content.
    pub fn load_all(dir: &Path) -> Result<Vec<Self>, ResultsError> {
        read_lines(dir.join(DOCUMENTS_FILE))?
            .ok_or_else(|| ResultsError::MissingDocuments { path: dir.to_owned() })
    }

    /// Writes `documents.jsonl` into a directory that exists, atomically.
    ///
    /// # Errors
    /// The file cannot be written; an old one is then still there.
    pub fn save_all(documents: &[Self], dir: &Path) -> Result<(), ResultsError> {
        Ok(write_lines(dir.join(DOCUMENTS_FILE), documents)?)
    }
}

fn choice() -> Kind {
    Kind::Choice
}

fn is_choice(kind: &Kind) -> bool {
    *kind == Kind::Choice
}

impl ScoredCandidate {
    /// The scores of one candidate; `heads` are the names of the rewards.
    pub fn new(scores: &CandidateScores, heads: &[String]) -> Self {
        let rewards = heads.iter().zip(&scores.rewards);
        Self {
            loglik: Some(scores.loglik).filter(|loglik| loglik.is_finite()),
            unconditional: scores.unconditional.filter(|loglik| loglik.is_finite()),
            tokens: scores.tokens,
            bytes: scores.bytes,
            chars: scores.chars,
            words: None,
            class: scores.class.filter(|class| class.is_finite()),
            rewards: rewards
                .map(|(head, &reward)| (head.clone(), Some(reward).filter(|reward| reward.is_finite())))
                .collect(),
        }
    }

    /// The scores in the order of `heads`, for a [`Scorer`](dph_core::Scorer) of these heads; NaN where there is none.
    pub(crate) fn scores(&self, heads: &[String]) -> CandidateScores {
        let reward = |head: &String| self.rewards.get(head).copied().flatten().unwrap_or(f32::NAN);
        CandidateScores {
            loglik: self.loglik.unwrap_or(f64::NAN),
            unconditional: self.unconditional,
            tokens: self.tokens,
            bytes: self.bytes,
            chars: self.chars,
            rewards: heads.iter().map(reward).collect(),
            class: self.class,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_a_document_and_reads_back() {
        let set = CandidateSet { id: "q1".into(), gold: Some(1), ..CandidateSet::default() };
        let scores = [
            CandidateScores {
                loglik: -1.5,
                tokens: 2,
                bytes: 7,
                chars: 6,
                unconditional: None,
                rewards: vec![0.1],
                class: None,
            },
            CandidateScores {
                loglik: f64::NAN,
                tokens: 1,
                bytes: 3,
                chars: 3,
                unconditional: None,
                rewards: vec![f32::INFINITY],
                class: None,
            },
        ];
        let document = DocumentScores::new("piqa", "validation", &set, &scores, &["preference".into()]);
        let line = serde_json::to_string(&document).unwrap();
        assert_eq!(
            line,
            r#"{"task":"piqa","split":"validation","id":"q1","gold":1,"candidates":[{"loglik":-1.5,"tokens":2,"bytes":7,"chars":6,"rewards":{"preference":0.1}},{"loglik":null,"tokens":1,"bytes":3,"chars":3,"rewards":{"preference":null}}]}"#
        );
        assert_eq!(serde_json::from_str::<DocumentScores>(&line).unwrap(), document);

        assert_eq!(document.candidates[0].scores(&["preference".into()]), scores[0]);

        let pair = DocumentScores { kind: Kind::Preference, group: Some("a".into()), ..document.clone() };
        let line_of_pair = serde_json::to_string(&pair).unwrap();
        assert!(
            line_of_pair.contains(r#""id":"q1","kind":"preference","group":"a","gold":1"#),
            "{line_of_pair}"
        );

        let similar = DocumentScores { score: Some(2.5), ..document.clone() };
        let line_of_similar = serde_json::to_string(&similar).unwrap();
        assert!(line_of_similar.contains("\"gold\":1,\"score\":2.5,"), "{line_of_similar}");

        let dir = tempfile::tempdir().unwrap();
        DocumentScores::save_all(&[document.clone(), document], dir.path()).unwrap();
        let text = std::fs::read_to_string(dir.path().join(DOCUMENTS_FILE)).unwrap();
        assert_eq!(text, format!("{line}\n{line}\n"));
    }
}
