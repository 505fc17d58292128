//! Where the tests find tokenizers and write files.
#![allow(dead_code, clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use serde_json::json;

/// A folder with the tokenizer of the little world: ChatML, needs nothing.
pub fn world_tokenizer() -> (tempfile::TempDir, dph_data::ChatTokenizer) {
    let folder = tempfile::tempdir().unwrap();
    dph_data::World::default().write_tokenizer(folder.path()).unwrap();
    let tokenizer = dph_data::ChatTokenizer::from_dir(folder.path()).unwrap();
    (folder, tokenizer)
}

/// The tokens that only a format may write in [`unigram_tokenizer`] and [`bpe_tokenizer`].
pub const SPECIAL: [&str; 6] = ["<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<pad>"];

/// A folder with a small Unigram tokenizer whose control tokens are among its pieces. With `prepend`, its normaliser puts a
/// blank in front of every text, as SentencePiece does.
pub fn unigram_tokenizer(prepend: bool) -> (tempfile::TempDir, dph_data::ChatTokenizer) {
    let special = SPECIAL;
    let mut pieces: Vec<_> = special.iter().map(|token| json!([token, 0.0])).collect();
    let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789</|>_ ?.,:=[]\n\t\r▁üé";
    pieces.extend(letters.chars().map(|c| json!([c, -5.0])));
    pieces.extend(["▁▁", "▁a", "▁the", "ers", "user", "an", "answer"].map(|piece| json!([piece, -6.0])));
    let mut normalizers = vec![json!({ "type": "NFKC" })];
    if prepend {
        normalizers.extend(blanks());
    }
    tokenizer(
        &normalizers,
        &json!({ "type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": false }),
    )
}

/// A folder with a small byte-pair encoding with the normaliser of SentencePiece.
pub fn bpe_tokenizer() -> (tempfile::TempDir, dph_data::ChatTokenizer) {
    let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789</|>_?.,:=[]\n\t\r▁üé";
    let merges = [
        ["▁", "▁"],
        ["t", "h"],
        ["th", "e"],
        ["▁", "the"],
        ["▁", "a"],
        ["e", "r"],
        ["s", "er"],
        ["u", "ser"],
        ["a", "n"],
        ["▁a", "n"],
        ["n", "s"],
        ["<", "/"],
        ["</", "s"],
    ];
    let pieces = SPECIAL.iter().map(|token| (*token).to_owned()).chain(letters.chars().map(String::from));
    let pieces = pieces.chain(merges.iter().map(|[a, b]| format!("{a}{b}")));
    let vocab: serde_json::Map<_, _> = pieces.enumerate().map(|(id, piece)| (piece, id.into())).collect();
    let model = json!({
        "type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null, "end_of_word_suffix": null,
        "fuse_unk": true, "byte_fallback": false, "ignore_merges": false, "vocab": vocab, "merges": merges,
    });
    tokenizer(&blanks(), &model)
}

fn blanks() -> Vec<serde_json::Value> {
    vec![
        json!({ "type": "Prepend", "prepend": "▁" }),
        json!({ "type": "Replace", "pattern": { "String": " " }, "content": "▁" }),
    ]
}

fn tokenizer(
    normalizers: &[serde_json::Value],
    model: &serde_json::Value,
) -> (tempfile::TempDir, dph_data::ChatTokenizer) {
    let added = SPECIAL.iter().enumerate().map(|(id, content)| {
        json!({ "id": id, "content": content, "special": true, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false })
    });
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added.collect::<Vec<_>>(),
        "normalizer": { "type": "Sequence", "normalizers": normalizers }, "pre_tokenizer": null, "post_processor": null,
        "decoder": null, "model": model,
    });
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "tokenizer.json", tokenizer.to_string());
    let tokenizer = dph_data::ChatTokenizer::from_dir(folder.path()).unwrap();
    (folder, tokenizer)
}

/// Writes a file and gives its path.
pub fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content).unwrap();
    path
}
