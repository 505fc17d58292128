//! GGUF files wherever a model directory works, and their tokenizers.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "support/command.rs"]
mod command;

use std::fs;
use std::path::Path;

use dph_core::testing::tokenizer_folder;
use dph_data::{ChatOptions, ChatTokenizer, Message};
use dph_eval::{BackboneReference, Model, OpenOptions, export_head};
use dph_model::ModelFiles;
use dph_model::checkpoint::Precision;
use dph_model::checkpoint::{ConvertOptions, convert};
use serde_json::Value;

use dph_model::testing::gguf::{self, GgufWriter, llama, some_values};

#[test]
fn a_file_ranks_as_the_directory_that_it_stands_for() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("tiny.gguf");
    fs::write(&file, llama(some_values).bytes()).unwrap();
    convert(&file, &place.path().join("directory"), &ConvertOptions::default()).unwrap();
    let ranked = |model: &str| {
        let args =
            ["rank", model, "--prompt", "Why?", "--candidate", "the thing", "--candidate", "no", "--json"];
        command::run(place.path(), &args).ok()
    };
    assert_eq!(ranked("tiny.gguf"), ranked("directory"));
    let model = Model::open(&file, &dph_core::device("flex").unwrap()).unwrap();
    assert_eq!(model.name, "tiny.gguf");
    // The bytes of "Hi", after the start of the turn; "the" is a token of its own.
    let byte = |byte: u8| 3 + u32::from(byte);
    assert_eq!(model.tokenizer.encode_text("the Hi").unwrap()[..], [260, byte(b' '), byte(b'H'), byte(b'i')]);
    let prompt = model.tokenizer.prompt(&[Message::user("<|im_end|>")]).unwrap();
    assert_eq!(prompt.iter().filter(|id| **id == 2).count(), 1, "what a user writes stays text");
}

#[test]
fn a_head_refers_to_the_file_that_it_was_trained_on() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("tiny.gguf");
    fs::write(&file, llama(some_values).bytes()).unwrap();
    let config = dph_core::PreferenceHeadConfig::new(gguf::D_MODEL, gguf::D_FFN);
    let device = dph_core::device("flex").unwrap();
    let export = place.path().join("export");
    let hash = dph_model::content_hash(&file).unwrap();
    fs::create_dir(&export).unwrap();
    let reference = BackboneReference::new(&export, &file, &hash).unwrap().with_precision(Precision::Bf16);
    export_head(&export, &config.init(1, &device), &config, &reference).unwrap();
    let model = Model::open(&export, &device).unwrap();
    assert!(model.head.is_some());
    assert_eq!(
        model.backbone.precision(),
        Precision::Bf16,
        "a head goes with the precision that it was trained in"
    );
    let options = OpenOptions { precision: Some(Precision::F32), ..OpenOptions::default() };
    let model = Model::open_with(&export, &device, &options).unwrap();
    assert_eq!(model.backbone.precision(), Precision::F32);
    assert_eq!(BackboneReference::load(&export).unwrap().unwrap().hash, hash);
    fs::write(&file, llama(|name, len| some_values(&format!("{name}!"), len)).bytes()).unwrap();
    let error = Model::open(&export, &device).unwrap_err().to_string();
    assert!(error.contains("tiny.gguf has changed since this head was trained on it"), "{error}");
}

#[test]
fn a_file_that_is_broken_says_so() {
    let place = tempfile::tempdir().unwrap();
    let bytes = llama(some_values).bytes();
    fs::write(place.path().join("short.gguf"), &bytes[..bytes.len() / 2]).unwrap();
    let said =
        command::run(place.path(), &["rank", "short.gguf", "--prompt", "x", "--candidate", "y"]).failed(1);
    assert!(said.contains("short.gguf") && said.contains("is truncated or not a GGUF file"), "{said}");
}

/// Texts of all kinds.
const TEXTS: [&str; 12] = [
    "Hello, world! It's 1234567 o'clock.",
    "  two blanks, a\ttab and\n\n\nnew lines  \n",
    "don't WE'LL they'Re",
    "Zürich, naïve café, Ωμέγα, Привет",
    "你好,世界。こんにちは",
    "🦀 emoji 👩‍👩‍👧 and e\u{301} combining",
    "x = foo(bar[0]) != 3.14e-10; // ok",
    "",
    " ",
    "a",
    "...!!!???---___",
    "<unk> </s> <|im_start|>",
];

/// The tokenizer of a file in the layout of GGUF that holds a `tokenizer.json`.
fn through_gguf(folder: &Path, model: &str, pre: &str) -> ChatTokenizer {
    let json: Value = serde_json::from_slice(&fs::read(folder.join("tokenizer.json")).unwrap()).unwrap();
    let mut tokens: Vec<(String, u64)> = json["model"]["vocab"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(t, id)| (t.clone(), id.as_u64().unwrap()))
        .collect();
    let added = json["added_tokens"].as_array().unwrap();
    for token in added {
        let (content, id) = (token["content"].as_str().unwrap(), token["id"].as_u64().unwrap());
        if !tokens.iter().any(|(known, _)| known == content) {
            tokens.push((content.into(), id));
        }
    }
    tokens.sort_by_key(|(_, id)| *id);
    assert!(tokens.iter().enumerate().all(|(index, (_, id))| index as u64 == *id));
    let kind = |id: usize| match added.iter().find(|token| token["id"] == id) {
        Some(token) if token["content"] == "<unk>" => 2,
        Some(token) if token["special"] == true => 3,
        Some(_) => 4,
        None if tokens[id].0.starts_with("<0x") => 6,
        None => 1,
    };
    let kinds: Vec<i32> = (0..tokens.len()).map(kind).collect();
    let names: Vec<&str> = tokens.iter().map(|(token, _)| token.as_str()).collect();
    let mut writer = GgufWriter::new("llama");
    for key in ["block_count", "embedding_length", "feed_forward_length", "attention.head_count"] {
        writer.u32(&format!("llama.{key}"), 1);
    }
    writer
        .u32("llama.context_length", 16)
        .f32("llama.attention.layer_norm_rms_epsilon", 1e-5)
        .f32_tensor("token_embd.weight", &[tokens.len(), 1], &vec![0.0; tokens.len()])
        .text("tokenizer.ggml.model", model)
        .text("tokenizer.ggml.pre", pre)
        .texts("tokenizer.ggml.tokens", &names)
        .i32s("tokenizer.ggml.token_type", &kinds);
    if model == "llama" {
        // Control and byte tokens first, then every token has a lower score than the one before it.
        let score = |id: usize| if id < 259 { 0.0 } else { -((id - 259) as f32) };
        writer.f32s("tokenizer.ggml.scores", &(0..tokens.len()).map(score).collect::<Vec<_>>());
    } else {
        let merge = |merge: &Value| match merge {
            Value::Array(pair) => format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap()),
            merge => merge.as_str().unwrap().to_string(),
        };
        let merges: Vec<_> = json["model"]["merges"].as_array().unwrap().iter().map(merge).collect();
        writer.texts("tokenizer.ggml.merges", &merges);
    }
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("tokenizer.gguf");
    fs::write(&path, writer.bytes()).unwrap();
    let files = ModelFiles::open(&path).unwrap();
    let options = ChatOptions { text_only: true, ..ChatOptions::default() };
    ChatTokenizer::from_files(&path, &|name| files.read(name), &options).unwrap()
}

#[test]
fn tokenizers_of_files_are_those_of_directories() {
    for (name, model, pre) in [
        ("smollm2", "gpt2", "smollm"),
        ("gpt2", "gpt2", "gpt-2"),
        ("qwen3", "gpt2", "qwen2"),
        ("pythia-gpt-neox-20b", "gpt2", "olmo"),
        ("llama", "llama", "default"),
    ] {
        let Some(folder) = tokenizer_folder(name) else { return };
        let options = ChatOptions { text_only: true, ..ChatOptions::default() };
        let expected = ChatTokenizer::from_dir_with(folder.path(), &options).unwrap();
        let found = through_gguf(folder.path(), model, pre);
        assert_eq!(found.vocab_size(), expected.vocab_size(), "{name}");
        for text in TEXTS {
            let ids = expected.encode_text(text).unwrap();
            assert_eq!(found.encode_text(text).unwrap(), ids, "{name}: {text:?}");
            assert_eq!(found.decode(&ids).unwrap(), expected.decode(&ids).unwrap(), "{name}: {text:?}");
        }
    }
}

#[test]
fn tokenizers_that_are_not_known_are_refused_by_name() {
    let place = tempfile::tempdir().unwrap();
    let error = |change: &dyn Fn(&mut GgufWriter)| {
        let mut writer = GgufWriter::new("llama");
        writer.texts("tokenizer.ggml.tokens", &["a", "b"]);
        change(&mut writer);
        let path = place.path().join("tokenizer.gguf");
        fs::write(&path, writer.bytes()).unwrap();
        ModelFiles::open(&path).unwrap().read("tokenizer.json").unwrap_err().to_string()
    };
    let said = error(&|writer| {
        writer.text("tokenizer.ggml.model", "bert");
    });
    assert!(
        said.contains("tokenizer.ggml.model `bert` is not supported; supported are gpt2 and llama"),
        "{said}"
    );
    let said = error(&|writer| {
        writer.text("tokenizer.ggml.model", "gpt2").texts("tokenizer.ggml.merges", &["a b"]);
    });
    assert!(
        said.contains("the key tokenizer.ggml.pre is missing, so it is not known how texts are split"),
        "{said}"
    );
    assert!(said.contains("`gguf-new-metadata --pre-tokenizer NAME IN OUT`"), "{said}");
    for (name, says) in [
        ("default", "is `default`, the name for a tokenizer that the writer did not know"),
        ("viking", "is `viking`, which is not supported; supported are gpt-2, "),
    ] {
        let said = error(&|writer| {
            writer.text("tokenizer.ggml.model", "gpt2").texts("tokenizer.ggml.merges", &["a b"]);
            writer.text("tokenizer.ggml.pre", name);
        });
        assert!(said.contains(&format!("the key tokenizer.ggml.pre {says}")), "{said}");
    }
    let said = error(&|writer| {
        writer.text("tokenizer.ggml.model", "llama");
    });
    assert!(said.contains("lacks a usable tokenizer.ggml.scores"), "{said}");
    let said = error(&|_| ());
    assert!(said.contains("there is no tokenizer.json"), "{said}");
}
