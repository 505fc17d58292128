//! A byte-level BPE tokenizer that is trained on the texts of the world.

use std::path::Path;

use serde_json::Value as Json;

use super::world::World;
use crate::chat::{TokenizerError, train_tokenizer};
use crate::task::Kind;

/// Upper limit of the vocabulary; enough for every word of the world.
const VOCABULARY: usize = 768;

impl World {
    /// Trains the tokenizer of this world and writes it into a folder, see [`train_tokenizer`]. The vocabulary contains the
    /// ChatML tokens. The same world gives the same files, byte for byte.
    ///
    /// # Errors
    /// As [`train_tokenizer`].
    pub fn write_tokenizer(&self, folder: &Path) -> Result<(), TokenizerError> {
        train_tokenizer(folder, self.words(), VOCABULARY, &["<|im_start|>", "<|im_end|>"])
    }

    /// All texts of the world.
    fn words(&self) -> Vec<String> {
        let rows = [Kind::Text, Kind::Instruction, Kind::Choice]
            .into_iter()
            .filter_map(|kind| self.rows(kind, "train"));
        let mut words = vec!["system\n".to_owned(), "user\n".to_owned(), "assistant\n".to_owned()];
        rows.flatten().for_each(|row| collect(Json::Object(row), &mut words));
        words
    }
}

/// All texts in a value.
fn collect(value: Json, out: &mut Vec<String>) {
    match value {
        Json::String(text) => out.push(text),
        Json::Array(items) => items.into_iter().for_each(|item| collect(item, out)),
        Json::Object(fields) => fields.into_iter().for_each(|(_, item)| collect(item, out)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn training_is_deterministic_and_words_are_single_tokens() {
        let world = World::default();
        let files = || {
            let folder = tempfile::tempdir().unwrap();
            world.write_tokenizer(folder.path()).unwrap();
            std::fs::read(folder.path().join("tokenizer.json")).unwrap()
        };
        let first = files();
        assert_eq!(first, files());
        let tokenizer = tokenizers::Tokenizer::from_bytes(first).unwrap();
        assert!(
            (512..=VOCABULARY).contains(&tokenizer.get_vocab_size(true)),
            "{}",
            tokenizer.get_vocab_size(true)
        );
        let text = world.facts[0].sentence(&world.facts[0].truth) + " Would you lie to me? A lie.";
        let encoding = tokenizer.encode(text.as_str(), false).unwrap();
        assert!(encoding.len() <= 18, "{:?}", encoding.get_tokens());
        assert_eq!(tokenizer.decode(encoding.get_ids(), false).unwrap(), text);
        let special: Vec<_> =
            ["<s>", "<pad>", "</s>", "<|im_start|>", "<|im_end|>"].map(|t| tokenizer.token_to_id(t)).into();
        assert_eq!(special, [Some(0), Some(1), Some(2), Some(3), Some(4)]);
    }
}
