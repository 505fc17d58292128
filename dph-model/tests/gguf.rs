//! GGUF files: the model, its blocks and its tokenizer.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use dph_core::{Batch, CandidateSet, Layer, TargetTokens};
use dph_model::checkpoint::{BlockType, ConvertOptions, ElementType, convert};
use dph_model::{Backbone, ModelFiles, content_hash};
use half::f16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::Value;
use tempfile::TempDir;
use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

use dph_model::testing::gguf::{CONFIG, GgufWriter, llama, llama_parts, renamed, some_values, tensors};

fn written(writer: &GgufWriter) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    fs::write(&path, writer.bytes()).unwrap();
    (dir, path)
}

/// The same model as a Hugging Face directory.
fn directory() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("config.json"), CONFIG).unwrap();
    let bytes = |name: &str, len| -> Vec<u8> {
        some_values(name, len).into_iter().flat_map(f32::to_le_bytes).collect()
    };
    let tensors: Vec<_> = tensors()
        .into_iter()
        .map(|(name, shape)| {
            let name = renamed(name);
            let bytes = bytes(&name, shape.iter().product());
            (name, shape, bytes)
        })
        .collect();
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| (name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()));
    fs::write(dir.path().join("model.safetensors"), safetensors::serialize(views, None).unwrap()).unwrap();
    dir
}

fn states(path: &Path) -> Vec<f32> {
    let model = Backbone::load(path, &dph_core::device("flex").unwrap()).unwrap();
    let set = CandidateSet { prompt: vec![5, 90, 17, 200, 3], ..CandidateSet::default() };
    let batch = Batch::pack([&set], TargetTokens::None, 0);
    model.hidden_states(&batch, &[Layer::Last]).unwrap().remove(0).into_data().try_to_vec().unwrap()
}

fn config(path: &Path) -> Value {
    serde_json::from_str(&ModelFiles::open(path).unwrap().config_json().unwrap()).unwrap()
}

#[test]
fn a_model_computes_the_same_as_from_a_directory() {
    let (_dir, path) = written(&llama(some_values));
    let same = directory();
    assert_eq!(states(&path), states(same.path()));
    let mut older = llama(some_values);
    older.version = 2;
    older.alignment = 64;
    older.u32("general.alignment", 64);
    assert_eq!(states(&written(&older).1), states(same.path()), "version 2");
    let expected: Value = serde_json::from_str(CONFIG).unwrap();
    let found = config(&path);
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&found[key], value, "{key}");
    }
}

/// What llama.cpp reads as well: a vector as a matrix of one row, frequencies of old writers, and an odd boolean that nothing needs.
#[test]
fn harmless_oddities_do_not_matter() {
    let expected = states(directory().path());
    let (name, shape) = tensors().into_iter().find(|(_, shape)| shape.len() == 1).unwrap();
    let matrix = llama(some_values).with_axes(name, &[1, shape[0] as u64]);
    assert_eq!(states(&written(&matrix).1), expected, "{name}");
    let mut old = llama(some_values);
    old.f32_tensor("blk.0.attn_rot_embd.weight", &[4], &[1.0; 4]);
    old.pair("x.odd", 7, &[255]);
    assert_eq!(states(&written(&old).1), expected);
    // One that is needed is named.
    let needed = llama(some_values).with_value("tokenizer.ggml.add_bos_token", 7, &[255]);
    let (_dir, path) = written(&needed);
    let said = ModelFiles::open(&path).unwrap().read("tokenizer.json").unwrap_err().to_string();
    assert!(
        said.contains("the key tokenizer.ggml.add_bos_token is a boolean with the byte 255, not 0 or 1, but must be a boolean"),
        "{said}"
    );
}

#[test]
fn files_that_are_no_causal_language_models_say_what_they_are() {
    let refused = |writer: &GgufWriter, expected: &str| {
        let (_dir, path) = written(writer);
        let said = ModelFiles::open(&path).unwrap().read("config.json").unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    };
    let with = |key: &str, kind: u32, bytes: &[u8]| {
        let mut writer = llama(some_values);
        writer.pair(key, kind, bytes);
        writer
    };
    let both_ways = with("llama.attention.causal", 7, &[0]);
    refused(&both_ways, "the key llama.attention.causal is false; attention in both directions");
    let (_dir, causal) = written(&with("llama.attention.causal", 7, &[1]));
    assert_eq!(states(&causal), states(directory().path()));
    let scaled = with("llama.rope.scaling.attn_factor", 6, &2f32.to_le_bytes());
    refused(&scaled, "the key llama.rope.scaling.attn_factor is 2; only 1 is supported");
    let experts = with("llama.expert_count", 4, &8u32.to_le_bytes());
    refused(&experts, "the key llama.expert_count is 8; only 0 is supported");
    let mut adapter = llama(some_values);
    adapter.text("general.type", "adapter");
    refused(&adapter, "this is an adapter of llama.cpp (general.type = adapter)");
}

#[test]
fn a_hash_is_that_of_the_content() {
    let (_dir, path) = written(&llama(some_values));
    let hash = content_hash(&path).unwrap();
    let moved = path.with_file_name("other.gguf");
    fs::rename(&path, &moved).unwrap();
    assert_eq!(content_hash(&moved).unwrap(), hash);
    fs::write(&moved, llama(|name, len| some_values(&format!("{name}!"), len)).bytes()).unwrap();
    assert_ne!(content_hash(&moved).unwrap(), hash);
}

#[test]
fn a_model_that_is_converted_is_the_same_model() {
    let (dir, path) = written(&llama(some_values));
    let out = dir.path().join("out");
    convert(&path, &out, &ConvertOptions::default()).unwrap();
    assert_eq!(states(&out), states(&path));
    for file in ["config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"] {
        assert!(out.join(file).is_file(), "{file}");
    }
}

/// A tensor of one block, as the reader widens it.
fn widened(block: BlockType, kind: u32, bytes: &[u8]) -> Vec<f32> {
    let len = block.len();
    let mut writer = GgufWriter::new("llama");
    writer
        .u32("llama.block_count", 0)
        .u32("llama.context_length", 16)
        .f32("llama.attention.layer_norm_rms_epsilon", 1e-5)
        .u32("llama.embedding_length", len as u32)
        .u32("llama.feed_forward_length", len as u32)
        .u32("llama.attention.head_count", 2)
        .tensor("token_embd.weight", &[1, len], kind, bytes.to_vec())
        .f32_tensor("output_norm.weight", &[len], &vec![1.0; len]);
    let (dir, path) = written(&writer);
    let out = dir.path().join("out");
    let options = ConvertOptions { precision: Some("f32".parse().unwrap()), ..ConvertOptions::default() };
    convert(&path, &out, &options).unwrap();
    let info = &ModelFiles::open(&path).unwrap().tensors().unwrap()["model.embed_tokens.weight"];
    assert_eq!(info.element, ElementType::Blocks(block));
    let file = fs::read(out.join("model.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    let data = tensors.tensor("model.embed_tokens.weight").unwrap().data().to_vec();
    data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn half(value: f32) -> Vec<u8> {
    f16::from_f32(value).to_le_bytes().to_vec()
}

/// Bits one after the other, the lowest first.
fn bit(value: u32, index: usize) -> u8 {
    ((value >> index) & 1) as u8
}

#[test]
fn blocks_of_32_are_scale_times_integer() {
    // Number i is quantised to `four(i)`, or with a fifth bit to `five(i)`, or to `eight(i)`.
    let four = |i: usize| (i * 7 % 16) as u8;
    let five = |i: usize| (i * 11 % 32) as u8;
    let eight = |i: usize| (i as i32 * 8 - 128) as i8;
    let nibbles = |q: &dyn Fn(usize) -> u8| -> Vec<u8> {
        (0..16).map(|i| (q(i) & 15) | ((q(i + 16) & 15) << 4)).collect()
    };
    let fifths: u32 = (0..32).map(|i| u32::from(five(i) >> 4) << i).sum();
    assert_eq!(bit(fifths, 3), five(3) >> 4);
    let (d, m) = (0.25, -1.5);
    let check = |block, kind, parts: &[Vec<u8>], expected: &dyn Fn(usize) -> f32| {
        let found = widened(block, kind, &parts.concat());
        assert_eq!(found, (0..32).map(expected).collect::<Vec<_>>(), "{block}");
    };
    check(BlockType::Q4_0, 2, &[half(d), nibbles(&four)], &|i| d * (f32::from(four(i)) - 8.0));
    check(BlockType::Q4_1, 3, &[half(d), half(m), nibbles(&four)], &|i| d * f32::from(four(i)) + m);
    let fifth = fifths.to_le_bytes().to_vec();
    check(BlockType::Q5_0, 6, &[half(d), fifth.clone(), nibbles(&five)], &|i| {
        d * (f32::from(five(i)) - 16.0)
    });
    check(BlockType::Q5_1, 7, &[half(d), half(m), fifth, nibbles(&five)], &|i| d * f32::from(five(i)) + m);
    let bytes = (0..32).map(|i| eight(i) as u8).collect();
    check(BlockType::Q8_0, 8, &[half(d), bytes], &|i| d * f32::from(eight(i)));
}

/// Scales and minima of eight parts in 12 bytes: the first four of each in the lower six bits of bytes 0 to 3 and 4 to 7; of
/// the others the lower four bits in bytes 8 to 11 and the upper two in the spare bits of bytes 0 to 7.
fn packed(scales: [u8; 8], minima: [u8; 8]) -> Vec<u8> {
    let mut bytes = vec![0; 12];
    for part in 0..4 {
        bytes[part] = scales[part] | ((scales[part + 4] >> 4) << 6);
        bytes[part + 4] = minima[part] | ((minima[part + 4] >> 4) << 6);
        bytes[part + 8] = (scales[part + 4] & 15) | ((minima[part + 4] & 15) << 4);
    }
    bytes
}

#[test]
fn super_blocks_have_a_scale_for_each_part() {
    let scales = [1, 63, 17, 32, 5, 62, 16, 47];
    let minima = [0, 60, 33, 8, 63, 1, 31, 48];
    let (d, m) = (0.5, 0.25);
    let four = |i: usize| (i * 13 % 16) as u8;
    let five = |i: usize| (i * 5 % 32) as u8;
    // 64 numbers share 32 bytes: the first 32 have the lower halves.
    let nibbles = |q: &dyn Fn(usize) -> u8| -> Vec<u8> {
        (0..128)
            .map(|byte| {
                let first = byte / 32 * 64 + byte % 32;
                (q(first) & 15) | ((q(first + 32) & 15) << 4)
            })
            .collect()
    };
    let expected = |q: &dyn Fn(usize) -> u8| -> Vec<f32> {
        let value =
            |i: usize| d * f32::from(scales[i / 32]) * f32::from(q(i)) - m * f32::from(minima[i / 32]);
        (0..256).map(value).collect()
    };
    let head = [half(d), half(m), packed(scales, minima)].concat();
    let found = widened(BlockType::Q4K, 12, &[head.clone(), nibbles(&four)].concat());
    assert_eq!(found, expected(&four));
    // Bit p of byte i is the fifth bit of number i of part p.
    let fifths: Vec<u8> =
        (0..32).map(|i| (0..8).map(|part| (five(part * 32 + i) >> 4) << part).sum()).collect();
    let found = widened(BlockType::Q5K, 13, &[head, fifths, nibbles(&five)].concat());
    assert_eq!(found, expected(&five));
}

#[test]
fn blocks_of_six_bits_have_a_scale_for_each_16() {
    let d = 0.125;
    let six = |i: usize| (i * 23 % 64) as u8;
    let scale = |i: usize| (i / 16) as i8 * 9 - 70;
    // Of each 128 numbers: quarters 0 and 1 in the lower halves of 64 bytes, 2 and 3 in the upper ones; two more bits of
    // the four quarters together in each of 32 bytes.
    let low = (0..128).map(|byte| {
        let first = byte / 64 * 128 + byte % 64;
        (six(first) & 15) | ((six(first + 64) & 15) << 4)
    });
    let high = (0..64).map(|byte| {
        let first = byte / 32 * 128 + byte % 32;
        (0..4).map(|quarter| (six(first + 32 * quarter) >> 4) << (2 * quarter)).sum()
    });
    let scales = (0..16).map(|part| scale(part * 16) as u8);
    let bytes = [low.chain(high).chain(scales).collect(), half(d)].concat();
    let expected: Vec<f32> = (0..256).map(|i| d * f32::from(scale(i)) * (f32::from(six(i)) - 32.0)).collect();
    assert_eq!(widened(BlockType::Q6K, 14, &bytes), expected);
}

#[test]
fn half_precision_and_unreadable_types_are_told_apart() {
    let mut writer = llama(some_values);
    writer.f32_tensor("extra.weight", &[1], &[0.0]).tensor("odd.weight", &[256], 10, vec![0; 84]);
    let (_dir, path) = written(&writer);
    let infos = ModelFiles::open(&path).unwrap().tensors().unwrap();
    assert_eq!(infos["odd.weight"].element, ElementType::Other("q2_k".into()));
    let error = Backbone::load(&path, &dph_core::device("flex").unwrap()).unwrap_err().to_string();
    assert!(error.contains("2 superfluous:\n    extra.weight\n    odd.weight"), "{error}");
}

#[test]
fn the_rotary_factors_of_llama_3_become_a_rule() {
    let factors = |change: f32| -> Vec<f32> {
        let stretch = |pair: i32| {
            let wavelength = std::f64::consts::TAU * 500_000f64.powf(2.0 * f64::from(pair) / 64.0);
            let turns = 8192.0 / wavelength;
            let kept = ((turns - 1.0) / 3.0).clamp(0.0, 1.0);
            (1.0 / ((1.0 - kept) / 8.0 + kept)) as f32
        };
        (0..32).map(|pair| stretch(pair) * if pair == 16 { change } else { 1.0 }).collect()
    };
    let model = |factors: &[f32]| {
        let mut writer = GgufWriter::new("llama");
        writer
            .u32("llama.block_count", 0)
            .u32("llama.embedding_length", 128)
            .u32("llama.feed_forward_length", 128)
            .u32("llama.attention.head_count", 2)
            .f32("llama.rope.freq_base", 500_000.0)
            .u32("llama.context_length", 8192)
            .f32("llama.attention.layer_norm_rms_epsilon", 1e-5)
            .f32_tensor("token_embd.weight", &[1, 128], &[0.0; 128])
            .f32_tensor("rope_freqs.weight", &[factors.len()], factors);
        written(&writer)
    };
    let (_dir, path) = model(&factors(1.0));
    assert_eq!(
        config(&path)["rope_scaling"],
        serde_json::json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192})
    );
    assert!(!ModelFiles::open(&path).unwrap().tensors().unwrap().contains_key("rope_freqs.weight"));
    for wrong in [&factors(1.1)[..], &[1.0; 3]] {
        let (_dir, path) = model(wrong);
        let error = ModelFiles::open(&path).unwrap().config_json().unwrap_err().to_string();
        assert!(error.contains("rope_freqs.weight"), "{error}");
    }
}

#[test]
fn other_architectures_have_the_names_of_their_families() {
    let model = |architecture: &str, tensors: &[(&str, &[usize])]| {
        let mut writer = GgufWriter::new(architecture);
        for (key, value) in [
            ("block_count", 1),
            ("embedding_length", 4),
            ("feed_forward_length", 8),
            ("attention.head_count", 2),
            ("context_length", 32),
        ] {
            writer.u32(&format!("{architecture}.{key}"), value);
        }
        let norm =
            if architecture.starts_with("gpt") { "layer_norm_epsilon" } else { "layer_norm_rms_epsilon" };
        writer
            .f32(&format!("{architecture}.attention.{norm}"), 1e-5)
            .bool(&format!("{architecture}.use_parallel_residual"), true);
        for (name, shape) in tensors {
            let values: Vec<f32> = (0..shape.iter().product::<usize>()).map(|i| i as f32).collect();
            writer.f32_tensor(name, shape, &values);
        }
        let (dir, path) = written(&writer);
        let files = ModelFiles::open(&path).unwrap();
        let json: Value = serde_json::from_str(&files.config_json().unwrap()).unwrap();
        let infos =
            files.tensors().unwrap().into_iter().map(|(name, info)| (name, info.shape)).collect::<Vec<_>>();
        (json, infos, dir)
    };
    let owned = |names: &[(&str, &[usize])]| -> Vec<(String, Vec<usize>)> {
        names.iter().map(|(name, shape)| ((*name).to_string(), shape.to_vec())).collect()
    };

    let (json, infos, _dir) = model(
        "gpt2",
        &[
            ("token_embd.weight", &[5, 4]),
            ("position_embd.weight", &[32, 4]),
            ("blk.0.attn_qkv.weight", &[12, 4]),
        ],
    );
    assert_eq!(
        (&json["model_type"], &json["n_inner"], &json["n_positions"]),
        (&"gpt2".into(), &8.into(), &32.into())
    );
    let names: &[(&str, &[usize])] = &[
        ("transformer.h.0.attn.c_attn.weight", &[4, 12]),
        ("transformer.wpe.weight", &[32, 4]),
        ("transformer.wte.weight", &[5, 4]),
    ];
    assert_eq!(infos, owned(names));

    let (json, infos, _dir) = model(
        "gptneox",
        &[("token_embd.weight", &[5, 4]), ("output.weight", &[5, 4]), ("blk.0.attn_qkv.bias", &[12])],
    );
    assert_eq!((&json["model_type"], &json["tie_word_embeddings"]), (&"gpt_neox".into(), &false.into()));
    let names: &[(&str, &[usize])] = &[
        ("embed_out.weight", &[5, 4]),
        ("gpt_neox.embed_in.weight", &[5, 4]),
        ("gpt_neox.layers.0.attention.query_key_value.bias", &[12]),
    ];
    assert_eq!(infos, owned(names));

    let (json, infos, _dir) = model(
        "qwen3",
        &[
            ("token_embd.weight", &[5, 4]),
            ("blk.0.attn_q_norm.weight", &[2]),
            ("blk.0.attn_q.weight", &[4, 4]),
        ],
    );
    assert_eq!((&json["model_type"], &json["head_dim"]), (&"qwen3".into(), &2.into()));
    assert_eq!(infos[2].0, "model.layers.0.self_attn.q_proj.weight");

    let (_dir, path) = written(&GgufWriter::new("mamba"));
    let error = ModelFiles::open(&path).unwrap().config_json().unwrap_err().to_string();
    assert!(
        error.contains("general.architecture `mamba` is not supported in GGUF files; supported are llama"),
        "{error}"
    );
}

/// llama.cpp writes the layers of reward models and classifiers under names of its own.
#[test]
fn a_head_in_a_file_is_named() {
    for name in ["cls.output.weight", "cls.weight", "score.weight", "v_head.summary.weight"] {
        let mut writer = llama(some_values);
        writer.f32_tensor(name, &[1, 8], &[0.5; 8]);
        let (_dir, path) = written(&writer);
        let error = Backbone::load(&path, &dph_core::device("flex").unwrap()).unwrap_err().to_string();
        assert!(error.contains("this is a reward model or classifier, whose head ("), "{error}");
        assert!(error.contains(name) && error.contains("in the layout of Hugging Face"), "{error}");
    }
}

#[test]
fn old_keys_of_the_rotary_scaling_are_read() {
    let scaling = |change: &dyn Fn(&mut GgufWriter)| {
        let mut writer = llama(some_values);
        change(&mut writer);
        let (_dir, path) = written(&writer);
        config(&path)["rope_scaling"].clone()
    };
    let linear = |factor: f64| serde_json::json!({"rope_type": "linear", "factor": factor});
    let (key, old) = ("llama.rope.scaling.factor", "llama.rope.scale_linear");
    let kind = "llama.rope.scaling.type";
    assert_eq!(
        scaling(&|writer| {
            writer.f32(old, 4.0);
        }),
        linear(4.0)
    );
    assert_eq!(
        scaling(&|writer| {
            writer.f32(key, 2.0);
        }),
        linear(2.0)
    );
    assert_eq!(
        scaling(&|writer| {
            writer.f32(key, 2.0).f32(old, 4.0);
        }),
        linear(2.0)
    );
    assert_eq!(
        scaling(&|writer| {
            writer.text(kind, "linear").f32(key, 8.0);
        }),
        linear(8.0)
    );
    for none in [0.0, 1.0] {
        assert_eq!(
            scaling(&|writer| {
                writer.f32(old, none);
            }),
            Value::Null
        );
        assert_eq!(
            scaling(&|writer| {
                writer.text(kind, "linear").f32(key, none);
            }),
            Value::Null
        );
    }
    assert_eq!(
        scaling(&|writer| {
            writer.text(kind, "none").f32(key, 2.0);
        }),
        Value::Null
    );
    let yarn = scaling(&|writer| {
        writer.text(kind, "yarn").f32(key, 4.0);
    });
    assert_eq!(yarn["rope_type"], "yarn");

    let mut writer = llama(some_values);
    writer.f32(old, 4.0);
    let scaled = states(&written(&writer).1);
    let dir = directory();
    let with_key = CONFIG
        .replace("\"vocab_size\"", "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4}, \"vocab_size\"");
    assert_ne!(scaled, states(dir.path()));
    fs::write(dir.path().join("config.json"), with_key).unwrap();
    assert_eq!(scaled, states(dir.path()));
}

/// The tiny Llama in parts.
fn parts(dir: &Path) -> Vec<PathBuf> {
    let parts = llama_parts();
    let count = parts.len();
    let write = |(index, writer): (usize, GgufWriter)| {
        let path = dir.join(format!("tiny-f32-{:05}-of-{count:05}.gguf", index + 1));
        fs::write(&path, writer.bytes()).unwrap();
        path
    };
    parts.into_iter().enumerate().map(write).collect()
}

#[test]
fn a_model_in_several_files_is_one_model() {
    let dir = tempfile::tempdir().unwrap();
    let paths = parts(dir.path());
    let (_whole_dir, whole) = written(&llama(some_values));
    // Any part is the model, and so is the folder.
    for path in paths.iter().map(PathBuf::as_path).chain([dir.path()]) {
        assert_eq!(states(path), states(&whole), "{}", path.display());
        assert_eq!(content_hash(path).unwrap(), content_hash(&paths[0]).unwrap());
        assert_eq!(config(path), config(&whole));
    }
    assert_ne!(content_hash(&paths[0]).unwrap(), content_hash(&whole).unwrap());
    let out = dir.path().join("out");
    convert(&paths[1], &out, &ConvertOptions::default()).unwrap();
    assert_eq!(states(&out), states(&whole));

    // A second model in the folder makes it ambiguous.
    let other = dir.path().join("other.gguf");
    fs::copy(&whole, &other).unwrap();
    let error = ModelFiles::open(dir.path()).unwrap().config_json().unwrap_err().to_string();
    assert!(
        error.ends_with("several GGUF files, other.gguf, tiny-f32-00001-of-00003.gguf; name one of them"),
        "{error}"
    );
}

#[test]
fn parts_that_do_not_belong_together_are_named() {
    let error = |change: &dyn Fn(&[PathBuf])| {
        let dir = tempfile::tempdir().unwrap();
        let paths = parts(dir.path());
        change(&paths);
        let path = paths.iter().find(|path| path.exists()).unwrap();
        ModelFiles::open(path).unwrap_err().to_string()
    };
    let missing = error(&|paths| fs::remove_file(&paths[1]).unwrap());
    assert!(
        missing.contains("tiny-f32-00002-of-00003.gguf does not exist; it is one of the 3 parts"),
        "{missing}"
    );
    let missing = error(&|paths| fs::remove_file(&paths[0]).unwrap());
    assert!(missing.contains("tiny-f32-00001-of-00003.gguf does not exist"), "{missing}");
    let swapped = error(&|paths| {
        fs::copy(&paths[2], &paths[1]).unwrap();
    });
    assert!(swapped.contains("part 2 of 3, but its keys say part 3 of 3"), "{swapped}");
    let dir = tempfile::tempdir().unwrap();
    let renamed = dir.path().join("model.gguf");
    fs::copy(&parts(dir.path())[0], &renamed).unwrap();
    let error = ModelFiles::open(&renamed).unwrap_err().to_string();
    assert!(
        error.contains("one of 3 parts of a model, and its name does not say where the others are"),
        "{error}"
    );
}

/// The pieces into which a pre-tokeniser splits a text.
fn pieces(pre: &str, text: &str) -> Vec<String> {
    let mut writer = GgufWriter::new("llama");
    writer
        .text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", pre)
        .texts("tokenizer.ggml.tokens", &["a"])
        .texts::<&str>("tokenizer.ggml.merges", &[]);
    let (_dir, path) = written(&writer);
    let json = ModelFiles::open(&path).unwrap().read("tokenizer.json").unwrap();
    let tokenizer = tokenizers::Tokenizer::from_bytes(json).unwrap();
    let mut pretokenized = PreTokenizedString::from(text);
    tokenizer.get_pre_tokenizer().unwrap().pre_tokenize(&mut pretokenized).unwrap();
    let splits = pretokenized.get_splits(OffsetReferential::Original, OffsetType::Byte);
    splits.into_iter().map(|(_, (start, end), _)| text[start..end].to_string()).collect()
}

#[test]
fn texts_are_split_as_the_kind_of_the_file_says() {
    let text = "I've 1234 cats!! ok\n 你好x";
    let gpt2 = ["I", "'ve", " 1234", " cats", "!!", " ok", "\n", " 你好x"];
    let digits = ["I", "'ve", " ", "1", "2", "3", "4", " cats", "!!", " ok", "\n", " 你好x"];
    let falcon = ["I", "'", "ve", " ", "123", "4", " cats", "!!", " ok", "\n", " 你好x"];
    let deepseek = ["I", "'", "ve", " ", "1234", " cats", "!!", " ok", "\n", " ", "你好", "x"];
    let coder = ["I", "'", "ve", " ", "1", "2", "3", "4", " cats", "!!", " ok", "\n", " ", "你好", "x"];
    for (pre, expected) in [
        ("gpt-2", &gpt2[..]),
        ("mpt", &gpt2),
        ("olmo", &gpt2),
        ("smollm", &digits),
        ("starcoder", &digits),
        ("refact", &digits),
        ("command-r", &digits),
        ("falcon", &falcon),
        ("deepseek-llm", &deepseek),
        ("deepseek-coder", &coder),
        ("qwen2", &digits),
        ("qwen35", &digits),
    ] {
        assert_eq!(pieces(pre, text), expected, "{pre}");
    }
    // A combining mark belongs to its word, or not.
    assert_eq!(pieces("qwen2", "a कि"), ["a", " क", "ि"]);
    assert_eq!(pieces("qwen35", "a कि"), ["a", " कि"]);
    // Signs in a row are one piece for Falcon, with the letter behind the last blank.
    assert_eq!(pieces("falcon", "a=b `c` $5"), ["a", "=", "b", " ", "`", "c", "`", " ", "$", "5"]);
    // The expression for signs matches the letters of ASCII as well.
    assert_eq!(pieces("deepseek-llm", "día: 12年"), ["d", "í", "a", ":", " ", "12", "年"]);
}
