//! Tokenizers of SentencePiece models as single classes of transformers build them. These classes ignore most settings of the
//! model.

use serde_json::{Value, json};

use super::added_tokens::AddedToken;
use super::assemble::Parts;
use super::merges::{by_index, merges};
use super::parts::{BLANK, Bpe, blanks_decoder, metaspace, replace, vocab};
use super::post_processor::PostProcessor;
use super::sentencepiece::SentencePiece;
use super::settings::Settings;

/// `LlamaTokenizer`.
pub(super) fn llama(model: &SentencePiece, settings: &Settings) -> Parts {
    let prefix = settings.flag("add_prefix_space", true);
    let scheme = match (prefix, settings.legacy(false)) {
        (false, _) => "never",
        (true, true) => "always",
        (true, false) => "first",
    };
    Parts {
        pre_tokenizer: metaspace(scheme, false),
        decoder: blanks_decoder(true, prefix),
        ..bpe(model, settings, None, &[("unk_token", "<unk>"), ("bos_token", "<s>"), ("eos_token", "</s>")])
    }
}

/// `GemmaTokenizer`.
pub(super) fn gemma(model: &SentencePiece, settings: &Settings) -> Parts {
    let names = [
        ("unk_token", "<unk>"),
        ("bos_token", "<bos>"),
        ("eos_token", "<eos>"),
        ("pad_token", "<pad>"),
        ("mask_token", "<mask>"),
    ];
    let named = settings.named(&[("unk_token", "<unk>".to_owned())]);
    let unknown = named.iter().find(|(key, _)| key == "unk_token").map(|(_, token)| token.content.as_str());
    Parts {
        normalizer: replace(" ", BLANK),
        pre_tokenizer: json!({
            "type": "Split", "pattern": { "String": " " }, "behavior": "MergedWithPrevious", "invert": false,
        }),
        decoder: blanks_decoder(true, false),
        ..bpe(model, settings, unknown, &names)
    }
}

/// The largest number of sentinel tokens.
const MOST_SENTINELS: u64 = 10_000;

/// `T5Tokenizer`, which has sentinel tokens behind the pieces.
pub(super) fn t5(model: &SentencePiece, settings: &Settings) -> Parts {
    let count = settings.config.get("extra_ids").and_then(Value::as_u64).unwrap_or(100);
    // A damaged file may have a number for which there is not enough memory.
    let sentinels: Vec<String> =
        (0..count.min(MOST_SENTINELS)).rev().map(|index| format!("<extra_id_{index}>")).collect();
    let mut additional = model.added_pieces();
    additional.extend(sentinels.iter().map(|token| AddedToken::new(token, true)));
    Parts {
        model: model.unigram(2, false, &sentinels),
        normalizer: model.charsmap().unwrap_or(Value::Null),
        post_processor: PostProcessor::T5,
        names: names(&[("eos_token", "</s>"), ("unk_token", "<unk>"), ("pad_token", "<pad>")]),
        additional,
        ..words("always")
    }
}

/// `AlbertTokenizer`.
pub(super) fn albert(model: &SentencePiece, settings: &Settings) -> Parts {
    let mut steps = vec![replace("``", "\""), replace("''", "\"")];
    if !settings.flag("keep_accents", false) {
        steps.extend([json!({ "type": "NFKD" }), json!({ "type": "StripAccents" })]);
    }
    if settings.flag("do_lower_case", true) {
        steps.push(json!({ "type": "Lowercase" }));
    }
    steps.extend(model.charsmap());
    let scheme = if settings.flag("add_prefix_space", true) { "always" } else { "never" };
    Parts {
        model: model.unigram(1, false, &[]),
        normalizer: json!({ "type": "Sequence", "normalizers": steps }),
        post_processor: PostProcessor::Albert,
        names: names(&[
            ("bos_token", "[CLS]"),
            ("eos_token", "[SEP]"),
            ("unk_token", "<unk>"),
            ("sep_token", "[SEP]"),
            ("pad_token", "<pad>"),
            ("cls_token", "[CLS]"),
            ("mask_token", "[MASK]"),
        ]),
        additional: model.added_pieces(),
        ..words(scheme)
    }
}

/// A byte-pair encoding of all pieces, with merges in the order of the pieces.
fn bpe(
    model: &SentencePiece,
    settings: &Settings,
    unknown: Option<&str>,
    defaults: &[(&'static str, &str)],
) -> Parts {
    let pieces = || model.pieces.iter().map(|piece| piece.piece());
    let bpe = Bpe { unknown, fuse_unknown: true, byte_fallback: true, ..Bpe::default() };
    Parts {
        model: bpe.model(vocab(pieces()), json!(merges(pieces().enumerate(), by_index))),
        normalizer: Value::Null,
        pre_tokenizer: Value::Null,
        decoder: Value::Null,
        post_processor: PostProcessor::Configured {
            bos: settings.flag("add_bos_token", false),
            eos: settings.flag("add_eos_token", false),
        },
        names: names(defaults),
        additional: model.added_pieces(),
        raw_added_tokens: false,
        plain_special_tokens: false,
    }
}

/// Pieces are words between white space.
fn words(scheme: &str) -> Parts {
    Parts {
        model: Value::Null,
        normalizer: Value::Null,
        pre_tokenizer: json!({
            "type": "Sequence", "pretokenizers": [{ "type": "WhitespaceSplit" }, metaspace(scheme, true)],
        }),
        decoder: metaspace(scheme, true),
        post_processor: PostProcessor::T5,
        names: Vec::new(),
        additional: Vec::new(),
        raw_added_tokens: false,
        plain_special_tokens: false,
    }
}

fn names(defaults: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
    defaults.iter().map(|(key, token)| (*key, (*token).to_owned())).collect()
}
