//! [`PreferenceHead`]: aggregation, pooling and reward heads in one.

use std::ops::Range;

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::pooling::{Pooling, PoolingKind};
use super::standardise::Standardise;
use crate::aggregation::{Aggregation, AggregationError, Aggregator, SelectedStates, Sequences};
use crate::candidates::{Batch, Ending, Style};
use crate::parameters::{NamedParam, NamedParams, WeightInit};

/// The configuration of a preference head: the contents of `preference_head.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreferenceHeadConfig {
    /// Size of the backbone's hidden states.
    pub d_model: usize,
    /// Inner size of the SwiGLU pooling functions: the inner size of the backbone's feed-forward network.
    pub d_ffn: usize,
    /// The hidden states that the head reads.
    #[serde(default)]
    pub aggregation: Aggregation,
    /// Whether every component of the vectors is standardised to mean 0 and standard deviation 1 over the training
    /// data.
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
    /// The style of the documents that the head was trained on. The file names only another one than `chat`.
    #[serde(default, skip_serializing_if = "Style::is_chat")]
    pub style: Style,
    /// Where the tokens of a candidate end. The file names only another ending than `turn`.
    #[serde(default, skip_serializing_if = "Ending::is_turn")]
    pub ending: Ending,
}

/// Scores candidate answers.
///
/// The [`aggregation`](PreferenceHeadConfig::aggregation) computes one vector per candidate from the hidden states of
/// the backbone. The pooling function maps the vector, and every reward head is a linear projection of the result to
/// one number.
///
/// Rewards come from the hidden states of a batch ([`forward_batch`](Self::forward_batch)), from selected states
/// ([`forward_selected`](Self::forward_selected)), or, if one vector per candidate is selected, from those vectors
/// ([`forward`](Self::forward)). All three give the same rewards and propagate gradients.
#[derive(Module, Debug)]
pub struct PreferenceHead {
    pub(super) standardise: Option<Standardise>,
    pub(super) aggregator: Aggregator,
    pooling: Pooling,
    /// The reward heads as one projection, `[size, heads]`.
    pub(super) rewards: Linear,
}

impl PreferenceHeadConfig {
    /// A configuration with one reward, `preference`, on the last end-of-turn state, with identity pooling.
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
            style: Style::Chat,
            ending: Ending::Turn,
        }
    }

    /// A head with seeded initial weights: the weights of the pooling function are normal with standard deviation
    /// 0.02, and the weights of the reward heads are 0, so all rewards of a new head are 0.
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
        let (heads, size) = (self.rewards.len(), self.pooling.output_size(self.d_model));
        PreferenceHead {
            standardise: self.standardise.then(|| Standardise::identity(self.selected_size(), device)),
            aggregator: Aggregator::new(&self.aggregation, self.d_model, self.d_ffn, &mut init, device),
            pooling: Pooling::new(self.pooling, self.d_model, self.d_ffn, self.dropout, &mut init, device),
            rewards: Linear {
                weight: Param::from_tensor(Tensor::zeros([size, heads], device)),
                bias: self.bias.then(|| Param::from_tensor(Tensor::zeros([heads], device))),
            },
        }
    }

    /// Number of trained parameters. The head is not built.
    pub fn parameters(&self) -> usize {
        let (d_model, d_ffn) = (self.d_model, self.d_ffn);
        let of_head = self.pooling.output_size(d_model) + usize::from(self.bias);
        self.aggregation.parameters(d_model, d_ffn)
            + self.pooling.parameters(d_model, d_ffn)
            + self.rewards.len() * of_head
    }

    /// Number of selected values per token, or per candidate: the size of a hidden state times the number of selected
    /// layers. See [`Aggregation::selection`].
    pub fn selected_size(&self) -> usize {
        self.d_model * self.aggregation.selection().vectors()
    }

    /// Checks the configuration. [`init`](Self::init) may panic for an invalid one.
    ///
    /// # Errors
    ///
    /// If the aggregation is invalid.
    pub fn check(&self) -> Result<(), AggregationError> {
        self.aggregation.check(self.d_model)
    }
}

impl PreferenceHead {
    /// Sets the statistics of the training states, which are passed per token or per candidate as
    /// [`selected_size`](PreferenceHeadConfig::selected_size) values each. It has no effect on a head that does not
    /// [standardise](PreferenceHeadConfig::standardise).
    pub fn with_statistics(mut self, selected: impl Iterator<Item = impl AsRef<[f32]>>) -> Self {
        if let Some(standardise) = &mut self.standardise {
            let mean = standardise.mean.val();
            *standardise = Standardise::from_vectors(selected, mean.dims()[0], &mean.device());
        }
        self
    }

    /// The rewards of the candidates of a batch.
    ///
    /// # Shapes
    ///
    /// - states: `[rows, seq, d_model]` for each of [`Aggregation::layers_needed`], in their order
    /// - output: `[candidates, heads]`
    pub fn forward_batch(&self, states: &[Tensor<3>], batch: &Batch) -> Tensor<2> {
        self.forward_selected(&self.aggregator.select(states, batch))
    }

    /// The rewards of candidates from their selected states, see [`StateSelection::select`](crate::aggregation::StateSelection::select):
    /// `[candidates, heads]`.
    pub fn forward_selected(&self, selected: &SelectedStates) -> Tensor<2> {
        self.rewards_of(self.aggregate(selected))
    }

    /// The rewards of vectors, for an aggregation that selects one vector per candidate, or one per candidate and
    /// layer.
    ///
    /// # Shapes
    ///
    /// - input: `[n, selected_size]`, see [`PreferenceHeadConfig::selected_size`]
    /// - output: `[n, heads]`
    pub fn forward(&self, vectors: Tensor<2>) -> Tensor<2> {
        let [count, size] = vectors.dims();
        let layers = self.aggregator.vectors();
        self.forward_selected(&SelectedStates::vectors(vectors.reshape([count, layers, size / layers])))
    }

    /// The aggregated vectors of candidates, `[candidates, d_model]`.
    pub fn aggregate(&self, selected: &SelectedStates) -> Tensor<2> {
        let [tokens, layers, d_model] = selected.values.dims();
        let values = self.standardised(selected.values.clone().flatten(1, 2));
        self.aggregator.forward(values.reshape([tokens, layers, d_model]), selected)
    }

    /// The aggregated vectors at every token.
    ///
    /// # Shapes
    ///
    /// - states: `[count, len, d_model]` for each of [`Aggregation::layers_needed`], in their order
    /// - output: `[count, len, d_model]`
    pub fn aggregate_tokens(&self, states: &[Tensor<3>], sequences: &Sequences) -> Tensor<3> {
        self.aggregate_joined(self.aggregator.join(states), sequences)
    }

    /// `[count, len, layers, d_model]` to `[count, len, d_model]`.
    fn aggregate_joined(&self, states: Tensor<4>, sequences: &Sequences) -> Tensor<3> {
        let [count, len, layers, d_model] = states.dims();
        let values = self.standardised(states.reshape([count * len, layers * d_model]));
        self.aggregator.forward_tokens(values.reshape([count, len, layers, d_model]), sequences)
    }

    /// The rewards at every token: the reward of each prefix of a sequence as if the sequence ended there.
    ///
    /// # Shapes
    ///
    /// - states: `[count, len, d_model]` for each of [`Aggregation::layers_needed`], in their order
    /// - output: `[count, len, heads]`
    pub fn forward_tokens(&self, states: &[Tensor<3>], sequences: &Sequences) -> Tensor<3> {
        self.rewards_of_tokens(self.aggregate_tokens(states, sequences))
    }

    /// The rewards at every token of the turns of a batch, as [`forward_tokens`](Self::forward_tokens), and the columns of
    /// each turn. The reward at the end of a turn is that of [`forward_batch`](Self::forward_batch).
    ///
    /// # Shapes
    ///
    /// - states: `[rows, seq, d_model]` for each of [`Aggregation::layers_needed`], in their order
    /// - output: `[candidates, len, heads]`
    pub fn forward_turns(&self, states: &[Tensor<3>], batch: &Batch) -> (Tensor<3>, Vec<Range<usize>>) {
        self.rewards_of_turns(self.aggregator.lay_out_turns(states, batch))
    }

    /// As [`forward_turns`](Self::forward_turns), from the states that [`Aggregation::turn_selection`] selects.
    pub fn forward_selected_turns(&self, selected: &SelectedStates) -> (Tensor<3>, Vec<Range<usize>>) {
        self.rewards_of_turns(self.aggregator.lay_out_selected(selected))
    }

    fn rewards_of_turns(
        &self,
        (states, sequences, turns): (Tensor<4>, Sequences, Vec<Range<usize>>),
    ) -> (Tensor<3>, Vec<Range<usize>>) {
        (self.rewards_of_tokens(self.aggregate_joined(states, &sequences)), turns)
    }

    /// `[count, len, d_model]` to `[count, len, heads]`.
    fn rewards_of_tokens(&self, vectors: Tensor<3>) -> Tensor<3> {
        let [count, len, _] = vectors.dims();
        let rewards = self.rewards_of(vectors.flatten(0, 1));
        let heads = rewards.dims()[1];
        rewards.reshape([count, len, heads])
    }

    /// The matrices that an [`OrthogonalityObjective`](crate::OrthogonalityObjective) regularises: the projection of
    /// the reward heads, `[size, heads]`, and the rotation of a moving average, if there is one.
    pub fn orthogonal_matrices(&self) -> Vec<Tensor<2>> {
        std::iter::once(self.rewards.weight.val()).chain(self.aggregator.rotation()).collect()
    }

    /// The vectors of tokens before token pooling, `[tokens, layers, d_model]` to `[tokens, d_model]`.
    pub(super) fn token_vectors(&self, states: Tensor<3>) -> Tensor<2> {
        let [tokens, layers, d_model] = states.dims();
        let values = self.standardised(states.flatten(1, 2));
        self.aggregator.token_vectors(values.reshape([tokens, layers, d_model]))
    }

    /// `[n, d_model]` to `[n, heads]`.
    pub(super) fn rewards_of(&self, vectors: Tensor<2>) -> Tensor<2> {
        self.rewards.forward(self.pooling.forward(vectors))
    }

    fn standardised(&self, selected: Tensor<2>) -> Tensor<2> {
        match &self.standardise {
            Some(standardise) => standardise.forward(selected),
            None => selected,
        }
    }

    /// All stored parameters with their names. The reward heads are last.
    pub(crate) fn named_params_mut(&mut self) -> NamedParams<'_> {
        let mut params = Vec::new();
        if let Some(Standardise { mean, std }) = &mut self.standardise {
            params.push(("standardise.mean".into(), NamedParam::Vector(mean)));
            params.push(("standardise.std".into(), NamedParam::Vector(std)));
        }
        params.extend(self.aggregator.named_params_mut());
        params.extend(self.pooling.named_params_mut());
        params.push((REWARDS.into(), NamedParam::Linear(&mut self.rewards)));
        params
    }
}

/// Name of the joint reward projection in files, where each head is stored separately.
pub(crate) const REWARDS: &str = "reward_heads";
