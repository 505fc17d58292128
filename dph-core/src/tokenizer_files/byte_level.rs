//! Byte-level byte-pair encodings: `vocab.json` and `merges.txt`.

use serde_json::{Map, Value, json};

use super::assemble::Parts;
use super::class::Class;
use super::error::TokenizerFilesError;
use super::files::TokenizerFileReader;
use super::parts::{Bpe, QWEN_2, byte_level, split_byte_level};
use super::post_processor::PostProcessor;
use super::settings::{Settings, check_ids};

pub(super) const VOCAB: &str = "vocab.json";
pub(super) const MERGES: &str = "merges.txt";

/// The tokenizer of a vocabulary and its merges, as the class of transformers builds it.
pub(super) fn byte_level_parts(
    class: Class,
    files: &TokenizerFileReader<'_>,
    settings: &Settings,
    vocab: Map<String, Value>,
    merges: &[u8],
) -> Result<Parts, TokenizerFilesError> {
    const END: &str = "<|endoftext|>";
    if vocab.is_empty() {
        return Err(files.invalid(VOCAB, "vocabulary", "it has no tokens"));
    }
    check_ids(files, VOCAB, "vocabulary", &vocab)?;
    let prefix = settings.flag("add_prefix_space", false);
    let trim = settings.flag("trim_offsets", true);
    let configured = PostProcessor::Configured {
        bos: settings.flag("add_bos_token", false),
        eos: settings.flag("add_eos_token", false),
    };
    let (normalizer, pre_tokenizer, post_processor, names): (_, _, _, &[_]) = match class {
        Class::Qwen2 => {
            let names = &[("unk_token", END), ("eos_token", END), ("pad_token", END)];
            (json!({ "type": "NFC" }), split_byte_level(&[QWEN_2], prefix), configured, names)
        }
        Class::GptNeoX => {
            let names =
                &[("bos_token", END), ("eos_token", END), ("unk_token", END), ("pad_token", "<|padding|>")];
            (json!({ "type": "NFC" }), byte_level(prefix, trim, true), configured, names)
        }
        Class::Roberta => {
            let post_processor = PostProcessor::Roberta { trim_offsets: trim, add_prefix_space: prefix };
            let names = &[
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
                ("sep_token", "</s>"),
                ("cls_token", "<s>"),
                ("unk_token", "<unk>"),
                ("pad_token", "<pad>"),
                ("mask_token", "<mask>"),
            ];
            (Value::Null, byte_level(prefix, true, true), post_processor, names)
        }
        _ => {
            let names = &[("bos_token", END), ("eos_token", END), ("unk_token", END)];
            (Value::Null, byte_level(prefix, true, true), configured, names)
        }
    };
    let merges = parse_merges(files, &vocab, merges)?;
    Ok(Parts {
        model: Bpe { affix: Some(""), ..Bpe::default() }.model(vocab, merges.into()),
        normalizer,
        pre_tokenizer,
        decoder: byte_level(true, true, true),
        post_processor,
        names: names.iter().map(|(key, token)| (*key, (*token).to_owned())).collect(),
        additional: Vec::new(),
        raw_added_tokens: false,
        plain_special_tokens: class == Class::Qwen2,
    })
}

/// The lines of `merges.txt`: two tokens of the vocabulary, which together are a third one.
fn parse_merges(
    files: &TokenizerFileReader<'_>,
    vocab: &Map<String, Value>,
    merges: &[u8],
) -> Result<Vec<Value>, TokenizerFilesError> {
    let invalid = |message: String| files.invalid(MERGES, "list of merges", message);
    let text = std::str::from_utf8(merges).map_err(|error| invalid(error.to_string()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with("#version"));
    lines
        .map(|(index, line)| {
            let line_invalid = |problem: String| invalid(format!("line {}: {problem}", index + 1));
            let Some((left, right)) = line.split_once(' ').filter(|(_, right)| !right.contains(' ')) else {
                return Err(line_invalid(format!(
                    "expected two tokens and a space between them, found `{line}`"
                )));
            };
            let whole = format!("{left}{right}");
            match [left, right, &whole].into_iter().find(|token| !vocab.contains_key(*token)) {
                Some(token) => {
                    Err(line_invalid(format!("`{token}` is not in {VOCAB}; do both files belong together?")))
                }
                None => Ok(json!([left, right])),
            }
        })
        .collect()
}
