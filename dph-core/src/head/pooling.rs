//! Pooling functions: from an aggregated vector to the input of the reward heads.
//!
//! The five functions of the paper (arXiv 2405.20053, section 3.2), and one with a configurable output size:
//!
//! | name | function | parameters |
//! |---|---|---|
//! | `identity` | x | 0 |
//! | `bert` | dropout(tanh(W x + b)) | d² + d |
//! | `t5` | dropout(tanh(W dropout(x) + b)) | d² + d |
//! | `swiglu-bert` | dropout(tanh(W₂ (u ∘ silu(g)) + b₂)), where [u, g] = W₁ x + b₁ | 3 d f + 2 f + d |
//! | `swiglu-t5` | like `swiglu-bert`, with dropout(x) instead of x | 3 d f + 2 f + d |
//! | `{ projection = n }` | dropout(tanh(W x + b)), a vector of size n | d n + n |

use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::tensor::{Device, Tensor, activation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::parameters::{NamedParam, NamedParams, WeightInit};

/// A pooling function, by its name in configuration files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PoolingKind {
    /// The unchanged vector.
    #[default]
    Identity,
    /// A linear layer and tanh, like the pooler of BERT.
    Bert,
    /// Like `bert` with dropout on the input, like the classification heads of BART and T5.
    T5,
    /// A SwiGLU feed-forward network with the inner size of the backbone, and tanh.
    #[serde(alias = "swiglu")]
    SwigluBert,
    /// Like `swiglu-bert` with dropout on the input.
    SwigluT5,
    /// Like `bert`, with this output size.
    Projection(usize),
}

impl PoolingKind {
    fn has_dropout_in_front(self) -> bool {
        matches!(self, PoolingKind::T5 | PoolingKind::SwigluT5)
    }

    /// Number of parameters for vectors of size `d_model` and a feed-forward network of size `d_ffn`.
    pub fn parameters(self, d_model: usize, d_ffn: usize) -> usize {
        match self {
            PoolingKind::Identity => 0,
            PoolingKind::Bert | PoolingKind::T5 => d_model * d_model + d_model,
            PoolingKind::SwigluBert | PoolingKind::SwigluT5 => 3 * d_model * d_ffn + 2 * d_ffn + d_model,
            PoolingKind::Projection(size) => d_model * size + size,
        }
    }

    /// Size of the function's output for vectors of size `d_model`.
    pub fn output_size(self, d_model: usize) -> usize {
        match self {
            PoolingKind::Projection(size) => size,
            _ => d_model,
        }
    }
}

/// A pooling function with its weights.
#[derive(Module, Debug)]
pub struct Pooling {
    input_dropout: Option<Dropout>,
    network: Network,
    output_dropout: Option<Dropout>,
}

#[derive(Module, Debug)]
enum Network {
    Identity(Option<Linear>),
    Dense(Linear),
    Swiglu(Swiglu),
}

#[derive(Module, Debug)]
struct Swiglu {
    up_gate: Linear,
    down: Linear,
}

impl Pooling {
    /// A pooling function with seeded weights: normal with standard deviation 0.02 (the initialiser of the paper's
    /// backbone), biases 0.
    pub fn new(
        kind: PoolingKind,
        d_model: usize,
        d_ffn: usize,
        dropout: f64,
        init: &mut WeightInit,
        device: &Device,
    ) -> Self {
        let network = match kind {
            PoolingKind::Identity => Network::Identity(None),
            PoolingKind::Bert | PoolingKind::T5 => {
                Network::Dense(init.linear(d_model, d_model, true, device))
            }
            PoolingKind::Projection(size) => Network::Dense(init.linear(d_model, size, true, device)),
            PoolingKind::SwigluBert | PoolingKind::SwigluT5 => Network::Swiglu(Swiglu {
                up_gate: init.linear(d_model, 2 * d_ffn, true, device),
                down: init.linear(d_ffn, d_model, true, device),
            }),
        };
        let dropout =
            (dropout > 0.0 && kind != PoolingKind::Identity).then(|| DropoutConfig::new(dropout).init());
        Self {
            input_dropout: dropout.clone().filter(|_| kind.has_dropout_in_front()),
            network,
            output_dropout: dropout,
        }
    }

    /// Applies the function.
    ///
    /// # Shapes
    ///
    /// - input: `[n, d_model]`
    /// - output: `[n, size]`, see [`PoolingKind::output_size`]
    pub fn forward(&self, vectors: Tensor<2>) -> Tensor<2> {
        let vectors = apply(&self.input_dropout, vectors);
        let vectors = match &self.network {
            Network::Identity(_) => vectors,
            Network::Dense(dense) => dense.forward(vectors).tanh(),
            Network::Swiglu(ffn) => ffn.forward(vectors),
        };
        apply(&self.output_dropout, vectors)
    }

    /// The linear layers with their names in a file.
    pub(crate) fn named_params_mut(&mut self) -> NamedParams<'_> {
        let linears = match &mut self.network {
            Network::Identity(_) => Vec::new(),
            Network::Dense(dense) => vec![("pooling.dense", dense)],
            Network::Swiglu(ffn) => {
                vec![("pooling.up_gate", &mut ffn.up_gate), ("pooling.down", &mut ffn.down)]
            }
        };
        linears.into_iter().map(|(name, linear)| (name.to_string(), NamedParam::Linear(linear))).collect()
    }
}

impl Swiglu {
    fn forward(&self, vectors: Tensor<2>) -> Tensor<2> {
        let mut halves = self.up_gate.forward(vectors).chunk(2, 1).into_iter();
        match (halves.next(), halves.next()) {
            (Some(up), Some(gate)) => self.down.forward(up * activation::silu(gate)).tanh(),
            _ => unreachable!("chunk(2, _) of an even axis gives two halves"),
        }
    }
}

fn apply(dropout: &Option<Dropout>, vectors: Tensor<2>) -> Tensor<2> {
    match dropout {
        Some(dropout) => dropout.forward(vectors),
        None => vectors,
    }
}
