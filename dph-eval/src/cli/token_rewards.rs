//! The rewards at every token of candidates, for people and as JSON.

use dph_core::terminal::printable_line;
use dph_core::{CandidateSet, Scorer, TokenRewards};
use dph_data::{ChatError, ChatTokenizer};
use serde_json::{Map, Value, json};

/// The texts of tokens.
pub fn pieces(tokens: &[u32], tokenizer: &ChatTokenizer) -> Result<Vec<String>, ChatError> {
    tokens.iter().map(|&token| tokenizer.decode(&[token])).collect()
}

/// Every token with its reward, on a line.
pub fn with_rewards(pieces: &[String], rewards: impl IntoIterator<Item = f64>) -> String {
    let pair = |(piece, reward): (&String, f64)| format!("{} {reward:.4}", printable_line(piece));
    pieces.iter().zip(rewards).map(pair).collect::<Vec<_>>().join(" | ")
}

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
            let pieces = pieces(tokens, tokenizer)?;
            for head in &self.heads {
                let Some(rewards) = head.token_rewards(rewards) else { continue };
                text += &format!("candidate {index}, {head}: {}\n", with_rewards(&pieces, rewards));
            }
        }
        Ok(text)
    }
}
