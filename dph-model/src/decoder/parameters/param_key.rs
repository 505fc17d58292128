//! [`ParamKey`]: the keys of a decoder's parameters.

use crate::decoder::{DecoderConfig, Positions, QueryKeyNormConfig};

/// The key of a parameter of a [`Decoder`](crate::decoder::Decoder).
///
/// Loading, saving, initialisation and counting use the same list of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ParamKey {
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
    Block(usize, BlockParamKey),
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
pub enum BlockParamKey {
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
    pub fn param_keys(&self) -> Vec<ParamKey> {
        let mut keys = vec![ParamKey::Embedding];
        if self.d_vocab.is_some() {
            keys.push(ParamKey::InputProjection);
        }
        if let Positions::Learned { .. } = self.positions {
            keys.push(ParamKey::Positions);
        }
        if self.token_types > 0 {
            keys.push(ParamKey::TokenTypes);
        }
        if self.input_norm {
            keys.extend(parts(self.norm.bias).map(ParamKey::InputNorm));
        }
        for block in 0..self.n_layers {
            keys.extend(self.block_param_keys().into_iter().map(|key| ParamKey::Block(block, key)));
        }
        if self.output_norm {
            keys.extend(parts(self.norm.bias).map(ParamKey::OutputNorm));
        }
        if self.d_vocab.is_some() {
            keys.push(ParamKey::HeadProjection);
        }
        if !self.tied_head {
            keys.push(ParamKey::Head);
        }
        if let Some(pooler) = self.pooler {
            keys.extend(parts(true).map(ParamKey::Pooler));
            keys.extend(parts(true).map(ParamKey::Classifier).filter(|_| pooler.labels > 0));
        }
        keys
    }

    fn block_param_keys(&self) -> Vec<BlockParamKey> {
        let mut keys: Vec<_> = parts(self.norm.bias).map(BlockParamKey::AttentionNorm).collect();
        keys.extend(parts(self.qkv_bias).map(BlockParamKey::Qkv));
        if self.query_key_norm.is_some() {
            keys.extend([BlockParamKey::QueryNorm, BlockParamKey::KeyNorm]);
        }
        if self.registers > 0 {
            keys.extend([BlockParamKey::RegisterKeys, BlockParamKey::RegisterValues]);
        }
        keys.extend(parts(self.attention_output_bias).map(BlockParamKey::AttentionOutput));
        keys.extend(parts(self.norm.bias).map(BlockParamKey::MlpNorm));
        keys.extend(parts(self.mlp_bias).map(BlockParamKey::MlpInput));
        keys.extend(parts(self.mlp_bias).map(BlockParamKey::MlpOutput));
        keys
    }

    /// Shape of a parameter in files: matrices are `[outputs, inputs]`.
    pub fn shape(&self, key: ParamKey) -> Vec<usize> {
        let matrix = |part: Part, outputs: usize, inputs: usize| match part {
            Part::Weight => vec![outputs, inputs],
            Part::Bias => vec![outputs],
        };
        let width = self.embedding_width();
        match key {
            ParamKey::Embedding | ParamKey::Head => vec![self.vocab, width],
            ParamKey::InputProjection => vec![self.d_model, width],
            ParamKey::HeadProjection => vec![width, self.d_model],
            ParamKey::Positions => {
                let offset = match self.positions {
                    Positions::Learned { offset } => offset,
                    Positions::Rotary(_) => 0,
                };
                vec![offset + self.context, self.d_model]
            }
            ParamKey::TokenTypes => vec![self.token_types, self.d_model],
            ParamKey::Pooler(part) => matrix(part, self.d_model, self.d_model),
            ParamKey::Classifier(part) => {
                matrix(part, self.pooler.map_or(0, |pooler| pooler.labels), self.d_model)
            }
            ParamKey::InputNorm(_) | ParamKey::OutputNorm(_) => vec![self.d_model],
            ParamKey::Block(_, key) => match key {
                BlockParamKey::AttentionNorm(_) | BlockParamKey::MlpNorm(_) => vec![self.d_model],
                BlockParamKey::Qkv(part) => matrix(part, self.qkv_width(), self.d_model),
                BlockParamKey::QueryNorm => vec![self.normalised_apart(self.n_heads), self.head_dim],
                BlockParamKey::KeyNorm => vec![self.normalised_apart(self.n_kv_heads), self.head_dim],
                BlockParamKey::RegisterKeys | BlockParamKey::RegisterValues => {
                    vec![self.n_kv_heads, self.registers, self.head_dim]
                }
                BlockParamKey::AttentionOutput(part) => {
                    matrix(part, self.d_model, self.n_heads * self.head_dim)
                }
                BlockParamKey::MlpInput(part) => matrix(part, self.mlp_width(), self.d_model),
                BlockParamKey::MlpOutput(part) => matrix(part, self.d_model, self.d_ffn),
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
        self.param_keys().into_iter().map(|key| self.shape(key).iter().product::<usize>()).sum()
    }
}

fn parts(bias: bool) -> impl Iterator<Item = Part> {
    [Part::Weight, Part::Bias].into_iter().take(if bias { 2 } else { 1 })
}
