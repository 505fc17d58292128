//! [`PreferenceHead`]: aggregation, pooling and reward heads in one.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::aggregation::Aggregation;
use crate::init::WeightInit;
use crate::pooling::{Pooling, PoolingKind};

/// Everything that defines a preference head but its weights: the contents of `preference_head.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreferenceHeadConfig {
    /// Size of the backbone's hidden states.
    pub d_model: usize,
    /// Inner size of the SwiGLU pooling functions: that of the backbone's feed-forward network.
    pub d_ffn: usize,
    /// Which hidden states the head reads.
    #[serde(default)]
    pub aggregation: Aggregation,
    /// The pooling function.
    #[serde(default)]
    pub pooling: PoolingKind,
    /// Dropout probability of the pooling function, in training only.
    #[serde(default)]
    pub dropout: f64,
    /// Names of the reward heads.
    pub rewards: Vec<String>,
    /// Whether the reward heads have a bias.
    #[serde(default)]
    pub bias: bool,
}

/// Scores candidate answers: the thing that is trained and saved.
///
/// The backbone gives hidden states, the head's [`aggregation`](PreferenceHeadConfig::aggregation) picks one vector
/// a candidate, the pooling function maps it, and every reward head is a learnable direction in the result.
#[derive(Module, Debug)]
pub struct PreferenceHead {
    pooling: Pooling,
    /// The reward heads as one projection, `[d_model, heads]`.
    rewards: Linear,
}

impl PreferenceHeadConfig {
    /// A head with seeded initial weights: normal with standard deviation 0.02, biases 0.
    ///
    /// ```
    /// # if cfg!(feature = "flex") {
    /// use dph_core::{PreferenceHeadConfig, PoolingKind};
    ///
    /// let config = PreferenceHeadConfig {
    ///     d_model: 1536, d_ffn: 4096, pooling: PoolingKind::Bert, rewards: vec!["preference".into()],
    ///     aggregation: Default::default(), dropout: 0.0, bias: false,
    /// };
    /// let head = config.init(42, &dph_core::device("flex")?);
    /// assert_eq!(config.parameters(), 2_362_368);
    /// assert_eq!(burn::module::Module::num_params(&head), 2_362_368);
    /// # }
    /// # Ok::<(), dph_core::DeviceError>(())
    /// ```
    pub fn init(&self, seed: u64, device: &Device) -> PreferenceHead {
        let mut init = WeightInit::new(seed);
        let heads = self.rewards.len();
        PreferenceHead {
            pooling: Pooling::new(self.pooling, self.d_model, self.d_ffn, self.dropout, &mut init, device),
            rewards: Linear {
                weight: Param::from_tensor(Tensor::from_data(
                    init.normal([self.d_model, heads], 0.02),
                    device,
                )),
                bias: self.bias.then(|| Param::from_tensor(Tensor::zeros([heads], device))),
            },
        }
    }

    /// Number of parameters of the head, without building it.
    pub fn parameters(&self) -> usize {
        let heads = self.rewards.len();
        self.pooling.parameters(self.d_model, self.d_ffn) + heads * (self.d_model + usize::from(self.bias))
    }
}

impl PreferenceHead {
    /// The rewards of aggregated vectors.
    ///
    /// # Shapes
    ///
    /// - input: `[n, d_model]`, one vector for each candidate
    /// - output: `[n, heads]`
    pub fn forward(&self, vectors: Tensor<2>) -> Tensor<2> {
        self.rewards.forward(self.pooling.forward(vectors))
    }

    /// The rewards at every token: what each prefix of a sequence would be worth if it ended there.
    ///
    /// # Shapes
    ///
    /// - input: `[rows, seq, d_model]`, the states of the head's layer
    /// - output: `[rows, seq, heads]`
    pub fn forward_tokens(&self, states: Tensor<3>) -> Tensor<3> {
        let [rows, seq, d_model] = states.dims();
        let rewards = self.forward(states.reshape([rows * seq, d_model]));
        let heads = rewards.dims()[1];
        rewards.reshape([rows, seq, heads])
    }

    /// The linear layers with the names that they have in a file; the reward heads come last.
    pub(crate) fn linears_mut(&mut self) -> Vec<(&'static str, &mut Linear)> {
        let mut linears = self.pooling.linears_mut();
        linears.push((REWARDS, &mut self.rewards));
        linears
    }
}

/// File name of the joint reward projection, which is stored head by head.
pub(crate) const REWARDS: &str = "reward_heads";
