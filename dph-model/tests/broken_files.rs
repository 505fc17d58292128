//! Files that are broken, by accident or on purpose: each is an error that names the file, soon and in little memory.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

#[path = "broken_files/fuzz.rs"]
mod fuzz;
#[path = "broken_files/gguf_mutations.rs"]
mod gguf_mutations;

use std::fs;
use std::path::Path;

use dph_model::checkpoint::{ConvertOptions, convert};
use dph_model::{Backbone, LoadOptions, ModelFiles};
use tempfile::TempDir;

use dph_model::testing::gguf::{CONFIG, GgufWriter, llama, renamed, some_values, tensors};
use dph_model::testing::pickle;

/// A directory with the tiny Llama's configuration and some files.
pub fn directory(files: &[(&str, &[u8])]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.json"), CONFIG).unwrap();
    for (name, bytes) in files {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

/// Everything that is done with a model's files.
pub fn read_all(path: &Path) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let files = ModelFiles::open(path).map_err(|error| text(&error))?;
    for name in ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"] {
        // A model may do without a tokenizer.
        drop(files.read(name));
    }
    files.tensors().map_err(|error| text(&error))?;
    let device = dph_core::device("flex").unwrap();
    Backbone::load(path, &device).map(drop).map_err(|error| text(&error))
}

/// The tiny Llama's weights as a safetensors file; `change` may replace its header.
pub fn safetensors_file(change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for (name, shape) in tensors() {
        let name = renamed(name);
        let values = some_values(&name, shape.iter().product());
        let start = data.len();
        data.extend(values.into_iter().flat_map(f32::to_le_bytes));
        let entry = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [start, data.len()]});
        header.insert(name, entry);
    }
    change(&mut header);
    let header = serde_json::to_vec(&header).unwrap();
    [(header.len() as u64).to_le_bytes().to_vec(), header, data].concat()
}

#[track_caller]
fn refused(path: &Path, parts: &[&str]) {
    let said = read_all(path).unwrap_err();
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
}

#[test]
fn safetensors_headers_are_held_against_the_file() {
    let norm = "model.norm.weight";
    let huge = u64::MAX;
    for (what, entry) in [
        (
            "behind the end",
            serde_json::json!({"dtype": "F32", "shape": [8], "data_offsets": [1u64 << 40, (1u64 << 40) + 32]}),
        ),
        ("overlapping", serde_json::json!({"dtype": "F32", "shape": [8], "data_offsets": [0, 32]})),
        ("backwards", serde_json::json!({"dtype": "F32", "shape": [8], "data_offsets": [32, 0]})),
        (
            "of an absurd size",
            serde_json::json!({"dtype": "F32", "shape": [huge, 2], "data_offsets": [0, 32]}),
        ),
        ("of another size", serde_json::json!({"dtype": "F32", "shape": [9], "data_offsets": [0, 32]})),
        ("negative", serde_json::json!({"dtype": "F32", "shape": [-8], "data_offsets": [0, 32]})),
        ("no entry", serde_json::json!(7)),
    ] {
        let bytes = safetensors_file(|header| drop(header.insert(norm.into(), entry)));
        let dir = directory(&[("model.safetensors", &bytes)]);
        let said = read_all(dir.path()).unwrap_err();
        assert!(
            said.contains("model.safetensors") && said.contains("not a safetensors file"),
            "{what}: {said}"
        );
    }
    assert_eq!(read_all(directory(&[("model.safetensors", &safetensors_file(|_| ()))]).path()), Ok(()));
}

const MAKE_ANEW: &str = "make it anew of the model in the layout of Hugging Face with convert_hf_to_gguf.py";
const WRITE_ANEW: &str = "write it anew with `gguf-new-metadata IN OUT`";

/// A file whose last tensor begins 64 bytes behind the one before it.
fn with_gap(whole: &[u8]) -> Vec<u8> {
    let (last, shape) = tensors().pop().unwrap();
    let length = shape.iter().product::<usize>() * 4;
    let start = whole.len() - length.next_multiple_of(32);
    let data: usize =
        tensors().iter().map(|(_, shape)| (shape.iter().product::<usize>() * 4).next_multiple_of(32)).sum();
    let offset = data - length.next_multiple_of(32) + 64;
    let moved = llama(some_values).with_offset(last, offset as u64).bytes();
    [&moved[..start], &[0; 64], &moved[start..]].concat()
}

#[test]
fn gguf_headers_are_held_against_the_file() {
    let whole = llama(some_values).bytes();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        bytes
    };
    let word =
        |at: usize, value: u64| with(&move |bytes| bytes[at..at + 8].copy_from_slice(&value.to_le_bytes()));
    let writer = |change: &dyn Fn(&mut GgufWriter) -> &mut GgufWriter| {
        let mut writer = llama(some_values);
        change(&mut writer);
        writer.bytes()
    };
    let absurd = |kind: u32| [kind.to_le_bytes().to_vec(), u64::MAX.to_le_bytes().to_vec()].concat();
    let nested = |depth: usize| {
        let layer = [9u32.to_le_bytes().to_vec(), 1u64.to_le_bytes().to_vec()].concat();
        [layer.repeat(depth), 0u32.to_le_bytes().to_vec(), 0u64.to_le_bytes().to_vec()].concat()
    };
    for (bytes, problem) in [
        (b"GGUF".to_vec(), "ends inside the version"),
        (with(&|bytes| bytes[0] = b'X'), "it does not start with GGUF"),
        (word(8, u64::MAX), "it claims 18446744073709551615 tensors"),
        (word(8, 60_000), ""),
        (word(16, u64::MAX), "it claims 18446744073709551615 keys"),
        (word(16, 60_000), ""),
        (word(24, u64::MAX), "a key claims 18446744073709551615 bytes"),
        (writer(&|writer| writer.pair("x", 8, &u64::MAX.to_le_bytes())), "x claims"),
        (writer(&|writer| writer.pair("x", 9, &absurd(4))), "x claims"),
        (writer(&|writer| writer.pair("x", 9, &absurd(8))), ""),
        (writer(&|writer| writer.pair("x", 9, &absurd(9))), ""),
        (writer(&|writer| writer.pair("x", 9, &nested(100_000))), "the array x has the unknown kind 9"),
        (writer(&|writer| writer.pair("x", 77, &[])), "the value of x has the unknown kind 77"),
        (writer(&|writer| writer.tensor("x", &[1 << 40, 1 << 40], 0, vec![])), "is not within the file"),
        (writer(&|writer| writer.tensor("x", &[1 << 40, 1 << 20], 8, vec![])), "is not within the file"),
        (writer(&|writer| writer.tensor("x", &[1, 1, 1, 1, 1], 0, vec![0; 4])), "x has 5 axes"),
        (whole[..whole.len() - 1].to_vec(), "is not within the file"),
        (Vec::new(), "the file is empty"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.gguf");
        fs::write(&path, bytes).unwrap();
        refused(&path, &["model.gguf", "truncated or not a GGUF file", "fetch or copy it again", problem]);
    }
    // Another copy of a whole file would be the same.
    for (bytes, problem, remedy) in [
        (with(&|bytes| bytes[4] = 1), "version 1 of GGUF is not supported", MAKE_ANEW),
        (with(&|bytes| bytes[4] = 9), "version 9 of GGUF is not supported", MAKE_ANEW),
        (
            with(&|bytes| bytes[4..8].copy_from_slice(&[0, 0, 0, 3])),
            "the file is big-endian",
            "`gguf-convert-endian FILE little`",
        ),
        (
            writer(&|writer| writer.u32("general.alignment", 0)),
            "general.alignment is 0, which is no power of two",
            MAKE_ANEW,
        ),
        (writer(&|writer| writer.u32("general.alignment", 24)), "general.alignment is 24", MAKE_ANEW),
        (
            writer(&|writer| writer.u32("llama.block_count", 7)),
            "the key llama.block_count is there twice",
            MAKE_ANEW,
        ),
        (
            writer(&|writer| writer.f32_tensor("output_norm.weight", &[8], &[0.0; 8])),
            "the tensor output_norm.weight is there twice",
            MAKE_ANEW,
        ),
        (
            llama(some_values).with_offset("output_norm.weight", 33).bytes(),
            "the tensor output_norm.weight is at offset 33, which is no multiple of the alignment 32",
            WRITE_ANEW,
        ),
        (
            writer(&|writer| writer.tensor("x", &[3, 33], 8, vec![0; 1000])),
            "the tensor x of [3, 33] has rows that are not whole blocks of 32 weights",
            MAKE_ANEW,
        ),
        (
            with_gap(&whole),
            "such gaps are not read, since a wrong offset would be a wrong weight",
            WRITE_ANEW,
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.gguf");
        fs::write(&path, bytes).unwrap();
        let said = read_all(&path).unwrap_err();
        assert!(
            said.contains("model.gguf: ")
                && said.contains(problem)
                && said.contains(remedy)
                && !said.contains("fetch"),
            "{problem}: {said}"
        );
    }
    // The last tensor in the place of the first: its offset stands right in front of the data.
    let mut bytes = whole.clone();
    let data = bytes.len()
        - tensors()
            .iter()
            .map(|(_, shape)| shape.iter().product::<usize>() * 4)
            .map(|len| len.next_multiple_of(32))
            .sum::<usize>();
    let table_end = bytes[..data].iter().rposition(|byte| *byte != 0).unwrap();
    let place = (table_end - 10..=table_end).find(|at| {
        u64::from_le_bytes(bytes[*at..*at + 8].try_into().unwrap()) == (bytes.len() - data - 32) as u64
    });
    bytes[place.unwrap()..][..8].fill(0);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    fs::write(&path, bytes).unwrap();
    refused(&path, &["the tensors", "overlap"]);
}

#[test]
fn heads_that_do_not_share_the_rows_are_named() {
    let mut writer = GgufWriter::new("llama");
    writer
        .u32("llama.block_count", 0)
        .u32("llama.embedding_length", 8)
        .u32("llama.feed_forward_length", 8)
        .u32("llama.attention.head_count", 3)
        .f32_tensor("token_embd.weight", &[1, 8], &[0.0; 8])
        .f32_tensor("output_norm.weight", &[8], &[0.0; 8])
        .f32_tensor("blk.0.attn_q.weight", &[8, 8], &[0.0; 64]);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    fs::write(&path, writer.bytes()).unwrap();
    refused(&path, &["model.gguf"]);
}

#[test]
fn absurd_configurations_are_refused_before_anything_is_made_of_them() {
    for (from, to, problem) in [
        (
            "\"num_hidden_layers\": 1",
            "\"num_hidden_layers\": 1000000000000",
            "the number of layers is 1000000000000",
        ),
        ("\"hidden_size\": 8", "\"hidden_size\": 18446744073709551608", "the hidden size is"),
        ("\"vocab_size\": 262", "\"vocab_size\": 9007199254740992", "the vocabulary is"),
        ("\"num_key_value_heads\": 1", "\"num_key_value_heads\": 0", "the number of key/value heads is 0"),
    ] {
        let dir = directory(&[("model.safetensors", &safetensors_file(|_| ()))]);
        assert!(CONFIG.contains(from));
        fs::write(dir.path().join("config.json"), CONFIG.replace(from, to)).unwrap();
        refused(dir.path(), &["config.json", problem]);
    }
}

#[test]
fn weights_that_are_no_numbers_are_named_unless_they_are_allowed() {
    let device = dph_core::device("flex").unwrap();
    for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let weights = |name: &str, len: usize| {
            let mut values = some_values(name, len);
            if name.contains("down_proj") {
                values[len - 1] = wrong;
            }
            values
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.gguf");
        fs::write(&path, llama(weights).bytes()).unwrap();
        refused(
            &path,
            &["model.gguf", "the tensor model.layers.0.mlp.down_proj.weight holds NaN or infinite values"],
        );
        let allow = LoadOptions { allow_non_finite: true, ..LoadOptions::default() };
        assert!(Backbone::load_with(&path, &device, allow).is_ok());
        let out = dir.path().join("out");
        let said = convert(&path, &out, &ConvertOptions::default()).unwrap_err().to_string();
        assert!(said.contains("mlp.down_proj.weight"), "{said}");
        assert!(fs::read_dir(&out).unwrap().next().is_none(), "nothing is left of what failed");
        convert(&path, &out, &ConvertOptions { allow_non_finite: true, ..ConvertOptions::default() })
            .unwrap();
    }
}

#[test]
fn values_that_a_type_cannot_hold_are_named() {
    let weights = |name: &str, len: usize| vec![if name.contains("k_proj") { 1e6 } else { 0.5 }; len];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    fs::write(&path, llama(weights).bytes()).unwrap();
    let options =
        |name: &str| ConvertOptions { precision: Some(name.parse().unwrap()), ..ConvertOptions::default() };
    let said = convert(&path, &dir.path().join("out"), &options("f16")).unwrap_err().to_string();
    assert!(said.contains("self_attn.k_proj.weight has values beyond the range of f16"), "{said}");
    convert(&path, &dir.path().join("out"), &options("bf16")).unwrap();
}

#[test]
fn pytorch_files_are_held_against_themselves() {
    let state: Vec<_> = tensors()
        .into_iter()
        .map(|(name, shape)| {
            let (name, len) = (renamed(name), shape.iter().product());
            let values = some_values(&name, len);
            (name, shape, values)
        })
        .collect();
    let whole = pickle::saved(&state);
    let mut short = state.clone();
    short[3].2.truncate(5);
    let mut absurd = state.clone();
    absurd[3].1 = vec![1 << 30, 1 << 30];
    for bytes in [
        whole[..whole.len() / 2].to_vec(),
        pickle::saved(&short),
        pickle::saved(&absurd),
        b"PK\x03\x04".to_vec(),
        vec![],
    ] {
        let dir = directory(&[("pytorch_model.bin", &bytes)]);
        refused(dir.path(), &["pytorch_model.bin", "truncated or not a PyTorch file"]);
    }
    assert_eq!(read_all(directory(&[("pytorch_model.bin", &whole)]).path()), Ok(()));
}
