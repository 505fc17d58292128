//! A byte-level BPE tokenizer trained on the world's own texts.

use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{
    AddedToken, DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper,
    TokenizerBuilder,
};

use super::{World, WorldError};
use crate::task::Kind;

/// The most tokens the vocabulary may have; enough for every word of the world.
const VOCABULARY: usize = 768;

impl World {
    /// Trains the tokenizer of this world and writes it into a folder, which is made where it is missing:
    /// `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json`, as Hugging Face models have them.
    ///
    /// The paper's conventions: `</s>` starts and ends a text, `<|im_start|>` and `<|im_end|>` enclose messages. The same world
    /// gives the same files, byte for byte.
    ///
    /// # Errors
    /// The trainer fails, or a file cannot be written.
    pub fn write_tokenizer(&self, folder: &Path) -> Result<(), WorldError> {
        let write = |name: &str, content: String| {
            let path = folder.join(name);
            fs::write(&path, content).map_err(|source| WorldError::Write { path, source })
        };
        fs::create_dir_all(folder).map_err(|source| WorldError::Write { path: folder.to_owned(), source })?;
        write("tokenizer.json", format!("{:#}\n", self.tokenizer()?))?;
        let special = json!({ "bos_token": "</s>", "eos_token": "</s>", "pad_token": "<pad>" });
        let mut config = special.clone();
        config["additional_special_tokens"] = json!(["<|im_start|>", "<|im_end|>"]);
        config["clean_up_tokenization_spaces"] = json!(false);
        config["tokenizer_class"] = json!("PreTrainedTokenizerFast");
        write("tokenizer_config.json", format!("{config:#}\n"))?;
        write("special_tokens_map.json", format!("{special:#}\n"))
    }

    /// The `tokenizer.json` of this world.
    fn tokenizer(&self) -> Result<Json, WorldError> {
        let failed = |error: &dyn std::fmt::Display| WorldError::Tokenizer { message: error.to_string() };
        let special = ["<s>", "<pad>", "</s>", "<|im_start|>", "<|im_end|>"];
        let mut trainer = BpeTrainerBuilder::new()
            .show_progress(false)
            .vocab_size(VOCABULARY)
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .special_tokens(special.map(|token| AddedToken::from(token, true)).to_vec())
            .build();
        let bytes = ByteLevel::new(false, true, true);
        let mut tokenizer = TokenizerBuilder::<
            BPE,
            NormalizerWrapper,
            PreTokenizerWrapper,
            PostProcessorWrapper,
            DecoderWrapper,
        >::new()
        .with_model(BPE::default())
        .with_pre_tokenizer(Some(bytes.into()))
        .with_decoder(Some(bytes.into()))
        .build()
        .map_err(|error| failed(&error))?;
        tokenizer.train(&mut trainer, self.words().into_iter()).map_err(|error| failed(&error))?;
        serde_json::to_value(&tokenizer).map_err(|error| failed(&error))
    }

    /// Everything that is said in the world.
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
        let first = world.tokenizer().unwrap();
        assert_eq!(first, world.tokenizer().unwrap());
        let tokenizer: tokenizers::Tokenizer = serde_json::from_value(first).unwrap();
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
