//! Every part of a GGUF file changed on its own: cut, of another kind, of another length, missing, or of another file. Each change is an error
//! that names the file and what is wrong in it, or it does not matter to the model.

use std::fs;
use std::path::{Path, PathBuf};

use dph_core::{Batch, CandidateSet, Layer, TargetTokens};
use dph_model::testing::gguf::{D_MODEL, GgufWriter, VOCAB, llama, llama_parts, some_values, tensors};
use dph_model::{Backbone, ModelFiles};
use tempfile::TempDir;

/// What is computed with a model, or the first error of its files.
fn outcome(path: &Path) -> Result<Vec<f32>, String> {
    let files = ModelFiles::open(path).map_err(|error| error.to_string())?;
    for name in ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"] {
        match files.read(name) {
            // As for other errors of reading, the caller names the file.
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(format!("{}: {error}", path.display()));
            }
            _ => {}
        }
    }
    files.tensors().map_err(|error| error.to_string())?;
    let model =
        Backbone::load(path, &dph_core::device("flex").unwrap()).map_err(|error| error.to_string())?;
    let set = CandidateSet { prompt: vec![5, 90, 17, 200, 3], ..CandidateSet::default() };
    let batch = Batch::pack([&set], TargetTokens::None, 0);
    let states = model.hidden_states(&batch, &[Layer::Last]);
    let states = states.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(states.into_iter().flat_map(|states| states.into_data().try_to_vec::<f32>().unwrap()).collect())
}

/// A folder for one file after another.
struct Bench {
    dir: TempDir,
    expected: Vec<f32>,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut bench = Self { dir, expected: Vec::new() };
        bench.expected = bench.outcome(&llama(some_values).bytes()).unwrap();
        bench
    }

    fn outcome(&self, bytes: &[u8]) -> Result<Vec<f32>, String> {
        let path = self.dir.path().join("tiny.gguf");
        fs::write(&path, bytes).unwrap();
        outcome(&path)
    }

    /// The change is an error that names the file and a part of it.
    #[track_caller]
    fn refused(&self, bytes: &[u8], what: &str, part: &str) {
        match self.outcome(bytes) {
            Ok(_) => panic!("{what}: no error, {part} is expected"),
            Err(said) => assert!(
                said.contains("tiny.gguf") && said.contains(part),
                "{what}: {part:?} or the file is not in {said}"
            ),
        }
    }

    /// The change does not matter.
    #[track_caller]
    fn same(&self, bytes: &[u8], what: &str) {
        assert_eq!(self.outcome(bytes).as_ref(), Ok(&self.expected), "{what}");
    }
}

fn word(value: u32) -> Vec<u8> {
    value.to_le_bytes().to_vec()
}

fn long(value: u64) -> Vec<u8> {
    value.to_le_bytes().to_vec()
}

fn text(value: &[u8]) -> Vec<u8> {
    [long(value.len() as u64), value.to_vec()].concat()
}

fn array(kind: u32, len: u64, items: &[u8]) -> Vec<u8> {
    [word(kind), long(len), items.to_vec()].concat()
}

/// A value of each kind, with the number of the kind.
fn values() -> Vec<(u32, Vec<u8>)> {
    vec![
        (0, vec![1]),
        (1, vec![1]),
        (2, vec![1, 0]),
        (3, vec![1, 0]),
        (4, word(1)),
        (5, word(1)),
        (6, 1.5_f32.to_le_bytes().to_vec()),
        (7, vec![1]),
        (8, text(b"odd")),
        (8, text(b"\xFF\xFE")),
        (9, array(4, 1, &word(1))),
        (9, array(8, 1, &text(b"odd"))),
        (9, array(9, 1, &array(4, 1, &word(1)))),
        (9, array(4, 0, &[])),
        (10, long(1)),
        (11, long(1)),
        (12, 1.5_f64.to_le_bytes().to_vec()),
        (5, word(-7_i32 as u32)),
        (10, long(u64::MAX)),
        (6, f32::NAN.to_le_bytes().to_vec()),
        (12, f64::INFINITY.to_le_bytes().to_vec()),
        (7, vec![2]),
        (13, vec![0]),
        (u32::MAX, Vec::new()),
    ]
}

/// A finite number of these kinds.
fn like_real(kind: u32) -> Vec<u8> {
    if kind == 6 { 1.5_f32.to_le_bytes().to_vec() } else { 1.5_f64.to_le_bytes().to_vec() }
}

/// The keys without which the model is the same.
const OPTIONAL: &[&str] = &[
    "tokenizer.ggml.token_type",
    "tokenizer.ggml.bos_token_id",
    "tokenizer.ggml.eos_token_id",
    "tokenizer.ggml.padding_token_id",
    "tokenizer.ggml.add_bos_token",
];

/// The keys that may have a number for each layer.
const BY_LAYER: &[&str] =
    &["llama.attention.head_count", "llama.attention.head_count_kv", "llama.feed_forward_length"];

#[test]
fn a_file_that_is_cut_anywhere_is_refused() {
    let bench = Bench::new();
    let whole = llama(some_values).bytes();
    let data: usize = tensors().iter().map(|(_, shape)| shape.iter().product::<usize>() * 4).sum();
    // All of the keys and of the table, and some of the weights.
    let header = whole.len() - data;
    let places = (0..header).chain((header..whole.len()).step_by(41)).chain([whole.len() - 1]);
    for length in places {
        let part = if length == 0 { "the file is empty" } else { "truncated or not a GGUF file" };
        bench.refused(&whole[..length], &format!("cut at {length}"), part);
    }
}

#[test]
fn values_of_another_kind_name_their_key() {
    let bench = Bench::new();
    for (key, own) in llama(some_values).keys() {
        for (kind, value) in values() {
            let is_whole = matches!(kind, 0..=5 | 10 | 11) && value != word(-7_i32 as u32);
            let is_like = match own {
                // A number may be of any width.
                4 if BY_LAYER.contains(&key.as_str()) && value == array(4, 1, &word(1)) => true,
                4 => is_whole,
                6 => is_whole || (matches!(kind, 6 | 12) && value == like_real(kind)),
                7 => kind == 7 && value == [1],
                8 => kind == 8 && value == text(b"odd"),
                _ => false,
            };
            let bytes = llama(some_values).with_value(&key, kind, &value).bytes();
            let what = format!("{key} of kind {kind}: {value:?}");
            if is_like {
                // Another value of the kind may be wrong for the weights, which are then named.
                if let Err(said) = bench.outcome(&bytes) {
                    assert!(said.contains("tiny.gguf"), "{what}: {said}");
                }
            } else {
                bench.refused(&bytes, &what, &key);
            }
        }
    }
}

#[test]
fn keys_that_are_missing_are_named() {
    let bench = Bench::new();
    for (key, _) in llama(some_values).keys() {
        let bytes = llama(some_values).without_key(&key).bytes();
        match key.as_str() {
            // Without it there are as many heads for keys as for queries, which the weights contradict.
            "llama.attention.head_count_kv" => {
                bench.refused(&bytes, &key, "self_attn.k_proj.weight has shape")
            }
            // A model may do without a tokenizer.
            "tokenizer.ggml.model" => bench.same(&bytes, &key),
            _ if OPTIONAL.contains(&key.as_str()) => bench.same(&bytes, &key),
            _ => bench.refused(&bytes, &format!("without {key}"), &key),
        }
    }
}

/// Some writers have a number for each layer.
#[test]
fn sizes_by_layer_are_those_of_all_layers() {
    let bench = Bench::new();
    for (key, size) in BY_LAYER.iter().copied().zip([2, 1, 12]) {
        let with = |sizes: &[u32]| {
            let items: Vec<u8> = sizes.iter().flat_map(|size| word(*size)).collect();
            llama(some_values).with_value(key, 9, &array(5, sizes.len() as u64, &items)).bytes()
        };
        bench.same(&with(&[size]), key);
        let problem = format!("the key {key} has 2 numbers, but the model has 1 layer");
        bench.refused(&with(&[size, size]), key, &problem);
        let two_layers = |sizes: [u32; 2]| {
            let items = sizes.map(word).concat();
            llama(some_values)
                .with_value("llama.block_count", 4, &word(2))
                .with_value(key, 9, &array(5, 2, &items))
                .bytes()
        };
        bench.refused(
            &two_layers([size, 3]),
            key,
            &format!("the key {key} differs between the layers ({size}, 3)"),
        );
        bench.refused(&two_layers([size, size]), key, "model.layers.1.");
    }
}

#[test]
fn arrays_of_another_length_name_their_key() {
    let bench = Bench::new();
    let with = |key: &str, kind: u32, value: &[u8]| llama(some_values).with_value(key, kind, value).bytes();
    let kinds = |len: usize| array(5, len as u64, &word(1).repeat(len));
    for len in [0, VOCAB - 1, VOCAB + 1] {
        let key = "tokenizer.ggml.token_type";
        bench.refused(&with(key, 9, &kinds(len)), &format!("{len} kinds"), key);
    }
    let tokens = |len: usize| {
        let texts: Vec<u8> = (0..len).flat_map(|id| text(id.to_string().as_bytes())).collect();
        array(8, len as u64, &texts)
    };
    let key = "tokenizer.ggml.tokens";
    bench.refused(&with(key, 9, &tokens(VOCAB + 1)), "more tokens than rows", key);
    bench.refused(&with(key, 9, &tokens(0)), "no tokens", key);
    let key = "tokenizer.ggml.merges";
    for merge in ["t", "t h e", "th q\u{0}", " ", "", "in in"] {
        let one = array(8, 1, &text(merge.as_bytes()));
        bench.refused(&with(key, 9, &one), merge, key);
    }
    for len in [1, 2, 1 << 20, 1 << 32, 1 << 61, u64::MAX] {
        for kind in [0, 5, 7, 8, 9, 12] {
            let claims = [word(kind), long(len)].concat();
            let key = "tokenizer.ggml.merges";
            let what = format!("{len} of kind {kind}");
            // What follows is read as values or is too short; both are found.
            let said = bench.outcome(&with(key, 9, &claims)).unwrap_err();
            assert!(said.contains("tiny.gguf"), "{what}: {said}");
        }
    }
    for key in ["bos", "eos", "padding"].map(|name| format!("tokenizer.ggml.{name}_token_id")) {
        let none = with(&key, 4, &word(VOCAB as u32));
        match key.contains("padding") {
            // Some writers pad with a token that the model does not have.
            true => bench.same(&none, &key),
            false => bench.refused(&none, "no such token", &key),
        }
        // Some writers have -1 where there is none.
        bench.same(&with(&key, 5, &word(u32::MAX)), &key);
        bench.same(&with(&key, 4, &word(u32::MAX)), &key);
    }
}

#[test]
fn sizes_that_the_weights_contradict_are_refused() {
    let bench = Bench::new();
    for (key, kind) in llama(some_values).keys() {
        // The context is no size of a weight.
        if kind != 4 || !key.starts_with("llama.") || key == "llama.context_length" {
            continue;
        }
        for value in [0, 2, 3, 5, 9, 4096, 1 << 20, u32::MAX] {
            let writer = llama(some_values);
            let same = llama(some_values).bytes() == writer.clone().with_value(&key, 4, &word(value)).bytes();
            if !same {
                bench.refused(
                    &writer.with_value(&key, 4, &word(value)).bytes(),
                    &format!("{key} = {value}"),
                    "",
                );
            }
        }
    }
    let with = |key: &str, value: u32| {
        let mut writer = llama(some_values);
        writer.u32(key, value);
        writer.bytes()
    };
    let head = D_MODEL as u32 / 2;
    for key in ["llama.rope.dimension_count", "llama.attention.value_length", "llama.attention.key_length"] {
        bench.same(&with(key, head), key);
    }
    for key in ["llama.rope.dimension_count", "llama.attention.value_length"] {
        bench.refused(&with(key, head / 2), key, key);
    }
    bench.refused(
        &with("llama.attention.key_length", head / 2),
        "key_length",
        "self_attn.q_proj.weight has shape",
    );
}

#[test]
fn tensors_that_are_wrong_are_named() {
    let bench = Bench::new();
    let whole = llama(some_values).bytes();
    let data: usize = tensors().iter().map(|(_, shape)| shape.iter().product::<usize>() * 4).sum();
    for (name, shape) in tensors() {
        let ours = dph_model::testing::gguf::renamed(name);
        let writer = || llama(some_values);
        let missing = writer().without_tensor(name).bytes();
        // Without its embedding a file does not say how many tokens there are.
        let part = if name == "token_embd.weight" { name } else { &ours };
        bench.refused(&missing, &format!("without {name}"), part);
        let mut twice = writer();
        twice.f32_tensor(name, &shape, &vec![0.5; shape.iter().product()]);
        bench.refused(&twice.bytes(), &format!("{name} twice"), &format!("the tensor {name} is there twice"));
        // A vector may be of a smaller type: what follows it would be padding.
        let smaller = |kind: &u32| shape.len() == 1 && [1, 30].contains(kind);
        for kind in (1..64).chain([255, 1 << 16, u32::MAX]).filter(|kind| !smaller(kind)) {
            bench.refused(&writer().with_type(name, kind).bytes(), &format!("{name} of type {kind}"), "");
        }
        for kind in [9, 10, 11, 15, 39, 63, u32::MAX] {
            let said = bench.outcome(&writer().with_type(name, kind).bytes()).unwrap_err();
            assert!(said.contains(&ours) && said.contains("of a type that cannot be read"), "{name}: {said}");
        }
        let axes: Vec<u64> = shape.iter().map(|&axis| axis as u64).collect();
        let mut reversed = axes.clone();
        reversed.reverse();
        for other in [
            vec![],
            vec![0; axes.len()],
            vec![u64::MAX; axes.len()],
            [axes.clone(), vec![2]].concat(),
            [vec![1 << 40], axes.clone()].concat(),
            axes.iter().map(|axis| axis + 1).collect(),
            vec![1, 1, 1, 1, 1],
        ] {
            bench.refused(&writer().with_axes(name, &other).bytes(), &format!("{name} of {other:?}"), "");
        }
        if reversed != axes {
            let part = if name == "token_embd.weight" { name } else { "has shape" };
            bench.refused(&writer().with_axes(name, &reversed).bytes(), &format!("{name} transposed"), part);
        }
        for offset in
            [0, 32, 64, data as u64 - 32, data as u64, 1, 31, 1 << 20, 1 << 63, u64::MAX - 31, u64::MAX]
        {
            let bytes = writer().with_offset(name, offset).bytes();
            if bytes != whole {
                bench.refused(&bytes, &format!("{name} at {offset}"), "the tensor");
            }
        }
    }
    let mut strange = llama(some_values);
    strange.f32_tensor("blk.00.attn_norm.weight", &[D_MODEL], &[0.5; D_MODEL]);
    bench.refused(&strange.bytes(), "two names of one tensor", "model.layers.0.input_layernorm.weight");
    let mut alien = llama(some_values);
    alien.f32_tensor("blk.0.attn_sinks.weight", &[D_MODEL], &[0.5; D_MODEL]);
    bench.refused(&alien.bytes(), "a tensor of another model", "blk.0.attn_sinks.weight");
}

#[test]
fn counts_that_are_wrong_are_refused() {
    let bench = Bench::new();
    let whole = llama(some_values).bytes();
    let tensor_count = u64::from_le_bytes(whole[8..16].try_into().unwrap());
    let pairs = u64::from_le_bytes(whole[16..24].try_into().unwrap());
    for (at, count) in [(8, tensor_count), (16, pairs)] {
        for wrong in [0, 1, count - 1, count + 1, 1 << 16, (1 << 16) + 1, 1 << 40, u64::MAX] {
            let mut bytes = whole.clone();
            bytes[at..at + 8].copy_from_slice(&wrong.to_le_bytes());
            bench.refused(&bytes, &format!("{wrong} at {at}"), "");
        }
    }
}

/// One bit after another of the header: no panic, and every error names the file.
#[test]
fn flipped_bits_are_no_panic() {
    let bench = Bench::new();
    let whole = llama(some_values).bytes();
    let data: usize = tensors().iter().map(|(_, shape)| shape.iter().product::<usize>() * 4).sum();
    for at in (0..whole.len() - data).step_by(3) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        if let Err(said) = bench.outcome(&bytes) {
            assert!(said.contains("tiny.gguf"), "bit {} of byte {at}: {said}", at % 8);
        }
    }
}

/// The tiny Llama in three files.
fn parts(dir: &Path, change: impl Fn(usize, GgufWriter) -> GgufWriter) -> Vec<PathBuf> {
    let write = |(index, writer): (usize, GgufWriter)| {
        let path = dir.join(format!("tiny-{:05}-of-00003.gguf", index + 1));
        fs::write(&path, change(index, writer).bytes()).unwrap();
        path
    };
    llama_parts().into_iter().enumerate().map(write).collect()
}

#[test]
fn parts_that_are_wrong_are_named() {
    let expected = Bench::new().expected;
    let unchanged = |_: usize, writer: GgufWriter| writer;
    let check = |what: &str, paths: &dyn Fn(&Path) -> Vec<PathBuf>, part: &str| {
        let dir = tempfile::tempdir().unwrap();
        for path in paths(dir.path()).iter().filter(|path| path.exists()) {
            match outcome(path) {
                Ok(states) => assert!(part.is_empty() && states == expected, "{what}: no error"),
                Err(said) => assert!(
                    !part.is_empty() && said.contains("tiny-") && said.contains(part),
                    "{what}: {part:?} is not in {said}"
                ),
            }
        }
    };
    check("unchanged", &|dir| parts(dir, unchanged), "");
    for missing in 0..3 {
        let name = format!("tiny-{:05}-of-00003.gguf does not exist", missing + 1);
        check(
            "missing",
            &|dir| {
                let paths = parts(dir, unchanged);
                fs::remove_file(&paths[missing]).unwrap();
                paths
            },
            &name,
        );
        check(
            "cut",
            &|dir| {
                let paths = parts(dir, unchanged);
                let bytes = fs::read(&paths[missing]).unwrap();
                fs::write(&paths[missing], &bytes[..bytes.len() - 1]).unwrap();
                paths
            },
            &format!("tiny-{:05}-of-00003.gguf", missing + 1),
        );
        for from in (0..3).filter(|from| *from != missing) {
            check(
                "duplicated",
                &|dir| {
                    let paths = parts(dir, unchanged);
                    fs::copy(&paths[from], &paths[missing]).unwrap();
                    paths
                },
                "give the parts their names back",
            );
        }
        for key in ["split.no", "split.count", "split.tensors.count"] {
            for (kind, value) in values() {
                let right = if key == "split.no" { missing as u8 } else { 3 };
                if matches!(kind, 0..=5 | 10 | 11)
                    && value.first() == Some(&right)
                    && key != "split.tensors.count"
                {
                    continue;
                }
                let dir = tempfile::tempdir().unwrap();
                let paths = parts(dir.path(), |index, writer| match index == missing {
                    true => writer.with_value(key, kind, &value),
                    false => writer,
                });
                for path in paths {
                    let said = outcome(&path).unwrap_err();
                    assert!(said.contains("tiny-"), "{key} of kind {kind} in part {missing}: {said}");
                }
            }
        }
    }
    // A part of another model: by the number of tensors, by its architecture, and by its sizes.
    check(
        "other count",
        &|dir| {
            parts(dir, |index, writer| match index {
                1 => writer.with_value("split.tensors.count", 4, &word(20)),
                _ => writer,
            })
        },
        "split.tensors.count is 20 here and 11 there",
    );
    check(
        "other architecture",
        &|dir| {
            parts(dir, |index, mut writer| {
                if index == 2 {
                    writer.text("general.architecture", "qwen2");
                }
                writer
            })
        },
        "tiny-00003-of-00003.gguf: this is a part of another model",
    );
    check(
        "other sizes",
        &|dir| {
            parts(dir, |index, writer| match index {
                2 => {
                    let names: Vec<_> = tensors().into_iter().skip(8).collect();
                    let mut other = writer.with_tensors(&[]);
                    for (name, shape) in names {
                        let shape: Vec<usize> = shape.iter().map(|axis| axis * 2).collect();
                        other.f32_tensor(name, &shape, &vec![0.5; shape.iter().product()]);
                    }
                    other
                }
                _ => writer,
            })
        },
        "has shape",
    );
    // A tensor in two parts, and one that is in none.
    check(
        "in two parts",
        &|dir| {
            parts(dir, |index, mut writer| {
                if index == 1 {
                    writer.f32_tensor("output_norm.weight", &[D_MODEL], &[0.5; D_MODEL]);
                }
                writer
            })
        },
        "the tensor output_norm.weight is in several parts",
    );
    check(
        "in none",
        &|dir| {
            parts(dir, |index, writer| match index {
                2 => writer.without_tensor("output_norm.weight"),
                _ => writer,
            })
        },
        "hold 10 tensors, but split.tensors.count is 11",
    );
}
