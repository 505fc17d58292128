//! LaProp (Ziyin et al., arXiv 2002.04839) with decoupled weight decay towards zero or the initial weights.

use burn::optim::{LearningRate, ModuleOptimizer, Optimizer, RecordState};
use burn::tensor::{Device, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use burn::store::burn_pack;

/// The target of weight decay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DecayTowards {
    /// Decay towards 0.
    #[default]
    Zero,
    /// Decay towards the weights at the beginning of the stage: prior regularisation.
    Initial,
}

/// Settings of [`LaProp`]. The learning rate comes from the schedule.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LaPropConfig {
    /// Decay rates of the averages of the normalised gradient and of the squared gradient.
    pub betas: [f64; 2],
    /// Added to the square root of the averaged squared gradient.
    pub eps: f64,
    /// Decoupled weight decay; each step subtracts `lr · weight_decay · (w - w₀)`.
    pub weight_decay: f64,
    /// The choice of w₀.
    pub decay_towards: DecayTowards,
    /// Whether the denominator uses the maximum of v over all steps instead of v (Reddi et al., arXiv 1904.09237).
    pub amsgrad: bool,
}

impl Default for LaPropConfig {
    fn default() -> Self {
        Self {
            betas: [0.9, 0.95],
            eps: 1e-8,
            weight_decay: 0.0,
            decay_towards: DecayTowards::Zero,
            amsgrad: false,
        }
    }
}

/// The LaProp optimiser: Adam with the gradient normalised *before* it is added to the momentum.
///
/// g is the gradient, η the learning rate, and all averages are initially 0:
///
/// ```text
/// v ← β₂ v + (1-β₂) g²
/// m ← β₁ m + (1-β₁) η g √(1-β₂ᵗ) / (√v + ε)
/// l ← β₁ l + (1-β₁) η
/// w ← w - η wd (w - w₀)
/// w ← w - m η / l
/// ```
///
/// η / l is the bias correction of m for a learning rate that changes from step to step. As in the reference
/// implementation, ε is added before the bias of v is corrected.
#[derive(Clone, Debug)]
pub struct LaProp {
    config: LaPropConfig,
}

/// State of [`LaProp`] for one parameter.
#[derive(RecordState, Clone)]
pub struct LaPropState<const D: usize> {
    /// m: moving average of the normalised gradients times their learning rates.
    pub momentum: Tensor<D>,
    /// v: moving average of the squared gradients.
    pub squared: Tensor<D>,
    /// Maximum of v over all steps, with AMSGrad.
    pub max_squared: Option<Tensor<D>>,
    /// The weights before the first step, with [`DecayTowards::Initial`].
    pub initial: Option<Tensor<D>>,
    /// l: moving average of the learning rates.
    pub average_lr: f64,
    /// Number of steps taken.
    pub steps: usize,
}

impl LaPropConfig {
    /// The optimiser for one parameter group.
    pub fn build(&self) -> LaProp {
        LaProp { config: *self }
    }

    /// The optimiser of a whole module.
    pub fn init(&self) -> ModuleOptimizer {
        ModuleOptimizer::from(self.build())
    }
}

impl Optimizer for LaProp {
    type State<const D: usize> = LaPropState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        tensor: Tensor<D>,
        grad: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let LaPropConfig { betas: [beta_1, beta_2], eps, weight_decay, decay_towards, amsgrad } = self.config;
        let mut state = state.unwrap_or_else(|| LaPropState {
            momentum: tensor.zeros_like(),
            squared: tensor.zeros_like(),
            max_squared: amsgrad.then(|| tensor.zeros_like()),
            initial: (decay_towards == DecayTowards::Initial).then(|| tensor.clone()),
            average_lr: 0.0,
            steps: 0,
        });
        state.steps += 1;
        state.average_lr = beta_1 * state.average_lr + (1.0 - beta_1) * lr;
        state.squared = state.squared * beta_2 + grad.clone().square() * (1.0 - beta_2);

        let bias = 1.0 - beta_2.powi(state.steps as i32);
        state.max_squared = state.max_squared.map(|max| max.max_pair(state.squared.clone()));
        let squared = state.max_squared.as_ref().unwrap_or(&state.squared).clone();
        let normalised = grad * bias.sqrt() / (squared.sqrt() + eps);
        state.momentum = state.momentum * beta_1 + normalised * ((1.0 - beta_1) * lr);

        let mut tensor = tensor;
        if weight_decay != 0.0 {
            let from_target = match &state.initial {
                Some(initial) => tensor.clone() - initial.clone(),
                None => tensor.clone(),
            };
            tensor = tensor - from_target * (lr * weight_decay);
        }
        // If all learning rates were 0, the momentum is 0.
        if state.average_lr != 0.0 {
            tensor = tensor - state.momentum.clone() * (lr / state.average_lr);
        }
        (tensor, Some(state))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        LaPropState {
            momentum: state.momentum.to_device(device),
            squared: state.squared.to_device(device),
            max_squared: state.max_squared.map(|max| max.to_device(device)),
            initial: state.initial.map(|initial| initial.to_device(device)),
            ..state
        }
    }
}
