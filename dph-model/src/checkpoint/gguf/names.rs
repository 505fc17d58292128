//! From the names and layouts of llama.cpp to those of Hugging Face.
//!
//! The names are from `gguf-py/gguf/constants.py`. The layouts differ by the changes of `convert_hf_to_gguf.py` for
//! each architecture.

use super::Gguf;
use crate::checkpoint::{ElementType, TensorInfo};

/// The order of the rows of a tensor in a file, compared with Hugging Face.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowOrder {
    /// The same.
    Same,
    /// In each head, the two halves that a rotation pairs are interleaved.
    Interleaved {
        /// Number of heads.
        heads: usize,
    },
    /// All queries, then all keys, then all values. Hugging Face has query, key and value of each head together.
    ByKind {
        /// Number of heads.
        heads: usize,
    },
    /// Rows are columns.
    Transposed,
}

/// A tensor of the file in the layout of Hugging Face.
#[derive(Debug)]
pub(crate) struct Renamed {
    /// The name in the file.
    pub raw: String,
    /// Name in the layout of Hugging Face.
    pub name: String,
    /// Its shape there.
    pub info: TensorInfo,
    /// The order of the rows in the file.
    pub rows: RowOrder,
}

impl Gguf {
    /// All tensors under the names of Hugging Face. A tensor without a rule keeps its name, which then matches no
    /// model.
    pub fn renamed(&self) -> Vec<Renamed> {
        self.tensors
            .iter()
            .filter(|(raw, _)| *raw != super::rope::FACTORS && !is_rotation(raw))
            .map(|(raw, tensor)| {
                let (name, rows) = self.translate(raw).unwrap_or_else(|| (raw.clone(), RowOrder::Same));
                let mut shape = tensor.shape.clone();
                // Some writers keep a vector as a matrix of one row.
                let is_vector = raw.ends_with("norm.weight") || raw.ends_with(".bias");
                while is_vector && shape.len() > 1 && shape[0] == 1 {
                    shape.remove(0);
                }
                let mut element = tensor.element.clone();
                if rows == RowOrder::Transposed {
                    shape.reverse();
                    // Blocks are within rows and cannot be transposed.
                    if matches!(element, ElementType::Blocks(_)) {
                        element = ElementType::F32;
                    }
                }
                Renamed { raw: raw.clone(), name, info: TensorInfo { shape, element }, rows }
            })
            .collect()
    }

    fn translate(&self, raw: &str) -> Option<(String, RowOrder)> {
        let (module, part) = raw.rsplit_once('.')?;
        let (name, rows) = match self.architecture.as_str() {
            "llama" | "qwen2" | "qwen3" => self.llama_name(module)?,
            "gpt2" => gpt2(module, part)?,
            "gptneox" => self.gpt_neox_name(module)?,
            _ => return None,
        };
        Some((format!("{name}.{part}"), rows))
    }

    fn llama_name(&self, module: &str) -> Option<(String, RowOrder)> {
        let same = |name: &str| Some((name.to_string(), RowOrder::Same));
        match module {
            "token_embd" => return same("model.embed_tokens"),
            "output_norm" => return same("model.norm"),
            "output" => return same("lm_head"),
            _ => {}
        }
        let (block, module) = block(module)?;
        // Only for Llama, whose rotation pairs neighbours in llama.cpp.
        let heads = |key: &str| match self.architecture.as_str() {
            "llama" => self.heads(key).map(|heads| RowOrder::Interleaved { heads }),
            _ => Some(RowOrder::Same),
        };
        let (name, rows) = match module {
            "attn_norm" => ("input_layernorm", RowOrder::Same),
            "attn_q" => ("self_attn.q_proj", heads("attention.head_count")?),
            "attn_k" => ("self_attn.k_proj", heads("attention.head_count_kv")?),
            "attn_v" => ("self_attn.v_proj", RowOrder::Same),
            "attn_q_norm" => ("self_attn.q_norm", RowOrder::Same),
            "attn_k_norm" => ("self_attn.k_norm", RowOrder::Same),
            "attn_output" => ("self_attn.o_proj", RowOrder::Same),
            "ffn_norm" => ("post_attention_layernorm", RowOrder::Same),
            "ffn_gate" => ("mlp.gate_proj", RowOrder::Same),
            "ffn_up" => ("mlp.up_proj", RowOrder::Same),
            "ffn_down" => ("mlp.down_proj", RowOrder::Same),
            _ => return None,
        };
        Some((format!("model.layers.{block}.{name}"), rows))
    }

    fn gpt_neox_name(&self, module: &str) -> Option<(String, RowOrder)> {
        let same = |name: &str| Some((name.to_string(), RowOrder::Same));
        match module {
            "token_embd" => return same("gpt_neox.embed_in"),
            "output_norm" => return same("gpt_neox.final_layer_norm"),
            "output" => return same("embed_out"),
            _ => {}
        }
        let (block, module) = block(module)?;
        let (name, rows) = match module {
            "attn_norm" => ("input_layernorm", RowOrder::Same),
            "attn_qkv" => {
                ("attention.query_key_value", RowOrder::ByKind { heads: self.heads("attention.head_count")? })
            }
            "attn_output" => ("attention.dense", RowOrder::Same),
            "ffn_norm" => ("post_attention_layernorm", RowOrder::Same),
            "ffn_up" => ("mlp.dense_h_to_4h", RowOrder::Same),
            "ffn_down" => ("mlp.dense_4h_to_h", RowOrder::Same),
            _ => return None,
        };
        Some((format!("gpt_neox.layers.{block}.{name}"), rows))
    }

    fn heads(&self, key: &str) -> Option<usize> {
        // Errors are those of the configuration.
        let count = |key: &str| self.of_layers(key).ok().flatten();
        count(key).or_else(|| count("attention.head_count"))
    }
}

/// Whether a tensor holds the frequencies of the rotation, which old writers kept and the configuration says as well.
fn is_rotation(raw: &str) -> bool {
    block(raw).is_some_and(|(_, name)| name.split('.').next() == Some("attn_rot_embd"))
}

fn gpt2(module: &str, part: &str) -> Option<(String, RowOrder)> {
    let same = |name: &str| Some((name.to_string(), RowOrder::Same));
    match module {
        "token_embd" => return same("transformer.wte"),
        "position_embd" => return same("transformer.wpe"),
        "output_norm" => return same("transformer.ln_f"),
        "output" => return same("lm_head"),
        _ => {}
    }
    let (block, module) = block(module)?;
    let name = match module {
        "attn_norm" => "ln_1",
        "attn_qkv" => "attn.c_attn",
        "attn_output" => "attn.c_proj",
        "ffn_norm" => "ln_2",
        "ffn_up" => "mlp.c_fc",
        "ffn_down" => "mlp.c_proj",
        _ => return None,
    };
    // GPT-2 keeps the weights of its projections as [inputs, outputs].
    let transposed = part == "weight" && !matches!(module, "attn_norm" | "ffn_norm");
    let rows = if transposed { RowOrder::Transposed } else { RowOrder::Same };
    Some((format!("transformer.h.{block}.{name}"), rows))
}

fn block(module: &str) -> Option<(usize, &str)> {
    let (block, module) = module.strip_prefix("blk.")?.split_once('.')?;
    Some((block.parse().ok()?, module))
}

impl RowOrder {
    /// The index in the file of row `row` of `rows`. Not defined for `Transposed`.
    pub fn source(self, row: usize, rows: usize) -> usize {
        match self {
            Self::Same | Self::Transposed => row,
            Self::Interleaved { heads } => {
                let width = rows / heads;
                let (head, row) = (row / width, row % width);
                let (half, pair) = (row / (width / 2), row % (width / 2));
                head * width + 2 * pair + half
            }
            Self::ByKind { heads } => {
                let width = rows / (3 * heads);
                let (head, kind, row) = (row / (3 * width), row / width % 3, row % width);
                (kind * heads + head) * width + row
            }
        }
    }

    /// Whether this number of rows can be in this order.
    pub fn fits(self, rows: usize) -> bool {
        let fits_in = |heads: usize, parts: usize| {
            heads.checked_mul(parts).is_some_and(|parts| parts > 0 && rows.is_multiple_of(parts))
        };
        match self {
            Self::Same | Self::Transposed => true,
            Self::Interleaved { heads } => rows > 0 && fits_in(heads, 2),
            Self::ByKind { heads } => rows > 0 && fits_in(heads, 3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_again() {
        let order = |order: RowOrder, rows| (0..rows).map(|row| order.source(row, rows)).collect::<Vec<_>>();
        assert_eq!(order(RowOrder::Interleaved { heads: 2 }, 8), [0, 2, 1, 3, 4, 6, 5, 7]);
        assert_eq!(order(RowOrder::ByKind { heads: 2 }, 12), [0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11]);
        assert!(!RowOrder::Interleaved { heads: 3 }.fits(8) && !RowOrder::Interleaved { heads: 0 }.fits(8));
        assert!(!RowOrder::ByKind { heads: 2 }.fits(8) && RowOrder::ByKind { heads: 2 }.fits(12));
    }
}
