//! An exponential moving average over the answer's tokens.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Device, Tensor, activation};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AggregationError;
use super::sequences::Sequences;
use super::shift::shift;
use crate::parameters::{NamedParam, NamedParams, WeightInit};

/// An exponential moving average over the answer: the weight of a token is multiplied by β for every later token.
///
/// At the answer's i-th token the vector is `Σⱼ β^(sⱼ₊₁ + … + sᵢ) gⱼ xⱼ / Σⱼ β^(sⱼ₊₁ + … + sᵢ) gⱼ`, over j ≤ i.
/// Without a gate all steps s and gains g are 1, which is a moving average with the bias correction of Adam. With a
/// gate they depend on the token: s = softplus(-(W₁ x + b₁)) and g = exp(W₂ x + b₂), component by component.
///
/// ```toml
/// tokens = { moving-average = { decay = 0.9 } }
/// tokens = { moving-average = { decay = 0.95, learn = "components", rotation = true, gate = true } }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MovingAverage {
    /// The factor β, or its initial value if it is learned. 0.9 averages over about ten tokens, 0.99 over about a
    /// hundred.
    pub decay: f64,
    /// `"fixed"`, `"global"` (one learned factor) or `"components"` (a learned factor for every component).
    pub learn: DecayLearning,
    /// Whether the states are multiplied by a learned rotation first, so that learned directions are averaged instead
    /// of components.
    pub rotation: bool,
    /// Size of the rotated states as a multiple of `d_model`.
    pub expansion: usize,
    /// Whether the average is rotated back.
    pub rotate_back: bool,
    /// Whether steps and gains depend on the token (a learned gate).
    pub gate: bool,
    /// Whether the gate has a bias.
    pub gate_bias: bool,
}

/// Whether the decay of a moving average is learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DecayLearning {
    /// Nothing.
    #[default]
    Fixed,
    /// One factor for all components.
    Global,
    /// A factor for every component.
    Components,
}

impl Default for MovingAverage {
    fn default() -> Self {
        Self {
            decay: 0.9,
            learn: DecayLearning::Fixed,
            rotation: false,
            expansion: 1,
            rotate_back: true,
            gate: false,
            gate_bias: false,
        }
    }
}

impl MovingAverage {
    /// Whether it has no parameters.
    pub(super) fn is_fixed(&self) -> bool {
        self.learn == DecayLearning::Fixed && !self.rotation && !self.gate
    }

    /// Number of components that are averaged.
    fn width(&self, d_model: usize) -> usize {
        d_model * self.expansion
    }

    fn decays(&self, d_model: usize) -> usize {
        match self.learn {
            DecayLearning::Fixed => 0,
            DecayLearning::Global => 1,
            DecayLearning::Components => self.width(d_model),
        }
    }

    pub(super) fn parameters(&self, d_model: usize) -> usize {
        let width = self.width(d_model);
        let gate = 2 * width * (d_model + usize::from(self.gate_bias));
        self.decays(d_model) + usize::from(self.rotation) * width * d_model + usize::from(self.gate) * gate
    }

    pub(super) fn check(&self) -> Result<(), AggregationError> {
        let expansion = self.expansion;
        let needs = |needs| Err(AggregationError::Expansion { expansion, needs });
        match self {
            _ if !(self.decay > 0.0 && self.decay < 1.0) => {
                Err(AggregationError::Decay { decay: self.decay })
            }
            _ if expansion == 0 => needs("to be at least 1"),
            _ if expansion > 1 && !self.rotation => {
                needs("`rotation = true`: only rotated states can be larger")
            }
            _ if expansion > 1 && !self.rotate_back => {
                needs("`rotate_back = true`: the average has to have the size of the states again")
            }
            _ if self.gate_bias && !self.gate => Err(AggregationError::BiasWithoutGate),
            _ => Ok(()),
        }
    }
}

/// The weights of a moving average.
#[derive(Module, Debug)]
pub(crate) struct Averager {
    /// Learned change of the logit of the decay, `[1]` or `[width]`.
    decay: Option<Param<Tensor<1>>>,
    /// `[width, d_model]`, initially with orthogonal columns.
    rotation: Option<Param<Tensor<2>>>,
    /// Steps, then gains.
    gate: Option<Linear>,
    logit: f64,
    rotate_back: bool,
}

impl Averager {
    pub fn new(config: &MovingAverage, d_model: usize, init: &mut WeightInit, device: &Device) -> Self {
        let (width, decays) = (config.width(d_model), config.decays(d_model));
        let rotation = config
            .rotation
            .then(|| Param::from_tensor(Tensor::from_data(init.orthonormal(width, d_model), device)));
        Self {
            decay: (decays > 0).then(|| Param::from_tensor(Tensor::zeros([decays], device))),
            rotation,
            gate: config.gate.then(|| init.linear(d_model, 2 * width, config.gate_bias, device)),
            logit: (config.decay / (1.0 - config.decay)).ln(),
            rotate_back: config.rotate_back,
        }
    }

    /// The averages at every token; 0 outside the answer.
    ///
    /// # Shapes
    ///
    /// - states: `[count, len, d_model]`
    /// - output: `[count, len, d_model]`
    pub fn forward(&self, states: Tensor<3>, sequences: &Sequences) -> Tensor<3> {
        let device = states.device();
        let mask = sequences.answer_mask(&device);
        let gates = self.gates(states.clone());
        let rotated = self.rotated(states);
        let [count, len, width] = rotated.dims();
        let (steps, gains) = match gates {
            None => (mask.clone().expand([count, len, width]), mask.clone().expand([count, len, width])),
            Some((steps, gains)) => (steps * mask.clone(), gains * mask.clone()),
        };
        let averages = moving_average(rotated, steps, gains, self.log_decay(&device)) * mask;
        self.rotated_back(averages)
    }

    /// What a token adds to a sum: its rotated states, the factor of the earlier sum, and the gain of the token, `[n, width]`
    /// each.
    ///
    /// # Shapes
    ///
    /// - states: `[n, d_model]`
    pub fn step(&self, states: Tensor<2>) -> (Tensor<2>, Tensor<2>, Tensor<2>) {
        let states: Tensor<3> = states.unsqueeze_dim(1);
        let log_decay = self.log_decay(&states.device());
        let gates = self.gates(states.clone());
        let rotated = self.rotated(states);
        let ones = Tensor::ones(rotated.dims(), &rotated.device());
        let (steps, gains) = gates.unwrap_or_else(|| (ones.clone(), ones));
        let decays = (steps * log_decay.unsqueeze()).exp();
        (rotated.squeeze_dim(1), decays.squeeze_dim(1), gains.squeeze_dim(1))
    }

    /// The averages of sums and weights that [`step`](Self::step) gives, `[n, width]` each to `[n, d_model]`.
    pub fn finish(&self, sums: Tensor<2>, weights: Tensor<2>) -> Tensor<2> {
        let averages: Tensor<3> = (sums / weights.clamp_min(SMALLEST)).unsqueeze_dim(1);
        self.rotated_back(averages).squeeze_dim(1)
    }

    /// Steps and gains of the gate, `[count, len, width]` each; `None` without a gate.
    fn gates(&self, states: Tensor<3>) -> Option<(Tensor<3>, Tensor<3>)> {
        let gate = self.gate.as_ref()?.forward(states);
        let width = gate.dims()[2] / 2;
        let steps = activation::softplus(-gate.clone().narrow(2, 0, width), 1.0);
        Some((steps, gate.narrow(2, width, width).exp()))
    }

    /// ln β, `[width]` or `[1]`.
    fn log_decay(&self, device: &Device) -> Tensor<1> {
        let moved = self.decay.as_ref().map_or_else(|| Tensor::zeros([1], device), |moved| moved.val());
        activation::log_sigmoid(moved + self.logit)
    }

    fn rotated(&self, states: Tensor<3>) -> Tensor<3> {
        match self.rotation() {
            Some(rotation) => states.matmul(rotation.transpose().unsqueeze()),
            None => states,
        }
    }

    fn rotated_back(&self, averages: Tensor<3>) -> Tensor<3> {
        match self.rotation() {
            Some(rotation) if self.rotate_back => averages.matmul(rotation.unsqueeze()),
            _ => averages,
        }
    }

    /// The rotation, `[width, d_model]`. An orthogonality regulariser keeps its columns orthonormal.
    pub fn rotation(&self) -> Option<Tensor<2>> {
        self.rotation.as_ref().map(|rotation| rotation.val())
    }

    pub fn named_params_mut(&mut self) -> NamedParams<'_> {
        let name = |part: &str| format!("aggregation.moving_average.{part}");
        let decay = self.decay.as_mut().map(|decay| (name("decay"), NamedParam::Vector(decay)));
        let rotation =
            self.rotation.as_mut().map(|rotation| (name("rotation"), NamedParam::Matrix(rotation)));
        let gate = self.gate.as_mut().map(|gate| (name("gate"), NamedParam::Linear(gate)));
        decay.into_iter().chain(rotation).chain(gate).collect()
    }
}

/// Smaller than any sum of gains that is not 0.
const SMALLEST: f32 = 1e-30;

/// The weighted means over each token and the earlier ones, `Σⱼ β^(sⱼ₊₁ + … + sᵢ) gⱼ xⱼ / Σⱼ β^(sⱼ₊₁ + … + sᵢ) gⱼ`; 0
/// where all gains are 0.
///
/// Both sums are computed by scans with log₂(len) steps. Nothing is divided by a power of β, so the result is exact
/// for sequences of any length.
///
/// # Shapes
///
/// - states: x, `[count, len, width]`
/// - steps: s, `[count, len, width]`
/// - gains: g, `[count, len, width]`, not negative
/// - log_decay: ln β, `[width]` or `[1]`
/// - output: `[count, len, width]`
pub fn moving_average(
    states: Tensor<3>,
    steps: Tensor<3>,
    gains: Tensor<3>,
    log_decay: Tensor<1>,
) -> Tensor<3> {
    let len = states.dims()[1];
    let mut decay = (steps * log_decay.unsqueeze()).exp();
    let (mut sum, mut weight) = (states * gains.clone(), gains);
    let mut step = 1;
    while step < len {
        sum = sum.clone() + decay.clone() * shift(sum, step, 0.0);
        weight = weight.clone() + decay.clone() * shift(weight, step, 0.0);
        decay = decay.clone() * shift(decay, step, 0.0);
        step *= 2;
    }
    sum / weight.clamp_min(SMALLEST)
}
