//! The logistic loss with smoothed labels, which DPH and DPO share.

use burn::tensor::{Tensor, activation};

/// `-(1-ε) log σ(x) - ε log σ(-x)`, element by element; safe for `x` of any size.
pub(super) fn smoothed_loss(x: Tensor<1>, label_smoothing: f64) -> Tensor<1> {
    let right = activation::log_sigmoid(x.clone()) * -(1.0 - label_smoothing);
    if label_smoothing == 0.0 {
        return right;
    }
    right - activation::log_sigmoid(-x) * label_smoothing
}
