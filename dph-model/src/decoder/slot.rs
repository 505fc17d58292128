//! [`Slot`]: the keys of a decoder's parameters.

use super::{DecoderConfig, Positions, QueryKeyNormConfig};

/// The key of a parameter of a [`Decoder`](super::Decoder).
///
/// Loading, saving, initialisation and counting use the same list of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Slot {
    /// Token embedding, `[vocab, embedding width]`.
    Embedding,
    /// From a factored embedding to the hidden size, `[d_model, d_vocab]`.
    InputProjection,
    /// Learned positions, `[offset + context, d_model]`.
    Positions,
    /// Learned token types, `[token types, d_model]`.
    TokenTypes,
    /// Norm after the embedding, `[d_model]`.
    InputNorm(Part),
    /// A parameter of a block, counted from 0.
    Block(usize, BlockSlot),
    /// Norm after the last block, `[d_model]`.
    OutputNorm(Part),
    /// From the hidden size to a factored embedding, `[d_vocab, d_model]`.
    HeadProjection,
    /// Output matrix of an untied model, `[vocab, embedding width]`.
    Head,
    /// Pooler of the first state, `[d_model, d_model]`.
    Pooler(Part),
    /// From the pooled state to classes, `[labels, d_model]`.
    Classifier(Part),
}

/// A parameter of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BlockSlot {
    /// Norm of the attention, `[d_model]`.
    AttentionNorm(Part),
    /// Joint projection to queries, keys and values in this order, `[qkv width, d_model]`.
    Qkv(Part),
    /// Weight of the query norm, `[n_heads, head_dim]`, or `[1, head_dim]` if the heads share it.
    QueryNorm,
    /// Weight of the key norm, `[n_kv_heads, head_dim]`, or `[1, head_dim]`.
    KeyNorm,
    /// Keys that every query attends to, `[n_kv_heads, registers, head_dim]`.
    RegisterKeys,
    /// Values of the register keys, `[n_kv_heads, registers, head_dim]`.
    RegisterValues,
    /// Projection after the attention, `[d_model, n_heads · head_dim]`.
    AttentionOutput(Part),
    /// Norm of the feed-forward network, `[d_model]`.
    MlpNorm(Part),
    /// First projection of the feed-forward network, with a gate the values and then the gates,
    /// `[mlp width, d_model]`.
    MlpInput(Part),
    /// Second projection of the feed-forward network, `[d_model, d_ffn]`.
    MlpOutput(Part),
}

/// The two parameters of a linear layer or a norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The matrix, `[outputs, inputs]`, or the scale of a norm.
    Weight,
    /// The bias, `[outputs]`.
    Bias,
}

impl Part {
    /// Its name in PyTorch.
    pub fn name(self) -> &'static str {
        match self {
            Self::Weight => "weight",
            Self::Bias => "bias",
        }
    }
}

impl DecoderConfig {
    /// All parameters, in the order of computation.
    pub fn slots(&self) -> Vec<Slot> {
        let mut slots = vec![Slot::Embedding];
        if self.d_vocab.is_some() {
            slots.push(Slot::InputProjection);
        }
        if let Positions::Learned { .. } = self.positions {
            slots.push(Slot::Positions);
        }
        if self.token_types > 0 {
            slots.push(Slot::TokenTypes);
        }
        if self.input_norm {
            slots.extend(parts(self.norm.bias).map(Slot::InputNorm));
        }
        for block in 0..self.n_layers {
            slots.extend(self.block_slots().into_iter().map(|slot| Slot::Block(block, slot)));
        }
        if self.output_norm {
            slots.extend(parts(self.norm.bias).map(Slot::OutputNorm));
        }
        if self.d_vocab.is_some() {
            slots.push(Slot::HeadProjection);
        }
        if !self.tied_head {
            slots.push(Slot::Head);
        }
        if let Some(pooler) = self.pooler {
            slots.extend(parts(true).map(Slot::Pooler));
            slots.extend(parts(true).map(Slot::Classifier).filter(|_| pooler.labels > 0));
        }
        slots
    }

    fn block_slots(&self) -> Vec<BlockSlot> {
        let mut slots: Vec<_> = parts(self.norm.bias).map(BlockSlot::AttentionNorm).collect();
        slots.extend(parts(self.qkv_bias).map(BlockSlot::Qkv));
        if self.query_key_norm.is_some() {
            slots.extend([BlockSlot::QueryNorm, BlockSlot::KeyNorm]);
        }
        if self.registers > 0 {
            slots.extend([BlockSlot::RegisterKeys, BlockSlot::RegisterValues]);
        }
        slots.extend(parts(self.attention_output_bias).map(BlockSlot::AttentionOutput));
        slots.extend(parts(self.norm.bias).map(BlockSlot::MlpNorm));
        slots.extend(parts(self.mlp_bias).map(BlockSlot::MlpInput));
        slots.extend(parts(self.mlp_bias).map(BlockSlot::MlpOutput));
        slots
    }

    /// Shape of a parameter in files: matrices are `[outputs, inputs]`.
    pub fn shape(&self, slot: Slot) -> Vec<usize> {
        let matrix = |part: Part, outputs: usize, inputs: usize| match part {
            Part::Weight => vec![outputs, inputs],
            Part::Bias => vec![outputs],
        };
        let width = self.embedding_width();
        match slot {
            Slot::Embedding | Slot::Head => vec![self.vocab, width],
            Slot::InputProjection => vec![self.d_model, width],
            Slot::HeadProjection => vec![width, self.d_model],
            Slot::Positions => {
                let offset = match self.positions {
                    Positions::Learned { offset } => offset,
                    Positions::Rotary(_) => 0,
                };
                vec![offset + self.context, self.d_model]
            }
            Slot::TokenTypes => vec![self.token_types, self.d_model],
            Slot::Pooler(part) => matrix(part, self.d_model, self.d_model),
            Slot::Classifier(part) => {
                matrix(part, self.pooler.map_or(0, |pooler| pooler.labels), self.d_model)
            }
            Slot::InputNorm(_) | Slot::OutputNorm(_) => vec![self.d_model],
            Slot::Block(_, slot) => match slot {
                BlockSlot::AttentionNorm(_) | BlockSlot::MlpNorm(_) => vec![self.d_model],
                BlockSlot::Qkv(part) => matrix(part, self.qkv_width(), self.d_model),
                BlockSlot::QueryNorm => vec![self.normalised_apart(self.n_heads), self.head_dim],
                BlockSlot::KeyNorm => vec![self.normalised_apart(self.n_kv_heads), self.head_dim],
                BlockSlot::RegisterKeys | BlockSlot::RegisterValues => {
                    vec![self.n_kv_heads, self.registers, self.head_dim]
                }
                BlockSlot::AttentionOutput(part) => matrix(part, self.d_model, self.n_heads * self.head_dim),
                BlockSlot::MlpInput(part) => matrix(part, self.mlp_width(), self.d_model),
                BlockSlot::MlpOutput(part) => matrix(part, self.d_model, self.d_ffn),
            },
        }
    }

    /// Number of norm weights for a number of heads.
    fn normalised_apart(&self, heads: usize) -> usize {
        match self.query_key_norm {
            Some(QueryKeyNormConfig::Shared { .. }) => 1,
            _ => heads,
        }
    }

    /// Number of parameters; a tied output matrix counts once. Nothing is allocated.
    pub fn param_count(&self) -> usize {
        self.slots().into_iter().map(|slot| self.shape(slot).iter().product::<usize>()).sum()
    }
}

fn parts(bias: bool) -> impl Iterator<Item = Part> {
    [Part::Weight, Part::Bias].into_iter().take(if bias { 2 } else { 1 })
}
