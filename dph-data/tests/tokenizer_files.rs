//! Tokenizers in other files than `tokenizer.json`. The expected ids are those of transformers 5.24 for the same files.

#![allow(clippy::type_complexity, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use dph_data::{ChatOptions, ChatTokenizer, add_special_tokens};
use prost::Message;
use serde_json::{Value, json};
use tempfile::TempDir;

#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(message, repeated, tag = "1")]
    pieces: Vec<Piece>,
    #[prost(message, optional, tag = "2")]
    trainer: Option<Trainer>,
    #[prost(message, optional, tag = "3")]
    normalizer: Option<Normalizer>,
}

#[derive(Clone, PartialEq, Message)]
struct Piece {
    #[prost(string, optional, tag = "1")]
    text: Option<String>,
    #[prost(float, optional, tag = "2")]
    score: Option<f32>,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct Trainer {
    #[prost(int32, optional, tag = "3")]
    model_type: Option<i32>,
    #[prost(bool, optional, tag = "35")]
    byte_fallback: Option<bool>,
    #[prost(int32, optional, tag = "40")]
    unk_id: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct Normalizer {
    #[prost(bool, optional, tag = "4")]
    remove_extra_whitespaces: Option<bool>,
}

const UNIGRAM: i32 = 1;
const BPE: i32 = 2;

/// A SentencePiece model whose scores are not in the order of the ids.
fn model(model_type: i32) -> Model {
    let piece = |text: &str, score: f32, kind: i32| Piece {
        text: Some(text.to_owned()),
        score: Some(score),
        kind: Some(kind),
    };
    let (unknown, control, user, byte, normal) = (2, 3, 4, 6, 1);
    let mut pieces = vec![
        piece("<unk>", 0.0, unknown),
        piece("<s>", 0.0, control),
        piece("</s>", 0.0, control),
        piece("<sep>", 0.0, user),
        piece("ab.c", 0.0, user),
    ];
    pieces.extend((0..=255u8).map(|value| piece(&format!("<0x{value:02X}>"), 0.0, byte)));
    let letters = ["▁", "a", "b", "c", "h", "e", "l", "o", "."];
    pieces.extend(letters.iter().zip(10u8..).map(|(text, score)| piece(text, -f32::from(score), normal)));
    let longer = [
        ("he", -5.0),
        ("el", -1.0),
        ("ll", -2.0),
        ("▁h", -4.0),
        ("ell", -3.0),
        ("lo", -0.5),
        ("▁he", -6.0),
        ("hello", -7.0),
        ("▁a", -1.5),
        ("ab", -8.0),
    ];
    pieces.extend(longer.map(|(text, score)| piece(text, score, normal)));
    Model {
        pieces,
        trainer: Some(Trainer { model_type: Some(model_type), byte_fallback: Some(true), unk_id: None }),
        normalizer: Some(Normalizer { remove_extra_whitespaces: Some(model_type == UNIGRAM) }),
    }
}

/// `vocab.json` with all bytes, and `merges.txt`.
fn byte_level() -> (String, String) {
    let printable = |byte: &u8| matches!(byte, 33..=126 | 161..=172 | 174..);
    let others = (0..=255u8).filter(|byte| !printable(byte)).count() as u32;
    let bytes = (0..=255u8).filter(printable).map(char::from);
    let mut chars: Vec<char> = bytes.chain((256..256 + others).filter_map(char::from_u32)).collect();
    chars.sort_unstable();
    let merges = [("Ġ", "a"), ("h", "e"), ("l", "l"), ("he", "ll"), ("1", "2"), ("Ã", "©")];
    let tokens =
        chars.iter().map(char::to_string).chain(merges.map(|(left, right)| format!("{left}{right}")));
    let vocab: BTreeMap<String, usize> = tokens.chain(["<|endoftext|>".to_owned()]).zip(0..).collect();
    let lines: String = merges.iter().map(|(left, right)| format!("{left} {right}\n")).collect();
    (json!(vocab).to_string(), format!("#version: 0.2\n{lines}"))
}

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, contents) in files {
        fs::write(folder.path().join(name), contents).unwrap();
    }
    folder
}

fn open(folder: &Path) -> Result<ChatTokenizer, String> {
    let options = ChatOptions { text_only: true, ..ChatOptions::default() };
    ChatTokenizer::from_dir_with(folder, &options).map_err(|error| error.to_string())
}

fn ids(tokenizer: &ChatTokenizer, texts: &[&str]) -> Vec<Vec<u32>> {
    texts.iter().map(|text| tokenizer.encode_text(text).unwrap()).collect()
}

const TEXTS: [&str; 5] = ["hello hello", "  hello", "ab.cello<sep>hello", "é ab", "▁a"];

#[test]
fn sentencepiece_models_have_the_tokens_of_transformers() {
    let llama = |more: Value| {
        let mut config = json!({ "tokenizer_class": "LlamaTokenizer" });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config
    };
    let class = |name: &str| json!({ "tokenizer_class": name });
    let (hello, sep): (&[u32], u32) = (&[276, 272, 268], 3);
    let twice = [hello, hello].concat();
    let blank_hello = [&[261], hello].concat();
    let cases: [(&str, i32, &str, Value, &str, [Vec<u32>; 5]); 8] = [
        (
            "LlamaTokenizer",
            BPE,
            "tokenizer.model",
            llama(json!({})),
            "llama",
            [
                twice.clone(),
                blank_hello.clone(),
                vec![4, 274, 268, sep, 270, 272, 268],
                vec![261, 200, 174, 278, 263],
                vec![278],
            ],
        ),
        (
            "a blank behind each added token",
            BPE,
            "tokenizer.model",
            llama(json!({ "legacy": true })),
            "llama",
            [
                twice,
                blank_hello.clone(),
                vec![4, 261, 274, 268, sep, 276, 272, 268],
                vec![261, 200, 174, 278, 263],
                vec![278],
            ],
        ),
        (
            "no blank at the start",
            BPE,
            "tokenizer.model",
            llama(json!({ "add_prefix_space": false })),
            "llama",
            [
                vec![270, 272, 268, 276, 272, 268],
                blank_hello.clone(),
                vec![4, 274, 268, sep, 270, 272, 268],
                vec![200, 174, 278, 263],
                vec![278],
            ],
        ),
        (
            "mistral, whose class follows the settings of the model",
            BPE,
            "tokenizer.model",
            llama(json!({ "legacy": true })),
            "mistral",
            [
                vec![273, 271, 275, 273, 271, 275],
                vec![261, 261, 273, 271, 275],
                vec![261, 4, 271, 275, sep, 277],
                vec![261, 200, 174, 278, 263],
                vec![261, 278],
            ],
        ),
        (
            "GemmaTokenizer",
            BPE,
            "tokenizer.model",
            class("GemmaTokenizer"),
            "gemma",
            [
                vec![270, 272, 268, 276, 272, 268],
                blank_hello,
                vec![4, 274, 268, sep, 270, 272, 268],
                vec![200, 174, 278, 263],
                vec![278],
            ],
        ),
        (
            "Unigram",
            UNIGRAM,
            "tokenizer.model",
            json!({}),
            "llama",
            [
                vec![273, 271, 275, 273, 271, 275],
                vec![273, 271, 275],
                vec![261, 4, 271, 275, sep, 277],
                vec![261, 200, 174, 278, 263],
                vec![261, 278],
            ],
        ),
        (
            "Unigram, not legacy",
            UNIGRAM,
            "tokenizer.model",
            json!({ "legacy": false }),
            "llama",
            [
                vec![273, 271, 275, 273, 271, 275],
                vec![277],
                vec![261, 4, 271, 275, sep, 277],
                vec![261, 200, 174, 278, 263],
                vec![278],
            ],
        ),
        (
            "T5Tokenizer",
            UNIGRAM,
            "spiece.model",
            class("T5Tokenizer"),
            "t5",
            [
                vec![273, 271, 275, 273, 271, 275],
                vec![273, 271, 275],
                vec![4, 261, 271, 275, sep, 273, 271, 275],
                vec![261, 2, 278, 263],
                vec![278],
            ],
        ),
    ];
    for (name, kind, file, config, model_type, expected) in cases {
        let folder = folder(&[
            (file, &model(kind).encode_to_vec()),
            ("tokenizer_config.json", config.to_string().as_bytes()),
            ("config.json", json!({ "model_type": model_type }).to_string().as_bytes()),
        ]);
        let tokenizer = open(folder.path()).unwrap();
        assert_eq!(ids(&tokenizer, &TEXTS), expected, "{name}");
    }
}

#[test]
fn special_tokens_come_from_the_model_unless_the_configuration_names_them() {
    let bytes = model(BPE).encode_to_vec();
    let plain = folder(&[("tokenizer.model", &bytes)]);
    let tokenizer = open(plain.path()).unwrap();
    assert_eq!((tokenizer.bos_id(), tokenizer.eos_id(), tokenizer.pad_id()), (Some(1), Some(2), None));
    let config = json!({ "eos_token": "<|end|>", "pad_token": "<sep>" }).to_string();
    let named = folder(&[("tokenizer.model", &bytes), ("tokenizer_config.json", config.as_bytes())]);
    let tokenizer = open(named.path()).unwrap();
    assert_eq!((tokenizer.bos_id(), tokenizer.eos_id(), tokenizer.pad_id()), (Some(1), Some(280), Some(3)));
    // A spelled control token stays text.
    assert!(!tokenizer.encode_text("a<s>").unwrap().contains(&1));
}

#[test]
fn byte_level_files_have_the_tokens_of_transformers() {
    let (vocab, merges) = byte_level();
    let added = json!({ "<new>": 263 }).to_string();
    let cases: [(Option<&str>, Value, [&[u32]; 3]); 4] = [
        (Some("gpt2"), Value::Null, [&[259, 256, 220, 260], &[68, 136, 223], &[64, 263, 64]]),
        (
            Some("llama"),
            json!({ "tokenizer_class": "GPT2Tokenizer", "add_prefix_space": true }),
            [&[220, 259, 256, 220, 260], &[220, 68, 136, 223], &[256, 263, 256]],
        ),
        // Repositories of this family often name a wrong class.
        (
            Some("qwen2"),
            json!({ "tokenizer_class": "GPT2Tokenizer" }),
            [&[259, 256, 220, 16, 17], &[261], &[64, 263, 64]],
        ),
        (Some("gpt_neox"), Value::Null, [&[259, 256, 220, 260], &[261], &[64, 263, 64]]),
    ];
    for (model_type, config, expected) in cases {
        let model = json!({ "model_type": model_type }).to_string();
        let config = match config {
            Value::Null => "{}".to_owned(),
            config => config.to_string(),
        };
        let folder = folder(&[
            ("vocab.json", vocab.as_bytes()),
            ("merges.txt", merges.as_bytes()),
            ("added_tokens.json", added.as_bytes()),
            ("tokenizer_config.json", config.as_bytes()),
            ("config.json", model.as_bytes()),
        ]);
        let tokenizer = open(folder.path()).unwrap();
        assert_eq!(
            ids(&tokenizer, &["hell a 12", "e\u{301}", "a<new>a"]),
            expected,
            "{model_type:?} {config}"
        );
    }
}

#[test]
fn added_tokens_are_written_into_a_tokenizer_json() {
    let folder = folder(&[("tokenizer.model", &model(BPE).encode_to_vec())]);
    let before = open(folder.path()).unwrap();
    assert_eq!(add_special_tokens(folder.path(), &["<|turn|>".to_owned()]).unwrap(), 1);
    assert!(folder.path().join("tokenizer.json").is_file());
    fs::remove_file(folder.path().join("tokenizer.model")).unwrap();
    let after = open(folder.path()).unwrap();
    assert_eq!(ids(&after, &TEXTS), ids(&before, &TEXTS));
    assert_eq!((after.bos_id(), after.eos_id()), (before.bos_id(), before.eos_id()));
    assert_eq!(after.token_id("<|turn|>"), Some(before.vocab_size() as u32));
}

#[test]
fn truncation_and_padding_of_a_tokenizer_json_change_no_text() {
    let folder = folder(&[("tokenizer.model", &model(UNIGRAM).encode_to_vec())]);
    let expected = ids(&open(folder.path()).unwrap(), &TEXTS);
    add_special_tokens(folder.path(), &[]).unwrap();
    let path = folder.path().join("tokenizer.json");
    let mut tokenizer: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    tokenizer["truncation"] =
        json!({ "direction": "Left", "max_length": 2, "strategy": "LongestFirst", "stride": 0 });
    tokenizer["padding"] = json!({
        "strategy": { "Fixed": 16 }, "direction": "Right", "pad_to_multiple_of": 8, "pad_id": 0, "pad_type_id": 0,
        "pad_token": "<unk>",
    });
    fs::write(&path, tokenizer.to_string()).unwrap();
    assert_eq!(ids(&open(folder.path()).unwrap(), &TEXTS), expected);
}

#[test]
fn unusable_files_are_errors_that_name_them_and_a_remedy() {
    let (vocab, merges) = byte_level();
    let bpe = model(BPE).encode_to_vec();
    let words = Model {
        trainer: Some(Trainer { model_type: Some(3), byte_fallback: None, unk_id: None }),
        ..model(BPE)
    };
    let unknown = Model {
        trainer: Some(Trainer { model_type: Some(BPE), byte_fallback: None, unk_id: Some(1000) }),
        ..model(BPE)
    };
    let broken = merges.replace("he ll", "he zz");
    let gpt2: (&str, &[u8]) = ("config.json", br#"{"model_type": "gpt2"}"#);
    let remedy = "AutoTokenizer.from_pretrained(";
    let class = |name: &str| json!({ "tokenizer_class": name }).to_string();
    let (llama, gpt2_class) = (class("LlamaTokenizer"), class("GPT2Tokenizer"));
    let huge = vocab.replacen("0", "1099511627776", 1);
    let pointer = b"version https://git-lfs\noid sha256:00\nsize 1\n";
    let split = json!({ "split_special_tokens": true }).to_string();
    let (vocab_bytes, merges_bytes) = (vocab.as_bytes(), merges.as_bytes());
    let cases: [(&[(&str, &[u8])], &[&str]); 23] = [
        (
            &[
                ("vocab.json", vocab_bytes),
                ("merges.txt", merges_bytes),
                ("tokenizer_config.json", llama.as_bytes()),
            ],
            &[
                "vocab.json",
                "`tokenizer_class` in tokenizer_config.json is LlamaTokenizer, which reads tokenizer.model",
            ],
        ),
        (
            &[("tokenizer.model", &bpe), ("tokenizer_config.json", gpt2_class.as_bytes())],
            &[
                "tokenizer.model",
                "is GPT2Tokenizer, which reads vocab.json and merges.txt",
                "set `tokenizer_class`",
            ],
        ),
        (
            &[("vocab.json", huge.as_bytes()), ("merges.txt", merges_bytes), gpt2],
            &[
                "vocab.json is not a valid vocabulary: the id of `",
                "is 1099511627776; an id is a whole number below 2^32",
            ],
        ),
        (
            &[
                ("vocab.json", vocab_bytes),
                ("merges.txt", merges_bytes),
                gpt2,
                ("added_tokens.json", br#"{"<new>": 1099511627776}"#),
            ],
            &["added_tokens.json", "the id of `<new>` is 1099511627776"],
        ),
        (
            &[
                ("tokenizer.model", &bpe),
                (
                    "tokenizer_config.json",
                    br#"{"added_tokens_decoder": {"1099511627776": {"content": "<new>"}}}"#,
                ),
            ],
            &["tokenizer_config.json", "`added_tokens_decoder` has the id 1099511627776"],
        ),
        (
            &[("vocab.json", b"{}"), ("merges.txt", merges_bytes), gpt2],
            &["vocab.json is not a valid vocabulary: it has no tokens"],
        ),
        (
            &[("vocab.json", pointer), ("merges.txt", merges_bytes), gpt2],
            &["vocab.json", "pointer of Git LFS"],
        ),
        (
            &[("vocab.json", vocab_bytes), ("merges.txt", pointer), gpt2],
            &["merges.txt", "pointer of Git LFS"],
        ),
        (
            &[("tokenizer.model", pointer)],
            &["tokenizer.model", "a pointer of Git LFS, not the file itself; run `git lfs pull`"],
        ),
        (
            &[("tokenizer.json", pointer)],
            &["tokenizer.json", "a pointer of Git LFS, not the file itself; run `git lfs pull`"],
        ),
        (
            &[("tokenizer.model", &bpe), ("tokenizer_config.json", split.as_bytes())],
            &["tokenizer_config.json", "`split_special_tokens` is not supported", "set it to false"],
        ),
        (&[], &["cannot read", "tokenizer.json"]),
        (
            &[("vocab.txt", b"[PAD]\n")],
            &["vocab.txt (a WordPiece vocabulary) is not supported", remedy, "save_pretrained"],
        ),
        (&[("tekken.json", b"{}")], &["tekken.json", remedy]),
        (&[("tokenizer.model", b"IQ== 0\nIg== 1\n")], &["tokenizer.model is a tiktoken vocabulary", remedy]),
        (&[("tokenizer.model", b"\xff\xff")], &["tokenizer.model is not a valid SentencePiece model"]),
        (
            &[("tokenizer.model", b"")],
            &["tokenizer.model is not a valid SentencePiece model: it has no pieces"],
        ),
        (&[("spiece.model", &words.encode_to_vec())], &["spiece.model", "neither BPE nor Unigram"]),
        (&[("tokenizer.model", &unknown.encode_to_vec())], &["`unk_id` is 1000, but there are 280 pieces"]),
        (
            &[
                ("tokenizer.model", &bpe),
                ("tokenizer_config.json", br#"{"tokenizer_class": "XLNetTokenizer"}"#),
            ],
            &[
                "the tokenizer class XLNetTokenizer, which would read tokenizer.model, is not supported",
                remedy,
            ],
        ),
        (&[("vocab.json", vocab.as_bytes()), gpt2], &["vocab.json without merges.txt", remedy]),
        (
            &[("vocab.json", vocab.as_bytes()), ("merges.txt", broken.as_bytes()), gpt2],
            &["merges.txt is not a valid list of merges: line 5: `zz` is not in vocab.json"],
        ),
        (
            &[("vocab.json", vocab.as_bytes()), ("merges.txt", merges.as_bytes())],
            &["vocab.json", "`tokenizer_class` in tokenizer_config.json"],
        ),
    ];
    for (files, expected) in cases {
        let folder = folder(files);
        let error = open(folder.path()).unwrap_err();
        for part in expected {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(error.contains(&folder.path().display().to_string()), "{error}");
    }
}

/// As transformers 5.24: the map replaces keys of a configuration without `added_tokens_decoder`, and is ignored otherwise.
#[test]
fn a_map_of_special_tokens_counts_without_added_tokens() {
    let bytes = model(BPE).encode_to_vec();
    let map = json!({ "eos_token": "<sep>", "pad_token": { "content": "<|pad|>" } }).to_string();
    let ids = |config: Value| {
        let config = config.to_string();
        let folder = folder(&[
            ("tokenizer.model", &bytes),
            ("tokenizer_config.json", config.as_bytes()),
            ("special_tokens_map.json", map.as_bytes()),
        ]);
        let made = open(folder.path()).unwrap();
        add_special_tokens(folder.path(), &[]).unwrap();
        let read = open(folder.path()).unwrap();
        let ids = |tokenizer: &ChatTokenizer| (tokenizer.eos_id(), tokenizer.pad_id());
        assert_eq!(ids(&made), ids(&read), "{config}");
        ids(&made)
    };
    assert_eq!(ids(json!({ "eos_token": "</s>" })), (Some(3), Some(280)));
    assert_eq!(ids(json!({ "eos_token": "</s>", "added_tokens_decoder": {} })), (Some(2), None));
}

#[test]
fn a_class_reads_its_own_files_where_there_are_several() {
    let (vocab, merges) = byte_level();
    let folder = folder(&[
        ("vocab.json", vocab.as_bytes()),
        ("merges.txt", merges.as_bytes()),
        ("tokenizer.model", &model(BPE).encode_to_vec()),
        ("tokenizer_config.json", br#"{"tokenizer_class": "GPT2Tokenizer"}"#),
    ]);
    assert_eq!(ids(&open(folder.path()).unwrap(), &["hell a"]), [[259, 256]]);
}
