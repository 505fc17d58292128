//! Random bytes, and valid files with random damage: no reader panics or takes much memory. One that hangs never lets the
//! test end.
//!
//! `PROPTEST_CASES` sets the number of files for each reader.

use std::fs;
use std::path::Path;

use dph_core::{HEAD_CONFIG_FILE, HEAD_WEIGHTS_FILE, PreferenceHead, PreferenceHeadConfig};
use dph_model::{ModelFiles, stored_head};
use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView};

use super::{directory, read_all, safetensors_file};
use dph_model::testing::gguf::{CONFIG, D_MODEL, llama, renamed, some_values, tensors};
use dph_model::testing::pickle;

/// Memory of the whole process, which holds a tiny model now and then.
const MOST_MEMORY: usize = 600 << 20;

/// Something that happens to a file.
#[derive(Debug, Clone)]
enum Damage {
    Byte(prop::sample::Index, u8),
    Word(prop::sample::Index, u64),
    Cut(prop::sample::Index),
    Remove(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
    /// Something of the file again, elsewhere.
    Copy(prop::sample::Index, prop::sample::Index, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let index = any::<prop::sample::Index>;
    let odd = prop_oneof![
        Just(0),
        Just(u64::MAX),
        Just(1 << 31),
        Just((1 << 32) - 1),
        Just(1 << 62),
        Just(1 << 63),
        any::<u64>(),
        0u64..4096
    ];
    prop_oneof![
        4 => (index(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        4 => (index(), odd).prop_map(|(at, word)| Damage::Word(at, word)),
        1 => index().prop_map(Damage::Cut),
        1 => (index(), 1usize..64).prop_map(|(at, len)| Damage::Remove(at, len)),
        1 => (index(), prop::collection::vec(any::<u8>(), 1..32)).prop_map(|(at, new)| Damage::Insert(at, new)),
        1 => (index(), index(), 1usize..64).prop_map(|(from, to, len)| Damage::Copy(from, to, len)),
    ]
}

/// Damage done to a file, most of it in its first `head` bytes, where everything is decided.
fn damaged(mut bytes: Vec<u8>, head: usize, damages: &[(bool, Damage)]) -> Vec<u8> {
    for (in_head, damage) in damages {
        if bytes.is_empty() {
            break;
        }
        let reach = if *in_head { bytes.len().min(head) } else { bytes.len() };
        match damage {
            Damage::Byte(at, byte) => bytes[at.index(reach)] = *byte,
            Damage::Word(at, word) => {
                let at = at.index(reach);
                for (place, byte) in bytes[at..].iter_mut().zip(word.to_le_bytes()) {
                    *place = byte;
                }
            }
            Damage::Cut(at) => bytes.truncate(at.index(reach)),
            Damage::Remove(at, len) => {
                let at = at.index(reach);
                bytes.drain(at..(at + len).min(bytes.len()));
            }
            Damage::Insert(at, new) => {
                let at = at.index(reach);
                bytes.splice(at..at, new.iter().copied());
            }
            Damage::Copy(from, to, len) => {
                let from = from.index(reach);
                let part = bytes[from..(from + len).min(bytes.len())].to_vec();
                let to = to.index(reach);
                bytes.splice(to..to, part);
            }
        }
    }
    bytes
}

fn damages() -> impl Strategy<Value = Vec<(bool, Damage)>> {
    prop::collection::vec((prop::bool::weighted(0.8), damage()), 1..5)
}

/// Random bytes, with what a format starts with in front of them or without.
fn noise(start: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec(any::<u8>(), 0..600);
    (any::<bool>(), noise).prop_map(move |(with, noise)| if with { [start, &noise].concat() } else { noise })
}

/// Reads a file and holds the reader to its promises.
fn check(path: &Path) -> Result<(), TestCaseError> {
    // Whether it is an error depends on what was hit; that it is no panic is what is asked.
    let said = read_all(path);
    if let Some(memory) = peak_memory() {
        prop_assert!(memory < MOST_MEMORY, "{} MB of memory: {said:?}", memory >> 20);
    }
    Ok(())
}

/// Highest memory of this process so far, where the system says it.
fn peak_memory() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<usize>().ok()? << 10)
}

fn check_gguf(bytes: &[u8]) -> Result<(), TestCaseError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    fs::write(&path, bytes).unwrap();
    check(&path)
}

fn check_in_directory(name: &str, bytes: &[u8]) -> Result<(), TestCaseError> {
    check(directory(&[(name, bytes)]).path())
}

fn pickled() -> Vec<u8> {
    let tensors = tensors().into_iter().map(|(name, shape)| {
        let (name, len) = (renamed(name), shape.iter().product());
        let values = some_values(&name, len);
        (name, shape, values)
    });
    pickle::saved(&tensors.collect::<Vec<_>>())
}

const INDEX: &str = r#"{"metadata": {"total_size": 3}, "weight_map": {"model.norm.weight": "model-00001-of-00001.safetensors",
    "model.embed_tokens.weight": "model-00001-of-00001.safetensors"}}"#;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn safetensors_with_damage(damages in damages()) {
        check_in_directory("model.safetensors", &damaged(safetensors_file(|_| ()), 1100, &damages))?;
    }

    #[test]
    fn safetensors_of_noise(bytes in noise(b"\x20\0\0\0\0\0\0\0{\"a\":")) {
        check_in_directory("model.safetensors", &bytes)?;
    }

    #[test]
    fn gguf_with_damage(damages in damages()) {
        check_gguf(&damaged(llama(some_values).bytes(), 8000, &damages))?;
    }

    #[test]
    fn gguf_of_noise(bytes in noise(b"GGUF\x03\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0")) {
        check_gguf(&bytes)?;
    }

    #[test]
    fn pytorch_with_damage(damages in damages()) {
        check_in_directory("pytorch_model.bin", &damaged(pickled(), 1800, &damages))?;
    }

    #[test]
    fn pickles_with_damage(damages in damages()) {
        let whole = pickled();
        // The pickle alone, without its archive.
        let start = whole.windows(3).position(|window| window == b"\x80\x02}").unwrap();
        check_in_directory("pytorch_model.bin", &damaged(whole[start..start + 1500].to_vec(), 1500, &damages))?;
    }

    #[test]
    fn pickles_of_noise(bytes in noise(b"\x80\x02}(")) {
        check_in_directory("pytorch_model.bin", &bytes)?;
    }

    #[test]
    fn indices_with_damage(damages in damages()) {
        let index = damaged(INDEX.as_bytes().to_vec(), 200, &damages);
        let shard = safetensors_file(|_| ());
        let files = [("model.safetensors.index.json", &index[..]), ("model-00001-of-00001.safetensors", &shard)];
        check(directory(&files).path())?;
    }

    #[test]
    fn configurations_with_damage(damages in damages()) {
        let dir = directory(&[("model.safetensors", &safetensors_file(|_| ()))]);
        fs::write(dir.path().join("config.json"), damaged(CONFIG.as_bytes().to_vec(), 400, &damages)).unwrap();
        check(dir.path())?;
    }

    #[test]
    fn adapters_with_damage(in_weights in any::<bool>(), damages in damages()) {
        let base = directory(&[("model.safetensors", &safetensors_file(|_| ()))]);
        let dir = base.path().join("adapter");
        fs::create_dir(&dir).unwrap();
        let (mut config, mut weights) = (ADAPTER.as_bytes().to_vec(), adapter_weights());
        match in_weights {
            true => weights = damaged(weights, 300, &damages),
            false => config = damaged(config, 200, &damages),
        }
        fs::write(dir.join("adapter_config.json"), config).unwrap();
        fs::write(dir.join("adapter_model.safetensors"), weights).unwrap();
        check(&dir)?;
    }

    #[test]
    fn value_heads_with_damage(damages in damages()) {
        let head = damaged(tensor_file(&[("v_head.summary.weight", &[1, D_MODEL])]), 100, &damages);
        let dir = directory(&[("model.safetensors", &safetensors_file(|_| ())), ("value_head.safetensors", &head)]);
        let device = dph_core::device("flex").unwrap();
        if let Ok(files) = ModelFiles::open(dir.path()) {
            drop(stored_head(&files, &device));
        }
    }

    #[test]
    fn preference_heads_with_damage(in_weights in any::<bool>(), damages in damages()) {
        let dir = tempfile::tempdir().unwrap();
        let device = dph_core::device("flex").unwrap();
        let config = PreferenceHeadConfig { bias: true, ..PreferenceHeadConfig::new(D_MODEL, 16) };
        config.init(1, &device).save(&config, dir.path()).unwrap();
        let name = if in_weights { HEAD_WEIGHTS_FILE } else { HEAD_CONFIG_FILE };
        let path = dir.path().join(name);
        fs::write(&path, damaged(fs::read(&path).unwrap(), 300, &damages)).unwrap();
        drop(PreferenceHead::load(dir.path(), &device));
    }
}

const ADAPTER: &str = r#"{"peft_type": "LORA", "base_model_name_or_path": "..", "r": 2, "lora_alpha": 8, "use_rslora": false,
    "alpha_pattern": {"q_proj": 4}, "init_lora_weights": true, "fan_in_fan_out": false}"#;

/// A safetensors file with small values.
fn tensor_file(tensors: &[(&str, &[usize])]) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(name, shape)| {
            some_values(name, shape.iter().product()).into_iter().flat_map(f32::to_le_bytes).collect()
        })
        .collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape), bytes)| (*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap()));
    safetensors::serialize(views, None).unwrap()
}

fn adapter_weights() -> Vec<u8> {
    tensor_file(&[
        ("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", &[2, D_MODEL]),
        ("base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight", &[D_MODEL, 2]),
    ])
}
