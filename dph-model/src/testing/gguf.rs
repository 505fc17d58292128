//! A writer of GGUF files, as small as tests need it.

use std::collections::BTreeMap;

/// The numbers that the format has for kinds of values.
const U32: u32 = 4;
const I32: u32 = 5;
const F32: u32 = 6;
const BOOL: u32 = 7;
const TEXT: u32 = 8;
const ARRAY: u32 = 9;

/// The number that the format has for tensors of f32.
pub const F32_TENSOR: u32 = 0;

/// A GGUF file in the making.
#[derive(Clone)]
pub struct GgufWriter {
    /// Version of the format.
    pub version: u32,
    /// Bytes that tensors are aligned to.
    pub alignment: usize,
    pairs: Vec<(String, u32, Vec<u8>)>,
    tensors: Vec<(String, Vec<u64>, u32, Vec<u8>)>,
    /// Offsets of tensors that are written instead of the right ones.
    offsets: BTreeMap<String, u64>,
}

impl GgufWriter {
    /// A file for a model of this architecture.
    pub fn new(architecture: &str) -> Self {
        let mut writer = Self {
            version: 3,
            alignment: 32,
            pairs: Vec::new(),
            tensors: Vec::new(),
            offsets: BTreeMap::new(),
        };
        writer.text("general.architecture", architecture);
        writer
    }

    /// A pair whose value is a text.
    pub fn text(&mut self, key: &str, value: &str) -> &mut Self {
        self.pair(key, TEXT, &long(value.as_bytes()))
    }

    /// A pair whose value is a `u32`.
    pub fn u32(&mut self, key: &str, value: u32) -> &mut Self {
        self.pair(key, U32, &value.to_le_bytes())
    }

    /// A pair whose value is an `f32`.
    pub fn f32(&mut self, key: &str, value: f32) -> &mut Self {
        self.pair(key, F32, &value.to_le_bytes())
    }

    /// A pair whose value is a `bool`.
    pub fn bool(&mut self, key: &str, value: bool) -> &mut Self {
        self.pair(key, BOOL, &[value.into()])
    }

    /// A pair whose value is a list of texts.
    pub fn texts<T: AsRef<str>>(&mut self, key: &str, values: &[T]) -> &mut Self {
        let items = values.iter().flat_map(|text| long(text.as_ref().as_bytes())).collect();
        self.array(key, TEXT, values.len(), items)
    }

    /// A pair whose value is a list of `i32`s.
    pub fn i32s(&mut self, key: &str, values: &[i32]) -> &mut Self {
        self.array(key, I32, values.len(), values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    /// A pair whose value is a list of `f32`s.
    pub fn f32s(&mut self, key: &str, values: &[f32]) -> &mut Self {
        self.array(key, F32, values.len(), values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    fn array(&mut self, key: &str, kind: u32, len: usize, items: Vec<u8>) -> &mut Self {
        let head = [kind.to_le_bytes().to_vec(), (len as u64).to_le_bytes().to_vec()].concat();
        self.pair(key, ARRAY, &[head, items].concat())
    }

    /// A pair of any type.
    pub fn pair(&mut self, key: &str, kind: u32, value: &[u8]) -> &mut Self {
        self.pairs.push((key.into(), kind, value.to_vec()));
        self
    }

    /// A tensor of any type; the outermost axis comes first.
    pub fn tensor(&mut self, name: &str, shape: &[usize], kind: u32, bytes: Vec<u8>) -> &mut Self {
        let axes = shape.iter().rev().map(|&axis| axis as u64).collect();
        self.tensors.push((name.into(), axes, kind, bytes));
        self
    }

    /// A tensor of `f32`s; the outermost axis comes first.
    pub fn f32_tensor(&mut self, name: &str, shape: &[usize], values: &[f32]) -> &mut Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensor(name, shape, F32_TENSOR, bytes)
    }

    /// The file with these tensors only.
    pub fn with_tensors(mut self, names: &[&str]) -> Self {
        self.tensors.retain(|(name, ..)| names.contains(&name.as_str()));
        self
    }

    /// The file without pairs.
    pub fn without_pairs(mut self) -> Self {
        self.pairs.clear();
        self
    }

    /// The keys and the kinds of their values, in their order.
    pub fn keys(&self) -> Vec<(String, u32)> {
        self.pairs.iter().map(|(key, kind, _)| (key.clone(), *kind)).collect()
    }

    /// The file without a key.
    pub fn without_key(mut self, key: &str) -> Self {
        self.pairs.retain(|(name, ..)| name != key);
        self
    }

    /// The file with another value of a key.
    pub fn with_value(mut self, key: &str, kind: u32, value: &[u8]) -> Self {
        for pair in self.pairs.iter_mut().filter(|(name, ..)| name == key) {
            (pair.1, pair.2) = (kind, value.to_vec());
        }
        self
    }

    /// The file without a tensor.
    pub fn without_tensor(mut self, name: &str) -> Self {
        self.tensors.retain(|(other, ..)| other != name);
        self
    }

    /// The file with another type of a tensor, whose bytes stay as they are.
    pub fn with_type(mut self, name: &str, kind: u32) -> Self {
        self.tensors.iter_mut().filter(|(other, ..)| other == name).for_each(|tensor| tensor.2 = kind);
        self
    }

    /// The file with other axes of a tensor, the outermost first.
    pub fn with_axes(mut self, name: &str, axes: &[u64]) -> Self {
        let axes: Vec<u64> = axes.iter().rev().copied().collect();
        self.tensors
            .iter_mut()
            .filter(|(other, ..)| other == name)
            .for_each(|tensor| tensor.1 = axes.clone());
        self
    }

    /// The file with another offset of a tensor.
    pub fn with_offset(mut self, name: &str, offset: u64) -> Self {
        self.offsets.insert(name.into(), offset);
        self
    }

    /// The file.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(self.version.to_le_bytes());
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.pairs.len() as u64).to_le_bytes());
        for (key, kind, value) in &self.pairs {
            out.extend([long(key.as_bytes()), kind.to_le_bytes().to_vec(), value.clone()].concat());
        }
        let mut offset = 0;
        for (name, axes, kind, bytes) in &self.tensors {
            out.extend(long(name.as_bytes()));
            out.extend((axes.len() as u32).to_le_bytes());
            out.extend(axes.iter().flat_map(|axis| axis.to_le_bytes()));
            out.extend(kind.to_le_bytes());
            out.extend(self.offsets.get(name).copied().unwrap_or(offset as u64).to_le_bytes());
            offset += bytes.len().next_multiple_of(self.alignment);
        }
        for (_, _, _, bytes) in &self.tensors {
            out.resize(out.len().next_multiple_of(self.alignment), 0);
            out.extend(bytes);
        }
        out
    }
}

fn long(bytes: &[u8]) -> Vec<u8> {
    [(bytes.len() as u64).to_le_bytes().to_vec(), bytes.to_vec()].concat()
}

/// Tokens of a tiny Llama.
pub const VOCAB: usize = 262;
/// Size of its hidden states.
pub const D_MODEL: usize = 8;
/// Inner size of its feed-forward networks.
pub const D_FFN: usize = 12;
/// Its attention heads.
pub const HEADS: usize = 2;
/// Its heads of keys and values.
pub const KV_HEADS: usize = 1;

/// Its `config.json`, as Hugging Face would have it.
pub const CONFIG: &str = r#"{"model_type": "llama", "vocab_size": 262, "hidden_size": 8, "intermediate_size": 12,
    "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1, "tie_word_embeddings": true,
    "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0}"#;

/// Its tensors under the names of llama.cpp, with their shapes.
pub fn tensors() -> Vec<(&'static str, Vec<usize>)> {
    let width = D_MODEL / HEADS * KV_HEADS;
    vec![
        ("token_embd.weight", vec![VOCAB, D_MODEL]),
        ("blk.0.attn_norm.weight", vec![D_MODEL]),
        ("blk.0.attn_q.weight", vec![D_MODEL, D_MODEL]),
        ("blk.0.attn_k.weight", vec![width, D_MODEL]),
        ("blk.0.attn_v.weight", vec![width, D_MODEL]),
        ("blk.0.attn_output.weight", vec![D_MODEL, D_MODEL]),
        ("blk.0.ffn_norm.weight", vec![D_MODEL]),
        ("blk.0.ffn_gate.weight", vec![D_FFN, D_MODEL]),
        ("blk.0.ffn_up.weight", vec![D_FFN, D_MODEL]),
        ("blk.0.ffn_down.weight", vec![D_MODEL, D_FFN]),
        ("output_norm.weight", vec![D_MODEL]),
    ]
}

/// The Hugging Face name of one of these tensors.
pub fn renamed(name: &str) -> String {
    let of_block = |module: &str| format!("model.layers.0.{module}.weight");
    match name.trim_start_matches("blk.0.").trim_end_matches(".weight") {
        "token_embd" => "model.embed_tokens.weight".into(),
        "output_norm" => "model.norm.weight".into(),
        "attn_norm" => of_block("input_layernorm"),
        "attn_q" => of_block("self_attn.q_proj"),
        "attn_k" => of_block("self_attn.k_proj"),
        "attn_v" => of_block("self_attn.v_proj"),
        "attn_output" => of_block("self_attn.o_proj"),
        "ffn_norm" => of_block("post_attention_layernorm"),
        "ffn_gate" => of_block("mlp.gate_proj"),
        "ffn_up" => of_block("mlp.up_proj"),
        "ffn_down" => of_block("mlp.down_proj"),
        other => panic!("{other}"),
    }
}

/// Rows as llama.cpp reorders them for its rotation: of each head, the first row of one half, the first of the other, the
/// second of one half, and so on.
pub fn permuted(values: &[f32], heads: usize, width: usize) -> Vec<f32> {
    let rows: Vec<&[f32]> = values.chunks(width).collect();
    let head = rows.len() / heads;
    rows.chunks(head)
        .flat_map(|rows| (0..head / 2).flat_map(move |pair| [rows[pair], rows[pair + head / 2]].concat()))
        .collect()
}

/// The tiny Llama with weights of f32 and a byte-level tokenizer. `weights` gives the values under the Hugging Face name.
pub fn llama(mut weights: impl FnMut(&str, usize) -> Vec<f32>) -> GgufWriter {
    let mut writer = GgufWriter::new("llama");
    writer
        .u32("llama.block_count", 1)
        .u32("llama.context_length", 256)
        .u32("llama.embedding_length", D_MODEL as u32)
        .u32("llama.feed_forward_length", D_FFN as u32)
        .u32("llama.attention.head_count", HEADS as u32)
        .u32("llama.attention.head_count_kv", KV_HEADS as u32)
        .f32("llama.attention.layer_norm_rms_epsilon", 1e-5);
    tokenizer(&mut writer);
    for (name, shape) in tensors() {
        let values = weights(&renamed(name), shape.iter().product());
        let values = match name {
            "blk.0.attn_q.weight" => permuted(&values, HEADS, D_MODEL),
            "blk.0.attn_k.weight" => permuted(&values, KV_HEADS, D_MODEL),
            _ => values,
        };
        writer.f32_tensor(name, &shape, &values);
    }
    writer
}

/// A byte-level tokenizer: three control tokens, the 256 bytes, and three merges.
fn tokenizer(writer: &mut GgufWriter) {
    let mut tokens: Vec<String> = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"].map(String::from).into();
    // Bytes that are no visible characters have those from U+0100 on, as in GPT-2.
    let visible = |byte: u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let mut hidden = 0..;
    for byte in 0..256u32 {
        let code = if visible(byte) { byte } else { 0x100 + hidden.next().unwrap() };
        tokens.push(char::from_u32(code).unwrap().to_string());
    }
    tokens.extend(["th", "the", "in"].map(String::from));
    assert_eq!(tokens.len(), VOCAB);
    let kinds: Vec<i32> = (0..VOCAB).map(|id| if id < 3 { 3 } else { 1 }).collect();
    writer
        .text("tokenizer.ggml.model", "gpt2")
        .text("tokenizer.ggml.pre", "gpt-2")
        .texts("tokenizer.ggml.tokens", &tokens)
        .i32s("tokenizer.ggml.token_type", &kinds)
        .texts("tokenizer.ggml.merges", &["t h", "th e", "i n"])
        .u32("tokenizer.ggml.bos_token_id", 0)
        .u32("tokenizer.ggml.eos_token_id", 2)
        .u32("tokenizer.ggml.padding_token_id", 0)
        .bool("tokenizer.ggml.add_bos_token", false);
}

/// The tiny Llama in parts: the metadata and three tensors, five tensors, and the rest.
pub fn llama_parts() -> [GgufWriter; 3] {
    let all = tensors();
    let ranges = [0..3, 3..8, 8..all.len()];
    std::array::from_fn(|index| {
        let names: Vec<&str> = all[ranges[index].clone()].iter().map(|(name, _)| *name).collect();
        let mut writer = llama(some_values).with_tensors(&names);
        if index > 0 {
            writer = writer.without_pairs();
        }
        writer
            .u32("split.no", index as u32)
            .u32("split.count", ranges.len() as u32)
            .u32("split.tensors.count", all.len() as u32);
        writer
    })
}

/// Some values for a tensor, the same for the same name.
pub fn some_values(name: &str, len: usize) -> Vec<f32> {
    let seed = name.bytes().fold(7u32, |seed, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
    let mut state = seed | 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..len).map(|_| next()).collect()
}
