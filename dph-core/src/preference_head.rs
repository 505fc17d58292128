//! [`PreferenceHead`]: aggregation, pooling and reward heads in one.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::aggregation::Aggregation;
use crate::init::WeightInit;
use crate::pooling::{Pooling, PoolingKind};
use crate::standardise::Standardise;

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
    /// Whether every component of the vectors is brought to mean 0 and standard deviation 1 over the training data.
    #[serde(default)]
    pub standardise: bool,
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
    standardise: Option<Standardise>,
    pooling: Pooling,
    /// The reward heads as one projection, `[d_model, heads]`.
    rewards: Linear,
}

impl PreferenceHeadConfig {
    /// A head with one reward called `preference`, on the last end-of-turn state, with identity pooling.
    pub fn new(d_model: usize, d_ffn: usize) -> Self {
        Self {
            d_model,
            d_ffn,
            aggregation: Aggregation::default(),
            standardise: false,
            pooling: PoolingKind::default(),
            dropout: 0.0,
            rewards: vec!["preference".into()],
            bias: false,
        }
    }

    /// A head with seeded initial weights: those of the pooling function are normal with standard deviation 0.02, those
    /// of the reward heads are 0, so that a new head prefers nothing.
    ///
    /// ```
    /// # if cfg!(feature = "flex") {
    /// use dph_core::{PreferenceHeadConfig, PoolingKind};
    ///
    /// let config = PreferenceHeadConfig { pooling: PoolingKind::Bert, ..PreferenceHeadConfig::new(1536, 4096) };
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
            standardise: self.standardise.then(|| Standardise::identity(self.d_model, device)),
            pooling: Pooling::new(self.pooling, self.d_model, self.d_ffn, self.dropout, &mut init, device),
            rewards: Linear {
                weight: Param::from_tensor(Tensor::zeros([self.d_model, heads], device)),
                bias: self.bias.then(|| Param::from_tensor(Tensor::zeros([heads], device))),
            },
        }
    }

    /// Number of parameters that learn, without building the head.
    pub fn parameters(&self) -> usize {
        let heads = self.rewards.len();
        self.pooling.parameters(self.d_model, self.d_ffn) + heads * (self.d_model + usize::from(self.bias))
    }
}

impl PreferenceHead {
    /// The head with the statistics of its training vectors, which come one after another. Without effect on a head that
    /// does not [standardise](PreferenceHeadConfig::standardise).
    pub fn with_statistics(mut self, vectors: impl Iterator<Item = impl AsRef<[f32]>>) -> Self {
        if let Some(standardise) = &mut self.standardise {
            let mean = standardise.mean.val();
            *standardise = Standardise::of(vectors, mean.dims()[0], &mean.device());
        }
        self
    }

    /// The rewards of aggregated vectors.
    ///
    /// # Shapes
    ///
    /// - input: `[n, d_model]`, one vector for each candidate
    /// - output: `[n, heads]`
    pub fn forward(&self, vectors: Tensor<2>) -> Tensor<2> {
        let vectors = match &self.standardise {
            Some(standardise) => standardise.forward(vectors),
            None => vectors,
        };
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

    /// The vectors that do not learn, with the names that they have in a file.
    pub(crate) fn statistics_mut(&mut self) -> Vec<(&'static str, &mut Param<Tensor<1>>)> {
        let statistics = self.standardise.as_mut().map(|standardise| {
            [("standardise.mean", &mut standardise.mean), ("standardise.std", &mut standardise.std)]
        });
        statistics.into_iter().flatten().collect()
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
