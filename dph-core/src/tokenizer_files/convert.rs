//! [`convert_tokenizer`]: the `tokenizer.json` of other files.

use std::io;
use std::path::Path;

use serde_json::{Map, Value};

use super::assemble::{Parts, assemble};
use super::byte_level::{MERGES, VOCAB, byte_level_parts};
use super::class::Class;
use super::error::TokenizerFilesError;
use super::files::TokenizerFileReader;
use super::sentencepiece::SentencePiece;
use super::sentencepiece_classes::{albert, gemma, llama, t5};
use super::settings::Settings;

/// The files of a vocabulary that [`convert_tokenizer`] reads.
pub const VOCABULARY_FILES: [&str; 4] = [SENTENCEPIECE[0], SENTENCEPIECE[1], VOCAB, MERGES];

/// Whether the files are a whole vocabulary; `has(name)` says whether a file exists.
pub fn is_vocabulary(has: impl Fn(&str) -> bool) -> bool {
    SENTENCEPIECE.iter().any(|name| has(name)) || (has(VOCAB) && has(MERGES))
}

const SENTENCEPIECE: [&str; 2] = ["tokenizer.model", "spiece.model"];
/// Files of vocabularies that are not supported.
const UNSUPPORTED: [(&str, &str); 7] = [
    ("tekken.json", "a vocabulary of Mistral"),
    ("tiktoken.model", "a tiktoken vocabulary"),
    ("vocab.txt", "a WordPiece vocabulary"),
    ("vocab.bpe", "a list of merges in the format of OpenAI"),
    ("bpe.codes", "a list of merges in the format of fastBPE"),
    ("source.spm", "a vocabulary of Marian"),
    ("sentencepiece.bpe.model", "a vocabulary of fairseq"),
];

/// A tokenizer that was converted.
#[derive(Debug, Clone)]
pub struct ConvertedTokenizer {
    /// The text of `tokenizer.json`.
    pub tokenizer: String,
    /// The contents of `tokenizer_config.json`, with the special tokens that the vocabulary or the class names.
    pub config: Map<String, Value>,
}

/// The tokenizer of a folder that has no `tokenizer.json`, as transformers 5.24 builds it.
///
/// It reads a SentencePiece model (`tokenizer.model` or `spiece.model`, of type BPE or Unigram), or `vocab.json` and
/// `merges.txt`, with `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json` and `config.json` where they
/// exist. The class is the one that transformers chooses by `tokenizer_class` and `model_type`.
///
/// `read(name)` returns the contents of a file, or the error [`NotFound`](io::ErrorKind::NotFound). `folder` is used in error
/// messages only.
///
/// # Errors
///
/// If there is no vocabulary, if it is not supported, or if a file cannot be read or parsed.
pub fn convert_tokenizer(
    folder: &Path,
    read: &dyn Fn(&str) -> io::Result<Vec<u8>>,
) -> Result<ConvertedTokenizer, TokenizerFilesError> {
    let files = TokenizerFileReader { folder, read };
    let settings = Settings::read(&files)?;
    let parts = parts(&files, &settings)?;
    let tokenizer = format!("{:#}\n", assemble(&parts, &settings));
    Ok(ConvertedTokenizer { tokenizer, config: config(&parts, settings) })
}

fn parts(files: &TokenizerFileReader<'_>, settings: &Settings) -> Result<Parts, TokenizerFilesError> {
    let class = Class::choose(settings);
    let unknown = |name: &str, found: &str| {
        files.unsupported(format!("the tokenizer class {name}, which would read {found}, is not supported"))
    };
    let has = |name: &str| files.bytes(name).map(|bytes| bytes.is_some());
    let is_byte_level = class.as_ref().is_ok_and(|class| class.is_byte_level());
    // Repositories have files of several classes beside each other.
    let is_whole = is_byte_level && has(VOCAB)? && has(MERGES)?;
    for name in SENTENCEPIECE.into_iter().filter(|_| !is_whole) {
        let Some(bytes) = files.bytes(name)? else { continue };
        let model = SentencePiece::parse(files, name, &bytes)?;
        return match class {
            Ok(Class::Llama) => Ok(llama(&model, settings)),
            Ok(Class::Gemma) => Ok(gemma(&model, settings)),
            Ok(Class::T5) => Ok(t5(&model, settings)),
            Ok(Class::Albert) => Ok(albert(&model, settings)),
            Ok(Class::Generic) => Ok(model.parts(settings)),
            Ok(Class::Gpt2 | Class::Qwen2 | Class::Roberta | Class::GptNeoX) => Err(files.invalid(
                name,
                "vocabulary of this model",
                format!("{}, which reads {VOCAB} and {MERGES}; {CORRECT}", origin(settings)),
            )),
            Err(class) => Err(unknown(&class, name)),
        };
    }
    let vocab = files.json(VOCAB, "vocabulary")?;
    match (vocab, files.bytes(MERGES)?) {
        (Some(vocab), Some(merges)) => match class {
            Ok(class) if class.is_byte_level() => byte_level_parts(class, files, settings, vocab, &merges),
            Ok(Class::Generic) => Err(files.invalid(
                VOCAB,
                "vocabulary of this model",
                "it must be read by GPT2Tokenizer, Qwen2Tokenizer, RobertaTokenizer or GPTNeoXTokenizer, but neither \
                 `tokenizer_class` in tokenizer_config.json nor `model_type` in config.json says which one; set \
                 `tokenizer_class`",
            )),
            Ok(_) => Err(files.invalid(
                VOCAB,
                "vocabulary of this model",
                format!("{}, which reads {}; {CORRECT}", origin(settings), SENTENCEPIECE[0]),
            )),
            Err(class) => Err(unknown(&class, &format!("{VOCAB} and {MERGES}"))),
        },
        (Some(_), None) => Err(files.unsupported(format!("it has {VOCAB} without {MERGES}"))),
        (None, Some(_)) => Err(files.unsupported(format!("it has {MERGES} without {VOCAB}"))),
        (None, None) => Err(missing(files)?),
    }
}

/// A remedy for files that the class does not read.
const CORRECT: &str = "add the files that it reads, or set `tokenizer_class` in tokenizer_config.json to the class of this vocabulary";

/// What says which class reads the files.
fn origin(settings: &Settings) -> String {
    Class::origin(settings).unwrap_or_else(|| "the tokenizer has no class".to_owned())
}

/// The error that there is no vocabulary, or none that is supported.
fn missing(files: &TokenizerFileReader<'_>) -> Result<TokenizerFilesError, TokenizerFilesError> {
    for (name, what) in UNSUPPORTED {
        if files.bytes(name)?.is_some() {
            return Ok(files.unsupported(format!("its {name} ({what}) is not supported")));
        }
    }
    Ok(TokenizerFilesError::None { folder: files.folder.to_owned() })
}

fn config(parts: &Parts, settings: Settings) -> Map<String, Value> {
    let names = parts.names.iter().filter(|(key, _)| settings.name(key).is_none());
    let names: Vec<(String, Value)> =
        names.map(|(key, text)| ((*key).into(), text.as_str().into())).collect();
    let mut config = settings.config;
    config.extend(names);
    let added = config.get_mut("added_tokens_decoder").filter(|_| parts.raw_added_tokens);
    for token in added.and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
        token["normalized"] = false.into();
    }
    config
}
