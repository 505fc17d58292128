//! [`Ranking`]: candidates sorted by a scorer.

use std::collections::BTreeMap;

use dph_core::{CandidateScores, Scorer, best_first};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::rank::request::RankRequest;
use crate::report::{Bold, Cell, Columns};

/// Characters of a candidate that are shown.
const CANDIDATE_WIDTH: usize = 60;
/// Characters of a prompt that are shown.
const PROMPT_WIDTH: usize = 90;

/// The answers to a prompt, the best first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// The id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Value>,
    /// The scorer that the candidates are sorted by: `loglik-mean` or `reward:<head>`.
    pub scorer: String,
    /// The score from which on a candidate is good enough, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_reward: Option<f64>,
    /// The number of candidates that are good enough, the first of the list; with `min_reward`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<usize>,
    /// The candidates, the best first.
    pub ranking: Vec<RankedCandidate>,
}

/// A candidate with its index in the request and its scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankedCandidate {
    /// Its index in the request, from 0.
    pub index: usize,
    /// Its text.
    pub candidate: String,
    /// The score that it is sorted by; null if it is not finite.
    pub score: Option<f64>,
    /// The scores of all scorers, by name.
    pub scores: BTreeMap<String, Option<f64>>,
    /// Number of its tokens, without the end of the turn. An answer without tokens is last by log-likelihood.
    pub tokens: usize,
}

impl Ranking {
    /// Sorts the scored candidates of a request by the first of `scorers`, in descending order; the values of all are kept.
    ///
    /// Equal candidates keep the order of the request; candidates whose score is not finite come last.
    pub fn new(request: &RankRequest, scores: &[CandidateScores], scorers: &[Scorer]) -> Self {
        let by = scorers.first();
        let finite = |value: f64| Some(value).filter(|value| value.is_finite());
        let value = |index: usize| by.map_or(f64::NAN, |scorer| scorer.value(&scores[index]));
        let mut order: Vec<usize> = (0..request.candidates.len().min(scores.len())).collect();
        order.sort_by(|&a, &b| best_first(value(a), value(b)));
        let ranking = order
            .into_iter()
            .map(|index| RankedCandidate {
                index,
                candidate: request.candidates[index].clone(),
                score: finite(value(index)),
                scores: scorers
                    .iter()
                    .map(|scorer| (scorer.to_string(), finite(scorer.value(&scores[index]))))
                    .collect(),
                tokens: scores[index].tokens,
            })
            .collect();
        let scorer = by.map(Scorer::to_string).unwrap_or_default();
        Self { id: request.id.clone(), scorer, min_reward: None, accepted: None, ranking }
    }

    /// Says which candidates are good enough: those whose score is at least `min_reward`.
    pub fn with_min_reward(mut self, min_reward: f64) -> Self {
        let good = |ranked: &&RankedCandidate| ranked.score.is_some_and(|score| score >= min_reward);
        self.accepted = Some(self.ranking.iter().filter(good).count());
        self.min_reward = Some(min_reward);
        self
    }

    /// The ranking as text: the end of the prompt, then a line for each candidate with all its scores.
    pub fn to_text(&self, request: &RankRequest, scorers: &[Scorer]) -> String {
        let names: Vec<String> = scorers.iter().map(Scorer::to_string).collect();
        let heading = ["", "candidate"].map(String::from).into_iter().chain(names.clone());
        let mut rows: Vec<Vec<Cell>> = vec![heading.map(Cell::from).collect()];
        for (place, ranked) in self.ranking.iter().enumerate() {
            let scores = names.iter().map(|name| {
                let score = ranked.scores.get(name).copied().flatten();
                score.map_or_else(|| "–".into(), |score| format!("{score:.4}"))
            });
            let candidate = match (ranked.tokens, ranked.candidate.is_empty()) {
                (0, true) => "(empty answer)".to_owned(),
                (0, false) => format!("{} (no tokens)", shortened(&ranked.candidate, CANDIDATE_WIDTH)),
                _ => shortened(&ranked.candidate, CANDIDATE_WIDTH),
            };
            let head = [(place + 1).to_string(), candidate];
            rows.push(head.into_iter().chain(scores).map(Cell::from).collect());
        }
        let id = match &self.id {
            Some(Value::String(id)) => format!("[{id}] "),
            Some(id) => format!("[{id}] "),
            None => String::new(),
        };
        let question = request.prompt.last().map_or("", |message| &*message.content);
        let accepted = match (self.accepted, self.min_reward) {
            (Some(0), Some(least)) => format!("none is good enough: no {} reaches {least:.4}\n", self.scorer),
            (Some(count), Some(least)) => {
                format!("{count} of {} good enough: {} reaches {least:.4}\n", self.ranking.len(), self.scorer)
            }
            _ => String::new(),
        };
        let table = Columns { left: 2, rows }.to_text(Bold::Star);
        format!("{id}{}\n{table}{accepted}", shortened(question, PROMPT_WIDTH))
    }
}

/// The scorers in order of precedence: the heads first, in their order, then the log-likelihoods.
pub fn ranking_order(mut scorers: Vec<Scorer>) -> Vec<Scorer> {
    scorers.sort_by_key(Scorer::is_likelihood);
    scorers
}

/// A text on one line, cut to `width` characters.
fn shortened(text: &str, width: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(width) {
        Some(_) => line.chars().take(width - 1).chain(['…']).collect(),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dph_data::Message;
    use proptest::prelude::*;

    fn request(candidates: usize) -> RankRequest {
        RankRequest {
            id: Some("x".into()),
            prompt: vec![Message::user("?")],
            candidates: (0..candidates).map(|index| format!("answer {index}")).collect(),
        }
    }

    fn rewards(rewards: &[f32]) -> Vec<CandidateScores> {
        rewards
            .iter()
            .map(|&reward| CandidateScores { rewards: vec![reward], tokens: 1, ..Default::default() })
            .collect()
    }

    fn head() -> Scorer {
        Scorer::Reward { head: "preference".into(), index: 0 }
    }

    #[test]
    fn equal_candidates_keep_their_order_and_nan_comes_last() {
        let scores = rewards(&[f32::NAN, 1.0, 2.0, 1.0]);
        let ranking = Ranking::new(&request(4), &scores, &[head()]);
        let order: Vec<usize> = ranking.ranking.iter().map(|ranked| ranked.index).collect();
        assert_eq!(order, [2, 1, 3, 0]);
        assert_eq!(ranking.scorer, "reward:preference");
        assert_eq!(ranking.ranking[0].candidate, "answer 2");
        assert_eq!(ranking.ranking[3].score, None);
    }

    #[test]
    fn the_first_of_a_ranking_is_what_the_scorer_chooses() {
        for values in [[f32::NAN, f32::INFINITY, 1.0], [-0.0, 0.0, f32::NEG_INFINITY]] {
            let scores = rewards(&values);
            let ranking = Ranking::new(&request(3), &scores, &[head()]);
            assert_eq!(Some(ranking.ranking[0].index), head().choose(&scores), "{values:?}");
        }
    }

    #[test]
    fn a_candidate_is_good_enough_if_it_reaches_the_threshold() {
        let scores = rewards(&[f32::NAN, 1.0, 2.0, 0.5]);
        let accepted = |least| {
            let ranking = Ranking::new(&request(4), &scores, &[head()]).with_min_reward(least);
            let text = ranking.to_text(&request(4), &[head()]);
            (ranking.accepted, text.lines().last().map(String::from))
        };
        let line = |text: &str| Some(text.to_owned());
        assert_eq!(accepted(1.0), (Some(2), line("2 of 4 good enough: reward:preference reaches 1.0000")));
        assert_eq!(
            accepted(2.5),
            (Some(0), line("none is good enough: no reward:preference reaches 2.5000"))
        );
        let without = Ranking::new(&request(4), &scores, &[head()]);
        assert!(!serde_json::to_string(&without).unwrap_or_default().contains("accepted"));
    }

    #[test]
    fn heads_come_before_likelihoods() {
        let order = ranking_order(Scorer::all(&["a".into(), "b".into()]));
        let names: Vec<String> = order.iter().map(Scorer::to_string).collect();
        assert_eq!(names, ["reward:a", "reward:b", "loglik-mean", "loglik-sum"]);
    }

    #[test]
    fn a_ranking_reads_well() {
        let mut request = request(2);
        request.prompt = vec![Message::user("Who\nwrote   it? ".repeat(12))];
        request.candidates[0] = "long ".repeat(40);
        let scorers = ranking_order(Scorer::all(&["preference".into()]));
        let mut scores = rewards(&[0.25, f32::NAN]);
        scores[0].loglik = -3.5;
        scores[0].tokens = 2;
        scores[1].tokens = 0;
        insta::assert_snapshot!(Ranking::new(&request, &scores, &scorers).to_text(&request, &scorers));
    }

    proptest! {
        #[test]
        fn a_ranking_is_the_candidates_sorted(values in prop::collection::vec(-9.0..9.0_f32, 1..20)) {
            let ranking = Ranking::new(&request(values.len()), &rewards(&values), &[head()]).ranking;
            prop_assert!(ranking.is_sorted_by(|a, b| a.score >= b.score));
            let mut indices: Vec<usize> = ranking.iter().map(|ranked| ranked.index).collect();
            prop_assert_eq!(Some(indices[0]), head().choose(&rewards(&values)));
            indices.sort_unstable();
            prop_assert_eq!(indices, (0..values.len()).collect::<Vec<_>>());
        }
    }
}
