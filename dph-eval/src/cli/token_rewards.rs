//! The rewards at every token of candidates, for people and as JSON.

use dph_core::terminal::printable_line;
use dph_core::{CandidateSet, Scorer, TokenRewards};
use dph_data::{ChatError, ChatTokenizer};
use serde_json::{Map, Value, json};

/// The rewards of the candidates of a set.
pub struct SetTokenRewards<'a> {
    pub set: &'a CandidateSet,
    pub rewards: Vec<TokenRewards>,
    /// The scorers of the heads.
    pub heads: Vec<Scorer>,
}

impl SetTokenRewards<'_> {
    /// The rewards of a candidate by the names of the heads.
    pub fn to_json(&self, candidate: usize) -> Value {
        let of_head =
            |head: &Scorer| Some((head.to_string(), json!(head.token_rewards(&self.rewards[candidate])?)));
        Value::Object(self.heads.iter().filter_map(of_head).collect::<Map<_, _>>())
    }

    /// A line for each candidate and head: every token with its reward.
    pub fn to_text(&self, tokenizer: &ChatTokenizer) -> Result<String, ChatError> {
        let mut text = String::new();
        for (index, (candidate, rewards)) in self.set.candidates.iter().zip(&self.rewards).enumerate() {
            let tokens = &candidate.tokens[candidate.turn()];
            let pieces: Vec<String> =
                tokens.iter().map(|&token| tokenizer.decode(&[token])).collect::<Result<_, _>>()?;
            for head in &self.heads {
                let Some(rewards) = head.token_rewards(rewards) else { continue };
                let with_rewards = pieces.iter().zip(rewards);
                let with_rewards: Vec<String> = with_rewards
                    .map(|(piece, reward)| format!("{} {reward:.4}", printable_line(piece)))
                    .collect();
                text += &format!("candidate {index}, {head}: {}\n", with_rewards.join(" | "));
            }
        }
        Ok(text)
    }
}
