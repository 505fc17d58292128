//! Trains a byte-level BPE tokenizer for a new model.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;
use tokenizers::models::bpe::{BPE, BpeTrainerBuilder};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{
    AddedToken, DecoderWrapper, NormalizerWrapper, PostProcessorWrapper, PreTokenizerWrapper,
    TokenizerBuilder,
};

/// Why a tokenizer cannot be trained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The trainer fails.
    #[error("cannot train a tokenizer: {message}")]
    Train {
        /// Its message.
        message: String,
    },
}

/// Trains a tokenizer on texts and writes it into a folder, which is created if it does not exist: `tokenizer.json`,
/// `tokenizer_config.json` and `special_tokens_map.json`, as Hugging Face models have them.
///
/// The vocabulary has at most `vocab` tokens, including all bytes. As in the paper, `</s>` starts and ends a text. `control`
/// lists further control tokens, such as those of ChatML. The same texts give the same files.
///
/// # Errors
/// The trainer fails, or a file cannot be written.
pub fn train_tokenizer(
    folder: &Path,
    texts: impl IntoIterator<Item = String, IntoIter: Send>,
    vocab: usize,
    control: &[&str],
) -> Result<(), TokenizerError> {
    let failed = |error: &dyn std::fmt::Display| TokenizerError::Train { message: error.to_string() };
    let special = ["<s>", "<pad>", "</s>"].iter().chain(control);
    let mut trainer = BpeTrainerBuilder::new()
        .show_progress(false)
        .vocab_size(vocab)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(special.map(|token| AddedToken::from(*token, true)).collect())
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
    tokenizer.train(&mut trainer, texts.into_iter()).map_err(|error| failed(&error))?;
    let json = serde_json::to_value(&tokenizer).map_err(|error| failed(&error))?;

    let write = |name: &str, content: String| {
        let path = folder.join(name);
        fs::write(&path, content).map_err(|source| TokenizerError::Write { path, source })
    };
    fs::create_dir_all(folder).map_err(|source| TokenizerError::Write { path: folder.to_owned(), source })?;
    write("tokenizer.json", format!("{json:#}\n"))?;
    let special = json!({ "bos_token": "</s>", "eos_token": "</s>", "pad_token": "<pad>" });
    let mut config = special.clone();
    config["additional_special_tokens"] = json!(control);
    config["clean_up_tokenization_spaces"] = json!(false);
    config["tokenizer_class"] = json!("PreTrainedTokenizerFast");
    write("tokenizer_config.json", format!("{config:#}\n"))?;
    write("special_tokens_map.json", format!("{special:#}\n"))
}
